/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_report - see gate_smtp_report.h.
 */
#include "proc/gate_smtp_report.h"

#include "base/buf.h"
#include "policy/flags.h"
#include "proc/gate_report.h"

void smtp_ask_checks(struct session *s)
{
	struct msg msg = {.type = MSG_CHECK};
	const struct conf_policy *policy = session_policy(s);
	const uint64_t timeout_ms =
		(uint64_t)s->gate->conf->limits.check_timeout_s * 1000;

	if (!policy || !(s->flags & FLAG_PTR) || policy->mode[CHECK_PTR] == MODE_OFF)
		return;
	msg.check.session_id = s->id;
	msg.check.checks = 1u << CHECK_PTR;
	msg.check.timeout_ms = (uint32_t)timeout_ms;
	msg.check.policy_id = policy->id;
	msg.check.addr = s->addr;
	if (channel_send(s->gate->checker, &msg, -1))
		return; /* cannot be found out: never a reason to refuse */
	s->checks_pending = 1u << CHECK_PTR;
	s->checks_end_ms = s->gate->now_ms + timeout_ms;
}

void smtp_take_answer(struct session *s, const struct msg_answer *answer)
{
	const uint8_t bit = (uint8_t)(1u << answer->check);

	if (!(s->checks_pending & bit))
		return;
	s->checks_pending &= (uint8_t)~bit;
	if (answer->result != CHECK_HIT)
		return;
	s->checks_hit |= bit;
	(void)text_copy(s->evidence, sizeof(s->evidence), answer->evidence);
	if (report_mode(s, (enum conf_check)answer->check) == MODE_OBSERVE)
		s->verdict = "observe-ptr";
}
