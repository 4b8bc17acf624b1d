/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_report - see gate_report.h.
 */
#include "proc/gate_report.h"

#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"

#define EVIDENCE_SHOWN_MAX 100u /* bytes of a reply, before escaping */

enum check_mode report_mode(const struct session *s, enum conf_check check)
{
	const struct conf_policy *policy = session_policy(s);
	const struct conf *conf = s->gate->conf;

	if (!policy || !conf_service_is_on(conf, &conf->services[s->service]))
		return MODE_OFF;
	return (enum check_mode)policy->mode[check];
}

bool report_counts_strikes(const struct session *s)
{
	return (s->flags & FLAG_LL) && report_mode(s, CHECK_STRIKES) != MODE_OFF;
}

void report_strike(struct session *s, enum strike_kind kind, const char *who,
		   const struct report_evidence *evidence)
{
	struct msg msg = {.type = MSG_STRIKE};
	struct msg_strike *strike = &msg.strike;
	struct buf reply;

	if (!report_counts_strikes(s) || s->service < 0 || s->is_test)
		return;
	s->strikes++;
	strike->addr = s->addr;
	strike->kind = (uint8_t)kind;
	strike->service = (uint8_t)s->service;
	strike->session_id = s->id;
	strike->seen_mono_ns = s->gate->now_ns;
	if (kind == STRIKE_LOGIN)
		memcpy(strike->digest, s->digest, sizeof(strike->digest));
	(void)text_copy(strike->user, sizeof(strike->user), who);
	buf_init(&reply, strike->reply, sizeof(strike->reply));
	if (evidence->code)
		buf_printf(&reply, "%u ", evidence->code);
	buf_add_escaped(&reply, evidence->text, evidence->len, EVIDENCE_SHOWN_MAX);
	(void)channel_send(s->gate->ledger, &msg,
			   -1); /* without a ledger nobody counts */
}

void report_login(struct session *s)
{
	struct msg msg = {.type = MSG_LOGIN};

	if (s->service < 0 || s->is_test)
		return;
	msg.login.addr = s->addr;
	msg.login.service = (uint8_t)s->service;
	msg.login.session_id = s->id;
	(void)text_copy(msg.login.user, sizeof(msg.login.user), s->user);
	(void)channel_send(s->gate->ledger, &msg, -1);
}
