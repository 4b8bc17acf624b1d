/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_gather - the sessions of all gates, collected page by page within a deadline.
 */
#ifndef PROC_LEDGER_GATHER_H
#define PROC_LEDGER_GATHER_H

#include "proc/ledger_state.h"

#define GATHERS_MAX	  40u	/* at once: one for each control client, and room */
#define GATHER_TIMEOUT_MS 2000u /* a gate answers from memory */

/* A session. NULL: all have been told; missing: gates that did not answer in time. */
typedef void (*gather_fn)(void *context, const struct msg_session *session,
			  unsigned int missing);

struct gather *gather_new(void);
void gather_free(struct gather **gather);

/* 0; -ENOBUFS. The call may end at once, if there is no gate. */
int gather_begin(struct ledger *ledger, gather_fn tell, void *context) MUST_CHECK;
void gather_forget(struct ledger *ledger, const void *context);

void gather_on_page(struct ledger *ledger, unsigned int gate,
		    const struct msg_sessions_page *page);
void gather_on_gate_gone(struct ledger *ledger, unsigned int gate);

#endif
