/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_command - see gate_imap_command.h.
 */
#include "proc/gate_imap_command.h"

#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/gate_imap_login.h"
#include "proc/gate_imap_say.h"
#include "proc/gate_mailbox.h"
#include "proc/session_tls.h"

/* A command being dealt with. */
struct request {
	const char *text;
	size_t consumed; /* of the client's input, with its end */
	struct imap_command command;
	struct imap_tag tag;
};

static struct request request_read(const struct session *s, size_t len, int *out_err)
{
	struct request r = {.text = s->client.in + s->client.in_at};

	*out_err = imap_parse_command(r.text, len, &r.command);
	r.tag = (struct imap_tag){r.text + r.command.tag.at, r.command.tag.len};
	return r;
}

/* ---- verbs: true, done with ------------------------------------------------------------------ */

static bool proceed_capability(struct session *s, const struct request *r)
{
	if (!imap_knows_offer(s) && mailbox_needs_backend(s))
		return false;
	imap_say_capability(s, r->tag);
	return true;
}

static bool proceed_noop(struct session *s, const struct request *r)
{
	imap_say(s, r->tag, "OK NOOP completed");
	return true;
}

static bool proceed_logout(struct session *s, const struct request *r)
{
	imap_say_goodbye(s, r->tag);
	return true;
}

static bool proceed_starttls(struct session *s, const struct request *r)
{
	char memory[IMAP_TAG_MAX_BYTES + 32];
	struct buf go_ahead = BUF_OVER(memory);

	if (session_is_tls(s)) {
		imap_refuse(s, r->tag, "BAD TLS is on already");
	} else if (!session_offers_tls(s)) {
		imap_refuse(s, r->tag, "BAD STARTTLS is not offered");
	} else if (session_tls_limit(s)) {
		imap_refuse(s, r->tag, "NO [UNAVAILABLE] no TLS at the moment");
	} else {
		buf_add(&go_ahead, r->tag.text, r->tag.len);
		buf_puts(&go_ahead, " OK begin TLS now\r\n");
		mailbox_start_tls(s, r->consumed, go_ahead.text);
	}
	return true;
}

/* What the backend may see of it is kept for the login; the last one counts. */
static void keep_id(struct session *s, const char *text, struct span pairs)
{
	struct imap_state *imap = &s->mailbox.imap;
	struct buf fields;

	if (!imap->id)
		imap->id = pool_take(&s->gate->small);
	if (!imap->id) {
		session_end(s, "memory");
		return;
	}
	buf_init(&fields, imap->id, IMAP_ID_FIELDS_MAX);
	imap_filter_id(text, pairs, &fields);
	if (fields.len == 0)
		pool_give(&s->gate->small, &imap->id);
}

static bool proceed_id(struct session *s, const struct request *r)
{
	struct span pairs;

	if (imap_parse_id(r->text, r->command.args, &pairs)) {
		imap_refuse(s, r->tag, "BAD syntax error in ID");
		return true;
	}
	if (!s->mailbox.is_ready)
		keep_id(s, r->text, pairs);
	mailbox_say(s, "* ID NIL\r\n");
	imap_say(s, r->tag, "OK ID completed");
	return true;
}

static bool proceed_login(struct session *s, const struct request *r)
{
	struct imap_login login;

	if (imap_login_is_hidden(s)) {
		imap_refuse(s, r->tag, "NO [PRIVACYREQUIRED] say STARTTLS first");
		return true;
	}
	if (imap_parse_login(r->text, r->command.args, &login)) {
		imap_refuse(s, r->tag, "BAD LOGIN needs a name and a password");
		return true;
	}
	return !mailbox_needs_backend(s) && imap_login(s, r->tag, r->text, &login);
}

static bool proceed_authenticate(struct session *s, const struct request *r)
{
	struct imap_authenticate found;

	if (imap_login_is_hidden(s)) {
		imap_refuse(s, r->tag, "NO [PRIVACYREQUIRED] say STARTTLS first");
		return true;
	}
	if (imap_parse_authenticate(r->text, r->command.args, &found)) {
		imap_refuse(s, r->tag, "BAD AUTHENTICATE needs a mechanism");
		return true;
	}
	return !mailbox_needs_backend(s) && imap_authenticate(s, r->tag, r->text, &found);
}

static bool proceed_later(struct session *s, const struct request *r)
{
	imap_refuse(s, r->tag, "BAD log in first");
	return true;
}

static bool proceed_unknown(struct session *s, const struct request *r)
{
	imap_refuse(s, r->tag, "BAD unknown command");
	return true;
}

/* A browser, made to talk to us by a page from elsewhere: nothing it says is a command. */
static bool proceed_http(struct session *s, const struct request *r)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	(void)r;
	if (log_limit_take(&s->gate->log_limits.http, s->gate->now_ns, &dropped))
		log_info("event=not-imap addr=%s service=%s dropped=%u",
			 addr_format(&s->addr, addr_text), s->service_name, dropped);
	mailbox_bye(s, "* BYE this is no web server\r\n", "not-imap");
	return true;
}

static const struct {
	bool (*proceed)(struct session *session, const struct request *request);
	bool has_arguments;
} rows[IMAP_VERB_COUNT] = {
	[IMAP_CAPABILITY] = {proceed_capability, false},
	[IMAP_NOOP] = {proceed_noop, false},
	[IMAP_LOGOUT] = {proceed_logout, false},
	[IMAP_ID] = {proceed_id, true},
	[IMAP_STARTTLS] = {proceed_starttls, false},
	[IMAP_LOGIN] = {proceed_login, true},
	[IMAP_AUTHENTICATE] = {proceed_authenticate, true},
	[IMAP_LATER] = {proceed_later, true},
	[IMAP_HTTP] = {proceed_http, true},
	[IMAP_UNKNOWN] = {proceed_unknown, true},
};

/* ---- commands -------------------------------------------------------------------------------- */

bool imap_command(struct session *s, const struct imap_read *read)
{
	const bool is_held = s->mailbox.imap.held.consumed > 0;
	struct request r;
	int err;

	s->mailbox.imap.held = (struct imap_read){0};
	if (!is_held && !mailbox_count_command(s))
		return true;
	r = request_read(s, read->len, &err);
	if (err) {
		imap_refuse(s, r.tag, "BAD syntax error");
		return true;
	}
	if (!rows[r.command.verb].has_arguments && r.command.args.len > 0) {
		imap_refuse(s, r.tag, "BAD this command takes no arguments");
		return true;
	}
	r.consumed = read->consumed;
	if (rows[r.command.verb].proceed(s, &r))
		return true;
	s->mailbox.imap.held = *read;
	return false;
}

static const char *prompt_problem(const struct session *s, const struct request *r)
{
	if (r->command.verb == IMAP_LATER)
		return "BAD log in first";
	if (r->command.verb == IMAP_LOGIN && imap_login_is_hidden(s))
		return "NO [PRIVACYREQUIRED] say STARTTLS first";
	if (r->command.verb != IMAP_LOGIN && r->command.verb != IMAP_ID)
		return "BAD no literal is wanted here";
	return NULL;
}

bool imap_prompt(struct session *s, const struct imap_read *read)
{
	int err;
	const struct request r = request_read(s, read->len, &err);
	const char *problem = err ? "BAD syntax error" : prompt_problem(s, &r);

	if (!problem)
		mailbox_say(s, "+ OK\r\n");
	else if (mailbox_count_command(s))
		imap_refuse(s, r.tag, problem);
	return !problem;
}

void imap_too_long(struct session *s, const struct imap_read *read)
{
	int err;
	const struct request r = request_read(s, read->len, &err);

	imap_refuse(s, r.tag, "BAD [TOOBIG] the command or a part of it is too long");
	if (!read->consumed)
		mailbox_bye(s, "* BYE the end of that cannot be found\r\n", "too-long");
}
