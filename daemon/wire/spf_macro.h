/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_macro - the macros of SPF: are they well formed, and what do they stand for?
 *
 * Pure. The text is a stranger's, and so is most of what goes into it; what comes out fits its buffer. A name
 * keeps its right end, an explanation its beginning. Called by wire/spf_record and checks/spf_eval.
 *
 * Standard: RFC 7208 section 7; RFC 8616 section 4 (senders that are not ASCII).
 */
#ifndef WIRE_SPF_MACRO_H
#define WIRE_SPF_MACRO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define SPF_TEXT_MAX 8192u /* bytes of a text with macros: a record has no more */
#define SPF_NAME_MAX \
	254u /* of a name as text without a final dot, with the NUL; section 7.3 */
#define SPF_EXPLANATION_MAX \
	384u /* of an explanation, with the NUL: one line of a reply holds it */

enum spf_text_kind {
	SPF_TEXT_DOMAIN_SPEC, /* ends like a domain name */
	SPF_TEXT_MODIFIER,    /* the value of a modifier that nobody knows */
	SPF_TEXT_EXPLANATION, /* may hold spaces, and the macros c, r and t */
};

/* Some text of a known length; may hold any byte. */
struct spf_text {
	const char *text;
	size_t len;
};

/* What the macros stand for, section 7.2. All borrowed. */
struct spf_values {
	struct spf_text local;	       /* l: of the sender, without quotes */
	struct spf_text sender_domain; /* o */
	struct spf_text domain;	       /* d: whose record is being read */
	struct spf_text helo;	       /* h */
	struct spf_text client_name;   /* p */
	struct spf_text receiver;      /* r */
	struct addr client;	       /* i, v, c */
	int64_t now_s;		       /* t */
};

/**
 * spf_text_is_valid - does a text follow the grammar?
 * @text, @len: any bytes
 *
 * domain-spec    = macro-string ( ( "." toplabel [ "." ] ) / macro-expand )
 * macro-string   = *( macro-expand / %x21-24 / %x26-7E )
 * explain-string = *( macro-string / SP )
 * macro-expand   = ( "%{" macro-letter *DIGIT [ "r" ] *delimiter "}" ) / "%%" / "%_" / "%-"
 * RFC 7208 section 12; a number of parts is not 0 (7.3)
 */
bool spf_text_is_valid(enum spf_text_kind kind, const char *text, size_t len);

/* Does a valid text use one of these macro letters (lower case, as in "sl")? */
bool spf_text_uses(const char *text, size_t len, const char *letters);

/**
 * spf_expand_name - the domain name that a domain-spec stands for.
 * @text, @len: valid
 * @out_name: a name without a final dot; untouched on failure
 *
 * Labels are dropped from the left while it is longer than 253 characters.
 *
 * Whatever stands in front of them is not even expanded, so that a long text costs no more than a short one.
 *
 * Return: 0; -EBADMSG, this cannot be a name in the DNS: an empty label, one longer than 63 octets, a NUL; or the
 * text is longer than SPF_TEXT_MAX.
 */
int spf_expand_name(const struct spf_values *values, const char *text, size_t len,
		    char out_name[SPF_NAME_MAX]);

/**
 * spf_expand_explanation - what an explanation says.
 * @text, @len: valid
 * @out_text: printable ASCII whatever the macros stood for: '?' for other bytes; cut if too long
 */
void spf_expand_explanation(const struct spf_values *values, const char *text, size_t len,
			    char out_text[SPF_EXPLANATION_MAX]);

/* Can this text be a name in the DNS? No final dot, labels of 1 to 63 octets, 253 octets in all, no NUL. */
bool spf_name_is_valid(const char *name, size_t len);

/* Can a domain have a record of SPF at all: a name of several labels, no literal, no U-label? Section 4.3. */
bool spf_domain_is_valid(const char *name, size_t len);

bool spf_text_is_ascii(struct spf_text text);

/* Is the name, case aside, this domain or one below it? Neither with a final dot. */
bool spf_name_is_within(const char *name, const char *domain);

#endif
