/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_backend - see gate_imap_backend.h.
 */
#include "proc/gate_imap_backend.h"

#include <string.h>

#include "base/buf.h"
#include "proc/backend.h"
#include "proc/gate_imap_login.h"
#include "proc/gate_mailbox.h"
#include "proc/session_tls.h"
#include "wire/imap_caps.h"

/* Of postern's own commands. */
#define OWN_TAG "postern"

static const char own_starttls[] = OWN_TAG " STARTTLS\r\n";
static const char own_capability[] = OWN_TAG " CAPABILITY\r\n";

/* A line, where it stands in the input. */
struct reply {
	const char *bytes;
	struct imap_reply_line line;
};

void imap_backend_begins(struct session *s)
{
	imap_reply_init(&s->mailbox.imap.replies);
	s->mailbox.imap.caps = 0;
	mailbox_backend_begins(s);
}

static void log_refusal(struct session *s, const struct reply *reply)
{
	backend_log_refusal(s, reply->bytes, reply->line.len);
}

/* ---- before a login -------------------------------------------------------------------------- */

static void note_capabilities(struct session *s, const char *list, size_t len)
{
	struct mailbox_offer *offer = offer_begin(s);
	size_t at = 0;

	if (!offer)
		return;
	s->mailbox.imap.caps = imap_caps_parse(list, len);
	while (at < len) { /* word by word: one that does not fit is not offered */
		size_t end = at + 1;

		while (end < len && list[end] != ' ')
			end++;
		offer_add(offer, list + at, end - at);
		at = end;
	}
	offer_end(s);
}

static void say(struct session *s, enum imap_step step, const char *text, size_t len)
{
	leg_put(&s->backend, text, len);
	s->mailbox.step = (uint8_t)step;
	s->state = SESSION_PREPARE;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

static void say_id(struct session *s, bool with_client)
{
	struct imap_client client = {
		.session_id = s->id, .addr = s->addr, .port = s->port};
	char memory[IMAP_ID_FIELDS_MAX + 512];
	struct buf out = BUF_OVER(memory);
	struct buf fields = {.text = s->mailbox.imap.id};

	if (sock_local(s->client.fd, &client.dest_addr, &client.dest_port))
		client.dest_addr = (struct addr){.family = ADDR_NONE};
	if (fields.text)
		fields.len = strlen(fields.text);
	imap_write_id(OWN_TAG, with_client ? &client : NULL, fields.text ? &fields : NULL,
		      &out);
	pool_give(&s->gate->small, &s->mailbox.imap.id);
	say(s, IMAP_STEP_ID, out.text, out.len);
}

/* What is to be said next before a login can be passed on. */
static void prepare(struct session *s)
{
	if (!s->mailbox.imap.caps)
		say(s, IMAP_STEP_CAPABILITY, own_capability, sizeof(own_capability) - 1);
	else if (s->mailbox.imap.id && (s->mailbox.imap.caps & IMAP_CAP_ID))
		say_id(s, false);
	else
		mailbox_ready(s);
}

/* Who the client is comes ahead of all else that is said to this backend. */
static void introduce(struct session *s)
{
	if (s->client_address == CLIENT_ADDRESS_XCLIENT)
		say_id(s, true);
	else
		prepare(s);
}

/* Never without: who takes the offer away would read the mail. */
static void say_starttls(struct session *s, const struct reply *greeting)
{
	const uint32_t caps =
		imap_caps_parse(greeting->bytes + greeting->line.code_args.at,
				greeting->line.code_args.len);

	leg_put(&s->backend, own_starttls, sizeof(own_starttls) - 1);
	s->state = SESSION_STARTTLS;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
	if (greeting->line.code == IMAP_CODE_CAPABILITY && !(caps & IMAP_CAP_STARTTLS))
		session_fail_tls(s, "STARTTLS is not offered");
}

static void on_starttls(struct session *s, const struct reply *reply)
{
	if (reply->line.kind != IMAP_REPLY_TAGGED)
		return;
	if (reply->line.status == IMAP_STATUS_OK)
		session_connect_tls(s, reply->line.consumed);
	else
		session_fail_tls(s, "STARTTLS is refused");
}

void imap_backend_secured(struct session *s)
{
	imap_reply_init(&s->mailbox.imap.replies);
	introduce(s);
}

static void on_greeting(struct session *s, const struct reply *reply)
{
	const struct imap_reply_line *line = &reply->line;

	/* PREAUTH: whoever connects is logged in already; no client of ours may be. */
	if (line->kind != IMAP_REPLY_UNTAGGED || line->status != IMAP_STATUS_OK) {
		log_refusal(s, reply);
		mailbox_backend_lost(s);
		return;
	}
	backend_worked(s);
	if (s->backend_tls == BACKEND_TLS_STARTTLS) {
		say_starttls(s, reply);
		return;
	}
	if (line->code == IMAP_CODE_CAPABILITY)
		note_capabilities(s, reply->bytes + line->code_args.at,
				  line->code_args.len);
	introduce(s);
}

/* Without the client's address the backend would take postern for the client. */
static void id_refused(struct session *s)
{
	backend_log_xclient(s, "the backend does not take ID");
	mailbox_bye(s, "* BYE the mail host is not set up for this gate\r\n",
		    "xclient-refused");
}

static void on_own_answer(struct session *s, const struct reply *reply)
{
	const struct imap_reply_line *line = &reply->line;

	if (line->status == IMAP_STATUS_CAPABILITY)
		note_capabilities(s, reply->bytes + line->text.at, line->text.len);
	if (line->status == IMAP_STATUS_BYE || line->kind == IMAP_REPLY_GO_ON) {
		log_refusal(s, reply);
		mailbox_backend_lost(s);
	}
	if (line->kind != IMAP_REPLY_TAGGED)
		return;
	if (!span_is(reply->bytes, line->tag, OWN_TAG) ||
	    (s->mailbox.step == IMAP_STEP_CAPABILITY && !s->mailbox.imap.caps)) {
		log_refusal(s, reply);
		mailbox_backend_lost(s);
	} else if (s->mailbox.step == IMAP_STEP_ID && line->status != IMAP_STATUS_OK &&
		   s->client_address == CLIENT_ADDRESS_XCLIENT) {
		id_refused(s);
	} else {
		prepare(s);
	}
}

/* ---- a login --------------------------------------------------------------------------------- */

static bool is_tag_of_login(const struct session *s, const struct reply *reply)
{
	const struct imap_state *imap = &s->mailbox.imap;
	const struct span tag = reply->line.tag;

	return tag.len == imap->tag_len &&
	       memcmp(reply->bytes + tag.at, imap->tag, tag.len) == 0;
}

static void on_login_line(struct session *s, const struct reply *reply)
{
	const struct imap_state *imap = &s->mailbox.imap;
	const struct imap_reply_line *line = &reply->line;

	if (!s->mailbox.waits && line->status != IMAP_STATUS_BYE)
		return; /* unasked, while it is the client's turn */
	if (line->kind == IMAP_REPLY_GO_ON && imap_login_go_on(s))
		return;
	if (line->kind == IMAP_REPLY_GO_ON && !imap->is_login) {
		mailbox_pass(s, reply->bytes, reply->line.len);
		s->mailbox.waits = false;
		session_deadline(s, s->gate->conf->limits.command_timeout_s);
		return;
	}
	if (line->kind == IMAP_REPLY_GO_ON ||
	    (line->kind == IMAP_REPLY_TAGGED && !is_tag_of_login(s, reply))) {
		log_refusal(s, reply);
		mailbox_backend_lost(s);
		return;
	}
	mailbox_pass(s, reply->bytes, reply->line.len);
	if (line->kind == IMAP_REPLY_TAGGED)
		imap_login_reply(s, line, reply->bytes);
	else if (line->status == IMAP_STATUS_BYE)
		session_end_after_flush(s, "backend-bye");
}

/* ---- dispatch -------------------------------------------------------------------------------- */

static void on_reply(struct session *s, const struct reply *reply)
{
	if (s->state == SESSION_BANNER)
		on_greeting(s, reply);
	else if (s->state == SESSION_STARTTLS)
		on_starttls(s, reply);
	else if (s->state == SESSION_PREPARE)
		on_own_answer(s, reply);
	else if (s->state == SESSION_AUTH)
		on_login_line(s, reply);
	else if (reply->line.status == IMAP_STATUS_BYE)
		mailbox_backend_lost(
			s); /* between two logins: the next one connects anew */
}

static bool expects_reply(const struct session *s)
{
	return s->state != SESSION_COMMAND &&
	       (s->state != SESSION_AUTH || s->mailbox.waits);
}

static bool is_done(const struct session *s)
{
	return s->state >= SESSION_RELAY || s->backend.fd < 0 ||
	       s->state == SESSION_CONNECT;
}

bool imap_backend_step(struct session *s)
{
	bool progress = false;

	while (!is_done(s)) {
		struct reply reply = {.bytes = s->backend.in + s->backend.in_at};
		enum imap_reply_result result = IMAP_REPLY_MORE;
		size_t consumed;

		/* A line, or what is said instead of it, always fits. */
		if (!leg_make_room(&s->client,
				   IMAP_REPLY_LINE_MAX_BYTES + MAILBOX_SAY_MAX_BYTES))
			return progress;
		if (s->backend.in_len > 0)
			result = imap_reply_next(&s->mailbox.imap.replies, reply.bytes,
						 s->backend.in_len, &reply.line);
		if (result == IMAP_REPLY_MORE) {
			if (!leg_fill(&s->backend, expects_reply(s)))
				return progress;
			continue;
		}
		progress = true;
		if (result == IMAP_REPLY_BROKEN) {
			mailbox_backend_lost(s);
			return true;
		}
		consumed = reply.line.consumed;
		on_reply(s, &reply);
		if (s->backend.in_len >= consumed)
			leg_drop(&s->backend, consumed);
	}
	return progress;
}
