/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_cache - the daemon's side of bpf/ban_cache.h: says when something in there does not hold any more, and reads
 * what it has counted. The table is mapped, so either costs no system call.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "sys/xdp_private.h"

static size_t cache_bytes(const struct xdp *xdp)
{
	return (xdp->cache_mask + (size_t)1) * sizeof(*xdp->cache);
}

uint32_t xdp_cache_buckets(uint32_t bans_max)
{
	uint32_t buckets = 1;

	while (buckets < bans_max && buckets < UINT32_C(1) << 31)
		buckets *= 2;
	return buckets;
}

int xdp_cache_open(struct xdp *xdp, uint32_t buckets)
{
	void *mapped;

	xdp->cache_mask = buckets - 1;
	mapped = mmap(NULL, cache_bytes(xdp), PROT_READ | PROT_WRITE, MAP_SHARED,
		      xdp->map_fds[XDP_MAP_BAN_CACHE], 0);
	if (mapped == MAP_FAILED)
		return -errno;
	xdp->cache = mapped;
	return 0;
}

void xdp_cache_close(struct xdp *xdp)
{
	if (xdp->cache)
		(void)munmap(xdp->cache, cache_bytes(xdp));
	xdp->cache = NULL;
}

static struct ban_cache_bucket *cache_bucket(struct xdp *xdp, const struct ban_key *key)
{
	return &xdp->cache[ban_cache_hash(key) & xdp->cache_mask];
}

void xdp_cache_drop(struct xdp *xdp, const struct ban_key *key)
{
	/* Sequentially consistent: after the change of the map that came before. */
	(void)__atomic_fetch_add(&cache_bucket(xdp, key)->generation, 1,
				 __ATOMIC_SEQ_CST);
}

uint64_t xdp_cache_packets(struct xdp *xdp, const struct ban_key *key, bool take)
{
	struct ban_cache_bucket *bucket = cache_bucket(xdp, key);
	uint64_t packets = 0;

	for (size_t i = 0; i < ABI_CACHE_SLOTS; i++) {
		struct ban_cache_slot *slot = &bucket->slots[i];
		const uint32_t owner = __atomic_load_n(&slot->owner, __ATOMIC_ACQUIRE);

		if ((owner & ABI_CACHE_WHO) != ban_cache_who(key) ||
		    memcmp(slot->addr, key->addr, sizeof(slot->addr)) != 0)
			continue;
		packets += take ? __atomic_exchange_n(&slot->packets, 0, __ATOMIC_RELAXED)
				: __atomic_load_n(&slot->packets, __ATOMIC_RELAXED);
	}
	return packets;
}
