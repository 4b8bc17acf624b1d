/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_say - what postern itself says to an IMAP client.
 *
 * RFC 9051 7.1, RFC 5530.
 */
#ifndef PROC_GATE_IMAP_SAY_H
#define PROC_GATE_IMAP_SAY_H

#include "proc/session.h"

/* A tag as the client wrote it; len 0: there was none, and "*" stands in its place. */
struct imap_tag {
	const char *text;
	size_t len;
};

/* "TAG text": @text without CRLF, as "OK done". */
void imap_say(struct session *session, struct imap_tag tag, const char *text);

/* imap_say() of a NO or BAD, which counts towards errors-max and may end the session. */
void imap_refuse(struct session *session, struct imap_tag tag, const char *text);

/* The greeting, with what is offered if that is known. */
void imap_say_greeting(struct session *session);

/* The answer to CAPABILITY. */
void imap_say_capability(struct session *session, struct imap_tag tag);

/* The answer to LOGOUT; the session ends when it is written. */
void imap_say_goodbye(struct session *session, struct imap_tag tag);

/* Must this client begin TLS before it may log in? */
bool imap_login_is_hidden(const struct session *session);

/* Can the question what is offered be answered without the backend? */
bool imap_knows_offer(const struct session *session);

#endif
