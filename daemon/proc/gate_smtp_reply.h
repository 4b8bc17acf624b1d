/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_reply - what the backend says, and what it means for the session.
 *
 * Replies to commands are passed on as they are; the greeting, the replies to XCLIENT and the
 * offers of EHLO are not. RFC 5321 4.2, 4.3.2.
 */
#ifndef PROC_GATE_SMTP_REPLY_H
#define PROC_GATE_SMTP_REPLY_H

#include <stdbool.h>

#include "proc/session.h"

/* Read and deal with what the backend has sent. Return: true if something was done. */
bool smtp_backend_step(struct session *session);

/* It said something other than a refusal amid a message: nothing it says now can be its answer. */
void smtp_backend_early(struct session *session);

/* The connection to the backend is over although the session is not. */
void smtp_backend_lost(struct session *session);

#endif
