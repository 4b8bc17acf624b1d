/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay - passes a message from the client to the backend, and stops exactly at its end.
 *
 * One read into a large buffer, a scan for the end, one write from the same buffer; nothing is
 * copied unless the message needs repair (wire/smtp_data). While the backend takes
 * nothing, the client is not read. RFC 5321 4.5.2.
 */
#ifndef PROC_RELAY_H
#define PROC_RELAY_H

#include "proc/session.h"

#define RELAY_TURNS_MAX \
	16u /* reads in one turn of the loop; others want their turn, too */

enum relay_result {
	RELAY_WAITS,   /* for the client, the backend, or the next turn */
	RELAY_DONE,    /* the message has been written whole; what follows are commands */
	RELAY_REFUSED, /* bare newlines: stop the backend, then call on until RELAY_DONE */
};

/* The backend has said 354. */
void relay_begin(struct session *session);

/**
 * relay_stop - nothing of this message may be delivered: cut the backend off, look for the end alone.
 * @reply: what the client hears then, static; NULL: it stands in the pipeline's text
 */
void relay_stop(struct session *session, const char *reply);

/**
 * relay_step - pass on what can be passed on now.
 * In SESSION_SWALLOW nothing is written, and only the end is looked for.
 */
enum relay_result relay_step(struct session *session);

#endif
