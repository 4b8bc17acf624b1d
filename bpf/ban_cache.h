/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/ban_cache - drops a flood from the banned without a look into the large map.
 *
 * With a million bans, the kernel's hash costs several misses of the CPU's cache for a packet. So a ban that drops is
 * remembered in a table whose buckets are one cache line each: who is found there is dropped at the price of one miss.
 * The map `bans` alone says who is banned. What makes the two agree:
 *
 * - A ban that is changed or removed: the daemon changes `bans` first, and then gives the bucket another generation
 *   (sys/xdp_cache). What was filled in under the old one does not hold any more. A ban is filled in after it was
 *   looked up once more under the generation that it is filled in with, so nothing that has just been removed gets in.
 * - A ban that ends: its end stands in the slot, by a clock that costs next to nothing and rounded down; the last second is left to
 *   `bans`. That clock stands still while the machine sleeps: whoever takes a turn looks at the exact one.
 * - Packets: each is added to its ban at once while there are turns, and the ban is then seen to be there still
 *   (ABI_CACHE_TURN_*: 16,000 a second on each CPU). In a flood above that they add up in the slot until it is its
 *   turn, and none is lost.
 *
 * A slot is changed by the one CPU that could mark it as busy; the others go on with `bans` meanwhile.
 */
#ifndef BPF_BAN_CACHE_H
#define BPF_BAN_CACHE_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/maps.h"

/* Buckets less one; set before the program is loaded. */
const volatile __u32 ban_cache_mask;

#define CACHE_ONCE(member) (*(volatile __typeof__(member) *)&(member))

static __always_inline struct ban_cache_bucket *cache_bucket(const struct ban_key *key)
{
	__u32 index = ban_cache_hash(key) & ban_cache_mask;

	return bpf_map_lookup_elem(&ban_cache, &index);
}

static __always_inline int cache_is_of(const struct ban_cache_slot *slot,
				       const struct ban_key *key)
{
	__u32 addr[2];

	__builtin_memcpy(addr, key->addr, sizeof(addr));
	return CACHE_ONCE(slot->addr[0]) == addr[0] &&
	       CACHE_ONCE(slot->addr[1]) == addr[1] &&
	       (CACHE_ONCE(slot->owner) & (ABI_CACHE_WHO | ABI_CACHE_BUSY)) ==
		       ban_cache_who(key);
}

static __always_inline __u32 cache_owner(const struct ban_key *key, __u32 generation)
{
	return generation << ABI_CACHE_GENERATION_SHIFT | ban_cache_who(key);
}

/* May this packet be added to its ban at once? By the coarse clock. */
static __always_inline int cache_turn(__u64 now_ns)
{
	const __u64 empty_ns = now_ns + ABI_CACHE_TURN_BURST * ABI_CACHE_TURN_NS;
	const __u32 zero = 0;
	__u64 *full_ns = bpf_map_lookup_elem(&ban_cache_turns, &zero);
	__u64 next_ns;

	if (!full_ns)
		return 1;
	next_ns = (*full_ns > now_ns ? *full_ns : now_ns) + ABI_CACHE_TURN_NS;
	if (next_ns > empty_ns)
		return 0;
	*full_ns = next_ns;
	return 1;
}

/* This packet, and what has added up. Is the ban still there? */
static __always_inline int cache_count(struct ban_cache_slot *slot,
				       const struct ban_key *key)
{
	struct ban_value *ban = bpf_map_lookup_elem(&bans, key);
	const __u64 now_ns = bpf_ktime_get_boot_ns();
	__u32 packets = 1;

	if (!ban || now_ns >= ban->ends_ns)
		return 0;
	if (CACHE_ONCE(slot->packets))
		packets += __sync_lock_test_and_set(&slot->packets, 0);
	__sync_fetch_and_add(&ban->packets, packets);
	CACHE_ONCE(ban->last_seen_ns) = now_ns;
	return 1;
}

/* Has a ban of this source just been found here? Counts the packet if so. */
static __always_inline int cache_drops(const struct ban_key *key)
{
	struct ban_cache_bucket *bucket = cache_bucket(key);

	if (!bucket)
		return 0;
	for (__u32 i = 0; i < ABI_CACHE_SLOTS; i++) {
		struct ban_cache_slot *slot = &bucket->slots[i];
		/* First, since a slot that changes is marked first and unmarked last. */
		const __u32 ends = CACHE_ONCE(slot->ends);
		__u64 now_ns;

		if (!cache_is_of(slot, key) ||
		    CACHE_ONCE(slot->owner) !=
			    cache_owner(key, CACHE_ONCE(bucket->generation)))
			continue;
		now_ns = bpf_ktime_get_coarse_ns();
		if (now_ns >> ABI_CACHE_END_SHIFT >= ends)
			return 0;
		if (cache_turn(now_ns))
			return cache_count(slot, key);
		__sync_fetch_and_add(&slot->packets, 1);
		return 1;
	}
	return 0;
}

/* Where to put a ban: where it was; else where nothing holds; else now and then in another's place. NULL: nowhere. */
static __always_inline struct ban_cache_slot *
cache_choose(struct ban_cache_bucket *bucket, const struct ban_key *key, __u32 generation,
	     __u64 now_ns)
{
	/* Not the clock: this one moves by ticks, whose low bits may stay the same. */
	const __u32 chance = bpf_get_prandom_u32();
	const __u32 victim = (chance >> 8) % ABI_CACHE_SLOTS;
	struct ban_cache_slot *chosen = NULL;

	for (__u32 i = 0; i < ABI_CACHE_SLOTS; i++) {
		struct ban_cache_slot *slot = &bucket->slots[i];

		if (cache_is_of(slot, key))
			return slot;
		if (slot->ends <= now_ns >> ABI_CACHE_END_SHIFT ||
		    (slot->owner ^ cache_owner(key, generation)) >>
			    ABI_CACHE_GENERATION_SHIFT)
			chosen = slot;
	}
	if (chosen || chance & ABI_CACHE_KEEP_MASK)
		return chosen;
	for (__u32 i = 0; i < ABI_CACHE_SLOTS; i++)
		if (i == victim)
			chosen = &bucket->slots[i];
	return chosen;
}

/* What was not added yet to the ban that gives way. It may have gone: then to none. */
static __always_inline void cache_settle(struct ban_cache_slot *slot, __u32 owner)
{
	const __u32 packets = __sync_lock_test_and_set(&slot->packets, 0);
	struct ban_key key = {
		.family = owner & ABI_CACHE_V6 ? ABI_FAMILY_V6 : ABI_FAMILY_V4,
		.policy = (owner & ABI_CACHE_WHO) >> ABI_CACHE_POLICY_SHIFT,
	};
	struct ban_value *ban;

	if (!packets)
		return;
	__builtin_memcpy(key.addr, slot->addr, sizeof(key.addr));
	ban = bpf_map_lookup_elem(&bans, &key);
	if (ban)
		__sync_fetch_and_add(&ban->packets, packets);
}

/* The end of a ban by the cache's clock, rounded down. 0: too near. */
static __always_inline __u32 cache_ends(__u64 ends_ns, __u64 boot_ns, __u64 now_ns)
{
	__u64 ends;

	if (ends_ns <= boot_ns)
		return 0;
	ends = (ends_ns - boot_ns + now_ns) >> ABI_CACHE_END_SHIFT;
	if (ends_ns == ABI_FOREVER_NS || ends > ~0u)
		return ~0u;
	return ends > now_ns >> ABI_CACHE_END_SHIFT ? (__u32)ends : 0;
}

/* Remembers a ban that has just dropped a packet, by the boot-time clock. */
static __always_inline void cache_fill(const struct ban_key *key, __u64 boot_ns)
{
	const __u64 now_ns = bpf_ktime_get_coarse_ns();
	struct ban_cache_bucket *bucket = cache_bucket(key);
	struct ban_cache_slot *slot;
	struct ban_value *ban;
	__u32 generation, owner, ends, addr[2];

	if (!bucket)
		return;
	/* A full barrier: the ban is looked up after the generation was read. */
	generation = __sync_fetch_and_add(&bucket->generation, 0);
	ban = bpf_map_lookup_elem(&bans, key);
	if (!ban)
		return;
	ends = cache_ends(ban->ends_ns, boot_ns, now_ns);
	if (!ends)
		return;
	slot = cache_choose(bucket, key, generation, now_ns);
	if (!slot)
		return;
	owner = CACHE_ONCE(slot->owner);
	if (owner & ABI_CACHE_BUSY ||
	    __sync_val_compare_and_swap(&slot->owner, owner, owner | ABI_CACHE_BUSY) !=
		    owner)
		return;
	__builtin_memcpy(addr, key->addr, sizeof(addr));
	if (slot->addr[0] != addr[0] || slot->addr[1] != addr[1] ||
	    (owner & ABI_CACHE_WHO) != ban_cache_who(key))
		cache_settle(slot, owner);
	CACHE_ONCE(slot->addr[0]) = addr[0];
	CACHE_ONCE(slot->addr[1]) = addr[1];
	CACHE_ONCE(slot->ends) = ends;
	(void)__sync_lock_test_and_set(&slot->owner, cache_owner(key, generation));
}

#endif
