/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_mailbox - see gate_mailbox.h.
 */
#include "proc/gate_mailbox.h"

#include <string.h>

#include "proc/backend.h"
#include "proc/relay_stream.h"
#include "proc/session_tls.h"

#define PUMP_TURNS_MAX 64u /* before others get their turn */

/* ---- what is said ---------------------------------------------------------------------------- */

void mailbox_say(struct session *s, const char *text)
{
	const size_t len = strlen(text);

	if (s->state >= SESSION_FLUSH)
		return;
	if (leg_make_room(&s->client, len))
		leg_put(&s->client, text, len);
	else
		session_end(s, "client-stuck");
}

void mailbox_bye(struct session *s, const char *text, const char *reason)
{
	mailbox_say(s, text);
	session_end_after_flush(s, reason);
}

void mailbox_refuse(struct session *s, const char *text)
{
	mailbox_say(s, text);
	if (++s->mailbox.errors > s->gate->conf->limits.errors_max)
		mailbox_bye(s, s->mailbox.talk->errors, "errors");
}

bool mailbox_count_command(struct session *s)
{
	if (++s->mailbox.commands <= s->gate->conf->limits.commands_max)
		return true;
	mailbox_bye(s, s->mailbox.talk->commands, "commands");
	return false;
}

/* ---- lines ----------------------------------------------------------------------------------- */

enum line_result mailbox_line(struct leg *leg, struct line_scanner *scanner,
			      bool is_awaited, struct line *out_line)
{
	for (;;) {
		enum line_result result = LINE_MORE;

		if (leg->in_len > 0) {
			result = line_next(scanner, leg->in + leg->in_at, leg->in_len,
					   out_line);
			if (result == LINE_MORE)
				leg_drop(leg, out_line->consumed);
		}
		if (result != LINE_MORE || !leg_fill(leg, is_awaited))
			return result;
	}
}

bool mailbox_may_speak(struct session *s)
{
	if (!leg_make_room(&s->backend, MAILBOX_AUTH_MAX_BYTES + 2) ||
	    !leg_make_room(&s->client, MAILBOX_SAY_MAX_BYTES))
		return false;
	if (s->state == SESSION_AUTH)
		return !s->mailbox.waits;
	return s->state == SESSION_COMMAND;
}

/* ---- the backend ----------------------------------------------------------------------------- */

void mailbox_backend_begins(struct session *s)
{
	s->mailbox.is_ready = false;
	s->mailbox.has_told = false;
	line_scanner_init(&s->mailbox.replies, MAILBOX_AUTH_MAX_BYTES);
}

void mailbox_backend_absent(struct session *s)
{
	mailbox_bye(s, s->mailbox.talk->absent, "backend-unavailable");
}

bool mailbox_needs_backend(struct session *s)
{
	if (s->mailbox.is_ready)
		return false;
	backend_open(s);
	return true;
}

void mailbox_ready(struct session *s)
{
	s->mailbox.is_ready = true;
	s->state = SESSION_COMMAND;
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
}

/* Another address may serve as well: nothing has been said yet. */
static bool is_connecting(const struct session *s)
{
	return s->state == SESSION_CONNECT || s->state == SESSION_BANNER ||
	       s->state == SESSION_STARTTLS;
}

void mailbox_backend_lost(struct session *s)
{
	if (is_connecting(s)) {
		backend_next(s);
	} else if (s->state == SESSION_PREPARE || s->state == SESSION_AUTH ||
		   s->mailbox.is_bound) {
		mailbox_bye(s, s->mailbox.talk->lost, "backend-lost");
	} else {
		/* It has waited long enough for the next login: that one connects anew. */
		session_detach(s, &s->backend, true);
		s->mailbox.is_ready = false;
	}
}

/* ---- a login --------------------------------------------------------------------------------- */

void mailbox_login_begins(struct session *s)
{
	login_begin(s);
	line_scanner_set_max(&s->mailbox.lines, MAILBOX_AUTH_MAX_BYTES);
	s->state = SESSION_AUTH;
	s->mailbox.waits = false;
}

void mailbox_login_waits(struct session *s)
{
	s->mailbox.waits = true;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

void mailbox_dialogue(struct session *s, const char *line, size_t len)
{
	/* Servers differ in what they read out of bad base64: none gets to see it. */
	if (!login_is_base64(s, line, len)) {
		line = "*";
		len = 1;
	}
	login_look_at(s, &s->mailbox.login, line, len);
	leg_put(&s->backend, line, len);
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	mailbox_login_waits(s);
}

void mailbox_pass(struct session *s, const char *line, size_t len)
{
	leg_put(&s->client, line, len);
	leg_put(&s->client, "\r\n", 2);
}

void mailbox_login_ends(struct session *s, enum sasl_outcome outcome,
			const struct report_evidence *evidence, int64_t idle_s)
{
	struct mailbox_state *m = &s->mailbox;

	m->waits = false;
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
	if (outcome == SASL_CONTINUES)
		return;

	s->state = SESSION_COMMAND;
	line_scanner_set_max(&m->lines, session_line_max(s));
	if (outcome == SASL_SUCCESS || outcome == SASL_REFUSED)
		login_note_user(s, m->login.user, m->login.user_len);
	explicit_bzero(&m->login, sizeof(m->login));
	if (outcome == SASL_SUCCESS) {
		login_succeeded(s);
		stream_begin(s, &m->stream, idle_s);
	} else if (outcome == SASL_REFUSED && login_refused(s, evidence)) {
		mailbox_bye(s, m->talk->logins, "logins");
	}
}

/* ---- callbacks ------------------------------------------------------------------------------- */

void mailbox_begin(struct session *s, const struct mailbox_talk *talk)
{
	const struct conf_limits *limits = &s->gate->conf->limits;

	s->mailbox.talk = talk;
	s->state = SESSION_COMMAND;
	line_scanner_init(&s->mailbox.lines, session_line_max(s));
	s->ends_ms = s->gate->now_ms + (uint64_t)limits->login_timeout_s * 1000;
	session_deadline(s, limits->command_timeout_s);
}

void mailbox_start_tls(struct session *s, size_t consumed, const char *go_ahead)
{
	session_detach(s, &s->backend, true);
	s->mailbox.is_ready = false;
	session_start_tls(s, consumed, go_ahead);
}

void mailbox_secured(struct session *s, struct leg *leg)
{
	struct mailbox_state *m = &s->mailbox;

	if (!leg->is_client) {
		m->talk->backend_secured(s);
		return;
	}
	m->is_bound = false;
	m->has_stamp = false;
	m->name_len = 0;
	s->state = SESSION_COMMAND;
	line_scanner_init(&m->lines, session_line_max(s));
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
}

/* The client has closed. What it asked before is still answered, in case it closed one way only. */
static void client_is_gone(struct session *s)
{
	const bool waits = (s->state == SESSION_AUTH && s->mailbox.waits) ||
			   (s->state >= SESSION_CONNECT && s->state <= SESSION_PREPARE);

	if (s->client.error) {
		session_end(s, "client-reset");
	} else if (!waits) {
		s->is_polite = true;
		session_end_after_flush(s, "client-closed");
	}
}

static bool backend_turn(struct session *s)
{
	bool progress = backend_step(s);

	if (s->backend.fd < 0)
		return progress;
	if (s->state != SESSION_CONNECT)
		progress |= s->mailbox.talk->backend_step(s);
	if (s->backend.fd >= 0 && s->backend.has_ended && s->state < SESSION_RELAY) {
		mailbox_backend_lost(s);
		progress = true;
	}
	return progress;
}

static void talk_step(struct session *s)
{
	unsigned int turn;

	for (turn = 0; turn < PUMP_TURNS_MAX && s->state < SESSION_RELAY; turn++) {
		bool progress;

		(void)leg_flush(&s->backend); /* what the last turn put, in one write */
		progress = backend_turn(s);
		if (s->state < SESSION_RELAY)
			progress |= s->mailbox.talk->client_step(s);
		if (!progress)
			break;
	}
	if (turn == PUMP_TURNS_MAX)
		s->wants_turn = true;
	if (s->state >= SESSION_RELAY)
		return;
	if (s->client.has_ended)
		client_is_gone(s);
	else if (s->gate->is_draining && s->state == SESSION_COMMAND)
		mailbox_bye(s, s->mailbox.talk->shutdown, "shutdown");
}

void mailbox_pump(struct session *s)
{
	if (s->state < SESSION_RELAY)
		talk_step(s);
	if (s->state == SESSION_RELAY)
		stream_step(s, &s->mailbox.stream);
}

static void mailbox_timeout_now(struct session *s)
{
	const struct mailbox_talk *talk = s->mailbox.talk;

	if (s->state == SESSION_RELAY)
		stream_timeout(s);
	else if (s->state > SESSION_RELAY)
		session_end(s, "timeout");
	else if (s->gate->now_ms >= s->ends_ms)
		mailbox_bye(s, talk->timeout, "login-timeout");
	else if (is_connecting(s))
		backend_next(s);
	else if (s->state == SESSION_PREPARE || s->mailbox.waits)
		mailbox_bye(s, talk->lost, "backend-timeout");
	else
		mailbox_bye(s, talk->timeout, "timeout");
}

void mailbox_timeout(struct session *s)
{
	mailbox_timeout_now(s);
	session_run(s);
}

void mailbox_stop(struct session *s, const char *reason)
{
	if (s->state == SESSION_RELAY)
		stream_stop(s);
	if (s->state >= SESSION_RELAY || s->mailbox.waits)
		return; /* pump sees is_draining when it is through */
	mailbox_bye(s, s->mailbox.talk->shutdown, reason);
	session_run(s);
}

void mailbox_finish(struct session *s)
{
	offer_drop(s);
	stream_end(s, &s->mailbox.stream);
	explicit_bzero(&s->mailbox.login, sizeof(s->mailbox.login));
}

bool mailbox_is_amid(const struct session *s)
{
	(void)s; /* neither POP3 nor IMAP takes an end for more than it is */
	return false;
}
