/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pop3_backend - see gate_pop3_backend.h.
 */
#include "proc/gate_pop3_backend.h"

#include <string.h>

#include "base/buf.h"
#include "proc/backend.h"
#include "proc/session_tls.h"
#include "wire/pop3.h"

/* A line of the backend, where it stands in the input. */
struct pop3_line {
	const char *bytes;
	size_t len;	 /* without its end */
	size_t consumed; /* with it */
	struct pop3_reply reply;
	bool is_reply; /* it reads as one */
};

static void backend_say(struct session *s, const char *text, size_t len)
{
	leg_put(&s->backend, text, len);
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

/* ---- before a login -------------------------------------------------------------------------- */

/* The next thing that is to be said or asked. */
static void prepare_next(struct session *s)
{
	struct mailbox_state *m = &s->mailbox;
	char line[POP3_XCLIENT_MAX_BYTES];

	s->state = SESSION_PREPARE;
	if (s->backend_tls == BACKEND_TLS_STARTTLS && !s->backend.tls) {
		s->state = SESSION_STARTTLS;
		m->step = POP3_STEP_STLS;
		backend_say(s, "STLS\r\n", 6);
	} else if (s->client_address == CLIENT_ADDRESS_XCLIENT && !m->has_told) {
		m->has_told = true;
		m->step = POP3_STEP_XCLIENT;
		backend_say(s, line, pop3_write_xclient(&s->addr, s->port, s->id, line));
	} else if (!offer_is_fresh(s, offer_of(s))) {
		m->step = POP3_STEP_CAPA;
		backend_say(s, "CAPA\r\n", 6);
	} else {
		mailbox_ready(s);
	}
}

void pop3_backend_secured(struct session *s)
{
	prepare_next(s);
}

static void on_stls(struct session *s, const struct pop3_line *line)
{
	if (line->reply.status == POP3_OK)
		session_connect_tls(s, line->consumed);
	else
		session_fail_tls(s, "STLS is refused");
}

/* With APOP the client has not been greeted yet: it needs this backend's timestamp. */
static void greet_with_timestamp(struct session *s, const struct pop3_line *line)
{
	char memory[MAILBOX_SAY_MAX_BYTES];
	struct buf text = BUF_OVER(memory);
	struct span stamp;

	buf_printf(&text, "+OK %s POP3 ready", s->gate->conf->hostname);
	if (pop3_find_timestamp(line->bytes, line->len, &stamp)) {
		buf_puts(&text, " ");
		buf_add(&text, line->bytes + stamp.at, stamp.len);
		s->mailbox.has_stamp = true;
	}
	buf_puts(&text, "\r\n");
	mailbox_say(s, text.text);
}

static void xclient_refuse(struct session *s, const char *why)
{
	backend_log_xclient(s, why);
	mailbox_bye(s, "-ERR [SYS/PERM] the mail host is not set up for this gate\r\n",
		    "xclient-refused");
}

static void on_banner(struct session *s, const struct pop3_line *line)
{
	if (!line->is_reply || line->reply.status != POP3_OK) {
		backend_log_refusal(s, line->bytes, line->len);
		mailbox_backend_lost(s); /* the next address has its turn */
		return;
	}
	backend_worked(s);
	if (s->mailbox.is_bound)
		greet_with_timestamp(s, line);
	if (s->client_address == CLIENT_ADDRESS_XCLIENT &&
	    !pop3_greets_xclient(line->bytes, line->len))
		xclient_refuse(s, "the backend does not offer XCLIENT to this host");
	else
		prepare_next(s);
}

static void on_xclient(struct session *s, const struct pop3_line *line)
{
	if (line->is_reply && line->reply.status == POP3_OK)
		prepare_next(s);
	else
		xclient_refuse(s, "the backend refuses XCLIENT");
}

static void on_capa(struct session *s, const struct pop3_line *line)
{
	if (!line->is_reply || !offer_begin(s)) {
		mailbox_backend_lost(s);
	} else if (line->reply.status == POP3_OK) {
		s->mailbox.step = POP3_STEP_CAPA_LINES;
	} else {
		/* It is older than CAPA: then USER is all there is. */
		s->mailbox.draft->caps |= POP3_OFFERS_USER;
		offer_end(s);
		mailbox_ready(s);
	}
}

static void offer_mechanisms(struct mailbox_offer *offer, const char *text,
			     struct span params)
{
	struct span word;
	struct buf mechs;

	buf_init(&mechs, offer->mechs, sizeof(offer->mechs));
	while (pop3_next_word(text, &params, &word)) {
		if (mechs.len + 1 + word.len >= mechs.cap_bytes)
			break; /* what is not remembered is not offered */
		if (mechs.len > 0)
			buf_puts(&mechs, " ");
		buf_add(&mechs, text + word.at, word.len);
	}
}

static void on_capa_line(struct session *s, const struct pop3_line *line)
{
	struct mailbox_offer *offer = s->mailbox.draft;
	struct pop3_capa_line capa;

	if (pop3_is_end(line->bytes, line->len)) {
		offer_end(s);
		mailbox_ready(s);
		return;
	}
	if (pop3_parse_capa(line->bytes, line->len, &capa))
		return;
	if (capa.capability == POP3_CAPA_USER) {
		offer->caps |= POP3_OFFERS_USER;
	} else if (capa.capability == POP3_CAPA_SASL) {
		offer_mechanisms(offer, line->bytes, capa.params);
	} else if (capa.capability == POP3_CAPA_PLAIN) {
		offer_add(offer, line->bytes + capa.text.at, capa.text.len);
		offer_add(offer, "\r\n", 2);
	}
}

/* ---- a login --------------------------------------------------------------------------------- */

static void on_login(struct session *s, const struct pop3_line *line)
{
	const struct report_evidence evidence = {0, line->bytes, line->len};
	enum sasl_outcome outcome;

	outcome = pop3_outcome(&line->reply, line->bytes, &s->mailbox.login);
	mailbox_pass(s, line->bytes, line->len);
	mailbox_login_ends(s, outcome, &evidence,
			   s->gate->conf->limits.pop3_idle_timeout_s);
}

static void on_user(struct session *s, const struct pop3_line *line)
{
	if (line->reply.status == POP3_OK) {
		s->mailbox.step = POP3_STEP_SECRET;
		s->mailbox.waits = false;
	} else {
		/* The client hears it as the answer to its password, which is not sent any more. */
		s->mailbox.is_line_spent = true;
		on_login(s, line);
	}
}

static void on_passed(struct session *s, const struct pop3_line *line)
{
	const bool was_first = s->mailbox.step == POP3_STEP_PASSED;

	mailbox_pass(s, line->bytes, line->len);
	if (was_first && s->mailbox.has_lines && line->reply.status == POP3_OK) {
		s->mailbox.step = POP3_STEP_PASSED_LINES;
	} else if (was_first || pop3_is_end(line->bytes, line->len)) {
		s->mailbox.waits = false;
		s->state = SESSION_COMMAND;
		session_deadline(s, s->gate->conf->limits.command_timeout_s);
	}
}

/* ---- dispatch -------------------------------------------------------------------------------- */

/* Can this be the answer to what was said? */
static bool is_possible(const struct session *s, const struct pop3_line *line)
{
	if (s->state == SESSION_BANNER)
		return true; /* on_banner() says what it thinks of it */
	if (s->mailbox.step == POP3_STEP_CAPA_LINES ||
	    s->mailbox.step == POP3_STEP_PASSED_LINES)
		return true;
	if (!line->is_reply)
		return false;
	return line->reply.status != POP3_CHALLENGE || s->mailbox.step == POP3_STEP_AUTH;
}

/* Is the backend's turn: does the session stand still until it says something? */
static bool expects_line(const struct session *s)
{
	return s->state == SESSION_BANNER || s->state == SESSION_STARTTLS ||
	       s->state == SESSION_PREPARE || s->mailbox.waits;
}

static void on_line(struct session *s, const struct pop3_line *line)
{
	static void (*const by_step[])(struct session *, const struct pop3_line *) = {
		[POP3_STEP_STLS] = on_stls,
		[POP3_STEP_XCLIENT] = on_xclient,
		[POP3_STEP_CAPA] = on_capa,
		[POP3_STEP_CAPA_LINES] = on_capa_line,
		[POP3_STEP_USER] = on_user,
		[POP3_STEP_LOGIN] = on_login,
		[POP3_STEP_AUTH] = on_login,
		[POP3_STEP_PASSED] = on_passed,
		[POP3_STEP_PASSED_LINES] = on_passed,
	};
	const bool is_asked = expects_line(s);

	/* Between two logins it has nothing to say but that it goes away. */
	if (is_asked && !is_possible(s, line))
		backend_log_refusal(s, line->bytes, line->len);
	if (!is_asked || !is_possible(s, line))
		mailbox_backend_lost(s);
	else if (s->state == SESSION_BANNER)
		on_banner(s, line);
	else
		by_step[s->mailbox.step](s, line);
}

bool pop3_backend_step(struct session *s)
{
	bool progress = false;

	while (s->backend.fd >= 0 && s->state != SESSION_CONNECT &&
	       s->state < SESSION_RELAY) {
		struct pop3_line line = {0};
		struct line found;
		enum line_result result;

		/* A line, and what is said behind it, always fits. */
		if (!leg_make_room(&s->client,
				   MAILBOX_AUTH_MAX_BYTES + MAILBOX_SAY_MAX_BYTES))
			return progress;
		result = mailbox_line(&s->backend, &s->mailbox.replies, expects_line(s),
				      &found);
		if (result == LINE_MORE)
			return progress;
		progress = true;
		if (result == LINE_TOO_LONG) {
			mailbox_backend_lost(s);
			return true;
		}
		line.bytes = s->backend.in + s->backend.in_at;
		line.len = found.len;
		line.consumed = found.consumed;
		line.is_reply = pop3_parse_reply(line.bytes, line.len, &line.reply) == 0;
		on_line(s, &line);
		if (s->backend
			    .in) /* else the connection has gone, and the line with it */
			leg_drop(&s->backend, found.consumed);
	}
	return progress;
}
