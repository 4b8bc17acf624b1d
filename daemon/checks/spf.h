/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf - may the client's address send mail for the domain of the sender? (flag SPF)
 *
 * Asked for each message: about the domain of MAIL FROM, or the name in HELO if there is no sender. CLEAN: pass,
 * neutral, none. HIT: fail, softfail, permerror. UNKNOWN: temperror, no answer in time. Which of the seven it
 * was is in the answer, with what decided and, after a fail, the words of the domain. A row of checks/runner.
 *
 * Standard: RFC 7208.
 */
#ifndef CHECKS_SPF_H
#define CHECKS_SPF_H

#include "checks/spf_eval.h"
#include "checks/task.h"
#include "policy/conf.h"

#define SPF_EXPLAIN_MS 3000u /* an explanation is waited for so long at most */

struct spf_state {
	uint8_t turn; /* enum spf_turn */
	bool is_going;
	struct spf_eval eval;
};

void spf_start(struct task *task);

/* What the settings of a policy make of a result. */
enum spf_action {
	SPF_ACCEPT,
	SPF_GREYLIST, /* where greylisting is on; else accepted */
	SPF_DEFER,
	SPF_REJECT,
};

enum spf_action spf_decide(const struct conf_policy *policy, enum spf_result result);

#endif
