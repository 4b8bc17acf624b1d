/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp - the SMTP of a session: greeting, turns, deadlines.
 *
 * RFC 5321; the commands are in gate_smtp_command, the backend's replies in gate_smtp_reply.
 */
#ifndef PROC_GATE_SMTP_H
#define PROC_GATE_SMTP_H

#include "proc/session.h"

extern const struct session_protocol smtp_protocol;

#endif
