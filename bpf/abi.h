/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/abi - everything the kernel program and the daemon share: keys, values,
 * counters, limits. Sizes are pinned at the end; a change of any of them is a new
 * ABI_VERSION, and the daemon then carries the bans over into new maps.
 *
 * Used by bpf/ and daemon/sys/xdp.c. Field names are what `bpftool map dump`
 * prints: they are part of the monitoring interface (README, posternd(8)).
 */
#ifndef BPF_ABI_H
#define BPF_ABI_H

#include <linux/types.h>

#define ABI_VERSION 1u

#define ABI_POLICY_MAX	      32u      /* policy ids 0..31 */
#define ABI_SERVICE_MAX	      64u      /* guarded ports */
#define ABI_BAN_PREFIX_MAX    65536u   /* bans of whole prefixes, per family */
#define ABI_BANS_DEFAULT      1048576u /* exact bans; `ban-limit` of the configuration */
#define ABI_LIST_MAX	      4000000u /* entries of one policy and family */
#define ABI_NAME_MAX	      32u      /* policy name with the NUL */
#define ABI_V6_CLIENT_LEN     64u      /* an exact IPv6 ban is a /64 */
#define ABI_EXPIRED_DEPTH_MAX 4u /* ended prefix bans that are looked through, nested */
#define ABI_FOREVER_NS	      (~0ULL)

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
	__u64 dropped_runt; /* first fragment or header too short to hold the ports; counted under policy 0 */
};

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
_Static_assert(sizeof(struct ban_prefix4_key) == 12, "ban_prefix4_key");
_Static_assert(sizeof(struct ban_prefix6_key) == 24, "ban_prefix6_key");
_Static_assert(sizeof(struct ban_prefix_value) == 32, "ban_prefix_value");
_Static_assert(sizeof(struct list_value) == 8, "list_value");
_Static_assert(sizeof(struct policy_counters) == 56, "policy_counters");

#endif
