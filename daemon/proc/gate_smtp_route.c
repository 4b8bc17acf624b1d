/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_route - see gate_smtp_route.h.
 */
#include "proc/gate_smtp_route.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"
#include "policy/routing.h"
#include "proc/gate_smtp_relay.h"
#include "proc/session.h"
#include "proc/session_test.h"
#include "wire/smtp_hide.h"

/* Both addresses of one recipient, each with its NUL. */
#define ROUTE_PAIR_MAX (2 * (SMTP_PATH_MAX_BYTES + 1))

static_assert(PIPELINE_ROUTES_MAX >= ROUTE_PAIR_MAX, "one recipient always fits");

static bool is_on(const struct session *s)
{
	return !(s->flags & FLAG_DR) && text_table_count(s->gate->snapshot.routes) > 0;
}

bool route_waits(const struct session *s)
{
	const struct smtp_pipeline *pipeline = s->smtp.pipeline;

	return pipeline && pipeline->count && is_on(s) &&
	       pipeline->routes_len + ROUTE_PAIR_MAX > PIPELINE_ROUTES_MAX;
}

static struct smtp_bytes bytes_of(const char *text, struct span span)
{
	return (struct smtp_bytes){text + span.at, span.len};
}

/* For `postern test`: which row it was. */
static void route_tell(struct session *s, const struct route_rcpt *rcpt,
		       const struct text_row *row)
{
	const char *file = s->gate->conf->routes_file;
	char memory[MSG_TEST_TEXT_MAX];
	struct buf text = BUF_OVER(memory);

	if (!s->is_test)
		return;
	buf_puts(&text, "to ");
	buf_add_escaped(&text, rcpt->to, rcpt->to_len, rcpt->to_len);
	buf_printf(&text, ", by %s line %u",
		   row->origin == TEXT_ROW_IN_FILE ? file : "postern.conf", row->line);
	test_note(s, "route", "rewritten", memory);
}

/* Where the table leads to, as a mailbox. Return: false, nowhere. */
static bool route_find(struct session *s, struct route_rcpt *rcpt)
{
	struct routing_address said, to;
	struct text_row row;
	struct relay_path path;
	struct buf mailbox;

	if (!is_on(s) || relay_read_path(rcpt->arg, rcpt->path, &path) ||
	    path.domain.len == 0)
		return false;
	said.local_len = path.local.len;
	memcpy(said.local, path.local.text, path.local.len);
	said.domain_len = path.domain.len;
	memcpy(said.domain, path.domain.text, path.domain.len);
	if (!routing_find(s->gate->snapshot.routes, &said, &to, &row))
		return false;
	buf_init(&mailbox, rcpt->to, sizeof(rcpt->to));
	smtp_write_mailbox(&mailbox, (struct smtp_bytes){to.local, to.local_len},
			   (struct smtp_bytes){to.domain, to.domain_len});
	rcpt->to_len = mailbox.len;
	if (mailbox.overflow)
		return false;
	route_tell(s, rcpt, &row);
	return true;
}

static bool has_orcpt(const struct route_rcpt *rcpt)
{
	struct span params = rcpt->path->params;
	struct smtp_param param;

	while (smtp_next_param(rcpt->arg, &params, &param))
		if (span_is(rcpt->arg, param.keyword, "ORCPT"))
			return true;
	return false;
}

/* "to> PARAMS ORCPT=..." as a path of its own: then it is written like any other. */
static void write_routed(const struct session *s, struct route_rcpt *rcpt)
{
	const struct smtp_bytes said = bytes_of(rcpt->arg, rcpt->path->mailbox);
	const struct smtp_bytes params = bytes_of(rcpt->arg, rcpt->path->params);
	char memory[SMTP_LINE_MAX_BYTES + SMTP_PATH_MAX_BYTES];
	struct buf arg = BUF_OVER(memory);
	struct smtp_path path = {.mailbox = {0, (uint32_t)rcpt->to_len}};
	struct buf before;

	buf_add(&arg, rcpt->to, rcpt->to_len);
	path.params.at = (uint32_t)arg.len;
	buf_add(&arg, params.bytes, params.len);
	before = arg;
	if ((s->smtp.caps & SMTP_CAP_DSN) && !has_orcpt(rcpt)) {
		buf_puts(&arg, " ");
		smtp_write_orcpt(&arg, said);
		/* Where a line would grow too long the backend does without. */
		if (arg.overflow || arg.len + sizeof("RCPT TO:<>") > SMTP_LINE_MAX_BYTES)
			arg = before;
	}
	path.params.len = (uint32_t)(arg.len - path.params.at);
	smtp_write_path(rcpt->text, SMTP_RCPT, memory, &path);
}

void route_write(struct session *s, struct route_rcpt *rcpt)
{
	if (route_find(s, rcpt)) {
		write_routed(s, rcpt);
		return;
	}
	rcpt->to_len = 0;
	smtp_write_path(rcpt->text, SMTP_RCPT, rcpt->arg, rcpt->path);
}

static uint16_t keep(struct smtp_pipeline *pipeline, struct smtp_bytes text)
{
	const uint16_t at = pipeline->routes_len;

	assert(at + text.len + 1 <= PIPELINE_ROUTES_MAX);
	memcpy(pipeline->routes + at, text.bytes, text.len);
	pipeline->routes[at + text.len] = '\0';
	pipeline->routes_len = (uint16_t)(at + text.len + 1);
	return at;
}

void route_note(struct session *s, struct smtp_expect *entry,
		const struct route_rcpt *rcpt)
{
	if (rcpt->to_len == 0)
		return;
	entry->is_routed = true;
	entry->to_at =
		keep(s->smtp.pipeline, (struct smtp_bytes){rcpt->to, rcpt->to_len});
	entry->said_at = keep(s->smtp.pipeline, bytes_of(rcpt->arg, rcpt->path->mailbox));
}

bool route_hide(const struct session *s, struct smtp_bytes line, struct buf *out)
{
	const struct smtp_expect *entry = pipe_head(s);
	const char *to, *said;

	if (!entry || !entry->is_routed)
		return false;
	to = s->smtp.pipeline->routes + entry->to_at;
	said = s->smtp.pipeline->routes + entry->said_at;
	smtp_hide(out, line, (struct smtp_bytes){to, strlen(to)},
		  (struct smtp_bytes){said, strlen(said)});
	return true;
}
