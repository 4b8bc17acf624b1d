/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap - the IMAP of a session until the login: greeting, commands, answers.
 *
 * What is said before a login is answered here, or written anew for the backend; the
 * backend is connected when somebody logs in, or asks what there is and nobody knows. RFC 9051,
 * RFC 3501. The login is in gate_imap_login, the backend's words in gate_imap_backend.
 */
#ifndef PROC_GATE_IMAP_H
#define PROC_GATE_IMAP_H

#include "proc/session.h"

extern const struct session_protocol imap_protocol;

#endif
