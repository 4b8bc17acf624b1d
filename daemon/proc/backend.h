/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/backend - the connection to the mail host, whatever protocol is spoken on it.
 *
 * The addresses of a service are tried in turn, the one that worked last first. PROXY
 * protocol v2 goes out ahead of everything. What is said then is the protocol's: it sees
 * SESSION_CONNECT, then SESSION_BANNER in session.state, and is called when a connection begins
 * (session_protocol.backend_begins) and when no address is left (backend_absent).
 */
#ifndef PROC_BACKEND_H
#define PROC_BACKEND_H

#include "proc/session.h"

/* Begin with the address that worked last. */
void backend_open(struct session *session);

/* This address has failed: go on with the next one. */
void backend_next(struct session *session);

/**
 * backend_step - in SESSION_CONNECT: does the connection stand?
 *
 * Then the greeting is awaited, and not for long where another address is left.
 *
 * Return: true if it does now: the state is SESSION_BANNER.
 */
bool backend_step(struct session *session);

/* A socket for a client's address has come: the first session that waits for one goes on. */
void backend_resume(struct gate *gate);

/* The address answers: begin with it next time. */
void backend_worked(struct session *session);

/* It answers what it should not. @reply: any bytes, perhaps with its line end. */
void backend_log_refusal(struct session *session, const char *reply, size_t len);

/* It does not let us tell it who the client is. @why: static text */
void backend_log_xclient(struct session *session, const char *why);

#endif
