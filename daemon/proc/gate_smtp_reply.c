/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_reply - see gate_smtp_reply.h.
 */
#include "proc/gate_smtp_reply.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "policy/flags.h"
#include "proc/backend.h"
#include "proc/gate_report.h"
#include "proc/gate_smtp_auth.h"
#include "proc/gate_smtp_backend.h"
#include "proc/gate_smtp_early.h"
#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_route.h"
#include "proc/gate_smtp_say.h"
#include "proc/gate_smtp_spf.h"
#include "proc/gate_smtp_xclient.h"
#include "proc/relay.h"
#include "proc/session_tls.h"
#include "wire/line.h"
#include "wire/xclient.h"

#define CODE_MAIL_HOST_READY 220u
#define CODE_OK		     250u
#define CODE_GO_ON	     334u
#define CODE_START_MESSAGE   354u
#define CODE_GOING_AWAY	     421u

/* What a client is told of the backend's offers: what postern passes on without a change of meaning. */
#define CAPS_PASSED                                                               \
	(SMTP_CAP_PIPELINING | SMTP_CAP_8BITMIME | SMTP_CAP_SIZE | SMTP_CAP_DSN | \
	 SMTP_CAP_SMTPUTF8 | SMTP_CAP_ENHANCEDSTATUSCODES)

/* One line of a reply, where it stands in the input. */
struct reply {
	const char *bytes;
	struct smtp_reply_line line;
	bool is_end;
};

static bool is_positive(const struct reply *reply)
{
	return reply->line.code / 100 == 2;
}

/* Pass a line on with a proper end; as it is, but for the address of a routed recipient. */
static void reply_pass(struct session *s, const struct reply *reply)
{
	char memory[SMTP_REPLY_LINE_MAX_BYTES];
	struct buf hidden = BUF_OVER(memory);
	const size_t len = line_without_end(reply->bytes, reply->line.consumed);

	if (route_hide(s, (struct smtp_bytes){reply->bytes, len}, &hidden))
		leg_put(&s->client, hidden.text, hidden.len);
	else
		leg_put(&s->client, reply->bytes, len);
	leg_put(&s->client, "\r\n", 2);
}

/* Keep a line for later. A long reply loses lines of its middle, never its end. */
static void reply_keep(struct session *s, const struct reply *reply)
{
	struct smtp_pipeline *pipeline = pipe_open(s);
	const size_t reserve = reply->is_end ? 0 : SMTP_REPLY_LINE_MAX_BYTES + 2;
	const size_t len = line_without_end(reply->bytes, reply->line.consumed);
	struct buf text;

	if (!pipeline)
		return;
	if (pipeline->text_len + len + 2 + reserve >= sizeof(pipeline->text))
		return;
	buf_init(&text, pipeline->text + pipeline->text_len,
		 sizeof(pipeline->text) - pipeline->text_len);
	buf_add(&text, reply->bytes, len);
	buf_puts(&text, "\r\n");
	pipeline->text_len = (uint16_t)(pipeline->text_len + text.len);
}

/* ---- before the session is connected through -------------------------------------------------- */

static void on_banner(struct session *s, const struct reply *reply)
{
	if (!reply->is_end)
		return;
	if (reply->line.code != CODE_MAIL_HOST_READY) {
		backend_log_refusal(s, reply->bytes, reply->line.consumed);
		return; /* still SESSION_BANNER: the next address has its turn */
	}
	backend_worked(s);
	smtp_backend_ready(s);
}

/* Without XCLIENT the backend would take postern for the client, and perhaps relay for it. */
static void xclient_refuse(struct session *s, const char *why)
{
	backend_log_xclient(s, why);
	smtp_bye(s, "421 4.3.5 the mail host is not set up for this gate\r\n",
		 "xclient-refused");
}

/* Never without: who takes the offer away would read the mail. */
static void own_hello_wants_tls(struct session *s)
{
	if (s->smtp.caps & SMTP_CAP_STARTTLS) {
		smtp_say_starttls(s);
		return;
	}
	s->state = SESSION_STARTTLS;
	session_fail_tls(s, "STARTTLS is not offered");
}

static void on_starttls(struct session *s, const struct reply *reply)
{
	if (!reply->is_end)
		return;
	if (reply->line.code == CODE_MAIL_HOST_READY)
		session_connect_tls(s, reply->line.consumed);
	else
		session_fail_tls(s, "STARTTLS is refused");
}

static void on_own_hello(struct session *s, const struct reply *reply)
{
	const char *text = reply->bytes + reply->line.text.at;
	struct smtp_ehlo_line offer;
	int result;

	if (reply->line.number > 0 &&
	    smtp_parse_ehlo_line(text, reply->line.text.len, &offer) == 0) {
		s->smtp.caps |= offer.cap;
		if (offer.cap == SMTP_CAP_XCLIENT)
			xclient_take_offer(s, xclient_parse_attrs(text, offer.params));
	}
	if (!reply->is_end)
		return;
	if (s->backend_tls == BACKEND_TLS_STARTTLS && !s->backend.tls) {
		own_hello_wants_tls(s);
		return;
	}
	if (!(s->smtp.caps & SMTP_CAP_XCLIENT) ||
	    !(s->smtp.xclient_left & XCLIENT_ADDR)) {
		xclient_refuse(s, "the backend does not offer XCLIENT ADDR to this host");
		return;
	}
	result = xclient_say(s);
	if (result < 0)
		xclient_refuse(s, "the client cannot be described");
	else if (result == 0)
		smtp_say_hello(s);
}

static void on_xclient(struct session *s, const struct reply *reply)
{
	if (!reply->is_end)
		return;
	if (reply->line.code != CODE_MAIL_HOST_READY)
		xclient_refuse(s, "the backend refuses XCLIENT");
	else if (s->smtp.xclient_left)
		smtp_say_own_hello(s);
	else
		smtp_say_hello(s);
}

/* ---- EHLO ------------------------------------------------------------------------------------ */

static void hello_add(struct smtp_pipeline *pipeline, const char *text, size_t len)
{
	if (sizeof(pipeline->text) - pipeline->text_len < len + 6)
		return; /* an offer that is not passed on is not missed by a correct client */
	pipeline->text_last = pipeline->text_len;
	memcpy(pipeline->text + pipeline->text_len, "250-", 4);
	memcpy(pipeline->text + pipeline->text_len + 4, text, len);
	memcpy(pipeline->text + pipeline->text_len + 4 + len, "\r\n", 2);
	pipeline->text_len = (uint16_t)(pipeline->text_len + len + 6);
}

static void hello_add_auth(struct session *s, const char *text,
			   const struct smtp_ehlo_line *offer)
{
	struct span rest = offer->params;
	char memory[SESSION_MECHS_MAX + sizeof("AUTH")];
	struct buf line = BUF_OVER(memory);
	struct buf mechs;
	struct span word;

	/* "AUTH=..." repeats the same mechanisms for clients of another age. */
	if (offer->old_auth || !(s->flags & FLAG_AS) || s->smtp.mechs[0] ||
	    !session_may_login(s))
		return;
	buf_init(&mechs, s->smtp.mechs, sizeof(s->smtp.mechs));
	while (smtp_next_word(text, &rest, &word)) {
		if (mechs.len + 1 + word.len >= mechs.cap_bytes)
			break; /* what is not remembered is not offered */
		if (mechs.len > 0)
			buf_puts(&mechs, " ");
		buf_add(&mechs, text + word.at, word.len);
	}
	if (mechs.len == 0)
		return;
	s->smtp.caps |= SMTP_CAP_AUTH;
	buf_printf(&line, "AUTH %s", s->smtp.mechs);
	hello_add(s->smtp.pipeline, line.text, line.len);
}

static void hello_offer(struct session *s, const struct reply *reply)
{
	const char *text = reply->bytes + reply->line.text.at;
	struct smtp_ehlo_line offer;

	if (reply->line.number == 0) {
		const char *name = s->gate->conf->hostname;

		hello_add(s->smtp.pipeline, name, strlen(name));
		return;
	}
	if (!s->smtp.is_esmtp || smtp_parse_ehlo_line(text, reply->line.text.len, &offer))
		return;
	if (offer.cap == SMTP_CAP_AUTH) {
		hello_add_auth(s, text, &offer);
	} else if (offer.cap & CAPS_PASSED) {
		s->smtp.caps |= offer.cap;
		hello_add(s->smtp.pipeline, text, reply->line.text.len);
	}
}

static void on_hello(struct session *s, const struct reply *reply)
{
	struct smtp_pipeline *pipeline = s->smtp.pipeline;

	if (reply->line.code != CODE_OK &&
	    (reply->line.code / 100 < 4 || s->smtp.is_renewing)) {
		smtp_backend_lost(s);
		return;
	}
	if (reply->line.code != CODE_OK)
		reply_pass(s, reply);
	else
		hello_offer(s, reply);
	if (!reply->is_end)
		return;
	if (reply->line.code == CODE_OK) {
		if (s->smtp.is_esmtp && session_offers_tls(s))
			hello_add(pipeline, "STARTTLS", 8);
		pipeline->text[pipeline->text_last + 3] = ' ';
		if (!s->smtp.is_renewing) { /* else the client has an answer already */
			early_look(s);
			leg_put(&s->client, pipeline->text, pipeline->text_len);
		}
		s->smtp.has_hello = true;
	}
	pipe_pop(s);
	s->smtp.is_renewing = false;
	s->state = SESSION_COMMAND;
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
	if (reply->line.code == CODE_GOING_AWAY)
		session_end_after_flush(s, "backend-421");
}

/* ---- commands -------------------------------------------------------------------------------- */

static void on_mail_reply(struct session *s, const struct reply *reply)
{
	if (!is_positive(reply))
		s->smtp.in_mail = false;
}

static void on_rcpt_reply(struct session *s, const struct reply *reply)
{
	const struct smtp_expect *entry = pipe_head(s);
	const struct report_evidence evidence = {reply->line.code,
						 reply->bytes + reply->line.text.at,
						 reply->line.text.len};

	if (is_positive(reply)) {
		s->accepted++;
		return;
	}
	s->smtp.commands++; /* accepted ones belong to a message, these are idle talk */
	if (entry->is_strike_candidate &&
	    smtp_rcpt_is_strike(reply->line.code, reply->line.enhanced))
		report_strike(s, STRIKE_RECIPIENT, entry->text, &evidence);
}

static void on_data_reply(struct session *s, const struct reply *reply)
{
	if (reply->line.code != CODE_START_MESSAGE)
		return;
	spf_put_header(s);
	relay_begin(s);
}

/* The client sees none of it before its end: half a 250 is no 250 (promise 1). */
static void on_message_reply(struct session *s, const struct reply *reply)
{
	reply_keep(s, reply);
	if (!reply->is_end || s->state == SESSION_ENDED)
		return;
	leg_put(&s->client, s->smtp.pipeline->text, s->smtp.pipeline->text_len);
	pipe_close(s);
	spf_message_over(s);
	if (is_positive(reply)) {
		s->messages++;
		early_remember(s);
		s->smtp.commands = 0;
	}
	s->smtp.in_mail = false;
	s->smtp.has_rcpt = false;
	s->state = SESSION_COMMAND;
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
}

static void on_expected(struct session *s, const struct reply *reply)
{
	const struct smtp_expect *entry = pipe_head(s);

	if (entry->verb == SMTP_MAIL)
		on_mail_reply(s, reply);
	else if (entry->verb == SMTP_RCPT)
		on_rcpt_reply(s, reply);
	else if (entry->verb == SMTP_DATA)
		on_data_reply(s, reply);
	pipe_pop(s);
	smtp_say_waiting(s);
	if (s->state == SESSION_COMMAND)
		session_deadline(
			s, pipe_count(s) ? s->gate->conf->limits.backend_reply_timeout_s
					 : s->gate->conf->limits.command_timeout_s);
}

/* What has not ended has not been accepted (promise 1). */
void smtp_backend_early(struct session *s)
{
	relay_stop(s, "451 4.3.0 the mail host answered too early\r\n");
}

/* The backend answers a message before its end: it wants no more of it. Keep the answer for the end. */
static void on_early_reply(struct session *s, const struct reply *reply)
{
	if (reply->line.code / 100 < 4) {
		smtp_backend_early(s);
		return;
	}
	reply_keep(s, reply);
	if (reply->is_end && s->state != SESSION_ENDED)
		relay_stop(s, NULL);
}

/* Between STARTTLS and EHLO the backend has nothing to say, but perhaps that it goes: EHLO finds another connection. */
static void on_idle_reply(struct session *s, const struct reply *reply)
{
	(void)reply;
	smtp_backend_lost(s);
}

static void on_unexpected(struct session *s, const struct reply *reply)
{
	/* Anything else the client could take for the reply to its next command. */
	if (reply->line.code != CODE_GOING_AWAY) {
		smtp_backend_lost(s);
		return;
	}
	reply_pass(s, reply);
	if (reply->is_end)
		session_end_after_flush(s, "backend-unasked");
}

/*
 * Can this code be the answer? Many clients look at its first digit alone, and would begin a message
 * after a 3xx that is one for nobody else.
 */
static bool is_possible(const struct session *s, unsigned int code)
{
	const struct smtp_expect *entry = pipe_head(s);

	if (code / 100 >= 4)
		return true;
	if (s->state == SESSION_AUTH)
		return code / 100 == 2 || code == CODE_GO_ON;
	if (s->state == SESSION_COMMAND && entry && entry->verb == SMTP_DATA)
		return code == CODE_START_MESSAGE;
	return code / 100 == 2;
}

static void on_command_reply(struct session *s, const struct reply *reply)
{
	const bool is_login = s->state == SESSION_AUTH;

	if (is_login ? !s->smtp.auth_waits
		     : s->state != SESSION_DATA_END && !pipe_head(s)) {
		on_unexpected(s, reply);
		return;
	}
	if (!is_possible(s, reply->line.code)) {
		backend_log_refusal(s, reply->bytes, reply->line.consumed);
		smtp_backend_lost(s);
		return;
	}
	if (s->state == SESSION_DATA_END)
		on_message_reply(s, reply);
	else
		reply_pass(s, reply);
	if (!reply->is_end)
		return;
	if (is_login)
		auth_reply(s, &reply->line, reply->bytes);
	else if (s->state == SESSION_COMMAND && pipe_head(s))
		on_expected(s, reply);
	if (reply->line.code == CODE_GOING_AWAY)
		session_end_after_flush(s, "backend-421");
}

/* ---- dispatch -------------------------------------------------------------------------------- */

static void on_reply(struct session *s, const struct reply *reply)
{
	static void (*const by_state[SESSION_STATE_COUNT])(struct session *,
							   const struct reply *) = {
		[SESSION_HELO] = on_idle_reply,
		[SESSION_BANNER] = on_banner,
		[SESSION_STARTTLS] = on_starttls,
		[SESSION_XEHLO] = on_own_hello,
		[SESSION_XCLIENT] = on_xclient,
		[SESSION_EHLO] = on_hello,
		[SESSION_COMMAND] = on_command_reply,
		[SESSION_AUTH] = on_command_reply,
		[SESSION_DATA] = on_early_reply,
		[SESSION_DATA_END] = on_command_reply,
	};

	if (by_state[s->state])
		by_state[s->state](s, reply);
}

void smtp_backend_lost(struct session *s)
{
	static const char in_message[] =
		"451 4.3.0 the mail host went away, try again\r\n"
		"421 4.3.2 closing\r\n";

	switch ((enum session_state)s->state) {
	case SESSION_CONNECT:
	case SESSION_BANNER:
	case SESSION_STARTTLS:
		backend_next(s);
		return;
	case SESSION_DATA:
		relay_stop(s, in_message);
		return;
	case SESSION_DATA_END:
		smtp_bye(s, in_message, "backend-lost");
		return;
	case SESSION_HELO:
		session_detach(s, &s->backend, false);
		return;
	case SESSION_SWALLOW:
	case SESSION_FREE:
	case SESSION_TLS:
	case SESSION_GREET:
	case SESSION_PREPARE:
	case SESSION_RELAY:
	case SESSION_FLUSH:
	case SESSION_LINGER:
	case SESSION_ENDED:
		return;
	case SESSION_XEHLO:
	case SESSION_XCLIENT:
	case SESSION_EHLO:
	case SESSION_COMMAND:
	case SESSION_AUTH:
	case SESSION_STATE_COUNT:
	default:
		smtp_bye(s, "421 4.3.2 the mail host went away\r\n", "backend-lost");
		return;
	}
}

static bool backend_is_done(const struct session *s)
{
	return s->state >= SESSION_FLUSH || s->backend.fd < 0;
}

/* Is the backend's turn: does the session stand still until it says something? */
static bool expects_reply(const struct session *s)
{
	if (s->state == SESSION_COMMAND)
		return pipe_count(s) > 0;
	if (s->state == SESSION_AUTH)
		return s->smtp.auth_waits;
	return s->state != SESSION_DATA && s->state != SESSION_HELO;
}

/* What it has just said ends the attempt: the next address has its turn. */
static bool backend_is_refused(const struct session *s)
{
	return s->state == SESSION_BANNER ||
	       (s->state == SESSION_STARTTLS && s->backend.has_ended);
}

bool smtp_backend_step(struct session *s)
{
	bool progress = backend_step(s);

	while (!backend_is_done(s)) {
		struct reply reply = {.bytes = s->backend.in + s->backend.in_at};
		enum smtp_reply_result result = SMTP_REPLY_MORE;

		/* A line, or what is said instead of it, always fits: the pipeline's text is the longest. */
		if (!leg_make_room(&s->client, PIPELINE_TEXT_MAX + SMTP_SAY_MAX_BYTES))
			return progress;
		if (s->backend.in_len > 0)
			result = smtp_reply_next(&s->smtp.replies, reply.bytes,
						 s->backend.in_len, &reply.line);
		if (result == SMTP_REPLY_MORE) {
			if (!leg_fill(&s->backend, expects_reply(s)))
				break;
			continue;
		}
		progress = true;
		if (result == SMTP_REPLY_BROKEN) {
			smtp_backend_lost(s);
			return true;
		}
		reply.is_end = result == SMTP_REPLY_END;
		on_reply(s, &reply);
		if (reply.is_end && backend_is_refused(s)) {
			smtp_backend_lost(s);
			return true;
		}
		if (!backend_is_done(s))
			leg_drop(&s->backend, reply.line.consumed);
	}
	if (s->backend.fd >= 0 && s->backend.has_ended && s->state < SESSION_FLUSH) {
		smtp_backend_lost(s);
		return true;
	}
	return progress;
}
