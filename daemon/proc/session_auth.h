/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_auth - does a session count as authenticated, and by whom?
 *
 * The one question for all who treat authenticated clients differently: checks, greylist, relay control.
 */
#ifndef PROC_SESSION_AUTH_H
#define PROC_SESSION_AUTH_H

#include <stdbool.h>

struct session;

/**
 * session_auth_look - find out anew who vouches for a client of SMTP.
 *
 * At the greeting, and ahead of EHLO and MAIL: what was found at MAIL holds for that message.
 * A client that has logged in itself stays so. If AM vouches, session->user becomes who logged in
 * elsewhere, unless the client has tried to log in here.
 */
void session_auth_look(struct session *session);

/* Does it count as authenticated? */
bool session_is_authenticated(const struct session *session);

/* It ends: if it had a mailbox open, the ledger is told. */
void session_auth_end(struct session *session);

#endif
