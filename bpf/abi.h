/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/abi - everything the kernel program and the daemon share: keys, values,
 * counters, limits. Sizes are pinned at the end; a change of any of them is a new
 * ABI_VERSION, and the daemon then carries the bans over into new maps.
 *
 * Used by bpf/ and daemon/sys/xdp*.c. Field names are what `bpftool map dump`
 * prints: they are part of the monitoring interface (README, posternd(8)).
 */
#ifndef BPF_ABI_H
#define BPF_ABI_H

#include <linux/types.h>

#define ABI_VERSION 4u

#define ABI_POLICY_MAX	      32u      /* policy ids 0..31 */
#define ABI_SERVICE_MAX	      64u      /* guarded ports */
#define ABI_BAN_PREFIX_MAX    65536u   /* bans of whole prefixes, per family */
#define ABI_BANS_DEFAULT      1048576u /* exact bans; `ban-limit` of the configuration */
#define ABI_LIST_MAX	      4000000u /* entries of one policy and family */
#define ABI_NAME_MAX	      32u      /* policy name with the NUL */
#define ABI_V6_CLIENT_LEN     64u      /* an exact IPv6 ban is a /64 */
#define ABI_EXPIRED_DEPTH_MAX 4u /* ended prefix bans that are looked through, nested */
#define ABI_FOREVER_NS	      (~0ULL)
#define ABI_SYN_SOURCES_MAX   65536u /* sources whose SYNs are counted: some 8 MiB */
#define ABI_SYN_EXEMPT_MAX \
	512u /* prefixes whose SYNs are not counted; half of them while they change */
#define ABI_SYN_RING_BYTES 65536u /* holds some 1000 reports until the daemon reads */
#define ABI_SYN_RATE_MAX   1000000u
#define ABI_SYN_BURST_MAX  1000000u
#define ABI_SYN_REPORT_NS  1000000000ULL /* one source is not reported more often */
#define ABI_SYN_SEEN_MAX \
	262144u /* a power of two; what was dropped and may come again: 2 MiB */
#define ABI_SYN_AGAIN_MIN_MS \
	500u /* RFC 6298 section 2: a second; a little less where the way got shorter */
#define ABI_SYN_AGAIN_MAX_MS 20000u /* the wait doubles each time */
#define ABI_SYN_AGAIN_SHARE \
	4u /* what comes again has the fourth part of rate and burst for itself */
#define ABI_SYN_TRIES_MAX 4u /* other CPUs may take from the same bucket meanwhile */

#define ABI_CACHE_SLOTS	    3u	/* with the generation they fill one cache line */
#define ABI_CACHE_END_SHIFT 30u /* its clock counts units of 2^30 ns */
#define ABI_CACHE_TURN_NS \
	62500ULL /* so often, on each CPU, a dropped packet is added to its ban at once */
#define ABI_CACHE_TURN_BURST 16000u /* turns that a quiet time saves up */
#define ABI_CACHE_KEEP_MASK \
	7u /* a full bucket takes in one in so many and one that are not in it */

#define ABI_FAMILY_V4 4u
#define ABI_FAMILY_V6 6u

/* The two entry flags that the kernel acts on; same bits as policy/flags.h. */
#define ABI_FLAG_PA (1u << 0)
#define ABI_FLAG_BL (1u << 8)

/* services: TCP destination port -> policy. */
struct service_key {
	__u16 port; /* host order, to be legible in a dump */
	__u16 pad;
};

struct service_value {
	__u32 policy;		 /* < ABI_POLICY_MAX */
	__u32 v6_longer_than_64; /* 1: the list has IPv6 entries inside a /64 */
};

/* bans: exact sources. */
struct ban_key {
	__u8 addr[8]; /* IPv4 in the first 4, rest 0; or the upper half of IPv6 */
	__u16 family; /* ABI_FAMILY_* */
	__u16 policy;
};

struct ban_value {
	__u64 ends_ns;	    /* boot-time clock; ABI_FOREVER_NS: never */
	__u64 packets;	    /* dropped since it was set */
	__u64 last_seen_ns; /* boot-time clock; 0: not since */
};

/*
 * ban_cache: the exact bans that are dropping now, in buckets of one cache line. Filled by the program from `bans`,
 * which alone says who is banned; see bpf/ban_cache.h. Not for reading.
 */
struct ban_cache_slot {
	__u32 addr[2]; /* the bytes of ban_key.addr */
	__u32 ends;    /* monotonic clock >> ABI_CACHE_END_SHIFT; 0: never used */
	__u32 owner;   /* generation, policy and family, ABI_CACHE_* */
	__u32 packets; /* dropped, and not yet added to the ban */
};

struct ban_cache_bucket {
	__u32 generation; /* what was filled in under another one does not hold */
	struct ban_cache_slot slots[ABI_CACHE_SLOTS];
};

#define ABI_CACHE_BUSY		   1u	 /* being changed */
#define ABI_CACHE_V6		   2u	 /* of the family IPv6 */
#define ABI_CACHE_POLICY_SHIFT	   2u	 /* 5 bits */
#define ABI_CACHE_WHO		   0x7eu /* policy and family */
#define ABI_CACHE_GENERATION_SHIFT 7u	 /* the rest: its low bits */

/* Policy and family in `owner`. */
static inline __u32 ban_cache_who(const struct ban_key *key)
{
	return (__u32)key->policy << ABI_CACHE_POLICY_SHIFT |
	       (key->family == ABI_FAMILY_V6 ? ABI_CACHE_V6 : 0);
}

/* Its low bits are the number of the bucket. No secret: who knows it can make others of the banned cost what they cost without a cache. */
static inline __u32 ban_cache_hash(const struct ban_key *key)
{
	__u64 hash = ban_cache_who(key);

	for (int i = 0; i < 8; i += 4) {
		hash ^= (__u32)key->addr[i] | (__u32)key->addr[i + 1] << 8 |
			(__u32)key->addr[i + 2] << 16 | (__u32)key->addr[i + 3] << 24;
		hash *= 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 32;
	}
	return (__u32)hash;
}

/* ban_prefixes4, ban_prefixes6: LPM tries; the policy stands first in the key. */
struct ban_prefix4_key {
	__u32 prefixlen; /* 32 + length */
	__u8 policy[4];	 /* big-endian number */
	__u8 addr[4];
};

struct ban_prefix6_key {
	__u32 prefixlen; /* 32 + length */
	__u8 policy[4];
	__u8 addr[16];
};

struct ban_prefix_value {
	__u64 ends_ns;
	__u64 packets;
	__u64 last_seen_ns;
	__u32 length; /* of the prefix, without the 32 of the policy */
	__u32 pad;
};

/* policies4, policies6: policy id -> LPM trie of its address list. */
struct list4_key {
	__u32 prefixlen;
	__u8 addr[4];
};

struct list6_key {
	__u32 prefixlen;
	__u8 addr[16];
};

struct list_value {
	__u32 flags; /* policy/flags.h */
	__u32 length;
};

/* counters: per policy, per CPU. Packets. */
struct policy_counters {
	__u64 passed;
	__u64 dropped_ban;	     /* exact ban */
	__u64 dropped_ban_prefix;    /* ban of a whole prefix */
	__u64 dropped_blacklisted;   /* BL in the list */
	__u64 dropped_not_permitted; /* an entry without PA */
	__u64 dropped_no_entry;	     /* no entry at all */
	__u64 dropped_runt; /* first fragment or header too short to hold ports and flags; counted under policy 0 */
	__u64 dropped_syn_rate;	   /* SYN of a source that is over the rate */
	__u64 would_drop_syn_rate; /* the same where that is only observed: it passed */
};

/* syn_limits: by policy. A bucket for each source holds burst SYNs and is filled at the rate. */
#define ABI_SYN_OFF	0u
#define ABI_SYN_OBSERVE 1u
#define ABI_SYN_ENFORCE 2u

struct syn_limit {
	__u32 mode;  /* ABI_SYN_* */
	__u32 rate;  /* SYNs a second, 1..ABI_SYN_RATE_MAX */
	__u32 burst; /* 1..ABI_SYN_BURST_MAX */
	__u32 pad;
};

/*
 * syn_sources: the buckets, by policy and source (as bans: IPv4 address, IPv6 /64). The source that has
 * been quiet for longest gives way to a new one, and begins anew with a full bucket.
 */
struct syn_source {
	__u64 full_ns;	      /* boot-time clock; when the bucket is full again */
	__u64 again_full_ns;  /* the same of the bucket for SYNs that come again */
	__u64 passed;	      /* SYNs that were let through */
	__u64 again;	      /* of these, came again after they had been dropped */
	__u64 over;	      /* SYNs over the rate: dropped, or only observed */
	__u64 last_report_ns; /* boot-time clock; 0: never */
};

/* syn_seen: SYNs that were dropped, by a hash of all that is the same when one is sent again. */
struct syn_seen {
	__u32 mark;  /* another part of the hash */
	__u32 at_ms; /* boot-time clock, its low bits */
};

/* syn_exempt: LPM trie of whom the rate does not hold for; the family stands first in the key. */
struct syn_exempt_key {
	__u32 prefixlen; /* 32 + length */
	__u8 family[4];	 /* big-endian ABI_FAMILY_* */
	__u8 addr[16];	 /* IPv4 in the first 4 */
};

struct syn_exempt {
	__u32 length; /* of the prefix, without the 32 of the family */
};

/* syn_reports: ring buffer. The numbers are those of the source, counted on and on. */
struct syn_report {
	struct ban_key source;
	__u16 port; /* host order; of the SYN that was over the rate */
	__u16 pad;
	__u64 passed;
	__u64 over;
	__u64 at_ns; /* boot-time clock */
};

/*
 * bridge_ports, bridge_ways: of bpf/bridge, on a host that is a bridge in front of the mail host. Not pinned:
 * program and maps are made anew at each start, and live as long as the program is on a port.
 */
#define ABI_BRIDGE_PORTS_MAX 64u

/* bridge_ports: number of a port's interface -> the bridge that it is a port of. */
struct bridge_port {
	__u32 bridge; /* number of the bridge's interface */
	__u8 mac[6];  /* of the bridge */
	__u8 side;    /* ABI_SIDE_* */
	__u8 families; /* ABI_BRIDGE_V4, ABI_BRIDGE_V6: in which the bridge has an address */
};

#define ABI_SIDE_INNER 0u /* no client comes in here */
#define ABI_SIDE_OUTER 1u /* clients come in */
#define ABI_SIDE_OWN \
	2u /* clients come in, and are meant if they send to the bridge itself */

#define ABI_BRIDGE_V4 1u
#define ABI_BRIDGE_V6 2u

/* bridge_ways: TCP destination port -> what becomes of a new connection (struct service_key is the key). */
struct bridge_way {
	__u16 gate_port; /* host order */
	__u16 way;	 /* ABI_WAY_* */
};

#define ABI_WAY_TAKE	     0u /* off the bridge, whoever listens */
#define ABI_WAY_TAKE_OR_PASS 1u /* off it, but only while somebody listens at gate_port */
#define ABI_WAY_PASS	     2u /* over the bridge */

/* abi: one element. Pins of another version are not used, their bans are carried over. */
struct abi_value {
	__u32 version; /* ABI_VERSION */
};

/* policy_names: policy id -> name; keeps ids stable over restarts. */
struct policy_name {
	char name[ABI_NAME_MAX]; /* "" : free */
};

_Static_assert(sizeof(struct ban_key) == 12, "ban_key");
_Static_assert(sizeof(struct ban_value) == 24, "ban_value");
_Static_assert(sizeof(struct ban_cache_bucket) == 64, "one cache line");
_Static_assert(ABI_POLICY_MAX <= 32, "five bits");
_Static_assert(sizeof(struct ban_prefix4_key) == 12, "ban_prefix4_key");
_Static_assert(sizeof(struct ban_prefix6_key) == 24, "ban_prefix6_key");
_Static_assert(sizeof(struct ban_prefix_value) == 32, "ban_prefix_value");
_Static_assert(sizeof(struct list_value) == 8, "list_value");
_Static_assert(sizeof(struct policy_counters) == 72, "policy_counters");
_Static_assert(sizeof(struct syn_limit) == 16, "syn_limit");
_Static_assert(sizeof(struct syn_source) == 48, "syn_source");
_Static_assert(sizeof(struct syn_seen) == 8, "syn_seen");
_Static_assert((ABI_SYN_SEEN_MAX & (ABI_SYN_SEEN_MAX - 1)) == 0, "a mask");
_Static_assert(sizeof(struct syn_exempt_key) == 24, "syn_exempt_key");
_Static_assert(sizeof(struct syn_report) == 40, "syn_report");
_Static_assert(sizeof(struct bridge_port) == 12, "bridge_port");
_Static_assert(sizeof(struct bridge_way) == 4, "bridge_way");

#endif
