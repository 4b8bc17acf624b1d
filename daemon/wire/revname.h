/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname - names that belong to addresses: under which one the DNS is asked, and what is a host's name.
 *
 * Pure. Called by checks/ptr, checks/rbl and checks/helo.
 *
 * Standard: RFC 1035 3.5 (in-addr.arpa), RFC 3596 2.5 (ip6.arpa), RFC 5782 2.1 and 2.4 (lists), RFC 1123 2.1
 * (names of hosts).
 */
#ifndef WIRE_REVNAME_H
#define WIRE_REVNAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define REVNAME_TEXT_MAX \
	256u /* a name as text, with the NUL; RFC 1035 2.3.4: 255 octets */
#define REVNAME_LABEL_MAX 63u

/**
 * revname_of_addr - the name under which the PTR records of an address stand.
 * @addr: IPv4 or IPv6
 * @out_name: "7.2.0.192.in-addr.arpa", without a final dot
 *
 * Return: @out_name.
 */
const char *revname_of_addr(const struct addr *addr, char out_name[REVNAME_TEXT_MAX]);

/**
 * revname_in_zone - the name under which a list keeps an address (RFC 5782 2.1, 2.4).
 * @addr: IPv4 (octets) or IPv6 (nibbles)
 * @zone: of the list, without a final dot
 * @out_name: "7.2.0.192.zen.example"
 *
 * Return: @out_name; "" if it would be longer than a name may be.
 */
const char *revname_in_zone(const struct addr *addr, const char *zone,
			    char out_name[REVNAME_TEXT_MAX]);

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

/* The same for one label. Return: NULL, it is one; else what is wrong. */
const char *hostname_label_problem(const char *label, size_t len);

#endif
