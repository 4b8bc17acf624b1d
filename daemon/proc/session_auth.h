/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_auth - does a session count as authenticated, and by whom?
 *
 * The one question for all who treat authenticated clients differently: checks, greylist, relay control.
 */
#ifndef PROC_SESSION_AUTH_H
#define PROC_SESSION_AUTH_H

#include <stdbool.h>
#include <stddef.h>

#include "policy/auth.h"

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

/**
 * session_auth_name - under which name may the backend take the client for authenticated?
 *
 * Of one for whom AA or AM vouches; who has logged in is known to the backend. The user who logged in over POP3 or
 * IMAP, if it was one alone; else aa-login of the service.
 *
 * Return: its length; 0: there is none.
 */
size_t session_auth_name(const struct session *session, char out_name[AUTH_USER_MAX]);

/* It ends: if it had a mailbox open, the ledger is told. */
void session_auth_end(struct session *session);

#endif
