/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_repair - wanted minus actual: bring the kernel's bans to what the set says.
 *
 * At start, and when a reload adds or takes away a policy. It reads what the kernel has page by page
 * and hands only the differences to ledger_sync.
 */
#ifndef PROC_LEDGER_REPAIR_H
#define PROC_LEDGER_REPAIR_H

#include "proc/ledger_state.h"

#define REPAIR_BATCH_MAX 4096u /* differences handed over at once */
#define REPAIR_EXTRAS_MAX \
	65536u /* bans that should not be there, in one pass; then another pass */
#define REPAIR_TOLERANCE_S \
	2 /* ends that differ less are the same: the wall clock has seconds */

struct repair_result {
	size_t kernel, kept, set, removed, imported, failed;
};

typedef void (*repair_done_fn)(struct ledger *ledger, const struct repair_result *result);

/**
 * repair_begin - read the kernel's bans and repair them.
 * @is_importing: what the kernel has and the set has not is taken into set and store
 * @done: may be NULL
 *
 * Return: 0; -EALREADY, one runs: it is repeated at its end; -errno.
 */
int repair_begin(struct ledger *ledger, bool is_importing,
		 repair_done_fn done) MUST_CHECK;

bool repair_is_running(const struct ledger *ledger);
void repair_free(struct repair **repair);

#endif
