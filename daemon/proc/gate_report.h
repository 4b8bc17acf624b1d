/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_report - what a session tells the ledger, whatever its protocol: strikes and logins.
 */
#ifndef PROC_GATE_REPORT_H
#define PROC_GATE_REPORT_H

#include <stdbool.h>

#include "proc/session.h"

/* Text of a reply as evidence. */
struct report_evidence {
	unsigned int code; /* shown in front; 0: the protocol has none */
	const char *text;  /* borrowed; any bytes */
	size_t len;
};

/* The mode of a check in the policy of this session; MODE_OFF where the policy or the service type is off. */
enum check_mode report_mode(const struct session *session, enum conf_check check);

/* Are strikes of this session counted: flag LL, and the mode not off? */
bool report_counts_strikes(const struct session *session);

/* A refused credential (who: session.user, session.digest) or a refused recipient. */
void report_strike(struct session *session, enum strike_kind kind, const char *who,
		   const struct report_evidence *evidence);

/* Somebody has logged in: session.user. */
void report_login(struct session *session);

#endif
