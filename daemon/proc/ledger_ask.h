/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ask - what the ledger asks of the keeper, and who waits for the answer.
 *
 * Every request carries a number that its answer repeats. A request that is not answered in time
 * answers itself with NULL, so that nothing waits for ever.
 */
#ifndef PROC_LEDGER_ASK_H
#define PROC_LEDGER_ASK_H

#include "proc/ledger_state.h"

#define ASKS_MAX 128u
/* A reload reads lists of a million lines and waits for the kernel to swap tries. */
#define ASK_TIMEOUT_S 120u

/*
 * @answer: EDITS_DONE, BAN_PAGE or REPORT; NULL: none came in time. A REPORT of several messages
 * calls once for each.
 */
typedef void (*ask_fn)(void *context, const struct msg *answer);

struct asks *asks_new(void);
void asks_free(struct asks **asks);

/**
 * ask_send - send a request and remember who wants the answer.
 * @msg: BAN_EDITS, BAN_WALK, BAN_LOOKUP or ORDER; its seq is set here
 *
 * Return: 0; -ENOBUFS, too many are waiting; -ENOTCONN.
 */
int ask_send(struct ledger *ledger, struct msg *msg, ask_fn answered,
	     void *context) MUST_CHECK;

/* The context goes: answers to it are dropped when they come. */
void ask_forget(struct ledger *ledger, const void *context);

/* An answer has come. Unknown numbers are ignored: their asker has gone or has given up. */
void ask_answer(struct ledger *ledger, const struct msg *msg);

/* Give up on what waits for too long. */
void ask_tick(struct ledger *ledger);

#endif
