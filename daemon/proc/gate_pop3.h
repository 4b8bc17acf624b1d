/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pop3 - the POP3 dialogue of a session up to the login.
 *
 * Greets, and answers CAPA and USER, without a backend; connects when a credential comes
 * (with `apop' at once, for the timestamp in its greeting); decides by the backend's reply.
 * Standards: wire/pop3.h.
 */
#ifndef PROC_GATE_POP3_H
#define PROC_GATE_POP3_H

#include "proc/session.h"

extern const struct session_protocol pop3_protocol;

#endif
