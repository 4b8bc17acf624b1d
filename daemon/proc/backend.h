/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/backend - the connection to the mail host: which address, and who the client is.
 *
 * Opened only when the client has said a valid EHLO. The addresses of a service are tried in
 * turn, the one that worked last first. PROXY protocol v2 goes out ahead of everything;
 * XCLIENT is spoken before the client's own EHLO is passed on.
 */
#ifndef PROC_BACKEND_H
#define PROC_BACKEND_H

#include "proc/session.h"

/* Begin with the address that worked last. Return: false, none could be tried. */
bool backend_open(struct session *session);

/* This address has failed: go on with the next one. Return: false, there is none. */
bool backend_next(struct session *session);

/* The connection stands; the greeting is awaited, and not for long where another address is left. */
void backend_stands(struct session *session);

/* The address answers: begin with it next time. */
void backend_worked(struct session *session);

/* Pass the client's EHLO or HELO on; its answer is expected. */
void backend_say_hello(struct session *session);

/* An EHLO of our own, to see what is offered before the client's. */
void backend_say_own_hello(struct session *session);

/**
 * backend_say_xclient - the next XCLIENT command, if one is left.
 *
 * Return: 1, written; 0, all has been said; -errno, it cannot be said: do not go on.
 */
int backend_say_xclient(struct session *session);

#endif
