/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_xclient - XCLIENT: the backend is told who the client is, and under which name it counts as
 * authenticated.
 *
 * When that becomes different between two commands of the client (AM has begun or ended, the client logs in itself), the
 * backend is told by a new connection: with the client's address in its session Postfix takes no XCLIENT any more, and
 * no AUTH of who has a LOGIN. The client's EHLO is said there again, and the client sees nothing of it.
 */
#ifndef PROC_GATE_SMTP_XCLIENT_H
#define PROC_GATE_SMTP_XCLIENT_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/session.h"
#include "wire/smtp.h"

/* What the backend has just offered; the attributes of the first offer of a connection count. */
void xclient_take_offer(struct session *session, uint32_t attributes);

/**
 * xclient_say - the next XCLIENT command, if one is left.
 *
 * Return: 1, written; 0, all has been said; -errno, it cannot be said: do not go on.
 */
int xclient_say(struct session *session);

/**
 * xclient_renew - has the backend to be told something else before this command of the client?
 *
 * If so, it is under way: come back with the command when the state is SESSION_COMMAND again.
 */
bool xclient_renew(struct session *session, enum smtp_verb verb);

#endif
