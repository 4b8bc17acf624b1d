/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_command - what a client says, verb by verb.
 *
 * One table: for each verb, may it come now (check), and what happens then (proceed). What is
 * not in the table never reaches the backend. RFC 5321 4.1.
 */
#ifndef PROC_GATE_SMTP_COMMAND_H
#define PROC_GATE_SMTP_COMMAND_H

#include <stdbool.h>

#include "proc/session.h"

/**
 * smtp_command - deal with one line.
 * @line: without its end; borrowed
 *
 * Return: true, done with; false, it must wait (for replies, for a check) and be handed in again.
 */
bool smtp_command(struct session *session, const char *line, const struct line *found);

#endif
