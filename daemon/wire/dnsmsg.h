/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/dnsmsg - the answer section of a DNS message: records of the type that was asked for.
 *
 * Pure. Whoever owns a name can put anything into its records, so every byte is read through a cursor, and
 * everything has a bound. dnsmsg_read() looks a message through once; what it has accepted can be walked as
 * often as wanted. Called by checks/resolver and by whoever gets an answer from it.
 *
 * Standard: RFC 1035 (messages), RFC 3596 (AAAA), RFC 2181 (TTLs, CNAMEs), RFC 2308 (how long "no" is true).
 */
#ifndef WIRE_DNSMSG_H
#define WIRE_DNSMSG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define DNSMSG_NAME_MAX \
	256u /* a name as text, with the NUL; RFC 1035 2.3.4: 255 octets */
#define DNSMSG_RECORDS_MAX 1000u /* records of a message that are looked at */
#define DNSMSG_CNAMES_MAX  16u	 /* links of a chain; a longer one leads nowhere */

enum dnsmsg_type {
	DNSMSG_A = 1,
	DNSMSG_CNAME = 5,
	DNSMSG_SOA = 6,
	DNSMSG_PTR = 12,
	DNSMSG_MX = 15,
	DNSMSG_TXT = 16,
	DNSMSG_AAAA = 28,
};

/* A name as text, without a final dot; "" is the root. */
struct dnsmsg_name {
	char text
		[DNSMSG_NAME_MAX]; /* what is not printable ASCII, and dots inside labels, as '?' */
	size_t len;
	bool is_plain; /* there was nothing of that kind: the text is the name */
};

/* A message that has been looked through; the bytes are borrowed. */
struct dnsmsg {
	const uint8_t *bytes;
	size_t len; /* up to the end of the answers: what is behind is not needed any more */
	uint16_t type;	   /* that was asked for */
	uint16_t owner_at; /* where the name stands that CNAMEs lead to */
	uint16_t answers_at;
	uint32_t answers; /* records of any kind in the answer section */
	uint32_t count;	  /* those of the type asked for, of that name */
	uint32_t
		ttl_s; /* how long this may be kept; for "no record" from the SOA; 0: not at all */
};

struct dnsmsg_record {
	uint32_t ttl_s;
	const uint8_t *data; /* as it stands; borrowed */
	size_t len;
	/* By type: */
	struct addr addr;	 /* A; AAAA, where a mapped address is not folded */
	uint16_t preference;	 /* MX */
	struct dnsmsg_name name; /* PTR, MX, CNAME */
};

struct dnsmsg_walk {
	const struct dnsmsg *message;
	size_t at;
	uint32_t left;
};

/**
 * dnsmsg_read - look a message through.
 * @bytes, @len: the message; its only question is the one that was asked (the caller's library sees to that)
 * @out_message: untouched on failure
 *
 * Follows CNAMEs from the question on, in whatever order they stand, and leaves aside records of any other name.
 *
 * Return: 0; -EBADMSG, no well-formed message, or a record that is to be looked at is malformed.
 */
int dnsmsg_read(const uint8_t *bytes, size_t len, struct dnsmsg *out_message) MUST_CHECK;

/* Does it say of itself that not all of the answer is in it (TC, RFC 1035 4.1.1)? Not if it is too short to. */
bool dnsmsg_is_truncated(const uint8_t *bytes, size_t len);

/* Begin with the first record of the type asked for. */
void dnsmsg_walk_init(struct dnsmsg_walk *walk, const struct dnsmsg *message);

/* The next one; false: there is no other. */
bool dnsmsg_walk_next(struct dnsmsg_walk *walk, struct dnsmsg_record *out_record);

/**
 * dnsmsg_text - the character-strings of a TXT record, joined.
 * @out_text: receives any bytes, and a NUL behind them
 * @cap_bytes: size of @out_text, > 0; 65536 is enough for every record
 *
 * Return: how many bytes, without the NUL; -EMSGSIZE, they do not fit (nothing is written).
 */
int dnsmsg_text(const struct dnsmsg_record *record, char *out_text, size_t cap_bytes);

#endif
