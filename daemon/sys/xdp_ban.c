/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_ban - the bans: exact sources in a hash, other prefixes in two tries.
 */
#include "sys/xdp.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "sys/xdp_private.h"

#define POLICY_BITS 32u /* in front of the address in the key of a prefix ban */

/* A key of any of the three maps. */
union ban_any_key {
	struct ban_key exact;
	struct ban_prefix4_key prefix4;
	struct ban_prefix6_key prefix6;
};

/* Which map a ban lives in, and its key there. XDP_MAP_COUNT: it is no valid prefix. */
static enum xdp_map ban_place(const struct prefix *prefix, uint16_t policy,
			      union ban_any_key *out_key)
{
	const bool is_v4 = prefix->addr.family == ADDR_V4;

	memset(out_key, 0, sizeof(*out_key));
	if (policy >= ABI_POLICY_MAX || (!is_v4 && prefix->addr.family != ADDR_V6) ||
	    prefix->len > (is_v4 ? 32 : 128))
		return XDP_MAP_COUNT;
	if (prefix->len == (is_v4 ? 32 : ABI_V6_CLIENT_LEN)) {
		out_key->exact.family = is_v4 ? ABI_FAMILY_V4 : ABI_FAMILY_V6;
		out_key->exact.policy = policy;
		memcpy(out_key->exact.addr, prefix->addr.bytes, is_v4 ? 4 : 8);
		return XDP_MAP_BANS;
	}
	if (is_v4) {
		out_key->prefix4.prefixlen = POLICY_BITS + prefix->len;
		out_key->prefix4.policy[3] = (uint8_t)policy;
		memcpy(out_key->prefix4.addr, prefix->addr.bytes, 4);
		return XDP_MAP_BAN_PREFIXES4;
	}
	out_key->prefix6.prefixlen = POLICY_BITS + prefix->len;
	out_key->prefix6.policy[3] = (uint8_t)policy;
	memcpy(out_key->prefix6.addr, prefix->addr.bytes, 16);
	return XDP_MAP_BAN_PREFIXES6;
}

static void ban_from_exact(struct xdp *xdp, const struct ban_key *key,
			   const struct ban_value *value, struct xdp_ban *out_ban)
{
	const bool is_v4 = key->family == ABI_FAMILY_V4;

	*out_ban = (struct xdp_ban){
		.prefix.addr.family = is_v4 ? ADDR_V4 : ADDR_V6,
		.prefix.len = is_v4 ? 32 : ABI_V6_CLIENT_LEN,
		.policy = key->policy,
		.ends_ns = value->ends_ns,
		.packets = value->packets + xdp_cache_packets(xdp, key, false),
		.last_seen_ns = value->last_seen_ns,
	};
	memcpy(out_ban->prefix.addr.bytes, key->addr, is_v4 ? 4 : 8);
}

static void ban_from_prefix(enum xdp_map map, const union ban_any_key *key,
			    const struct ban_prefix_value *value, struct xdp_ban *out_ban)
{
	const bool is_v4 = map == XDP_MAP_BAN_PREFIXES4;

	*out_ban = (struct xdp_ban){
		.prefix.addr.family = is_v4 ? ADDR_V4 : ADDR_V6,
		.prefix.len = (uint8_t)value->length,
		.policy = is_v4 ? key->prefix4.policy[3] : key->prefix6.policy[3],
		.ends_ns = value->ends_ns,
		.packets = value->packets,
		.last_seen_ns = value->last_seen_ns,
	};
	if (is_v4)
		memcpy(out_ban->prefix.addr.bytes, key->prefix4.addr, 4);
	else
		memcpy(out_ban->prefix.addr.bytes, key->prefix6.addr, 16);
}

/* ---- one ---- */

int xdp_ban_get(struct xdp *xdp, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban)
{
	union ban_any_key key;
	const enum xdp_map map = ban_place(prefix, policy, &key);
	struct ban_prefix_value wide = {0};
	struct ban_value exact = {0};
	int err;

	if (map == XDP_MAP_COUNT)
		return -EINVAL;
	if (map == XDP_MAP_BANS) {
		err = bpf_map_lookup_elem(xdp->map_fds[map], &key, &exact);
		if (!err)
			ban_from_exact(xdp, &key.exact, &exact, out_ban);
		return err;
	}
	err = bpf_map_lookup_elem(xdp->map_fds[map], &key, &wide);
	if (!err && wide.length != prefix->len)
		return -ENOENT; /* that is a ban around this one */
	if (!err)
		ban_from_prefix(map, &key, &wide, out_ban);
	return err;
}

static int exact_set(struct xdp *xdp, const struct ban_key *key, uint64_t ends_ns)
{
	const int fd = xdp->map_fds[XDP_MAP_BANS];
	struct ban_value value = {0};
	int err;

	err = bpf_map_lookup_elem(fd, key, &value);
	if (err && err != -ENOENT)
		return err;
	value.packets += xdp_cache_packets(xdp, key, true);
	value.ends_ns = ends_ns;
	err = bpf_map_update_elem(fd, key, &value, BPF_ANY);
	xdp_cache_drop(xdp, key);
	return err;
}

static int ban_set_one(struct xdp *xdp, const struct xdp_ban *ban)
{
	union ban_any_key key;
	const enum xdp_map map = ban_place(&ban->prefix, ban->policy, &key);
	struct xdp_ban old = {0};
	int err;

	if (map == XDP_MAP_COUNT)
		return -EINVAL;
	if (map == XDP_MAP_BANS)
		return exact_set(xdp, &key.exact, ban->ends_ns);
	err = xdp_ban_get(xdp, &ban->prefix, ban->policy, &old);
	if (err && err != -ENOENT)
		return err;
	const struct ban_prefix_value value = {
		.ends_ns = ban->ends_ns,
		.packets = old.packets,
		.last_seen_ns = old.last_seen_ns,
		.length = ban->prefix.len,
	};

	return bpf_map_update_elem(xdp->map_fds[map], &key, &value, BPF_ANY);
}

int xdp_ban_set(struct xdp *xdp, const struct xdp_ban *bans, size_t count,
		size_t *out_done)
{
	*out_done = 0;
	if (count > XDP_BATCH_MAX)
		return -EINVAL;
	for (size_t i = 0; i < count; i++) {
		int err = ban_set_one(xdp, &bans[i]);

		if (err)
			return err;
		*out_done = i + 1;
	}
	return 0;
}

int xdp_ban_remove(struct xdp *xdp, const struct prefix *prefix, uint16_t policy)
{
	union ban_any_key key;
	const enum xdp_map map = ban_place(prefix, policy, &key);
	int err;

	if (map == XDP_MAP_COUNT)
		return -EINVAL;
	err = bpf_map_delete_elem(xdp->map_fds[map], &key);
	if (map == XDP_MAP_BANS) {
		xdp_cache_drop(xdp, &key.exact);
		(void)xdp_cache_packets(xdp, &key.exact, true); /* not of the next ban */
	}
	return err;
}

/* ---- many ---- */

/* Exact bans on their way into the hash. */
struct ban_page {
	struct ban_key keys[XDP_FILL_MAX];
	struct ban_value values[XDP_FILL_MAX];
	uint32_t count;
};

static int page_flush(struct ban_page *page, int fd)
{
	__u32 count = page->count;

	page->count = 0;
	return count ? bpf_map_update_batch(fd, page->keys, page->values, &count, NULL)
		     : 0;
}

static int page_load(struct xdp *xdp, struct ban_page *page)
{
	const uint32_t count = page->count;
	const int err = page_flush(page, xdp->map_fds[XDP_MAP_BANS]);

	for (uint32_t i = 0; i < count; i++) {
		xdp_cache_drop(xdp, &page->keys[i]);
		(void)xdp_cache_packets(xdp, &page->keys[i], true); /* counted anew */
	}
	return err;
}

static int load_exact(struct xdp *xdp, struct ban_page *page, const struct ban_key *key,
		      uint64_t ends_ns)
{
	page->keys[page->count] = *key;
	page->values[page->count] = (struct ban_value){.ends_ns = ends_ns};
	page->count++;
	return page->count == XDP_FILL_MAX ? page_load(xdp, page) : 0;
}

int xdp_ban_load(struct xdp *xdp, const struct xdp_ban *bans, size_t count)
{
	AUTO(free_mem) struct ban_page *page = malloc(sizeof(*page));
	int err = 0;

	if (!page)
		return -ENOMEM;
	page->count = 0;
	for (size_t i = 0; i < count && !err; i++) {
		union ban_any_key key;

		if (ban_place(&bans[i].prefix, bans[i].policy, &key) == XDP_MAP_BANS)
			err = load_exact(xdp, page, &key.exact, bans[i].ends_ns);
		else
			err = ban_set_one(xdp, &bans[i]);
	}
	return err ? err : page_load(xdp, page);
}

int xdp_ban_carry_over(int from_fd, int to_fd)
{
	AUTO(free_mem) struct ban_page *page = malloc(sizeof(*page));
	const uint64_t now_ns = clock_boot_ns();
	uint32_t place = 0;
	int err = 0;

	if (!page)
		return -ENOMEM;
	for (bool is_first = true; !err; is_first = false) {
		__u32 count = XDP_FILL_MAX;
		int flush_err;

		err = bpf_map_lookup_batch(from_fd, is_first ? NULL : &place, &place,
					   page->keys, page->values, &count, NULL);
		if (err && err != -ENOENT)
			return err;
		page->count = 0;
		for (__u32 i = 0; i < count; i++) {
			if (page->values[i].ends_ns <= now_ns)
				continue;
			page->keys[page->count] = page->keys[i];
			page->values[page->count] = page->values[i];
			page->count++;
		}
		flush_err = page_flush(page, to_fd);
		if (flush_err)
			return flush_err;
	}
	return 0;
}

/* ---- walking ---- */

void xdp_walk_done(struct xdp_walk *walk)
{
	free_mem(&walk->keys);
	free_mem(&walk->values);
	*walk = (struct xdp_walk){.map = XDP_MAP_COUNT};
}

/* The next page of the hash: whole buckets, so nothing is missed when bans come and go. */
static int walk_read_exact(struct xdp *xdp, struct xdp_walk *walk)
{
	__u32 count = XDP_FILL_MAX;
	int err;

	err = bpf_map_lookup_batch(xdp->map_fds[XDP_MAP_BANS],
				   walk->has_batch ? &walk->batch : NULL, &walk->batch,
				   walk->keys, walk->values, &count, NULL);
	if (err && err != -ENOENT)
		return err;
	walk->has_batch = true;
	walk->is_last_page = err == -ENOENT;
	walk->count = count;
	walk->next = 0;
	return 0;
}

/* All keys of a trie at once: its "next key" starts again at the front when the last one has been removed. */
static int walk_read_trie(struct xdp *xdp, struct xdp_walk *walk)
{
	const int fd = xdp->map_fds[walk->map];
	const size_t size = walk->map == XDP_MAP_BAN_PREFIXES4
				    ? sizeof(struct ban_prefix4_key)
				    : sizeof(struct ban_prefix6_key);
	uint8_t *previous = NULL;
	int err = 0;

	walk->count = 0;
	walk->next = 0;
	walk->is_last_page = true;
	while (walk->count < ABI_BAN_PREFIX_MAX) {
		uint8_t *key = walk->keys + walk->count * size;

		err = bpf_map_get_next_key(fd, previous, key);
		if (err)
			break;
		previous = key;
		walk->count++;
	}
	return err == -ENOENT ? 0 : err;
}

static int walk_start(struct xdp *xdp, struct xdp_walk *walk)
{
	xdp_walk_done(walk);
	walk->keys = malloc(ABI_BAN_PREFIX_MAX * sizeof(struct ban_prefix6_key));
	walk->values = malloc(XDP_FILL_MAX * sizeof(struct ban_value));
	if (!walk->keys || !walk->values) {
		xdp_walk_done(walk);
		return -ENOMEM;
	}
	walk->map = XDP_MAP_BANS;
	return walk_read_exact(xdp, walk);
}

/* Brings the next keys in. Sets walk->map to XDP_MAP_COUNT at the end. */
static int walk_refill(struct xdp *xdp, struct xdp_walk *walk)
{
	while (walk->map != XDP_MAP_COUNT && walk->next == walk->count) {
		int err;

		if (!walk->is_last_page) {
			err = walk_read_exact(xdp, walk);
		} else if (walk->map == XDP_MAP_BAN_PREFIXES6) {
			xdp_walk_done(walk);
			return 0;
		} else {
			walk->map = walk->map == XDP_MAP_BANS ? XDP_MAP_BAN_PREFIXES4
							      : XDP_MAP_BAN_PREFIXES6;
			err = walk_read_trie(xdp, walk);
		}
		if (err)
			return err;
	}
	return 0;
}

/* Hands one ban out. Returns false if it has gone in the meantime. */
static bool walk_take(struct xdp *xdp, struct xdp_walk *walk, struct xdp_ban *out_ban)
{
	const uint32_t at = walk->next++;
	struct ban_prefix_value value = {0};
	union ban_any_key key = {0};
	size_t size;

	if (walk->map == XDP_MAP_BANS) {
		ban_from_exact(xdp, (const struct ban_key *)(const void *)walk->keys + at,
			       (const struct ban_value *)(const void *)walk->values + at,
			       out_ban);
		return true;
	}
	size = walk->map == XDP_MAP_BAN_PREFIXES4 ? sizeof(key.prefix4)
						  : sizeof(key.prefix6);
	memcpy(&key, walk->keys + at * size, size);
	if (bpf_map_lookup_elem(xdp->map_fds[walk->map], &key, &value) < 0 ||
	    value.length + POLICY_BITS != key.prefix4.prefixlen)
		return false;
	ban_from_prefix(walk->map, &key, &value, out_ban);
	return true;
}

int xdp_ban_walk(struct xdp *xdp, bool restart, struct xdp_ban *out_bans, size_t max,
		 size_t *out_count)
{
	struct xdp_walk *walk = &xdp->walk;
	size_t count = 0;
	int err = 0;

	if (restart)
		err = walk_start(xdp, walk);
	while (!err && count < max) {
		err = walk_refill(xdp, walk);
		if (err || walk->map == XDP_MAP_COUNT)
			break;
		if (walk_take(xdp, walk, &out_bans[count]))
			count++;
	}
	if (err)
		return err;
	*out_count = count;
	return 0;
}

int xdp_ban_each(struct xdp *xdp, int (*on_ban)(void *context, const struct xdp_ban *ban),
		 void *context)
{
	const struct xdp_walk under_way = xdp->walk;
	struct xdp_ban bans[XDP_BATCH_MAX];
	bool restart = true;
	size_t count = 0;
	int err;

	xdp->walk = (struct xdp_walk){.map = XDP_MAP_COUNT};
	do {
		err = xdp_ban_walk(xdp, restart, bans, XDP_BATCH_MAX, &count);
		restart = false;
		for (size_t i = 0; !err && i < count; i++)
			err = on_ban(context, &bans[i]);
	} while (!err && count > 0);
	xdp_walk_done(&xdp->walk);
	xdp->walk = under_way;
	return err;
}
