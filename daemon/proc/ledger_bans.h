/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_bans - bans come and go: store first, then the shared set, then the kernel.
 */
#ifndef PROC_LEDGER_BANS_H
#define PROC_LEDGER_BANS_H

#include "policy/limits.h"
#include "proc/ledger_state.h"
#include "proc/ledger_sync.h"

#define BANS_EXPIRE_STEPS 8u	/* of the walk, in one second: a million bans take 16 s */
#define BANS_EXPIRE_MAX	  4096u /* ended bans taken out in one second */
#define BANS_RECHECK_MAX \
	8u /* more sets in one message: the gates look at every session */

/* Join the road: from now on answers of the keeper are taken care of. */
void bans_init(struct ledger *ledger);

/**
 * bans_fill_set - complete a change that bans.
 * @length_s: DB_FOREVER_S: for ever
 *
 * Sets began, end and key. A ban that exists keeps when it began.
 */
void bans_fill_set(const struct ledger *ledger, struct ban_change *change,
		   int64_t length_s);

/**
 * bans_commit - do the changes of a batch, in order: store, set, kernel.
 * @batch: taken; its done is called when the keeper has answered for all
 *
 * A change that is not done has its error set: -ENOENT, nothing to remove; -ENOSPC, the set is
 * full; -EPERM, the keeper refused; ... . What the store cannot take is done all the same, with
 * is_unstored set.
 */
void bans_commit(struct ledger *ledger, struct ban_batch **batch);

/* Find ended bans, a bounded step; once a second. */
void bans_tick(struct ledger *ledger);

/* Put a ban of the store into the set, if its policy is configured. 0; -ENOSPC. */
int bans_restore(struct ledger *ledger, const struct db_ban *ban) MUST_CHECK;

#endif
