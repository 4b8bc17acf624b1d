/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_strikes - from a strike to a ban.
 */
#ifndef PROC_LEDGER_STRIKES_H
#define PROC_LEDGER_STRIKES_H

#include "proc/ledger_state.h"

#define STRIKES_PENDING_MAX 128u /* autobans of one loop turn, stored in one commit */

/* The clients' records; needs a snapshot (limits.strikes_clients_max). NULL without memory. */
struct strikes *strikes_new(struct ledger *ledger);
void strikes_free(struct strikes **strikes);

/* Read back what was made before the last end, as far as it still counts. */
int strikes_restore(struct ledger *ledger) MUST_CHECK;

/* A gate tells of a strike; of a successful login. Checked like input from a network. */
void strikes_on_strike(struct ledger *ledger, const struct msg_strike *msg);
void strikes_on_login(struct ledger *ledger, const struct msg_login *msg);

/* Forget a client's strikes (unban). Returns whether there were any. */
bool strikes_clear(struct ledger *ledger, const struct prefix *client);

/* The client's record; NULL: no strikes. Valid until the next call of this file. */
const struct strikes_record *strikes_of(struct ledger *ledger,
					const struct prefix *client);

size_t strikes_clients(const struct ledger *ledger);

/* Once a second: forget what has expired. */
void strikes_tick(struct ledger *ledger);

#endif
