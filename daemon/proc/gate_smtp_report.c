/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_report - see gate_smtp_report.h.
 */
#include "proc/gate_smtp_report.h"

#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"

#define EVIDENCE_SHOWN_MAX 100u /* bytes of a reply, before escaping */

enum check_mode smtp_mode(const struct session *s, enum conf_check check)
{
	const struct conf_policy *policy = session_policy(s);

	return policy ? (enum check_mode)policy->mode[check] : MODE_OFF;
}

bool smtp_counts_strikes(const struct session *s)
{
	return (s->flags & FLAG_LL) && smtp_mode(s, CHECK_STRIKES) != MODE_OFF;
}

void smtp_report_strike(struct session *s, enum strike_kind kind, const char *who,
			const struct smtp_evidence *evidence)
{
	struct msg msg = {.type = MSG_STRIKE};
	struct msg_strike *strike = &msg.strike;
	struct buf reply;

	if (!smtp_counts_strikes(s) || s->service < 0)
		return;
	s->strikes++;
	strike->addr = s->addr;
	strike->kind = (uint8_t)kind;
	strike->service = (uint8_t)s->service;
	strike->session_id = s->id;
	strike->seen_mono_ns = s->gate->now_ns;
	if (kind == STRIKE_LOGIN)
		memcpy(strike->digest, s->smtp.digest, sizeof(strike->digest));
	(void)text_copy(strike->user, sizeof(strike->user), who);
	buf_init(&reply, strike->reply, sizeof(strike->reply));
	buf_printf(&reply, "%u ", evidence->code);
	buf_add_escaped(&reply, evidence->text, evidence->len, EVIDENCE_SHOWN_MAX);
	(void)channel_send(s->gate->ledger, &msg,
			   -1); /* without a ledger nobody counts */
}

void smtp_report_login(struct session *s)
{
	struct msg msg = {.type = MSG_LOGIN};

	if (s->service < 0)
		return;
	msg.login.addr = s->addr;
	msg.login.service = (uint8_t)s->service;
	msg.login.session_id = s->id;
	(void)text_copy(msg.login.user, sizeof(msg.login.user), s->user);
	(void)channel_send(s->gate->ledger, &msg, -1);
}

void smtp_ask_checks(struct session *s)
{
	struct msg msg = {.type = MSG_CHECK};
	const uint64_t timeout_ms =
		(uint64_t)s->gate->conf->limits.check_timeout_s * 1000;

	if (!(s->flags & FLAG_PTR) || smtp_mode(s, CHECK_PTR) == MODE_OFF)
		return;
	msg.check.session_id = s->id;
	msg.check.checks = 1u << CHECK_PTR;
	msg.check.timeout_ms = (uint32_t)timeout_ms;
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
	if (smtp_mode(s, (enum conf_check)answer->check) == MODE_OBSERVE)
		s->verdict = "observe-ptr";
}
