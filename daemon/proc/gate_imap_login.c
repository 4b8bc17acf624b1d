/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_login - see gate_imap_login.h.
 */
#include "proc/gate_imap_login.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "proc/gate_mailbox.h"
#include "wire/imap_caps.h"

static_assert(IMAP_COMMAND_MAX_BYTES + IMAP_WRITE_GROWTH_MAX < GATE_SMALL_BYTES,
	      "a LOGIN written anew fits into a block");

static struct sasl_dialogue *dialogue_of(struct session *s)
{
	return &s->mailbox.login;
}

/* To the backend, and no copy stays. */
static void pass_on(struct session *s, struct buf *text)
{
	/* A backend that answered the last login without reading all of it. */
	if (!leg_make_room(&s->backend, text->len)) {
		explicit_bzero(text->text, text->len);
		mailbox_backend_lost(s);
		return;
	}
	leg_put(&s->backend, text->text, text->len);
	leg_flush_secret(&s->backend);
	explicit_bzero(text->text, text->len);
	mailbox_login_waits(s);
}

static void begin(struct session *s, struct imap_tag tag, struct buf *out)
{
	struct imap_state *imap = &s->mailbox.imap;

	memcpy(imap->tag, tag.text, tag.len);
	imap->tag_len = (uint8_t)tag.len;
	imap->is_login = false;
	mailbox_login_begins(s);
	buf_init(out, s->gate->room, sizeof(s->gate->room));
	buf_add(out, tag.text, tag.len);
	buf_puts(out, " ");
}

void imap_login_drop_held(struct session *s)
{
	struct imap_read *held = &s->mailbox.imap.held;

	if (!held->consumed)
		return;
	explicit_bzero(s->client.in + s->client.in_at, held->consumed);
	leg_drop(&s->client, held->consumed);
	*held = (struct imap_read){0};
}

/* ---- LOGIN ----------------------------------------------------------------------------------- */

static void present_login(struct session *s, const char *text,
			  const struct imap_login *login)
{
	struct sasl_dialogue *dialogue = dialogue_of(s);

	imap_login_dialogue(text, login, dialogue, &s->gate->sasl);
	login_present_sasl(s, dialogue);
}

/* Return: true, all of it has been passed on. */
static bool write_login(struct session *s, const char *text,
			const struct imap_login *login, struct buf *out)
{
	struct imap_state *imap = &s->mailbox.imap;
	const bool is_whole =
		imap_write_login(&imap->writer, text, login, imap->caps, out);

	pass_on(s, out);
	return is_whole;
}

bool imap_login(struct session *s, struct imap_tag tag, const char *text,
		const struct imap_login *login)
{
	struct buf out;

	if (s->mailbox.imap.caps & IMAP_CAP_LOGINDISABLED) {
		imap_refuse(s, tag, "NO [CANNOT] the mail host does not allow LOGIN");
		return true;
	}
	begin(s, tag, &out);
	present_login(s, text, login);
	s->mailbox.imap.is_login = true;
	s->mailbox.imap.writer = (struct imap_login_writer){0};
	return write_login(s, text, login, &out);
}

/* ---- AUTHENTICATE ---------------------------------------------------------------------------- */

static const char *authenticate_problem(struct session *s, const char *text,
					const struct imap_authenticate *found)
{
	const struct mailbox_offer *offer = offer_of(s);

	if (!offer ||
	    !imap_caps_has_mechanism(offer->text, offer->text_len,
				     text + found->mechanism.at, found->mechanism.len))
		return "NO [CANNOT] mechanism not offered";
	if (found->has_initial && !span_is(text, found->initial, "=") &&
	    !login_is_base64(s, text + found->initial.at, found->initial.len))
		return "BAD the initial response is no base64";
	return NULL;
}

bool imap_authenticate(struct session *s, struct imap_tag tag, const char *text,
		       const struct imap_authenticate *found)
{
	const char *initial = text + found->initial.at;
	const bool goes_at_once = s->mailbox.imap.caps & IMAP_CAP_SASL_IR;
	const char *problem = authenticate_problem(s, text, found);
	struct buf out;

	if (problem) {
		imap_refuse(s, tag, problem);
		return true;
	}
	begin(s, tag, &out);
	sasl_begin(dialogue_of(s), text + found->mechanism.at, found->mechanism.len,
		   true);
	buf_puts(&out, "AUTHENTICATE ");
	buf_add(&out, text + found->mechanism.at, found->mechanism.len);
	if (found->has_initial)
		login_look_at(s, dialogue_of(s), initial, found->initial.len);
	if (found->has_initial && goes_at_once) {
		buf_puts(&out, " ");
		buf_add(&out, initial, found->initial.len);
	}
	buf_puts(&out, "\r\n");
	pass_on(s, &out);
	return !found->has_initial || goes_at_once;
}

/* ---- the backend's word ---------------------------------------------------------------------- */

/* The initial response, to a backend that has no SASL-IR: it has been looked at already. */
static void write_initial(struct session *s, const char *text,
			  const struct imap_authenticate *found, struct buf *out)
{
	if (!span_is(text, found->initial, "="))
		buf_add(out, text + found->initial.at, found->initial.len);
	buf_puts(out, "\r\n");
	pass_on(s, out);
}

bool imap_login_go_on(struct session *s)
{
	const struct imap_read *held = &s->mailbox.imap.held;
	const char *text = s->client.in + s->client.in_at;
	struct imap_authenticate found;
	struct imap_command command;
	struct imap_login login;
	bool is_whole = true;
	struct buf out;

	if (!held->consumed)
		return false;
	buf_init(&out, s->gate->room, sizeof(s->gate->room));
	/* It was read before, when the login began. */
	if (imap_parse_command(text, held->len, &command) == 0) {
		if (imap_parse_login(text, command.args, &login) == 0 &&
		    command.verb == IMAP_LOGIN)
			is_whole = write_login(s, text, &login, &out);
		else if (imap_parse_authenticate(text, command.args, &found) == 0)
			write_initial(s, text, &found, &out);
	}
	if (is_whole)
		imap_login_drop_held(s);
	return true;
}

void imap_login_reply(struct session *s, const struct imap_reply_line *line,
		      const char *bytes)
{
	const size_t at = line->tag.len ? line->tag.len + 1 : 2;
	const struct report_evidence evidence = {
		.text = bytes + at,
		.len = line->len > at ? line->len - at : 0,
	};
	const enum sasl_outcome outcome = imap_outcome(line, bytes, dialogue_of(s));

	imap_login_drop_held(s);
	mailbox_login_ends(s, outcome, &evidence,
			   s->gate->conf->limits.imap_idle_timeout_s);
}
