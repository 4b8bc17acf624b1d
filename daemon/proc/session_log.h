/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_log - the one line that a session leaves in the log, and its row for the CLI.
 */
#ifndef PROC_SESSION_LOG_H
#define PROC_SESSION_LOG_H

struct session;
struct msg_session;

/* The summary line (event=close), written once, when the session is over. */
void session_log_close(const struct session *session);

/* A limit has been reached (event=crowded). */
void session_log_crowded(const struct session *session, const char *limit);

/* Its row in `postern sessions`. */
void session_describe(const struct session *session, struct msg_session *out_row);

#endif
