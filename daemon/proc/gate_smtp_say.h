/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_say - what postern itself says to a client: in order, and counted.
 *
 * RFC 5321 4.2, RFC 3463.
 */
#ifndef PROC_GATE_SMTP_SAY_H
#define PROC_GATE_SMTP_SAY_H

#include "proc/session.h"

#define SMTP_SAY_MAX_BYTES \
	1000u /* longest reply of postern's own: a domain explains itself */

/* A reply of postern's own: now, or behind the replies that are awaited. @text is static, or lasts until it has been said; with CRLF. */
void smtp_say(struct session *session, const char *text);

/* The same for a text that was made for the occasion, at most SMTP_EXPECT_TEXT_MAX with its NUL. */
void smtp_say_made(struct session *session, const char *text);

/* smtp_say() of a 4xx or 5xx, which counts towards errors-max and may end the session. */
void smtp_refuse(struct session *session, const char *text);

/* Last words, now: drops what is awaited, and ends the session when they are written. */
void smtp_bye(struct session *session, const char *text, const char *reason);

/* The answers of postern's own that stand first in the queue can go out. */
void smtp_say_waiting(struct session *session);

/* Take leave of the backend, if that goes at once. */
void smtp_quit_backend(struct session *session);

/* The client said QUIT and everything before it is answered. */
void smtp_quit(struct session *session);

#endif
