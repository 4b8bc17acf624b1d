/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_grey - see gate_smtp_grey.h.
 */
#include "proc/gate_smtp_grey.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/gate_smtp.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_say.h"
#include "proc/gate_smtp_spf.h"
#include "proc/session_test.h"

#define BIT(check) (1u << (unsigned int)(check))

void smtp_grey_begin(struct session *s, const char *mailbox, size_t len)
{
	s->smtp.grey = (struct smtp_grey){.has_null_sender = len == 0};
	grey_sender_digest(mailbox, len, s->smtp.grey.sender);
}

bool smtp_grey_is_again(const struct session *s)
{
	return s->smtp.grey.step != SMTP_GREY_IDLE;
}

/* ---- what SPF says ----------------------------------------------------------------------------- */

static enum grey_bypass grey_bypass(const struct session *s)
{
	const struct conf_policy *policy = session_policy(s);

	return policy ? (enum grey_bypass)policy->greylist.spf_bypass : GREY_BYPASS_NO;
}

uint32_t smtp_grey_wants(const struct session *s)
{
	uint32_t wanted = BIT(CHECK_SPF);

	if (!s->smtp.spf_was_asked || checks_mode(s, CHECK_GREYLIST) == MODE_OFF)
		return 0;
	if (grey_bypass(s) == GREY_BYPASS_CONFIRMED)
		wanted |= BIT(CHECK_PTR) | BIT(CHECK_RBL);
	return wanted;
}

/* Has enough been found out of the client that it need not come back? */
static bool grey_is_spared(const struct session *s)
{
	const uint32_t doubts = s->checks.hit | s->checks.unknown | s->checks.pending;

	if (grey_bypass(s) == GREY_BYPASS_NO || !spf_passing_domain(s))
		return false;
	return grey_bypass(s) == GREY_BYPASS_YES ||
	       (checks_mode(s, CHECK_PTR) != MODE_OFF &&
		!(doubts & (BIT(CHECK_PTR) | BIT(CHECK_RBL))));
}

/* Mail of a domain counts together, from whatever networks it has permitted. */
static void grey_write_domain(const struct session *s, char *out, size_t cap_bytes)
{
	const char *domain = spf_passing_domain(s);

	if (!domain || !text_copy(out, cap_bytes, domain)) {
		out[0] = '\0';
		return;
	}
	for (; *out; out++)
		*out = (char)(*out >= 'A' && *out <= 'Z' ? *out | 0x20 : *out);
}

/* ---- the question ------------------------------------------------------------------------------ */

static void grey_escape(char *out, size_t cap_bytes, const char *bytes, size_t len)
{
	struct buf buf;

	buf_init(&buf, out, cap_bytes);
	buf_add_escaped(&buf, bytes, len, cap_bytes - 4);
}

/* Return: false, there is nobody to ask. */
static bool grey_ask(struct session *s, const char *mailbox, size_t len)
{
	struct msg msg = {.type = MSG_GREY_ASK};
	struct msg_grey_ask *ask = &msg.grey_ask;

	if (s->service < 0 || s->gate->now_ms < s->gate->grey_pause_ends_ms)
		return false;
	s->smtp.grey.ask = s->rcpts;
	ask->session_id = s->id;
	ask->ask = s->rcpts;
	ask->service = (uint8_t)s->service;
	ask->is_test = s->is_test;
	ask->addr = s->addr;
	grey_write_domain(s, ask->domain, sizeof(ask->domain));
	grey_digest(s->smtp.grey.sender, mailbox, len, ask->digest);
	(void)text_copy(ask->sender, sizeof(ask->sender), s->from);
	grey_escape(ask->recipient, sizeof(ask->recipient), mailbox, len);
	return channel_send(s->gate->ledger, &msg, -1) == 0;
}

static void grey_note_unknown(struct session *s, const char *why)
{
	struct check_answer found = {.result = CHECK_UNKNOWN};

	(void)text_copy(found.evidence, sizeof(found.evidence), why);
	(void)checks_found(s, CHECK_GREYLIST, &found);
}

/* The command goes on, and nobody is deferred. */
static void grey_go_on(struct session *s)
{
	s->smtp.grey.step = SMTP_GREY_ANSWERED;
	s->smtp.grey.verdict = GREY_UNKNOWN;
	session_deadline(s, pipe_count(s) ? s->gate->conf->limits.backend_reply_timeout_s
					  : s->gate->conf->limits.command_timeout_s);
}

static void grey_time_is_up(struct session *s)
{
	uint32_t dropped;

	s->gate->grey_pause_ends_ms = s->gate->now_ms + GREY_PAUSE_MS;
	if (log_limit_take(&s->gate->log_limits.greylist, s->gate->now_ns, &dropped))
		log_warn("event=greylist-silent pause_s=%u dropped=%u",
			 GREY_PAUSE_MS / 1000, dropped);
	grey_note_unknown(s, "no answer of the ledger in time");
	grey_go_on(s);
}

/* Does a recipient wait for the answer? Where nobody is deferred it is for the log alone. */
static bool grey_is_awaited(const struct session *s)
{
	return s->is_test || checks_mode(s, CHECK_GREYLIST) == MODE_ENFORCE;
}

bool smtp_grey_holds(struct session *s, const char *mailbox, size_t len)
{
	struct smtp_grey *grey = &s->smtp.grey;
	const uint64_t timeout_ms =
		(uint64_t)s->gate->conf->limits.greylist_timeout_s * 1000;

	if (grey->step == SMTP_GREY_ANSWERED)
		return false;
	if (grey->step == SMTP_GREY_IDLE) {
		if (checks_mode(s, CHECK_GREYLIST) == MODE_OFF)
			return false;
		if (grey_is_spared(s)) {
			test_note_check(s, CHECK_GREYLIST, CHECK_CLEAN, "spf");
			return false;
		}
		if (!grey_ask(s, mailbox, len)) {
			grey_note_unknown(s, "there is no ledger to ask");
			return false;
		}
		if (!grey_is_awaited(s))
			return false;
		grey->step = SMTP_GREY_ASKED;
		grey->ends_ms = s->gate->now_ms + timeout_ms;
	}
	if (s->gate->now_ms >= grey->ends_ms) {
		grey_time_is_up(s);
		return false;
	}
	/* Again each time: the backend's replies to earlier commands have set another one. */
	session_deadline_ms(s, grey->ends_ms - s->gate->now_ms);
	return true;
}

/* ---- the answer -------------------------------------------------------------------------------- */

/* Return: true, the recipient is deferred for it. */
static bool grey_note(struct session *s, const struct msg_grey_answer *answer)
{
	struct check_answer found = {.result = CHECK_HIT};
	struct buf evidence = BUF_OVER(found.evidence);

	if (answer->verdict == GREY_UNKNOWN)
		grey_note_unknown(s, "the store fails");
	if (answer->verdict == GREY_PASS)
		test_note_check(s, CHECK_GREYLIST, CHECK_CLEAN,
				grey_reason_name((enum grey_reason)answer->reason));
	if (answer->verdict != GREY_DEFER)
		return false;
	buf_printf(&evidence, "%s, %u s to wait",
		   grey_reason_name((enum grey_reason)answer->reason), answer->wait_s);
	return checks_found(s, CHECK_GREYLIST, &found);
}

void smtp_grey_take(struct session *s, const struct msg_grey_answer *answer)
{
	struct smtp_grey *grey = &s->smtp.grey;
	bool is_in_time, is_deferred = false;

	if (s->protocol != &smtp_protocol || s->state != SESSION_COMMAND)
		return;
	is_in_time = grey->step == SMTP_GREY_ASKED && grey->ask == answer->ask;
	/* Too late: the recipient has been let through, and the log must not say that it was deferred. */
	if (!is_in_time && grey_is_awaited(s))
		return;
	if (checks_mode(s, CHECK_GREYLIST) != MODE_OFF)
		is_deferred = grey_note(s, answer);
	if (!is_in_time)
		return;
	grey_go_on(s);
	if (is_deferred) {
		grey->verdict = GREY_DEFER;
		grey->wait_s = answer->wait_s;
	}
	session_run(s);
}

void smtp_grey_give_up(struct session *s)
{
	if (s->protocol != &smtp_protocol || s->state != SESSION_COMMAND ||
	    s->smtp.grey.step != SMTP_GREY_ASKED)
		return;
	grey_note_unknown(s, "the ledger went away");
	grey_go_on(s);
	session_run(s);
}

bool smtp_grey_timeout(struct session *s)
{
	if (s->state != SESSION_COMMAND || s->smtp.grey.step != SMTP_GREY_ASKED)
		return false;
	grey_time_is_up(s);
	return true;
}

/* ---- the reply --------------------------------------------------------------------------------- */

static void grey_say(struct session *s, uint32_t wait_s)
{
	char memory[SMTP_EXPECT_TEXT_MAX];
	struct buf text = BUF_OVER(memory);

	buf_printf(&text, "451 4.7.1 greylisted, try again in %u seconds\r\n", wait_s);
	smtp_say_made(s, memory);
}

bool smtp_grey_defers(struct session *s, const char *mailbox, size_t len)
{
	struct smtp_grey *grey = &s->smtp.grey;
	const bool is_deferred =
		grey->step == SMTP_GREY_ANSWERED && grey->verdict == GREY_DEFER;

	if (!is_deferred)
		return false;
	if (grey->has_null_sender) {
		if (grey->wait_s > grey->data_wait_s)
			grey->data_wait_s = grey->wait_s;
		return false;
	}
	grey->has_deferred = true;
	/* As a recipient that the backend refuses: no error of the client, but idle talk. */
	s->smtp.commands++;
	grey_escape(s->rcpt, sizeof(s->rcpt), mailbox, len);
	grey_say(s, grey->wait_s);
	return true;
}

void smtp_grey_end(struct session *s)
{
	s->smtp.grey.step = SMTP_GREY_IDLE;
}

bool smtp_grey_defers_data(struct session *s)
{
	if (s->smtp.grey.data_wait_s == 0)
		return false;
	grey_say(s, s->smtp.grey.data_wait_s);
	return true;
}
