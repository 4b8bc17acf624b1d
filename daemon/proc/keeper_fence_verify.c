/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_fence_verify - does nftables have what it should, and nothing else?
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/prefix_set.h"
#include "proc/keeper_fence.h"

/* The kernel reads a set from the front again for each page: 100,000 take it a second, a million a minute. */
#define VERIFY_BANS_MAX 131072u
#define VERIFY_TRIES	8u /* bans come and go meanwhile, and the kernel says so */
#define TOLERANCE_NS	(2 * NS_PER_S)
#define WALK_ITEMS	512u
#define TEXT_MAX	160u

/* What differs, and whom to tell. */
struct telling {
	fence_difference_fn on_difference;
	void *context;
	const struct keeper_fence *fence;
	const struct keeper_fence_policy *policy;
	struct prefix_set *seen; /* what the kernel has of exact bans */
	uint64_t took_ns;	 /* to read it */
};

static void tell(const struct telling *telling, const struct prefix *prefix,
		 const char *problem)
{
	telling->on_difference(telling->context, telling->policy->name, prefix, problem);
}

/*
 * The kernel tells how long is left when an element is read. We reckon from when the reading began: an end may seem to be
 * earlier by as long as that took.
 */
static bool ends_agree(uint64_t wanted_ns, uint64_t there_ns, uint64_t took_ns)
{
	return there_ns > wanted_ns ? there_ns - wanted_ns <= TOLERANCE_NS
				    : wanted_ns - there_ns <= TOLERANCE_NS + took_ns;
}

/* ---- sets of spans -------------------------------------------------------------------------------------- */

/* Spans that one has and the other has not, or not so. */
static size_t spans_differ(const struct prefix_spans *wanted,
			   const struct prefix_spans *there, uint64_t took_ns)
{
	size_t i = 0, j = 0, differences = 0;

	while (i < wanted->count || j < there->count) {
		const struct prefix_span *a =
			i < wanted->count ? &wanted->spans[i] : NULL;
		const struct prefix_span *b = j < there->count ? &there->spans[j] : NULL;
		const int order = !a   ? 1
				  : !b ? -1
				       : memcmp(a->first.bytes, b->first.bytes,
						sizeof(a->first.bytes));

		differences += order != 0 || !addr_equal(&a->last, &b->last) ||
			       !ends_agree(a->value, b->value, took_ns);
		i += order <= 0;
		j += order >= 0;
	}
	return differences;
}

static void verify_spans(const struct telling *telling, enum nft_fence_set set,
			 enum addr_family family)
{
	AUTO(prefix_spans_free) struct prefix_spans wanted = {0};
	AUTO(prefix_spans_free) struct prefix_spans there = {0};
	const struct nft_fence_place place = {telling->policy->name, set, family};
	const uint64_t began_ns = clock_boot_ns();
	char text[TEXT_MAX];
	size_t differences;
	int err =
		set == NFT_FENCE_PREFIXES
			? fence_prefix_spans(telling->fence, telling->policy, family,
					     &wanted)
			: fence_list_spans(telling->policy->table, set, family, &wanted);

	if (!err)
		err = nft_fence_read_spans(&place, began_ns, &there);
	if (err) {
		(void)snprintf(text, sizeof(text), "a set of nftables cannot be read: %s",
			       strerror(-err));
		tell(telling, NULL, text);
		return;
	}
	differences = spans_differ(&wanted, &there, clock_boot_ns() - began_ns);
	if (differences == 0)
		return;
	(void)snprintf(text, sizeof(text), "%zu spans differ between nftables and %s",
		       differences,
		       set == NFT_FENCE_PREFIXES ? "the bans of prefixes" : "the list");
	tell(telling, NULL, text);
}

/* ---- bans of clients --------------------------------------------------------------------------------------- */

static int on_ban(void *context, const struct prefix *prefix, uint64_t ends_ns)
{
	const struct telling *telling = context;
	const struct prefix_set_item item = {
		.prefix = *prefix,
		.group = telling->policy->id,
		.ends_ns = ends_ns,
	};
	const int result = prefix_set_put(telling->seen, &item);

	return result < 0 ? result : 0;
}

/* Those that the kernel has. */
static void tell_extras(const struct telling *telling)
{
	struct prefix_set_item items[WALK_ITEMS];
	size_t cursor = 0, count;

	do {
		cursor =
			prefix_set_walk(telling->seen, cursor, items, WALK_ITEMS, &count);
		for (size_t i = 0; i < count; i++) {
			struct prefix_set_item wanted;

			if (!prefix_set_get(telling->fence->bans, items[i].group,
					    &items[i].prefix, &wanted) ||
			    fence_is_inside(telling->policy, &items[i].prefix))
				tell(telling, &items[i].prefix,
				     "in nftables, but not banned");
			else if (!ends_agree(wanted.ends_ns, items[i].ends_ns,
					     telling->took_ns))
				tell(telling, &items[i].prefix,
				     "ends at another time in nftables");
		}
	} while (cursor != 0);
}

/* Those that it lacks. */
static void tell_missing(const struct telling *telling)
{
	const uint64_t soon_ns = clock_boot_ns() + TOLERANCE_NS;
	struct prefix_set_item items[WALK_ITEMS];
	size_t cursor = 0, count;

	do {
		cursor = prefix_set_walk(telling->fence->bans, cursor, items, WALK_ITEMS,
					 &count);
		for (size_t i = 0; i < count; i++) {
			struct prefix_set_item there;

			if (items[i].group == telling->policy->id &&
			    items[i].ends_ns > soon_ns &&
			    !fence_is_inside(telling->policy, &items[i].prefix) &&
			    !prefix_set_get(telling->seen, items[i].group,
					    &items[i].prefix, &there))
				tell(telling, &items[i].prefix, "not in nftables");
		}
	} while (cursor != 0);
}

static size_t bans_of(const struct keeper_fence *fence, uint16_t id)
{
	struct prefix_set_item items[WALK_ITEMS];
	size_t cursor = 0, count, found = 0;

	do {
		cursor = prefix_set_walk(fence->bans, cursor, items, WALK_ITEMS, &count);
		for (size_t i = 0; i < count; i++)
			found += items[i].group == id;
	} while (cursor != 0);
	return found;
}

static void verify_bans(struct telling *telling)
{
	const size_t capacity = 2 * VERIFY_BANS_MAX, bytes = prefix_set_size(capacity);
	int err = -EINTR;

	for (unsigned int i = 0; i < VERIFY_TRIES && err == -EINTR; i++) {
		const uint64_t began_ns = clock_boot_ns();
		void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (memory == MAP_FAILED) {
			err = -ENOMEM;
			break;
		}
		telling->seen = prefix_set_init(memory, capacity);
		err = nft_fence_read_bans(telling->policy->name, began_ns, on_ban,
					  telling);
		telling->took_ns = clock_boot_ns() - began_ns;
		if (!err) {
			tell_extras(telling);
			tell_missing(telling);
		}
		(void)munmap(memory, bytes);
	}
	if (err)
		tell(telling, NULL, "the bans in nftables cannot be read");
}

/* ---- all -------------------------------------------------------------------------------------------------- */

static void verify_policy(struct telling *telling)
{
	char text[TEXT_MAX];

	for (enum nft_fence_set set = NFT_FENCE_PREFIXES; set < NFT_FENCE_SETS; set++) {
		verify_spans(telling, set, ADDR_V4);
		verify_spans(telling, set, ADDR_V6);
	}
	if (bans_of(telling->fence, telling->policy->id) <= VERIFY_BANS_MAX) {
		verify_bans(telling);
		return;
	}
	(void)snprintf(text, sizeof(text),
		       "more than %u bans: those in nftables were not compared",
		       VERIFY_BANS_MAX);
	tell(telling, NULL, text);
}

void fence_verify(struct keeper *keeper, fence_difference_fn on_difference, void *context)
{
	const struct keeper_fence *fence = &keeper->fence;
	size_t rules = 0;
	char text[TEXT_MAX];

	if (!fence->is_on)
		return;
	if (nft_fence_rules(&rules) || rules != fence->rules) {
		(void)snprintf(text, sizeof(text),
			       "the fence in table inet postern has %zu rules and should "
			       "have %zu",
			       rules, fence->rules);
		on_difference(context, NULL, NULL, text);
	}
	for (size_t i = 0; i < fence->wanted.policy_count && !fence->is_settling; i++) {
		struct telling telling = {
			.on_difference = on_difference,
			.context = context,
			.fence = fence,
			.policy = &fence->policies[i],
		};

		verify_policy(&telling);
	}
}

bool fence_counters(const struct keeper *keeper, const char *policy,
		    struct nft_fence_counters *out_counters)
{
	return keeper->fence.is_on && nft_fence_counters(policy, out_counters) == 0;
}
