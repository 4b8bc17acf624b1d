/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_command - see gate_smtp_command.h.
 */
#include "proc/gate_smtp_command.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "policy/flags.h"
#include "proc/backend.h"
#include "proc/gate_login.h"
#include "proc/gate_report.h"
#include "proc/gate_smtp_auth.h"
#include "proc/gate_smtp_backend.h"
#include "proc/gate_smtp_checks.h"
#include "proc/gate_smtp_early.h"
#include "proc/gate_smtp_grey.h"
#include "proc/gate_smtp_hello.h"
#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_relay.h"
#include "proc/gate_smtp_route.h"
#include "proc/gate_smtp_say.h"
#include "proc/gate_smtp_spf.h"
#include "proc/gate_smtp_xclient.h"
#include "proc/session_auth.h"
#include "proc/session_tls.h"
#include "wire/smtp.h"

/* A line being dealt with. */
struct request {
	const char *line;
	size_t consumed; /* of the client's input, with its end */
	struct smtp_command command;
	const char *arg; /* of the command, inside line */
	struct smtp_path path;
	struct smtp_auth auth;
	struct smtp_domain name;
};

struct command_row {
	/* NULL: it may come; else the reply that refuses it. */
	const char *(*check)(struct session *session, struct request *request);
	void (*proceed)(struct session *session, const struct request *request);
	bool waits; /* for the replies to all earlier commands */
};

static const char no_hello[] = "503 5.5.1 say EHLO first\r\n";
static const char not_here[] = "502 5.5.1 command not implemented\r\n";
static const char bad_arg[] = "501 5.5.4 syntax error in the argument\r\n";

/* ---- passing on ------------------------------------------------------------------------------ */

static struct smtp_expect *pass_on(struct session *s, enum smtp_verb verb,
				   const struct buf *text)
{
	struct smtp_expect *entry = pipe_push(s, verb);

	if (!entry)
		return NULL;
	leg_put(&s->backend, text->text, text->len);
	leg_put(&s->backend, "\r\n", 2);
	if (pipe_count(s) == 1)
		session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
	return entry;
}

/* For the log: also of a path that is refused. */
static void show_path(const struct request *r, char out_shown[SESSION_NAME_MAX])
{
	struct buf name;

	buf_init(&name, out_shown, SESSION_NAME_MAX);
	buf_add_escaped(&name, r->path.is_null ? "<>" : r->arg + r->path.mailbox.at,
			r->path.is_null ? 2 : r->path.mailbox.len, SESSION_NAME_MAX - 4);
}

/* Return: false, it was refused here. */
static bool pass_on_path(struct session *s, const struct request *r)
{
	char memory[SMTP_LINE_MAX_BYTES];
	struct buf text = BUF_OVER(memory);
	struct route_rcpt rcpt = {.arg = r->arg, .path = &r->path, .text = &text};
	struct smtp_expect *entry;

	if (r->command.verb == SMTP_RCPT)
		route_write(s, &rcpt);
	else
		smtp_write_path(&text, r->command.verb, r->arg, &r->path);
	if (text.overflow) {
		smtp_refuse(s, "500 5.5.6 line too long\r\n");
		return false;
	}
	entry = pass_on(s, r->command.verb, &text);
	if (entry)
		route_note(s, entry, &rcpt);
	if (entry && r->command.verb == SMTP_RCPT && report_counts_strikes(s)) {
		entry->is_strike_candidate = true;
		(void)text_copy(entry->text, sizeof(entry->text), s->rcpt);
	}
	return entry != NULL;
}

/* ---- EHLO, HELO ------------------------------------------------------------------------------ */

static const char *check_hello(struct session *s, struct request *r)
{
	const char *problem;

	session_auth_look(s);
	problem = hello_read(r->arg, r->command.arg.len, &r->name);
	if (problem)
		return problem;
	s->helo_len = (uint16_t)r->name.text.len;
	memcpy(s->helo, r->arg + r->name.text.at, r->name.text.len);
	return hello_refusal(s, r->arg, &r->name);
}

static void proceed_hello(struct session *s, const struct request *r)
{
	s->smtp.is_esmtp = r->command.verb == SMTP_EHLO;
	if (s->backend.fd >= 0)
		smtp_say_hello(s);
	else
		backend_open(s);
}

/* ---- MAIL, RCPT, DATA, RSET ------------------------------------------------------------------ */

static unsigned int allowed(const struct session *s)
{
	return SMTP_ALLOW_USUAL |
	       (s->smtp.caps & SMTP_CAP_SMTPUTF8 ? SMTP_ALLOW_UTF8 : 0u);
}

static const char *path_problem(int err)
{
	if (err == -EILSEQ)
		return "553 5.6.7 this address needs SMTPUTF8\r\n";
	if (err == -EMSGSIZE)
		return "501 5.5.4 the address or a part of it is too long\r\n";
	return "501 5.1.7 syntax error in the address or a parameter\r\n";
}

static const char *check_mail(struct session *s, struct request *r)
{
	int err;

	if (!s->smtp.has_hello)
		return no_hello;
	if (s->smtp.in_mail)
		return "503 5.5.1 a message is under way already\r\n";
	session_auth_look(s);
	err = smtp_parse_mail(r->arg, r->command.arg.len, allowed(s), &r->path);
	if (err)
		return path_problem(err);
	show_path(r, s->from);
	return relay_refuse_sender(s, r->arg, &r->path);
}

static void proceed_mail(struct session *s, const struct request *r)
{
	s->smtp.has_acted = true;
	s->smtp.in_mail = pass_on_path(s, r);
	s->smtp.has_rcpt = false;
	smtp_grey_begin(s, r->arg + r->path.mailbox.at,
			r->path.is_null ? 0 : r->path.mailbox.len);
	if (s->smtp.in_mail)
		spf_ask(s, r->arg, &r->path);
}

static const char *check_rcpt(struct session *s, struct request *r)
{
	const char *refusal;
	int err;

	if (!s->smtp.has_hello)
		return no_hello;
	if (!s->smtp.in_mail)
		return "503 5.5.1 say MAIL first\r\n";
	err = smtp_parse_rcpt(r->arg, r->command.arg.len, allowed(s), &r->path);
	if (err)
		return path_problem(err);
	s->rcpts += !smtp_grey_is_again(s);
	show_path(r, s->rcpt);
	refusal = hello_refuse_recipient(s);
	if (!refusal)
		refusal = checks_refusal(s);
	return refusal ? refusal : relay_refuse_recipient(s, r->arg, &r->path);
}

static void proceed_rcpt(struct session *s, const struct request *r)
{
	const char *mailbox = r->arg + r->path.mailbox.at;

	if (!smtp_grey_defers(s, mailbox, r->path.mailbox.len))
		s->smtp.has_rcpt |= pass_on_path(s, r);
}

static const char *check_data(struct session *s, struct request *r)
{
	(void)r;
	if (!s->smtp.has_hello)
		return no_hello;
	if (!s->smtp.in_mail)
		return "503 5.5.1 say MAIL and RCPT first\r\n";
	if (!s->smtp.has_rcpt && s->smtp.grey.has_deferred)
		return "451 4.7.1 no recipient could be accepted yet, try again later\r\n";
	return s->smtp.has_rcpt ? NULL : "554 5.5.1 no valid recipients\r\n";
}

static void proceed_verb(struct session *s, const struct request *r)
{
	char memory[8];
	struct buf text = BUF_OVER(memory);

	buf_puts(&text, smtp_verb_name(r->command.verb));
	(void)pass_on(s, r->command.verb, &text);
}

static void proceed_data(struct session *s, const struct request *r)
{
	if (!smtp_grey_defers_data(s))
		proceed_verb(s, r);
}

static void proceed_reset(struct session *s, const struct request *r)
{
	s->smtp.in_mail = false;
	s->smtp.has_rcpt = false;
	if (!pipe_count(s))
		spf_forget(s);
	if (s->smtp.has_hello)
		proceed_verb(s, r);
	else
		smtp_say(s, "250 2.0.0 ok\r\n");
}

/* ---- AUTH ------------------------------------------------------------------------------------ */

static const char *check_auth(struct session *s, struct request *r)
{
	if (!s->smtp.has_hello)
		return no_hello;
	if (!(s->flags & FLAG_AS))
		return "503 5.5.1 AUTH is not allowed here\r\n";
	if (!session_may_login(s))
		return "538 5.7.11 say STARTTLS first: no password in the clear\r\n";
	if (!(s->smtp.caps & SMTP_CAP_AUTH))
		return "503 5.5.1 the mail host does not offer AUTH\r\n";
	if (s->auth_by == AUTH_BY_LOGIN)
		return "503 5.5.1 already authenticated\r\n";
	if (s->smtp.in_mail)
		return "503 5.5.1 no AUTH within a message\r\n";
	if (smtp_parse_auth(r->arg, r->command.arg.len, &r->auth))
		return bad_arg;
	if (!login_is_offered(s->smtp.mechs, r->arg + r->auth.mechanism.at,
			      r->auth.mechanism.len))
		return "504 5.5.4 mechanism not offered\r\n";
	if (r->auth.has_initial && !span_is(r->arg, r->auth.initial, "=") &&
	    !login_is_base64(s, r->arg + r->auth.initial.at, r->auth.initial.len))
		return "501 5.5.2 the initial response is no base64\r\n";
	return NULL;
}

static void proceed_auth(struct session *s, const struct request *r)
{
	s->smtp.has_acted = true;
	auth_begin(s, r->arg, &r->auth);
}

/* ---- STARTTLS -------------------------------------------------------------------------------- */

static const char *check_starttls(struct session *s, struct request *r)
{
	(void)r;
	if (session_is_tls(s))
		return "503 5.5.1 TLS is on already\r\n";
	if (!session_offers_tls(s))
		return not_here;
	if (s->smtp.in_mail)
		return "503 5.5.1 no STARTTLS within a message\r\n";
	if (session_tls_limit(s))
		return "454 4.7.0 no TLS at the moment, try again later\r\n";
	return NULL;
}

/*
 * What the client said in the clear was perhaps not its own: the backend starts anew as well. With nothing said but
 * greetings the next EHLO does that (RFC 5321 section 4.1.4); else it takes a new connection.
 */
static void proceed_starttls(struct session *s, const struct request *r)
{
	if (s->smtp.has_acted) {
		smtp_quit_backend(s);
		session_detach(s, &s->backend, false);
	}
	pipe_close(s);
	session_start_tls(s, r->consumed, "220 2.0.0 go ahead\r\n");
}

/* ---- answered here --------------------------------------------------------------------------- */

static void proceed_noop(struct session *s, const struct request *r)
{
	(void)r;
	smtp_say(s, "250 2.0.0 ok\r\n");
}

static void proceed_vrfy(struct session *s, const struct request *r)
{
	(void)r;
	smtp_say(s, "252 2.5.0 not verified here; send the message and see\r\n");
}

static void proceed_quit(struct session *s, const struct request *r)
{
	(void)r;
	if (pipe_count(s))
		(void)pipe_push(s, SMTP_QUIT);
	else
		smtp_quit(s);
}

static const char *refuse_verb(struct session *s, struct request *r)
{
	(void)s;
	(void)r;
	return not_here;
}

/* A browser, made to talk to us by a page from elsewhere: nothing it says is a command. */
static void proceed_http(struct session *s, const struct request *r)
{
	(void)r;
	early_http(s);
}

static const struct command_row rows[SMTP_VERB_COUNT] = {
	[SMTP_HELO] = {check_hello, proceed_hello, true},
	[SMTP_EHLO] = {check_hello, proceed_hello, true},
	[SMTP_MAIL] = {check_mail, proceed_mail, true}, /* in_mail is known by then */
	[SMTP_RCPT] = {check_rcpt, proceed_rcpt, false},
	[SMTP_DATA] = {check_data, proceed_data, false},
	[SMTP_RSET] = {NULL, proceed_reset, false},
	[SMTP_AUTH] = {check_auth, proceed_auth, true},
	[SMTP_STARTTLS] = {check_starttls, proceed_starttls, true},
	[SMTP_NOOP] = {NULL, proceed_noop, false},
	[SMTP_VRFY] = {NULL, proceed_vrfy, false},
	[SMTP_HELP] = {refuse_verb, NULL, false},
	[SMTP_QUIT] = {NULL, proceed_quit, false},
	[SMTP_HTTP] = {NULL, proceed_http, false},
	[SMTP_UNKNOWN] = {refuse_verb, NULL, false},
	[SMTP_LHLO] = {refuse_verb, NULL, false},
	[SMTP_BDAT] = {refuse_verb, NULL, false},
	[SMTP_EXPN] = {refuse_verb, NULL, false},
	[SMTP_ETRN] = {refuse_verb, NULL, false},
	[SMTP_TURN] = {refuse_verb, NULL, false},
	[SMTP_ATRN] = {refuse_verb, NULL, false},
	[SMTP_SEND] = {refuse_verb, NULL, false},
	[SMTP_SOML] = {refuse_verb, NULL, false},
	[SMTP_SAML] = {refuse_verb, NULL, false},
	[SMTP_XCLIENT] = {refuse_verb, NULL, false},
	[SMTP_XFORWARD] = {refuse_verb, NULL, false},
	[SMTP_PROXY] = {refuse_verb, NULL, false},
};

static const char *argument_problem(const struct smtp_command *command)
{
	const enum smtp_arg_rule rule = smtp_verb_arg_rule(command->verb);

	if ((rule == SMTP_ARG_NONE && command->arg.len > 0) ||
	    (rule == SMTP_ARG_REQUIRED && command->arg.len == 0))
		return bad_arg;
	return NULL;
}

bool smtp_command(struct session *s, const char *line, const struct line *found)
{
	struct request request = {.line = line, .consumed = found->consumed};
	const struct command_row *row;
	const char *problem = NULL;

	smtp_parse_command(line, found->len, &request.command);
	request.arg = line + request.command.arg.at;
	row = &rows[request.command.verb];
	if ((row->waits && pipe_count(s)) ||
	    (request.command.verb == SMTP_RCPT && route_waits(s)) ||
	    checks_wait(s, request.command.verb) ||
	    xclient_renew(s, request.command.verb))
		return false;

	/* A recipient counts when it is refused: a message may have hundreds of them. */
	s->smtp.commands += request.command.verb != SMTP_RCPT;
	if (s->smtp.commands > s->gate->conf->limits.commands_max) {
		smtp_bye(s, "421 4.7.0 too many commands\r\n", "commands");
		return true;
	}
	if (found->faults & (LINE_NUL | LINE_BARE_CR))
		problem = "500 5.5.2 a command line holds CR or NUL\r\n";
	else if (row->proceed)
		problem = argument_problem(&request.command);
	if (!problem && row->check)
		problem = row->check(s, &request);
	if (!problem && request.command.verb == SMTP_RCPT &&
	    smtp_grey_holds(s, request.arg + request.path.mailbox.at,
			    request.path.mailbox.len))
		return false;
	if (problem)
		smtp_refuse(s, problem);
	else if (row->proceed)
		row->proceed(s, &request);
	smtp_grey_end(s);
	/* A client that says something is not idle; how much it may say, commands_max tells. */
	if (s->state == SESSION_COMMAND && !pipe_count(s))
		session_deadline(s, s->gate->conf->limits.command_timeout_s);
	return true;
}
