/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_grey - a gate asks whether a recipient's mail must wait; this answers.
 */
#ifndef PROC_LEDGER_GREY_H
#define PROC_LEDGER_GREY_H

#include "proc/ledger_state.h"
#include "sys/db_grey.h"

#define GREY_PENDING_MAX 64u /* answers that wait for the commit of one loop turn */

struct grey *grey_new(struct ledger *ledger);
void grey_free(struct grey **grey);

/*
 * A gate asks; checked like input from a network. Who has just proven himself is answered behind the
 * commit of this turn of the loop, so that what was passed stays passed; all others at once.
 */
void grey_on_ask(struct ledger *ledger, uint32_t gate, const struct msg_grey_ask *ask);

/* Not now: the store has not been read yet. */
void grey_decline(struct ledger *ledger, uint32_t gate, const struct msg_grey_ask *ask);

/* What is known of a network, as policy/greylist has it. */
struct grey_network grey_network_from(const struct db_grey_row *row);

#endif
