/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_leg - what session.c needs of the buffers besides the leg functions of session.h.
 */
#ifndef PROC_SESSION_LEG_H
#define PROC_SESSION_LEG_H

#include "base/cleanup.h"

struct session;
struct leg;

/**
 * session_leg_settle - at the end of an event: write, and move what is left out of the scratch memory.
 *
 * Return: 0; -ENOBUFS, the pools are exhausted and the session must end.
 */
int session_leg_settle(struct session *session) MUST_CHECK;

/* Give back what a leg holds; input and output are lost. */
void session_leg_forget(struct session *session, struct leg *leg);

#endif
