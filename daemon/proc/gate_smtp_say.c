/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_say - see gate_smtp_say.h.
 */
#include "proc/gate_smtp_say.h"

#include <assert.h>
#include <string.h>

#include "proc/gate_smtp_pipe.h"

static void say_now(struct session *s, const char *text)
{
	const size_t len = strlen(text);

	if (!leg_make_room(&s->client, len)) {
		session_end(s, "client-stuck");
		return;
	}
	leg_put(&s->client, text, len);
}

/* Now, if no reply is waited for; else the place in the row where it has to be put. */
static struct smtp_expect *say_or_wait(struct session *s, const char *text)
{
	if (s->state >= SESSION_FLUSH)
		return NULL;
	if (!pipe_count(s)) {
		say_now(s, text);
		return NULL;
	}
	return pipe_push(s, SMTP_NOOP);
}

void smtp_say(struct session *s, const char *text)
{
	struct smtp_expect *entry = say_or_wait(s, text);

	if (!entry)
		return;
	assert(text != s->gate->reply); /* it would be another's by then */
	entry->local = text;
}

void smtp_say_made(struct session *s, const char *text)
{
	struct smtp_expect *entry = say_or_wait(s, text);

	if (!entry)
		return;
	(void)text_copy(entry->text, sizeof(entry->text), text);
	entry->local = entry->text;
}

void smtp_refuse(struct session *s, const char *text)
{
	smtp_say(s, text);
	if (++s->smtp.errors > s->gate->conf->limits.errors_max)
		smtp_bye(s, "421 4.7.0 too many errors\r\n", "errors");
}

void smtp_bye(struct session *s, const char *text, const char *reason)
{
	if (s->state >= SESSION_FLUSH)
		return;
	pipe_close(s);
	say_now(s, text);
	session_end_after_flush(s, reason);
}

void smtp_quit_backend(struct session *s)
{
	static const char quit[] = "QUIT\r\n";

	if (s->backend.fd < 0 || !leg_flush(&s->backend))
		return;
	/* Its 221 is not waited for: everything that was to be delivered has been answered. */
	leg_put(&s->backend, quit, sizeof(quit) - 1);
	(void)leg_flush(&s->backend);
	s->smtp.in_mail = false;
}

void smtp_quit(struct session *s)
{
	smtp_quit_backend(s);
	s->is_polite = true;
	smtp_bye(s, "221 2.0.0 goodbye\r\n", "quit");
}

void smtp_say_waiting(struct session *s)
{
	struct smtp_expect *head;

	while ((head = pipe_head(s)) && (head->local || head->verb == SMTP_QUIT)) {
		const char *text = head->local;

		if (head->verb == SMTP_QUIT) {
			smtp_quit(s);
			return;
		}
		say_now(s, text); /* it may lie in the entry */
		pipe_pop(s);
		if (s->state >= SESSION_FLUSH)
			return;
	}
}
