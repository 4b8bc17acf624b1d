/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname - names that belong to addresses: the question for a PTR record, and its answer.
 *
 * Pure. The answer comes from whoever owns the address, so it is read through a cursor with a bound
 * on everything. Called by checks/ptr and checks/helo.
 *
 * Standard: RFC 1035 (messages), RFC 3596 2.5 (ip6.arpa), RFC 2317 (CNAMEs on the way), RFC 2308
 * (how long "no" is true), RFC 1123 2.1 (names of hosts).
 */
#ifndef WIRE_REVNAME_H
#define WIRE_REVNAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define REVNAME_TEXT_MAX \
	256u /* a name as text, with the NUL; RFC 1035 2.3.4: 255 octets */
#define REVNAME_LABEL_MAX   63u
#define REVNAME_RECORDS_MAX 64u /* records of an answer that are looked at */
#define REVNAME_NAMES_MAX   64u /* PTR records of one address that are looked at */
#define REVNAME_TYPE_PTR    12u

/**
 * revname_of_addr - the name under which the PTR records of an address stand.
 * @addr: IPv4 or IPv6
 * @out_name: "7.2.0.192.in-addr.arpa", without a final dot
 *
 * Return: @out_name.
 */
const char *revname_of_addr(const struct addr *addr, char out_name[REVNAME_TEXT_MAX]);

/**
 * hostname_problem - is this the full name of a host?
 * @name, @len: any bytes; one final dot is let through
 *
 * name = label 1*( "." label );  label = let-dig [ *( let-dig / "-" ) let-dig ]   RFC 1123 2.1
 * The last label is not all digits, or it would be read as an address.
 *
 * Return: NULL, it is; else what is wrong, as a phrase ("a single label").
 */
const char *hostname_problem(const char *name, size_t len);

/* What an answer says. */
struct revname_answer {
	uint32_t ptr_count;	     /* PTR records of the name asked for */
	char name[REVNAME_TEXT_MAX]; /* the first that is a host's name; "" if none is */
	char other
		[REVNAME_TEXT_MAX]; /* else the first of all, bytes outside printable ASCII as '?' */
	uint32_t
		ttl_s; /* how long this may be kept; for "no record" from the SOA; 0: not said */
};

/**
 * revname_read_answer - read a DNS message that answers a question for PTR.
 * @bytes, @len: the message
 * @question: the name that was asked for
 * @out_answer: untouched on failure
 *
 * Follows CNAMEs from the question on and leaves aside records of any other name.
 *
 * Return: 0; -EBADMSG, no well-formed message.
 */
int revname_read_answer(const uint8_t *bytes, size_t len, const char *question,
			struct revname_answer *out_answer) MUST_CHECK;

#endif
