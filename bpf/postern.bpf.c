/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/postern - may this packet reach the mail host?
 *
 * One list of steps: parse; which policy guards the port; banned as a single
 * source; banned as part of a prefix; what the address list says; and of a SYN
 * that passed so far (bpf/syn.h), whether its source sends too many. The longest
 * prefix wins; a ban wins over a list entry of the same length. What is not for
 * a guarded port, or not understood, passes: the check at accept has the last
 * word. No entry: dropped. Every verdict is counted by its reason.
 *
 * Loaded and attached by sys/xdp. Knows no policy of its own: all is in the maps.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/ban_cache.h"
#include "bpf/maps.h"
#include "bpf/parse.h"
#include "bpf/syn.h"

#define NO_LENGTH (-1) /* shorter than any prefix: there is none */

enum reason {
	PASSED,
	DROPPED_BAN,
	DROPPED_BAN_PREFIX,
	DROPPED_BLACKLISTED,
	DROPPED_NOT_PERMITTED,
	DROPPED_NO_ENTRY,
	DROPPED_RUNT,
	DROPPED_SYN_RATE,
	WOULD_DROP_SYN_RATE, /* passes */
};

/* Counts, and says what to do. */
static __always_inline int conclude(__u32 policy, enum reason reason)
{
	struct policy_counters *counter = bpf_map_lookup_elem(&counters, &policy);

	if (counter) {
		switch (reason) {
		case PASSED:
			counter->passed++;
			break;
		case DROPPED_BAN:
			counter->dropped_ban++;
			break;
		case DROPPED_BAN_PREFIX:
			counter->dropped_ban_prefix++;
			break;
		case DROPPED_BLACKLISTED:
			counter->dropped_blacklisted++;
			break;
		case DROPPED_NOT_PERMITTED:
			counter->dropped_not_permitted++;
			break;
		case DROPPED_NO_ENTRY:
			counter->dropped_no_entry++;
			break;
		case DROPPED_RUNT:
			counter->dropped_runt++;
			break;
		case DROPPED_SYN_RATE:
			counter->dropped_syn_rate++;
			break;
		case WOULD_DROP_SYN_RATE:
			counter->would_drop_syn_rate++;
			break;
		}
	}
	return reason == PASSED || reason == WOULD_DROP_SYN_RATE ? XDP_PASS : XDP_DROP;
}

static __always_inline void seen(__u64 *packets, __u64 *last_seen_ns, __u64 now_ns)
{
	__sync_fetch_and_add(packets, 1);
	*(volatile __u64 *)last_seen_ns = now_ns;
}

/* The ban of exactly this source; it is over at its end, removed or not. */
static __always_inline struct ban_value *exact_ban(const struct ban_key *key,
						   __u64 *out_now_ns)
{
	struct ban_value *ban = bpf_map_lookup_elem(&bans, key);

	if (!ban)
		return NULL;
	*out_now_ns = bpf_ktime_get_boot_ns();
	return *out_now_ns < ban->ends_ns ? ban : NULL;
}

/*
 * The longest ban of a prefix around this source that has not ended. The trie
 * yields the longest one, ended or not: ask again for a shorter one.
 */
#define LIVE_PREFIX_BAN(map, key, out_now_ns)                              \
	({                                                                 \
		struct ban_prefix_value *live_ = NULL, *found_;            \
                                                                           \
		for (int i_ = 0; i_ <= (int)ABI_EXPIRED_DEPTH_MAX; i_++) { \
			found_ = bpf_map_lookup_elem((map), (key));        \
			if (!found_)                                       \
				break;                                     \
			*(out_now_ns) = bpf_ktime_get_boot_ns();           \
			if (*(out_now_ns) < found_->ends_ns) {             \
				live_ = found_;                            \
				break;                                     \
			}                                                  \
			if (found_->length == 0)                           \
				break;                                     \
			(key)->prefixlen = 32 + found_->length - 1;        \
		}                                                          \
		live_;                                                     \
	})

static __always_inline struct ban_prefix_value *
prefix_ban(__u32 policy, const struct packet *packet, __u64 *out_now_ns)
{
	if (packet->family == ABI_FAMILY_V4) {
		struct ban_prefix4_key key = {.prefixlen = 32 + 32};

		key.policy[3] = (__u8)policy; /* < ABI_POLICY_MAX */
		__builtin_memcpy(key.addr, packet->src, sizeof(key.addr));
		return LIVE_PREFIX_BAN(&ban_prefixes4, &key, out_now_ns);
	}
	struct ban_prefix6_key key = {.prefixlen = 32 + 128};

	key.policy[3] = (__u8)policy;
	__builtin_memcpy(key.addr, packet->src, sizeof(key.addr));
	return LIVE_PREFIX_BAN(&ban_prefixes6, &key, out_now_ns);
}

/*
 * Not inlined: as constants in a prototype the key and the value get complete type
 * information, which their place in an inner map alone does not give them.
 */
static __attribute__((noinline)) const struct list_value *
list4_find(void *list, const struct list4_key *key)
{
	return bpf_map_lookup_elem(list, key);
}

static __attribute__((noinline)) const struct list_value *
list6_find(void *list, const struct list6_key *key)
{
	return bpf_map_lookup_elem(list, key);
}

/* The longest entry of the policy's address list. */
static __always_inline const struct list_value *list_entry(__u32 policy,
							   const struct packet *packet)
{
	void *list;

	if (packet->family == ABI_FAMILY_V4) {
		struct list4_key key = {.prefixlen = 32};

		__builtin_memcpy(key.addr, packet->src, sizeof(key.addr));
		list = bpf_map_lookup_elem(&policies4, &policy);
		return list ? list4_find(list, &key) : NULL;
	}
	struct list6_key key = {.prefixlen = 128};

	__builtin_memcpy(key.addr, packet->src, sizeof(key.addr));
	list = bpf_map_lookup_elem(&policies6, &policy);
	return list ? list6_find(list, &key) : NULL;
}

static __always_inline enum reason list_reason(const struct list_value *entry)
{
	if (!entry)
		return DROPPED_NO_ENTRY;
	if (entry->flags & ABI_FLAG_BL)
		return DROPPED_BLACKLISTED;
	if (!(entry->flags & ABI_FLAG_PA))
		return DROPPED_NOT_PERMITTED;
	return PASSED;
}

/* The bans and the list of one policy about one source. */
static __always_inline enum reason decide(const struct service_value *service,
					  const struct packet *packet)
{
	__u32 policy = service->policy;
	/* Nothing is longer than an IPv4 address; for a /64, the daemon has looked. */
	int is_longest = packet->family == ABI_FAMILY_V4 || !service->v6_longer_than_64;
	const struct ban_key key = source_key(policy, packet);
	struct ban_prefix_value *prefix;
	const struct list_value *entry;
	struct ban_value *ban;
	int entry_length;
	__u64 now_ns = 0;

	if (is_longest && cache_drops(&key))
		return DROPPED_BAN;
	ban = exact_ban(&key, &now_ns);
	if (ban) {
		barrier_var(
			is_longest); /* two branches: else the verifier loses sight of the first */
		if (is_longest) {
			seen(&ban->packets, &ban->last_seen_ns, now_ns);
			cache_fill(&key, now_ns);
			return DROPPED_BAN;
		}
	}

	prefix = prefix_ban(policy, packet, &now_ns);
	entry = list_entry(policy, packet);
	entry_length = entry ? (int)entry->length : NO_LENGTH;
	if (prefix && (int)prefix->length >= entry_length &&
	    !(ban && prefix->length < ABI_V6_CLIENT_LEN)) {
		seen(&prefix->packets, &prefix->last_seen_ns, now_ns);
		return DROPPED_BAN_PREFIX;
	}
	if (ban && (int)ABI_V6_CLIENT_LEN >= entry_length) {
		seen(&ban->packets, &ban->last_seen_ns, now_ns);
		return DROPPED_BAN;
	}
	return list_reason(entry);
}

/* Of a packet that neither a ban nor the list has stopped. */
static __always_inline enum reason rate_reason(__u32 policy, const struct packet *packet)
{
	if (!packet->is_syn)
		return PASSED;
	switch (syn_judge(policy, packet)) {
	case SYN_FINE:
		break;
	case SYN_OVER:
		return DROPPED_SYN_RATE;
	case SYN_OVER_OBSERVED:
		return WOULD_DROP_SYN_RATE;
	}
	return PASSED;
}

/* The whole way of a packet. */
static __always_inline int judge(struct xdp_md *ctx)
{
	const struct service_value *service;
	struct service_key key = {};
	struct packet packet = {};
	enum reason reason;

	switch (parse_packet(ctx, &packet)) {
	case PARSE_OTHER:
		return XDP_PASS;
	case PARSE_RUNT:
		return conclude(0, DROPPED_RUNT);
	case PARSE_PORTS:
		break;
	}
	key.port = packet.port;
	service = bpf_map_lookup_elem(&services, &key);
	if (!service)
		return XDP_PASS;
	reason = decide(service, &packet);
	if (reason == PASSED)
		reason = rate_reason(service->policy, &packet);
	return conclude(service->policy, reason);
}

/* Frames of several buffers, too: the headers are in the first. */
SEC("xdp.frags")
int postern(struct xdp_md *ctx)
{
	return judge(ctx);
}

char _license[] SEC("license") = "GPL";
