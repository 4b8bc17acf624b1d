/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_command - what an IMAP client says before it is logged in, verb by verb.
 */
#ifndef PROC_GATE_IMAP_COMMAND_H
#define PROC_GATE_IMAP_COMMAND_H

#include <stdbool.h>

#include "proc/session.h"
#include "wire/imap_read.h"

/**
 * imap_command - deal with a whole command at the front of the client's input.
 * @read: of imap_read_next()
 *
 * Return: true, done with: wipe and drop it; false, it stays there, as imap.held, until the
 * backend is connected, or has asked for the rest of it.
 */
bool imap_command(struct session *session, const struct imap_read *read);

/**
 * imap_prompt - a client waits for a "+" before it sends a literal.
 *
 * Return: true, it has been asked for the literal; false, the command has been refused: drop
 * what there is of it.
 */
bool imap_prompt(struct session *session, const struct imap_read *read);

/* A command past a limit: refused, and the end of the session if its end cannot be found. */
void imap_too_long(struct session *session, const struct imap_read *read);

#endif
