/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_record - one SPF record, read by the letter of the grammar.
 *
 * Pure. A record is checked whole before any of its terms is used: an error anywhere is an error of all of it
 * (RFC 7208 section 4.6). Called by checks/spf_eval.
 *
 * Standard: RFC 7208 sections 4.5, 4.6.1, 5, 6 and 12.
 */
#ifndef WIRE_SPF_RECORD_H
#define WIRE_SPF_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "wire/span.h"
#include "wire/spf_macro.h"

#define SPF_RECORD_MAX \
	SPF_TEXT_MAX /* bytes; the largest that domains publish are a fourth of it */

/* What the check of a sender's domain can come to, section 2.6. Qualifiers stand for PASS to NEUTRAL. */
enum spf_result {
	SPF_NONE,
	SPF_PASS,
	SPF_FAIL,
	SPF_SOFTFAIL,
	SPF_NEUTRAL,
	SPF_TEMPERROR,
	SPF_PERMERROR,
	SPF_RESULT_COUNT,
};

enum spf_term_kind {
	SPF_TERM_ALL,
	SPF_TERM_INCLUDE,
	SPF_TERM_A,
	SPF_TERM_MX,
	SPF_TERM_PTR,
	SPF_TERM_IP4,
	SPF_TERM_IP6,
	SPF_TERM_EXISTS,
	SPF_TERM_REDIRECT, /* from here on modifiers */
	SPF_TERM_EXP,
	SPF_TERM_OTHER, /* a modifier that nobody knows */
};

struct spf_term {
	uint8_t kind;	   /* enum spf_term_kind */
	uint8_t qualifier; /* enum spf_result, SPF_PASS to SPF_NEUTRAL; not of modifiers */
	uint8_t len4, len6; /* of A and MX: prefix lengths */
	struct span text;   /* all of it, as it stands in the record */
	struct span
		domain_spec; /* what stands behind ":" or "="; empty: the domain of the record */
	struct prefix network; /* of IP4 and IP6 */
};

struct spf_record {
	struct span redirect, exp; /* domain-specs; empty: there is none */
};

/* "pass", "fail", ..., "permerror". */
const char *spf_result_name(enum spf_result result);

/* Does a TXT record claim to be one of SPF: "v=spf1", then a space or nothing? Section 4.5. */
bool spf_is_record(const char *text, size_t len);

/**
 * spf_read_record - check a record whole.
 * @text, @len: spf_is_record() was true of it
 * @out_record: spans from @text; untouched on failure
 * @out_wrong: on failure, the term that is wrong; else untouched
 *
 * record = "v=spf1" *( 1*SP ( directive / modifier ) ) *SP
 *
 * Return: 0; -EBADMSG, a syntax error; -EEXIST, a second redirect or exp; -EMSGSIZE, longer than
 * SPF_RECORD_MAX (then @out_wrong is empty).
 */
int spf_read_record(const char *text, size_t len, struct spf_record *out_record,
		    struct span *out_wrong) MUST_CHECK;

/**
 * spf_next_term - the next term of a record that has been checked.
 * @at: where to look; 0 for the first; moved behind the term
 * @out_term: written if there is one
 *
 * Return: false, there is none.
 */
bool spf_next_term(const char *text, size_t len, size_t *at, struct spf_term *out_term);

#endif
