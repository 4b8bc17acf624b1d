/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pass - tls = passthrough: who may connect is decided, and then nobody looks.
 *
 * Client and backend speak TLS with each other, whatever the service's protocol is. The backend is connected when the
 * client says something, or at once where the server is the first to speak.
 */
#ifndef PROC_GATE_PASS_H
#define PROC_GATE_PASS_H

#include "proc/session.h"

extern const struct session_protocol pass_protocol;

#endif
