/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/check - the answer to one question about a client.
 *
 * Plain data; travels from checks/ to the gate. How a check is run: checks/task; which there are: checks/runner.
 */
#ifndef CHECKS_CHECK_H
#define CHECKS_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK_EVIDENCE_MAX 128u /* with the NUL */

enum check_result {
	CHECK_CLEAN,
	CHECK_HIT,
	CHECK_UNKNOWN, /* could not find out; never a reason for a permanent rejection */
	CHECK_RESULT_COUNT,
};

/* What a check found, and why; evidence is escaped, fit for a log line. */
struct check_answer {
	enum check_result result;
	uint32_t ttl_s; /* how long the answer may be kept; 0: not at all */
	bool timed_out; /* UNKNOWN because nobody answered in time */
	char evidence[CHECK_EVIDENCE_MAX];
};

const char *check_result_name(enum check_result result); /* "clean", "hit", "unknown" */

#endif
