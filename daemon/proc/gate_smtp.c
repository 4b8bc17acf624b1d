/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp - see gate_smtp.h.
 */
#include "proc/gate_smtp.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/backend.h"
#include "proc/gate_smtp_auth.h"
#include "proc/gate_smtp_backend.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_smtp_command.h"
#include "proc/gate_smtp_early.h"
#include "proc/gate_smtp_grey.h"
#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_reply.h"
#include "proc/gate_smtp_say.h"
#include "proc/gate_smtp_spf.h"
#include "proc/relay.h"
#include "proc/session_auth.h"

#define PUMP_TURNS_MAX 64u /* before others get their turn */

static const char shutting_down[] = "421 4.3.2 shutting down\r\n";

/* ---- the client's lines ---------------------------------------------------------------------- */

/* May the next line be looked at? If not, the client is not read: that is the flow control. */
static bool client_may_speak(struct session *s)
{
	const struct smtp_expect *last;

	if (!leg_make_room(&s->backend, SMTP_AUTH_MAX_BYTES + 2) ||
	    !leg_make_room(&s->client, SMTP_SAY_MAX_BYTES))
		return false;
	if (s->state == SESSION_HELO)
		return true;
	if (s->state == SESSION_AUTH)
		return !s->smtp.auth_waits;
	if (s->state != SESSION_COMMAND || !pipe_has_room(s))
		return false;
	if (!pipe_count(s))
		return true;
	last = pipe_last(s);
	return (s->smtp.caps & SMTP_CAP_PIPELINING) && last->verb != SMTP_DATA &&
	       last->verb != SMTP_QUIT;
}

static void client_line_too_long(struct session *s)
{
	if (s->state == SESSION_AUTH)
		auth_client_line(s, "*", 1);
	else
		smtp_refuse(s, "500 5.5.6 line too long\r\n");
}

static bool client_line(struct session *s, char *bytes, const struct line *line)
{
	bool done = true;

	if (s->state == SESSION_AUTH)
		auth_client_line(s, bytes, line->len);
	else
		done = smtp_command(s, bytes, line);
	/* Also of an AUTH that was refused, and of a password that was said at the wrong time. */
	if (done)
		explicit_bzero(bytes, line->len);
	return done;
}

/* Return: true if a line was dealt with. */
static bool client_lines_step(struct session *s)
{
	bool progress = false;

	while (client_may_speak(s)) {
		char *bytes = s->client.in + s->client.in_at;
		enum line_result result = LINE_MORE;
		struct line line;

		if (early_bytes(s))
			return true;
		if (s->client.in_len > 0) {
			result =
				line_next(&s->smtp.lines, bytes, s->client.in_len, &line);
			if (result == LINE_MORE)
				leg_drop(&s->client, line.consumed);
		}
		if (result == LINE_MORE) {
			if (!leg_fill(&s->client, false))
				return progress;
			continue;
		}
		if (result != LINE_TOO_LONG && early_line(s, line.consumed))
			return true;
		if (result == LINE_TOO_LONG)
			client_line_too_long(s);
		else if (!client_line(s, bytes, &line))
			return progress;
		progress = true;
		if (s->state < SESSION_FLUSH)
			leg_drop(&s->client, line.consumed);
	}
	return progress;
}

/* ---- a message ------------------------------------------------------------------------------- */

static void message_is_through(struct session *s)
{
	if (s->state == SESSION_DATA && s->backend.in_len > 0) {
		smtp_backend_early(s);
	} else if (s->state == SESSION_DATA) {
		s->state = SESSION_DATA_END;
		session_deadline(s, s->gate->conf->limits.data_end_timeout_s);
	} else if (s->smtp.swallow_reply) {
		smtp_bye(s, s->smtp.swallow_reply, "message-refused");
	} else {
		leg_put(&s->client, s->smtp.pipeline->text, s->smtp.pipeline->text_len);
		session_end_after_flush(s, "message-refused");
	}
}

static void message_has_bare_newline(struct session *s)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.smuggling, s->gate->now_ns, &dropped))
		log_warn("event=bare-newline addr=%s service=%s from=\"%s\" dropped=%u",
			 addr_format(&s->addr, addr_text), s->service_name, s->from,
			 dropped);
	s->verdict = "refuse-newline";
	relay_stop(s, "550 5.5.2 a line of the message ends without CRLF\r\n");
}

static bool message_step(struct session *s)
{
	switch (relay_step(s)) {
	case RELAY_DONE:
		message_is_through(s);
		return true;
	case RELAY_REFUSED:
		message_has_bare_newline(s);
		return true;
	case RELAY_WAITS:
	default:
		return false;
	}
}

/* ---- turns ----------------------------------------------------------------------------------- */

static bool client_step(struct session *s)
{
	if (s->state == SESSION_GREET)
		return early_step(s);
	if (s->state == SESSION_DATA || s->state == SESSION_SWALLOW)
		return message_step(s);
	return client_lines_step(s);
}

/* The client has closed. What it asked before is still answered, in case it closed one way only. */
static void client_is_gone(struct session *s)
{
	const bool waits = s->state == SESSION_DATA_END || pipe_count(s) ||
			   (s->state == SESSION_AUTH && s->smtp.auth_waits) ||
			   (s->state > SESSION_HELO && s->state < SESSION_COMMAND);

	if (s->client.error) {
		session_end(s, "client-reset");
	} else if (!waits || s->state == SESSION_DATA) {
		s->is_polite = true;
		session_end_after_flush(s, "client-closed");
	}
}

static void smtp_pump(struct session *s)
{
	unsigned int turn;

	for (turn = 0; turn < PUMP_TURNS_MAX && s->state < SESSION_FLUSH; turn++) {
		bool progress = false;

		(void)leg_flush(&s->backend); /* what the last turn put, in one write */
		if (s->backend.fd >= 0)
			progress = smtp_backend_step(s);
		if (s->state < SESSION_FLUSH)
			progress |= client_step(s);
		if (!progress)
			break;
	}
	if (turn == PUMP_TURNS_MAX)
		s->wants_turn = true;
	if (s->state >= SESSION_FLUSH)
		return;
	if (s->client.has_ended)
		client_is_gone(s);
	else if (s->gate->is_draining && s->state == SESSION_COMMAND && !pipe_count(s))
		smtp_bye(s, shutting_down, "shutdown");
}

/* ---- from outside ---------------------------------------------------------------------------- */

static void smtp_timeout_now(struct session *s)
{
	switch ((enum session_state)s->state) {
	case SESSION_CONNECT:
	case SESSION_BANNER:
	case SESSION_STARTTLS:
		backend_next(s);
		return;
	case SESSION_DATA_END:
		smtp_bye(
			s,
			"451 4.4.2 the mail host does not answer\r\n421 4.4.2 closing\r\n",
			"backend-timeout");
		return;
	case SESSION_XEHLO:
	case SESSION_XCLIENT:
	case SESSION_EHLO:
		smtp_bye(s, "421 4.4.2 the mail host does not answer\r\n",
			 "backend-timeout");
		return;
	case SESSION_COMMAND:
	case SESSION_AUTH:
		if (pipe_count(s) || (s->state == SESSION_AUTH && s->smtp.auth_waits)) {
			smtp_bye(s, "421 4.4.2 the mail host does not answer\r\n",
				 "backend-timeout");
			return;
		}
		smtp_bye(s, "421 4.4.2 timeout, closing\r\n", "timeout");
		return;
	case SESSION_GREET:
		return; /* it is time for the next step, which is taken now */
	case SESSION_HELO:
	case SESSION_DATA:
	case SESSION_SWALLOW:
		smtp_bye(s, "421 4.4.2 timeout, closing\r\n", "timeout");
		return;
	case SESSION_TLS:
	case SESSION_PREPARE:
	case SESSION_RELAY:
	case SESSION_FLUSH:
	case SESSION_LINGER:
	case SESSION_FREE:
	case SESSION_ENDED:
	case SESSION_STATE_COUNT:
	default:
		session_end(s, "timeout");
		return;
	}
}

static void smtp_timeout(struct session *s)
{
	if (s->gate->now_ms >= s->ends_ms && s->state < SESSION_FLUSH) {
		smtp_bye(s, "421 4.4.2 this has taken too long, closing\r\n",
			 "session-time");
	} else if (smtp_grey_timeout(s)) {
		; /* it goes on below */
	} else if (s->is_held) {
		s->is_held = false;
		checks_give_up(s);
		session_deadline(s, s->gate->conf->limits.command_timeout_s);
	} else {
		smtp_timeout_now(s);
	}
	session_run(s);
}

static void smtp_stop(struct session *s, const char *reason)
{
	if (s->state == SESSION_DATA || s->state == SESSION_DATA_END ||
	    s->state >= SESSION_FLUSH || (s->state == SESSION_COMMAND && pipe_count(s)))
		return; /* pump sees is_draining when it is through */
	smtp_bye(s, shutting_down, reason);
	session_run(s);
}

static void smtp_finish(struct session *s)
{
	checks_leave(s);
	pipe_close(s);
	spf_forget(s);
	explicit_bzero(&s->smtp.login, sizeof(s->smtp.login));
}

static bool smtp_is_amid(const struct session *s)
{
	return s->smtp.in_mail;
}

/* RFC 3207 section 4.2: what was said before counts for nothing, but for the limits. */
static void smtp_forget(struct session *s)
{
	const struct smtp_state before = s->smtp;

	spf_forget(s);
	memset(&s->smtp, 0, sizeof(s->smtp));
	s->smtp.commands = before.commands;
	s->smtp.errors = before.errors;
	if (s->backend.fd >= 0) { /* what the backend knows, it knows from us */
		smtp_reply_init(&s->smtp.replies);
		s->smtp.xclient_left = before.xclient_left;
		s->smtp.xclient_has_login = before.xclient_has_login;
		s->smtp.told_login = before.told_login;
	}
	line_scanner_init(&s->smtp.lines, session_line_max(s));
	s->auth_by = AUTH_BY_NONE;
	s->helo_len = 0;
	s->from[0] = '\0';
	s->rcpt[0] = '\0';
	session_auth_look(s);
	s->state = SESSION_HELO;
	session_deadline(s, s->gate->conf->limits.greeting_timeout_s);
}

static void smtp_secured(struct session *s, struct leg *leg)
{
	if (leg->is_client)
		smtp_forget(s);
	else
		smtp_backend_secured(s);
}

static void smtp_describe(const struct session *s, struct buf *out)
{
	if (s->smtp.data_faults & SMTP_DATA_BARE_LF)
		buf_puts(out, " bare_lf=1");
	if (s->smtp.data_faults & SMTP_DATA_BARE_CR)
		buf_puts(out, " bare_cr=1");
	if (s->smtp.data_faults & SMTP_DATA_NUL)
		buf_puts(out, " nul=1");
}

const struct session_protocol smtp_protocol = {
	.greet = early_begin,
	.pump = smtp_pump,
	.timeout = smtp_timeout,
	.stop = smtp_stop,
	.finish = smtp_finish,
	.secured = smtp_secured,
	.is_amid = smtp_is_amid,
	.describe = smtp_describe,
	.backend_begins = smtp_backend_begins,
	.backend_absent = smtp_backend_absent,
	.refused = "421 4.7.0 your address is refused by the policy here\r\n",
	.crowded = "421 4.7.0 too many connections\r\n",
	.banned = "421 4.7.0 your address has been banned\r\n",
};
