/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_early - clients of SMTP that do not wait for their turn, and the greeting that they are to wait for.
 *
 * A mail client says nothing before the greeting, and sends commands ahead of replies only where PIPELINING is
 * offered (RFC 5321 3.1, RFC 2920). Whoever passes goes on in the same session: nobody is told to come back
 * because of these tests.
 */
#ifndef PROC_GATE_SMTP_EARLY_H
#define PROC_GATE_SMTP_EARLY_H

#include <stdbool.h>

#include "proc/session.h"

#define GOOD_CLIENTS_MAX 16384u		  /* who delivered, remembered by each gate */
#define GOOD_KEEP_S	 INT64_C(2592000) /* for so long after the last message */

/* The memory of who delivered. 0; -ENOMEM. After gate.client_seed is drawn. */
int early_init(struct gate *gate) MUST_CHECK;
void early_done(struct gate *gate);

/* The client has connected: greet it, or have it wait. Calls session_run(). */
void early_begin(struct session *session);

/* SESSION_GREET. Return: true if something has changed. */
bool early_step(struct session *session);

/**
 * early_line - a whole command line of the client is about to be looked at.
 * @consumed: bytes of it in the client's input
 *
 * Return: true if the session is about to end for it.
 */
bool early_line(struct session *session, size_t consumed);

/* First bytes of the client, lines or not. Return: true if the session is about to end for it. */
bool early_bytes(struct session *session);

/* The reply to EHLO or HELO is about to go out: has the client spoken already? */
void early_look(struct session *session);

/* It speaks another protocol: tell it so, and end. @words: last words, with CRLF */
void early_not_smtp(struct session *session, const char *protocol, const char *words);

/* It speaks HTTP: the same. */
void early_http(struct session *session);

/* A message of this client was accepted: next time it is greeted at once. */
void early_remember(struct session *session);

#endif
