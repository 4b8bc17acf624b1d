/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/check - one question about a client, and the answer to it.
 *
 * Plain data. How a check is run: checks/task; which there are: checks/runner.
 */
#ifndef CHECKS_CHECK_H
#define CHECKS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "policy/conf.h"

#define CHECK_EVIDENCE_MAX 256u /* with the NUL */
#define CHECK_WORDS_MAX	   384u

enum check_result {
	CHECK_CLEAN,
	CHECK_HIT,
	CHECK_UNKNOWN, /* could not find out; never a reason for a permanent rejection */
	CHECK_RESULT_COUNT,
};

/* What a check found, and why; evidence is escaped, fit for a log line and for a reply. */
struct check_answer {
	enum check_result result;
	uint8_t spf; /* of CHECK_SPF, unless UNKNOWN: enum spf_result */
	char evidence[CHECK_EVIDENCE_MAX];
	char words[CHECK_WORDS_MAX]; /* printable: what others say of it; "": nothing */
};

/* Who sends a message; for checks of the client alone all empty. */
struct check_sender {
	char local[CONF_HOST_MAX];  /* without quotes */
	char domain[CONF_HOST_MAX]; /* "": the null sender */
	char helo[CONF_HOST_MAX];
};

/* What is asked, and for whom. */
struct check_request {
	struct addr client;
	enum conf_check check;
	uint16_t policy_id; /* conf_policy.id: the policy whose settings hold */
	uint32_t asker;	    /* whom to answer; not looked at here */
	uint64_t session_id;
	uint32_t serial;      /* of the message in the session; not looked at here */
	uint64_t deadline_ns; /* monotonic clock */
	int64_t asked_wall_s;
	struct check_sender sender;
};

const char *check_result_name(enum check_result result); /* "clean", "hit", "unknown" */

#endif
