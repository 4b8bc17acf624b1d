/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_report - what a session tells the ledger and asks the checker.
 */
#ifndef PROC_GATE_SMTP_REPORT_H
#define PROC_GATE_SMTP_REPORT_H

#include <stdbool.h>

#include "proc/session.h"

/* Text of a reply as evidence. */
struct smtp_evidence {
	unsigned int code;
	const char *text; /* borrowed; any bytes */
	size_t len;
};

/* Does the mode of a check apply to this session? MODE_OFF without a policy. */
enum check_mode smtp_mode(const struct session *session, enum conf_check check);

/* Are strikes of this session counted: flag LL, and the mode not off? */
bool smtp_counts_strikes(const struct session *session);

/* A refused credential (who: session.user, session.smtp.digest) or a refused recipient. */
void smtp_report_strike(struct session *session, enum strike_kind kind, const char *who,
			const struct smtp_evidence *evidence);

void smtp_report_login(struct session *session);

/* Ask what is to be asked when the client connects. */
void smtp_ask_checks(struct session *session);

/* An answer of the checker. */
void smtp_take_answer(struct session *session, const struct msg_answer *answer);

#endif
