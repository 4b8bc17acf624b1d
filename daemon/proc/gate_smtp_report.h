/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_report - what a session asks the checker.
 */
#ifndef PROC_GATE_SMTP_REPORT_H
#define PROC_GATE_SMTP_REPORT_H

#include "proc/session.h"

/* Ask what is to be asked when the client connects. */
void smtp_ask_checks(struct session *session);

/* An answer of the checker. */
void smtp_take_answer(struct session *session, const struct msg_answer *answer);

#endif
