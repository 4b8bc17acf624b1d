/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_tls - TLS on the legs of a session: when it begins, and how its handshakes go on.
 *
 * For a protocol. Implicit TLS is none of its business: its greet() is called when the handshake is done. On
 * STARTTLS or STLS it asks session_tls_limit(), calls session_start_tls(), and forgets everything in its
 * secured(), RFC 3207 section 4.2. While the state is SESSION_TLS it is not called. leg_fill() and leg_write() do
 * the rest. Towards the backend it calls session_connect_tls() when that has given its go-ahead, and hears the end of
 * the handshake in secured(), or, as of any connection that fails, in has_ended.
 */
#ifndef PROC_SESSION_TLS_H
#define PROC_SESSION_TLS_H

#include <stdbool.h>
#include <stddef.h>

struct leg;
struct session;

/* Is what the client says encrypted? */
bool session_is_tls(const struct session *session);

/* Is STARTTLS (STLS) to be offered and taken now? */
bool session_offers_tls(const struct session *session);

/* May the client log in now: is it inside TLS, or does the service not ask for that? */
bool session_may_login(const struct session *session);

/**
 * session_tls_limit - may a handshake with the client begin?
 *
 * Counts it, so ask once.
 *
 * Return: NULL, it may; else why not, for the log, which has it already: say a temporary failure.
 */
const char *session_tls_limit(struct session *session);

/**
 * session_start_tls - the client has said STARTTLS, and gets its go-ahead.
 * @consumed: bytes of the client's input up to the end of that command: it may still lie there
 * @go_ahead: the reply, with CRLF; static
 *
 * Nothing may be awaited from the backend. A client that has sent more already is cut off: what it sent could be
 * the words of somebody in between (RFC 3207 section 6). Then the state is SESSION_ENDED, else SESSION_TLS.
 */
void session_start_tls(struct session *session, size_t consumed, const char *go_ahead);

/* Implicit TLS: the handshake comes first. Calls session_run(). */
void session_begin_tls(struct session *session);

/**
 * session_connect_tls - begin TLS with the backend.
 * @consumed: bytes of the backend's input up to the end of its go-ahead
 *
 * Everything for it has been written. Whatever fails, now or later, ends the leg (has_ended, error).
 */
void session_connect_tls(struct session *session, size_t consumed);

/* The backend will not have TLS: ends the leg. @problem: static, for the log. */
void session_fail_tls(struct session *session, const char *problem);

/* For session.c: go on with the handshakes. Return: false, the session has been run to its end or into its greeting. */
bool session_tls_step(struct session *session);

/* For session.c: say goodbye, unless in_anger, and go on without TLS. */
void session_tls_drop(struct leg *leg, bool in_anger);

#endif
