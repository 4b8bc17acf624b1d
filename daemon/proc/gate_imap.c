/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap - see gate_imap.h.
 */
#include "proc/gate_imap.h"

#include <string.h>

#include "proc/gate_imap_backend.h"
#include "proc/gate_imap_command.h"
#include "proc/gate_imap_say.h"
#include "proc/gate_mailbox.h"

/* ---- the client ------------------------------------------------------------------------------ */

/* The first bytes of the input have been dealt with; a password may be among them. */
static void drop_wiped(struct session *s, size_t len)
{
	if (s->client.in_len < len)
		return; /* the session has ended, and its input is gone */
	explicit_bzero(s->client.in + s->client.in_at, len);
	leg_drop(&s->client, len);
}

/* Return: false, no more can be done now. */
static bool client_command_step(struct session *s)
{
	struct imap_state *imap = &s->mailbox.imap;
	struct leg *client = &s->client;
	enum imap_read_result result = IMAP_READ_MORE;
	struct imap_read read = imap->held;
	size_t consumed = 0;

	if (read.consumed)
		result = IMAP_READ_COMMAND;
	else if (client->in_len > 0)
		result = imap_read_next(&imap->reader, client->in + client->in_at,
					client->in_len, &read);
	switch (result) {
	case IMAP_READ_MORE:
		return leg_fill(client, false);
	case IMAP_READ_COMMAND:
		if (!imap_command(s, &read))
			return false;
		consumed = read.consumed;
		break;
	case IMAP_READ_PROMPT:
		if (imap_prompt(s, &read))
			return true;
		consumed = read.consumed;
		imap_reader_init(&imap->reader);
		break;
	case IMAP_READ_TOO_LONG:
	default:
		imap_too_long(s, &read);
		consumed = read.consumed;
		break;
	}
	drop_wiped(s, consumed);
	return true;
}

static bool client_line_step(struct session *s)
{
	struct line line;

	switch (mailbox_line(&s->client, &s->mailbox.lines, false, &line)) {
	case LINE_READY:
		mailbox_dialogue(s, s->client.in + s->client.in_at, line.len);
		break;
	case LINE_TOO_LONG:
		mailbox_dialogue(s, "*", 1);
		break;
	case LINE_MORE:
	default:
		return false;
	}
	drop_wiped(s, line.consumed);
	return true;
}

static bool imap_client_step(struct session *s)
{
	bool progress = false;

	while (mailbox_may_speak(s)) {
		if (!(s->state == SESSION_AUTH ? client_line_step(s)
					       : client_command_step(s)))
			return progress;
		progress = true;
	}
	return progress;
}

/* ---- callbacks ------------------------------------------------------------------------------- */

static const struct mailbox_talk imap_talk = {
	.client_step = imap_client_step,
	.backend_step = imap_backend_step,
	.backend_secured = imap_backend_secured,
	.timeout = "* BYE timeout\r\n",
	.errors = "* BYE too many errors\r\n",
	.commands = "* BYE too many commands\r\n",
	.logins = "* BYE too many refused logins\r\n",
	.absent = "* BYE [UNAVAILABLE] mail host not available\r\n",
	.lost = "* BYE [UNAVAILABLE] the mail host went away\r\n",
	.shutdown = "* BYE [UNAVAILABLE] shutting down\r\n",
};

static void imap_greet(struct session *s)
{
	mailbox_begin(s, &imap_talk);
	imap_reader_init(&s->mailbox.imap.reader);
	imap_say_greeting(s);
	session_run(s);
}

/* RFC 9051 6.2.1: what was said before counts for nothing, but for the limits. */
static void imap_secured(struct session *s, struct leg *leg)
{
	if (leg->is_client) {
		imap_reader_init(&s->mailbox.imap.reader);
		pool_give(&s->gate->small, &s->mailbox.imap.id);
	}
	mailbox_secured(s, leg);
}

static void imap_finish(struct session *s)
{
	pool_give(&s->gate->small, &s->mailbox.imap.id);
	mailbox_finish(s);
}

const struct session_protocol imap_protocol = {
	.greet = imap_greet,
	.pump = mailbox_pump,
	.timeout = mailbox_timeout,
	.stop = mailbox_stop,
	.finish = imap_finish,
	.secured = imap_secured,
	.is_amid = mailbox_is_amid,
	.backend_begins = imap_backend_begins,
	.backend_absent = mailbox_backend_absent,
	.refused = "* BYE your address is refused by the policy here\r\n",
	.crowded = "* BYE [LIMIT] too many connections\r\n",
	.banned = "* BYE your address has been banned\r\n",
};
