/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_backend - what an IMAP backend says, and what is said to it before a login.
 *
 * Greeting; ID, ahead of all else, where it tells who the client is; CAPABILITY, unless the
 * greeting has said it. Then the login, whose lines are passed on as they are. RFC 9051 7.
 */
#ifndef PROC_GATE_IMAP_BACKEND_H
#define PROC_GATE_IMAP_BACKEND_H

#include <stdbool.h>

#include "proc/session.h"

/* session_protocol.backend_begins. */
void imap_backend_begins(struct session *session);

/* mailbox_talk.backend_secured. */
void imap_backend_secured(struct session *session);

/* mailbox_talk.backend_step. */
bool imap_backend_step(struct session *session);

#endif
