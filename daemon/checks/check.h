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

enum check_result {
	CHECK_CLEAN,
	CHECK_HIT,
	CHECK_UNKNOWN, /* could not find out; never a reason for a permanent rejection */
	CHECK_RESULT_COUNT,
};

/* What a check found, and why; evidence is escaped, fit for a log line and for a reply. */
struct check_answer {
	enum check_result result;
	char evidence[CHECK_EVIDENCE_MAX];
};

/* What is asked, and for whom. */
struct check_request {
	struct addr client;
	enum conf_check check;
	uint16_t policy_id; /* conf_policy.id: the policy whose settings hold */
	uint32_t asker;	    /* whom to answer; not looked at here */
	uint64_t session_id;
	uint64_t deadline_ns; /* monotonic clock */
};

const char *check_result_name(enum check_result result); /* "clean", "hit", "unknown" */

#endif
