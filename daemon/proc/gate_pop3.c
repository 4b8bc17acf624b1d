/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pop3 - see gate_pop3.h.
 */
#include "proc/gate_pop3.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/backend.h"
#include "proc/gate_mailbox.h"
#include "proc/gate_pop3_backend.h"
#include "proc/session_tls.h"
#include "wire/pop3.h"

/* A line being dealt with. */
struct request {
	const char *line;
	size_t len;	 /* without its end */
	size_t consumed; /* of the client's input, with it */
	struct pop3_command command;
	const char *arg; /* of the command, inside line */
	struct pop3_auth auth;
	struct pop3_apop apop;
};

struct command_row {
	/* NULL: it may come; else the reply that refuses it. */
	const char *(*check)(struct session *session, struct request *request);
	void (*proceed)(struct session *session, const struct request *request);
	/* Does it take the backend? Then it is read again when that is ready. */
	bool (*needs_backend)(const struct session *session);
};

static const char not_here[] = "-ERR unknown command\r\n";
static const char stls_first[] = "-ERR say STLS first: no password in the clear\r\n";
static const char bad_arg[] = "-ERR syntax error in the argument\r\n";

/* ---- CAPA ------------------------------------------------------------------------------------ */

static bool capa_needs_backend(const struct session *s)
{
	return !offer_is_known(offer_of(s)) && s->service >= 0;
}

static void proceed_capa(struct session *s, const struct request *r)
{
	const struct mailbox_offer *offer = offer_of(s);
	char memory[MAILBOX_SAY_MAX_BYTES];
	struct buf text = BUF_OVER(memory);

	(void)r;
	buf_puts(&text, "+OK capabilities\r\n");
	if (offer)
		buf_add(&text, offer->text, offer->text_len);
	if (session_may_login(s) && (!offer || (offer->caps & POP3_OFFERS_USER)))
		buf_puts(&text, "USER\r\n");
	if (session_may_login(s) && offer && offer->mechs[0])
		buf_printf(&text, "SASL %s\r\n", offer->mechs);
	if (session_offers_tls(s))
		buf_puts(&text, "STLS\r\n");
	buf_puts(&text, ".\r\n");
	mailbox_say(s, text.text);
}

/* ---- logging in ------------------------------------------------------------------------------ */

static bool always_needs_backend(const struct session *s)
{
	(void)s;
	return true;
}

static const char *check_user(struct session *s, struct request *r)
{
	if (!session_may_login(s))
		return stls_first;
	if (r->command.arg.len == 0)
		return bad_arg;
	if (r->command.arg.len > POP3_NAME_MAX_BYTES)
		return "-ERR the name is too long\r\n";
	return NULL;
}

/* Whether there is such a user, the backend will say to the password. */
static void proceed_user(struct session *s, const struct request *r)
{
	s->mailbox.name_len = (uint16_t)r->command.arg.len;
	memcpy(s->mailbox.name, r->arg, r->command.arg.len);
	mailbox_say(s, "+OK\r\n");
}

static const char *check_pass(struct session *s, struct request *r)
{
	if (!session_may_login(s))
		return stls_first;
	if (s->mailbox.name_len == 0)
		return "-ERR say USER first\r\n";
	if (r->command.arg.len == 0)
		return "-ERR the password is empty\r\n";
	return NULL;
}

static void proceed_pass(struct session *s, const struct request *r)
{
	struct mailbox_state *m = &s->mailbox;
	const struct digest_text user = {m->name, m->name_len};
	const struct digest_text secret = {r->arg, r->command.arg.len};

	mailbox_login_begins(s);
	pop3_login_plain(&m->login, m->name, m->name_len, true);
	login_present(s, &user, &secret);
	leg_put(&s->backend, "USER ", 5);
	leg_put(&s->backend, m->name, m->name_len);
	leg_put(&s->backend, "\r\n", 2);
	m->name_len = 0;
	m->step = POP3_STEP_USER;
	mailbox_login_waits(s);
}

/* The same line again: the backend has taken the name. */
static void pass_secret(struct session *s, const struct request *r)
{
	leg_put(&s->backend, "PASS ", 5);
	leg_put(&s->backend, r->arg, r->command.arg.len);
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	s->mailbox.step = POP3_STEP_LOGIN;
	mailbox_login_waits(s);
}

static bool offers_apop(const struct session *s)
{
	return s->service >= 0 && s->gate->conf->services[s->service].apop;
}

static const char *check_apop(struct session *s, struct request *r)
{
	if (!session_may_login(s))
		return stls_first;
	if (!s->mailbox.has_stamp)
		return "-ERR APOP is not offered\r\n";
	return pop3_parse_apop(r->arg, r->command.arg.len, &r->apop) ? bad_arg : NULL;
}

static void proceed_apop(struct session *s, const struct request *r)
{
	mailbox_login_begins(s);
	pop3_login_plain(&s->mailbox.login, r->arg, r->apop.name.len, true);
	leg_put(&s->backend, "APOP ", 5);
	leg_put(&s->backend, r->arg, r->command.arg.len);
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	s->mailbox.step = POP3_STEP_LOGIN;
	mailbox_login_waits(s);
}

static const char *check_auth(struct session *s, struct request *r)
{
	const struct mailbox_offer *offer = offer_of(s);

	if (!session_may_login(s))
		return stls_first;
	if (pop3_parse_auth(r->arg, r->command.arg.len, &r->auth))
		return bad_arg;
	if (!offer)
		return "-ERR [SYS/TEMP] this service has just been removed\r\n";
	/* What is not known yet is when the line is read again, with the backend ready. */
	if (r->auth.mechanism.len > 0 && offer_is_known(offer) &&
	    !login_is_offered(offer->mechs, r->arg, r->auth.mechanism.len))
		return "-ERR this mechanism is not offered\r\n";
	if (r->auth.has_initial && !span_is(r->arg, r->auth.initial, "=") &&
	    !login_is_base64(s, r->arg + r->auth.initial.at, r->auth.initial.len))
		return "-ERR the initial response is no base64\r\n";
	return NULL;
}

/* AUTH alone lists the mechanisms: older clients ask so. */
static void list_mechanisms(struct session *s)
{
	const char *mechs = offer_of(s)->mechs;
	struct span rest = {.at = 0, .len = (uint32_t)strlen(mechs)};
	struct span word;

	mailbox_say(s, "+OK mechanisms\r\n");
	while (pop3_next_word(mechs, &rest, &word))
		mailbox_pass(s, mechs + word.at, word.len);
	mailbox_say(s, ".\r\n");
}

static void proceed_auth(struct session *s, const struct request *r)
{
	struct mailbox_state *m = &s->mailbox;
	const char *initial = r->arg + r->auth.initial.at;

	if (r->auth.mechanism.len == 0) {
		list_mechanisms(s);
		return;
	}
	mailbox_login_begins(s);
	sasl_begin(&m->login, r->arg, r->auth.mechanism.len, true);
	leg_put(&s->backend, "AUTH ", 5);
	leg_put(&s->backend, r->arg, r->auth.mechanism.len);
	if (r->auth.has_initial) {
		login_look_at(s, &m->login, initial, r->auth.initial.len);
		leg_put(&s->backend, " ", 1);
		leg_put(&s->backend, initial, r->auth.initial.len);
	}
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	m->step = POP3_STEP_AUTH;
	mailbox_login_waits(s);
}

/* ---- STLS ------------------------------------------------------------------------------------ */

static const char *check_stls(struct session *s, struct request *r)
{
	(void)r;
	if (session_is_tls(s))
		return "-ERR TLS is on already\r\n";
	if (!session_offers_tls(s))
		return not_here;
	if (session_tls_limit(s))
		return "-ERR [SYS/TEMP] no TLS at the moment, try again later\r\n";
	return NULL;
}

static void proceed_stls(struct session *s, const struct request *r)
{
	mailbox_start_tls(s, r->consumed, "+OK go ahead\r\n");
}

/* ---- others ---------------------------------------------------------------------------------- */

/* UTF8 and LANG change how the backend understands what follows: from then on no other one will do. */
static void proceed_passed(struct session *s, const struct request *r)
{
	s->mailbox.is_bound = true;
	s->mailbox.has_lines = r->command.verb == POP3_LANG && r->command.arg.len == 0;
	s->mailbox.step = POP3_STEP_PASSED;
	s->state = SESSION_AUTH;
	leg_put(&s->backend, r->line, r->len);
	leg_put(&s->backend, "\r\n", 2);
	mailbox_login_waits(s);
}

static void proceed_quit(struct session *s, const struct request *r)
{
	(void)r;
	if (s->backend.fd >= 0 && leg_flush(&s->backend)) {
		leg_put(&s->backend, "QUIT\r\n", 6);
		(void)leg_flush(&s->backend);
	}
	s->is_polite = true;
	mailbox_bye(s, "+OK goodbye\r\n", "quit");
}

static const char *refuse_verb(struct session *s, struct request *r)
{
	(void)s;
	(void)r;
	return not_here;
}

static const char *refuse_before_login(struct session *s, struct request *r)
{
	(void)s;
	(void)r;
	return "-ERR log in first\r\n";
}

/* A browser, made to talk to us by a page from elsewhere: nothing it says is a command. */
static void proceed_http(struct session *s, const struct request *r)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	(void)r;
	if (log_limit_take(&s->gate->log_limits.http, s->gate->now_ns, &dropped))
		log_info("event=not-pop addr=%s service=%s dropped=%u",
			 addr_format(&s->addr, addr_text), s->service_name, dropped);
	mailbox_bye(s, "-ERR this is no web server\r\n", "not-pop3");
}

static const struct command_row rows[POP3_VERB_COUNT] = {
	[POP3_CAPA] = {NULL, proceed_capa, capa_needs_backend},
	[POP3_USER] = {check_user, proceed_user, NULL},
	[POP3_PASS] = {check_pass, proceed_pass, always_needs_backend},
	[POP3_APOP] = {check_apop, proceed_apop, always_needs_backend},
	[POP3_AUTH] = {check_auth, proceed_auth, always_needs_backend},
	[POP3_UTF8] = {NULL, proceed_passed, always_needs_backend},
	[POP3_LANG] = {NULL, proceed_passed, always_needs_backend},
	[POP3_QUIT] = {NULL, proceed_quit, NULL},
	[POP3_HTTP] = {NULL, proceed_http, NULL},
	[POP3_NOOP] = {refuse_before_login, NULL, NULL},
	[POP3_MAILBOX] = {refuse_before_login, NULL, NULL},
	[POP3_UNKNOWN] = {refuse_verb, NULL, NULL},
	[POP3_STLS] = {check_stls, proceed_stls, NULL},
	[POP3_XCLIENT] = {refuse_verb, NULL, NULL},
	[POP3_PROXY] = {refuse_verb, NULL, NULL},
};

/* ---- lines ----------------------------------------------------------------------------------- */

/* Return: false, the line stays where it is. */
static bool pop3_command(struct session *s, const char *line, const struct line *found)
{
	struct request request = {
		.line = line, .len = found->len, .consumed = found->consumed};
	const struct command_row *row;
	const char *problem = NULL;

	pop3_parse_command(line, found->len, &request.command);
	request.arg = line + request.command.arg.at;
	row = &rows[request.command.verb];
	if (found->faults & (LINE_NUL | LINE_BARE_CR))
		problem = "-ERR a command line holds CR or NUL\r\n";
	else if (row->check)
		problem = row->check(s, &request);
	if (!problem && row->needs_backend && row->needs_backend(s) &&
	    mailbox_needs_backend(s))
		return false;

	if (!mailbox_count_command(s))
		return true;
	if (problem)
		mailbox_refuse(s, problem);
	else
		row->proceed(s, &request);
	if (s->state == SESSION_COMMAND)
		session_deadline(s, s->gate->conf->limits.command_timeout_s);
	/* The name has gone out; the password waits for its answer. */
	return s->state != SESSION_AUTH || s->mailbox.step != POP3_STEP_USER;
}

static void pop3_secret(struct session *s, const char *line, size_t len)
{
	struct request request = {.line = line, .len = len};

	pop3_parse_command(line, len, &request.command);
	request.arg = line + request.command.arg.at;
	pass_secret(s, &request);
}

static bool client_line(struct session *s, char *bytes, const struct line *line)
{
	struct mailbox_state *m = &s->mailbox;
	bool done = true;

	if (m->is_line_spent)
		m->is_line_spent = false;
	else if (s->state == SESSION_AUTH && m->step == POP3_STEP_SECRET)
		pop3_secret(s, bytes, line->len);
	else if (s->state == SESSION_AUTH)
		mailbox_dialogue(s, bytes, line->len);
	else
		done = pop3_command(s, bytes, line);
	/* Also of an AUTH that was refused, and of a password that was said at the wrong time. */
	if (done)
		explicit_bzero(bytes, line->len);
	return done;
}

static void client_line_too_long(struct session *s)
{
	if (s->state == SESSION_AUTH)
		mailbox_dialogue(s, "*", 1);
	else
		mailbox_refuse(s, "-ERR line too long\r\n");
}

static bool pop3_client_step(struct session *s)
{
	bool progress = false;

	while (mailbox_may_speak(s)) {
		struct line line;
		const enum line_result result =
			mailbox_line(&s->client, &s->mailbox.lines, false, &line);

		if (result == LINE_MORE)
			return progress;
		if (result == LINE_TOO_LONG)
			client_line_too_long(s);
		else if (!client_line(s, s->client.in + s->client.in_at, &line))
			return true;
		progress = true;
		if (s->client.in)
			leg_drop(&s->client, line.consumed);
	}
	return progress;
}

/* ---- begin ----------------------------------------------------------------------------------- */

static const struct mailbox_talk pop3_talk = {
	.client_step = pop3_client_step,
	.backend_step = pop3_backend_step,
	.backend_secured = pop3_backend_secured,
	.timeout = "-ERR [SYS/TEMP] timeout, closing\r\n",
	.errors = "-ERR [SYS/PERM] too many errors\r\n",
	.commands = "-ERR [SYS/PERM] too many commands\r\n",
	.logins = "-ERR [AUTH] too many refused logins\r\n",
	.absent = "-ERR [SYS/TEMP] mail host not available\r\n",
	.lost = "-ERR [SYS/TEMP] the mail host went away, try again\r\n",
	.shutdown = "-ERR [SYS/TEMP] shutting down\r\n",
};

static void pop3_greet(struct session *s)
{
	char memory[MAILBOX_SAY_MAX_BYTES];
	struct buf text = BUF_OVER(memory);

	mailbox_begin(s, &pop3_talk);
	if (offers_apop(s)) {
		s->mailbox.is_bound = true; /* it greets with this backend's timestamp */
		backend_open(s);
	} else {
		buf_printf(&text, "+OK %s POP3 ready\r\n", s->gate->conf->hostname);
		mailbox_say(s, text.text);
	}
	session_run(s);
}

const struct session_protocol pop3_protocol = {
	.greet = pop3_greet,
	.pump = mailbox_pump,
	.timeout = mailbox_timeout,
	.stop = mailbox_stop,
	.finish = mailbox_finish,
	.secured = mailbox_secured,
	.is_amid = mailbox_is_amid,
	.backend_begins = mailbox_backend_begins,
	.backend_absent = mailbox_backend_absent,
	.refused = "-ERR [SYS/PERM] your address is refused by the policy here\r\n",
	.crowded = "-ERR [SYS/TEMP] too many connections\r\n",
	.banned = "-ERR [SYS/PERM] your address has been banned\r\n",
};
