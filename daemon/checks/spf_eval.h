/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf_eval - check_host(): may this address send mail for this domain?
 *
 * A machine that says what it wants to know from the DNS and is told; it asks nobody itself. No I/O, no clock,
 * no allocation. All that the DNS brings is a stranger's: every count has a limit, and the records on the way
 * to a result share one piece of memory. Driven by checks/spf, and by the tests with a table for a DNS.
 *
 * Standard: RFC 7208 section 4; RFC 8616 section 4.
 */
#ifndef CHECKS_SPF_EVAL_H
#define CHECKS_SPF_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/check.h"
#include "checks/resolver.h"
#include "checks/spf_answer.h"
#include "wire/spf_macro.h"
#include "wire/spf_record.h"

#define SPF_TERMS_MAX 10u /* that ask the DNS, in all records together; section 4.6.4 */
#define SPF_VOIDS_MAX 2u  /* answers without a record; section 4.6.4 */
#define SPF_NAMES_MAX 10u /* of MX and PTR records that are looked at; section 4.6.4 */
#define SPF_TEXTS_MAX \
	16384u /* bytes of all records that are open at a time, with their names */
#define SPF_SHOWN_MAX 64u /* bytes of a term or a name in a text for people */

/* Whose mail. Everything is borrowed for as long as the evaluation lasts. */
struct spf_sender {
	struct addr client;
	struct spf_text local; /* without quotes; empty: "postmaster" */
	struct spf_text
		domain; /* of MAIL FROM, or the name in HELO if there is no sender */
	struct spf_text helo;
	struct spf_text receiver; /* our own name */
	int64_t now_s;		  /* wall clock */
};

/* A record that is being read. One that another includes stands behind it. */
struct spf_frame {
	uint16_t domain_at, record_at; /* in texts */
	uint16_t record_len;
	uint8_t qualifier; /* of the include that waits for the next frame */
	bool has_to_exist; /* without a record it is an error, not SPF_NONE */
	size_t at;	   /* of the next term */
	struct spf_record record;
};

enum spf_step {
	SPF_STEP_TERM, /* on to the next term */
	SPF_STEP_RECORD,
	SPF_STEP_A,
	SPF_STEP_EXISTS,
	SPF_STEP_MX,
	SPF_STEP_MX_HOST,
	SPF_STEP_PTR,
	SPF_STEP_PTR_HOST,
	SPF_STEP_EXPLANATION,
	SPF_STEP_OVER,
	SPF_STEP_COUNT,
};

/* What goes on when it is known which names the client has. */
enum spf_resume {
	SPF_RESUME_TERM,
	SPF_RESUME_REDIRECT,
	SPF_RESUME_EXP,
	SPF_RESUME_EXPLANATION,
};

struct spf_eval {
	/* What comes out. */
	bool has_result; /* while an explanation is fetched, too */
	uint8_t result;	 /* enum spf_result */
	char mechanism
		[CHECK_EVIDENCE_MAX]; /* escaped: what decided, and in whose record; "" if nothing did */
	char problem[CHECK_EVIDENCE_MAX]; /* escaped: of an error; else "" */
	char explanation
		[SPF_EXPLANATION_MAX]; /* printable; the domain's own words on SPF_FAIL; else "" */

	/* What it wants to know, if it is not over. */
	uint16_t type; /* enum dnsmsg_type */
	char question[DNSMSG_NAME_MAX];

	/* Its own. */
	struct spf_values values;
	uint8_t step;	/* enum spf_step */
	uint8_t resume; /* enum spf_resume */
	uint8_t depth, terms, voids;
	bool knows_names, is_ascii; /* the names of the client; is the local part? */
	struct spf_term term;
	struct spf_frame frames[SPF_TERMS_MAX + 1];
	struct span explain; /* the text of the explanation, in texts */
	struct spf_names hosts, clients;
	uint16_t texts_len;
	char texts[SPF_TEXTS_MAX];
};

/**
 * spf_eval_begin - start, and go as far as is known without the DNS.
 * @eval: written whole, but for what lies unused in its arrays
 *
 * Return: true, question and type are set: spf_eval_go_on() wants the answer; false, it is over.
 */
bool spf_eval_begin(struct spf_eval *eval, const struct spf_sender *sender);

/* The answer to the question. Returns the same. */
bool spf_eval_go_on(struct spf_eval *eval, const struct dns_answer *answer);

#endif
