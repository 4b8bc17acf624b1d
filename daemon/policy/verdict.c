/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/verdict.h"

#include <assert.h>
#include <stddef.h>

#include "policy/flags.h"

static enum verdict_kind verdict_of_entry(const struct verdict *verdict)
{
	if (!verdict->has_entry)
		return VERDICT_NO_ENTRY;
	if (verdict->entry.value & FLAG_BL)
		return VERDICT_BLACKLISTED;
	return verdict->entry.value & FLAG_PA ? VERDICT_PERMIT : VERDICT_NOT_PERMITTED;
}

struct verdict verdict_decide(const struct prefix_table *table,
			      const struct prefix_set *bans, uint16_t policy_id,
			      const struct addr *addr, uint64_t now_boot_ns)
{
	struct verdict verdict = {.has_entry = false};
	struct prefix_set_item ban;

	if (table)
		verdict.has_entry = prefix_table_find(table, addr, &verdict.entry);
	verdict.kind = verdict_of_entry(&verdict);

	if (bans && prefix_set_find(bans, policy_id, addr, now_boot_ns, &ban) &&
	    (!verdict.has_entry || ban.prefix.len >= verdict.entry.prefix.len)) {
		verdict.kind = VERDICT_BANNED;
		verdict.ban = ban;
	}
	return verdict;
}

const char *verdict_name(enum verdict_kind kind)
{
	static const char *const names[] = {
		[VERDICT_PERMIT] = "permit",
		[VERDICT_BANNED] = "banned",
		[VERDICT_BLACKLISTED] = "blacklisted",
		[VERDICT_NOT_PERMITTED] = "not-permitted",
		[VERDICT_NO_ENTRY] = "no-entry",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == VERDICT_KIND_COUNT,
		      "a name for each");
	assert((unsigned int)kind < VERDICT_KIND_COUNT);
	return names[kind];
}
