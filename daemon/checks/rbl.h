/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl - is the client in the DNS lists that its policy asks? (flag RBL)
 *
 * All lists are asked at once, and the check ends as soon as those that are missing cannot change the result.
 *
 * HIT: the weights of the lists that have it reach the threshold; the evidence names the lists, and is what the
 * weightiest of them says in its TXT record.
 * CLEAN: they do not.
 * UNKNOWN: lists that gave no usable reply could have decided.
 *
 * A list that is suspended (checks/rbl_lists) is not asked and counts for nothing. A row of checks/runner.
 *
 * Standard: RFC 5782.
 */
#ifndef CHECKS_RBL_H
#define CHECKS_RBL_H

#include <assert.h>

#include "checks/task.h"
#include "policy/rbl.h"

#define RBL_TEXT_WAIT_MS \
	1500u		   /* for the TXT record, once the client is known to be listed */
#define RBL_TEXT_MAX  120u /* bytes of it that are shown */
#define RBL_NAMES_MAX 4u   /* lists that are named in the evidence */

static_assert(CONF_POLICY_RBLS_MAX <= TASK_QUESTIONS_MAX, "all at once");

struct rbl_work {
	uint32_t count;
	bool is_asking;	 /* the first round of questions is not complete */
	bool is_decided; /* a HIT; only the text is awaited */
	uint64_t began_ns;
	uint8_t lists[CONF_POLICY_RBLS_MAX]; /* indexes into conf.rbls */
	struct rbl_vote votes[CONF_POLICY_RBLS_MAX];
};

void rbl_start(struct task *task);

#endif
