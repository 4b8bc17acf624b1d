/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_route - the routing table at RCPT: the backend is asked for another address, and the client
 * hears of the one that it said.
 *
 * Both addresses stand in the pipeline until the reply has come.
 */
#ifndef PROC_GATE_SMTP_ROUTE_H
#define PROC_GATE_SMTP_ROUTE_H

#include <stdbool.h>

#include "proc/gate_smtp_pipe.h"
#include "wire/smtp.h"

struct buf;

/* A recipient on its way to the backend. */
struct route_rcpt {
	const char *arg; /* of RCPT, as the client said it */
	const struct smtp_path *path;
	struct buf *text; /* the command for the backend; overflow is said there */
	/* What route_note() keeps; empty: the recipient is not in the table. */
	char to[SMTP_PATH_MAX_BYTES + 1];
	size_t to_len;
};

/* Must a further RCPT wait, since the addresses of earlier ones take all the room? */
bool route_waits(const struct session *session);

/**
 * route_write - write RCPT for the backend, to where the routing table leads.
 * @rcpt: text: appended to
 *
 * With ORCPT, if the backend offers DSN and the client has said none (RFC 3461 section 4.2).
 */
void route_write(struct session *session, struct route_rcpt *rcpt);

/* Remember both addresses with the entry that waits for the reply. */
void route_note(struct session *session, struct smtp_expect *entry,
		const struct route_rcpt *rcpt);

/**
 * route_hide - a line of the reply to a routed recipient, for the client.
 * @line: without line end
 * @out: receives it
 *
 * Return: false, the entry that waits is none: the line may be passed on as it is.
 */
bool route_hide(const struct session *session, struct smtp_bytes line, struct buf *out);

#endif
