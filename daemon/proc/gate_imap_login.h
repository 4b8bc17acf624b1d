/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_login - LOGIN and AUTHENTICATE, passed on: who tries, and with what?
 *
 * RFC 9051 6.2.2, 6.2.3; RFC 4959. The backend is ready when these are called. Secrets are
 * digested at once; a command that waits in the input for the backend's "+" is wiped there.
 */
#ifndef PROC_GATE_IMAP_LOGIN_H
#define PROC_GATE_IMAP_LOGIN_H

#include <stdbool.h>

#include "proc/gate_imap_say.h"
#include "proc/session.h"
#include "wire/imap.h"
#include "wire/imap_reply.h"

/* Begin. Return: true, the command is done with; false, it has to stay: imap_login_go_on(). */
bool imap_login(struct session *session, struct imap_tag tag, const char *text,
		const struct imap_login *login);
bool imap_authenticate(struct session *session, struct imap_tag tag, const char *text,
		       const struct imap_authenticate *found);

/**
 * imap_login_go_on - the backend has said "+".
 *
 * Return: true, it was for the command that waits in the input; false, for the client.
 */
bool imap_login_go_on(struct session *session);

/* The line of the backend that ends the login; it has been put for the client. */
void imap_login_reply(struct session *session, const struct imap_reply_line *line,
		      const char *bytes);

/* The command that waits in the input will not be passed on: nothing of it stays. */
void imap_login_drop_held(struct session *session);

#endif
