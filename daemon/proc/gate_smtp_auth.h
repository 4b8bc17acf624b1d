/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_auth - AUTH, passed through to the backend. RFC 4954.
 */
#ifndef PROC_GATE_SMTP_AUTH_H
#define PROC_GATE_SMTP_AUTH_H

#include "proc/session.h"
#include "wire/smtp.h"

/**
 * auth_begin - pass AUTH on.
 * @arg: argument of AUTH; wiped by the caller with the whole line
 * @auth: what is in it; its response has passed login_is_base64()
 */
void auth_begin(struct session *session, const char *arg, const struct smtp_auth *auth);

/*
 * A line of the client inside the dialogue, without its end; wiped by the caller. In place of one that is
 * no base64 the backend gets a cancel, which it answers with 501.
 */
void auth_client_line(struct session *session, const char *line, size_t len);

/* The backend's reply to the last line of the client; it is passed on by the caller. */
void auth_reply(struct session *session, const struct smtp_reply_line *reply,
		const char *bytes);

#endif
