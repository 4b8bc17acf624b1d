/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/limits.h"

#include <errno.h>

#include "base/buf.h"
#include "policy/flags.h"

int protected_add(struct protected_set *set, const struct prefix *prefix, const char *why)
{
	struct protected_prefix *item;

	if (set->count >= LIMITS_PROTECTED_MAX)
		return -ENOSPC;
	item = &set->items[set->count++];
	item->prefix = *prefix;
	(void)text_copy(item->why, sizeof(item->why), why); /* for people: cut is fine */
	return 0;
}

const struct protected_prefix *protected_find(const struct protected_set *set,
					      const struct prefix *ban)
{
	for (uint32_t i = 0; i < set->count && i < LIMITS_PROTECTED_MAX; i++) {
		const struct protected_prefix *item = &set->items[i];

		if (prefix_covers(ban, &item->prefix) ||
		    prefix_covers(&item->prefix, ban))
			return item;
	}
	return NULL;
}

bool ban_is_wide(const struct prefix *ban)
{
	return ban->len <
	       (ban->addr.family == ADDR_V4 ? LIMITS_SHORTEST_V4 : LIMITS_SHORTEST_V6);
}

bool entry_is_open_relay(const struct prefix *prefix, uint16_t flags, bool needs_ar)
{
	/* fc00::/7 (RFC 4193): as wide, but no one on the Internet is in it. */
	static const struct prefix private6 = {
		.addr = {.bytes = {0xfc}, .family = ADDR_V6},
		.len = 7,
	};
	const uint16_t relay = FLAG_PA | FLAG_AA | (needs_ar ? FLAG_AR : 0);

	if ((flags & relay) != relay || prefix_covers(&private6, prefix))
		return false;
	return prefix->len <
	       (prefix->addr.family == ADDR_V4 ? LIMITS_INTERNET_V4 : LIMITS_INTERNET_V6);
}
