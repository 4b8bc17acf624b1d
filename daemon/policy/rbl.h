/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/rbl - what the replies of DNS lists mean, and what they come to together.
 *
 * A list replies with addresses in 127/8. Whether one of them counts is said by the patterns of the list; each list
 * that has the client adds its weight, an allowlist takes it away, and the sum is held against a threshold. Pure.
 *
 * Standard: RFC 5782.
 */
#ifndef POLICY_RBL_H
#define POLICY_RBL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define RBL_PATTERNS_MAX 16u /* of one list */
#define RBL_PATTERN_TEXT_MAX \
	48u /* "[127..127].[255..255].[255..255].[255..255]", with the NUL */

/* Each octet of a reply lies within its two bounds. */
struct rbl_pattern {
	uint8_t first[4], last[4];
};

/**
 * rbl_pattern_parse - "127.0.0.[2..11]", "127.0.0.2".
 * @text: NUL-terminated
 * @out_pattern: untouched on failure
 *
 * pattern = octet 3( "." octet );  octet = NUMBER / "[" NUMBER ".." NUMBER "]"
 *
 * Return: 0; -EINVAL, no pattern; -ERANGE, an octet past 255 or bounds in the wrong order; -EDOM, it does not lie
 * in 127.0.0.0/8 (RFC 5782 2.1), or among the error codes of 127.255.255.0/24.
 */
int rbl_pattern_parse(const char *text, struct rbl_pattern *out_pattern) MUST_CHECK;

/* The same as text. Returns @out_text. */
const char *rbl_pattern_format(const struct rbl_pattern *pattern,
			       char out_text[RBL_PATTERN_TEXT_MAX]);

/* What one reply says. */
enum rbl_reply {
	RBL_REPLY_LISTED,
	RBL_REPLY_OTHER, /* in the list, for a reason that does not count here */
	RBL_REPLY_ERROR, /* 127.255.255.0/24, 127.0.0.1: the list answers nobody, or not us */
	RBL_REPLY_ALIEN, /* outside of 127.0.0.0/8: no list at all answers so */
};

/**
 * rbl_reply_of - judge one A record.
 * @patterns, @count: of the list; count 0: everything that is neither an error nor alien counts
 *
 * A pattern that names an error code has it count all the same: rbl_pattern_parse() only lets 127.0.0.1 be named.
 */
enum rbl_reply rbl_reply_of(const struct addr *reply, const struct rbl_pattern *patterns,
			    size_t count);

/* What an error code means, as a sentence: "your resolver is public: the list refuses its questions". */
const char *rbl_error_meaning(const struct addr *reply);

/* ---- the sum --------------------------------------------------------------------------------- */

enum rbl_state {
	RBL_PENDING, /* no reply yet */
	RBL_LISTED,
	RBL_NOT_LISTED,
	RBL_UNKNOWN, /* no reply that says anything */
};

/* One list and its word. */
struct rbl_vote {
	int32_t weight; /* < 0: an allowlist */
	uint8_t state;	/* enum rbl_state */
};

enum rbl_outcome {
	RBL_OUTCOME_OPEN,  /* what is pending may still decide */
	RBL_OUTCOME_HIT,   /* the threshold is reached, whatever the others may say */
	RBL_OUTCOME_CLEAN, /* it is not, whatever they may say */
	RBL_OUTCOME_UNKNOWN, /* nothing is pending, and what is unknown could have decided */
};

/**
 * rbl_decide - sum up.
 * @votes, @count: those lists that are asked
 * @threshold: > 0
 * @out_sum: of those that have it; always written; may be NULL
 */
enum rbl_outcome rbl_decide(const struct rbl_vote *votes, size_t count, int32_t threshold,
			    int32_t *out_sum);

#endif
