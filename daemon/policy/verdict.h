/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/verdict - what a policy says about an address: the same answer as XDP gives.
 *
 * Longest prefix wins, and it alone; a ban is an entry with BL for some time. Used at
 * accept by the gate, by `why`, and by the guard against lock-outs.
 */
#ifndef POLICY_VERDICT_H
#define POLICY_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/prefix_set.h"
#include "base/prefix_table.h"

enum verdict_kind {
	VERDICT_PERMIT,
	VERDICT_BANNED,	       /* a ban decided */
	VERDICT_BLACKLISTED,   /* BL in the list */
	VERDICT_NOT_PERMITTED, /* entry without PA */
	VERDICT_NO_ENTRY,
	VERDICT_KIND_COUNT,
};

struct verdict {
	enum verdict_kind kind;
	bool has_entry;		    /* a list entry matched (also if a ban decided) */
	struct prefix_row entry;    /* value: flags; origin, line: where it stands */
	struct prefix_set_item ban; /* if VERDICT_BANNED */
};

/**
 * verdict_decide - the one rule: the longest of entry and live ban decides;
 * at equal length the ban.
 * @table: address list of the policy; NULL: empty
 * @bans: NULL: none
 * @policy_id: group in @bans
 * @now_boot_ns: boot-time clock
 */
struct verdict verdict_decide(const struct prefix_table *table,
			      const struct prefix_set *bans, uint16_t policy_id,
			      const struct addr *addr, uint64_t now_boot_ns);

/* "permit", "banned", "blacklisted", "not-permitted", "no-entry": for log and CLI. */
const char *verdict_name(enum verdict_kind kind);

#endif
