/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_backend - what postern says to the backend before a client's commands: EHLO, STARTTLS.
 *
 * The connection is opened only when the client has said a valid EHLO; XCLIENT (gate_smtp_xclient) is
 * spoken before that EHLO is passed on.
 */
#ifndef PROC_GATE_SMTP_BACKEND_H
#define PROC_GATE_SMTP_BACKEND_H

#include "proc/session.h"

/* A new connection is under way: nothing of an earlier one counts. */
void smtp_backend_begins(struct session *session);

/* Its greeting has come, or TLS with it has begun: what is said next? */
void smtp_backend_ready(struct session *session);
void smtp_backend_secured(struct session *session);

/* Ask it for TLS, which it has offered. */
void smtp_say_starttls(struct session *session);

/* There is none to be had. */
void smtp_backend_absent(struct session *session);

/* Pass the client's EHLO or HELO on; its answer is expected. */
void smtp_say_hello(struct session *session);

/* An EHLO of our own, to see what is offered before the client's. */
void smtp_say_own_hello(struct session *session);

#endif
