/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_fence - the second fence: on interfaces that have no XDP, nftables drops what XDP would.
 *
 *   table inet postern {
 *     set ports-global { type inet_service; elements = { 25, 587 } }
 *     set ban4-global { type ipv4_addr; flags timeout }                     exact bans
 *     set prefix4-global { type ipv4_addr; flags interval, timeout }        bans of prefixes
 *     set permit4-global, blacklist4-global, refuse4-global { type ipv4_addr; flags interval }     the list
 *     ... and the same with 6; ban6-global holds the first address of each /64
 *     counter passed-global, dropped-ban-global, ...
 *     chain policy-global {
 *       ip saddr @ban4-global counter name "dropped-ban-global" drop
 *       ip saddr @prefix4-global counter name "dropped-ban-prefix-global" drop
 *       ip saddr @permit4-global counter name "passed-global" accept
 *       ip saddr @blacklist4-global counter name "dropped-blacklisted-global" drop
 *       ip saddr @refuse4-global counter name "dropped-not-permitted-global" drop
 *       ... the same for IPv6
 *       counter name "dropped-no-entry-global" drop
 *     }
 *     chain fence { tcp dport @ports-global jump policy-global ... }
 *     chain fence-eth0 { type filter hook ingress device "eth0" priority filter; meta l4proto tcp jump fence }
 *   }
 *
 * At ingress each packet of the device is judged, as in XDP: before conntrack, on a VLAN or in a bridge just so. Sets of
 * nftables know no longest match: base/prefix_spans has made it out. Called by the keeper; others' rules are not
 * touched.
 */
#ifndef SYS_NFT_FENCE_H
#define SYS_NFT_FENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/prefix_spans.h"
#include "sys/nft.h"
#include "sys/nft_batch.h"

#define NFT_FENCE_POLICIES_MAX 16u
#define NFT_FENCE_NAME_MAX     32u
#define NFT_FENCE_PLACES_MAX \
	(2u * NFT_INTERFACES_MAX) /* interfaces, and bridges of which they are ports */

#define NFT_FENCE_SPARE_MAX (NFT_FENCE_NAME_MAX + 8u)

enum nft_fence_set {
	NFT_FENCE_BANS,	    /* IPv4 addresses, IPv6 /64 */
	NFT_FENCE_PREFIXES, /* bans of what is longer or shorter */
	NFT_FENCE_PERMIT,   /* what the list permits */
	NFT_FENCE_BLACKLIST,
	NFT_FENCE_REFUSE, /* entries that do not permit */
	NFT_FENCE_SETS,
};

struct nft_fence_policy {
	char name[NFT_FENCE_NAME_MAX];
	uint16_t ports[NFT_PORTS_MAX]; /* each once; host order */
	size_t port_count;
};

struct nft_fence {
	char interfaces[NFT_FENCE_PLACES_MAX][16];
	size_t interface_count; /* 0: all of it goes */
	struct nft_fence_policy policies[NFT_FENCE_POLICIES_MAX];
	size_t policy_count;
};

/* One of the sets. */
struct nft_fence_place {
	const char *policy; /* borrowed */
	enum nft_fence_set set;
	enum addr_family family;
};

struct nft_fence_counters {
	uint64_t passed, dropped_ban, dropped_ban_prefix, dropped_blacklisted,
		dropped_not_permitted, dropped_no_entry;
};

/**
 * nft_fence_put - chains, rules, sets and counters of these policies on these interfaces; those of others go.
 *
 * What is in the sets stays there. Goes first in its batch.
 *
 * Return: 0; -errno: what is there now cannot be read.
 */
int nft_fence_put(struct nft_batch *batch, const struct nft_fence *fence) MUST_CHECK;

/* From now on these are in the set, and nothing else. @now_ns: boot-time clock; of bans the value is their end. */
void nft_fence_fill(struct nft_batch *batch, const struct nft_fence_place *place,
		    const struct prefix_spans *spans, uint64_t now_ns);

/* An exact ban that is there or may be there: set, with its end. */
struct nft_fence_ban {
	struct prefix prefix; /* IPv4 /32, IPv6 /64 */
	bool is_new;	      /* it is certainly not there */
	uint64_t ends_ns;     /* 0: it is taken out */
};

void nft_fence_bans(struct nft_batch *batch, const char *policy,
		    const struct nft_fence_ban *bans, size_t count, uint64_t now_ns);

/*
 * While the exact bans of a policy are renewed, a spare of its sets can hold them: looked up first, and filled by
 * nft_fence_bans() under this name. It is made empty; taken away, its bans are gone.
 */
const char *nft_fence_spare_name(const char *policy, char out[NFT_FENCE_SPARE_MAX]);
void nft_fence_spare(struct nft_batch *batch, const struct nft_fence_policy *policy,
		     bool is_there);
/* The exact bans of a policy leave its sets; its spare holds. */
void nft_fence_empty(struct nft_batch *batch, const struct nft_fence_policy *policy);

/* One element of a set of exact bans. Return: 0; -errno ends the reading. */
typedef int (*nft_fence_ban_fn)(void *context, const struct prefix *prefix,
				uint64_t ends_ns);

/**
 * nft_fence_read_bans - the exact bans of a policy as the kernel has them.
 * @now_ns: boot-time clock
 *
 * Return: 0; -ENOENT, there is no such set; -EINTR, others changed it meanwhile; -errno.
 */
int nft_fence_read_bans(const char *policy, uint64_t now_ns, nft_fence_ban_fn on_ban,
			void *context) MUST_CHECK;

/**
 * nft_fence_read_spans - what is in one of the other sets.
 * @out_spans: empty before; value: 1, or when it ends
 *
 * Return: 0; -ENOENT, there is no such set; -EINTR; -errno.
 */
int nft_fence_read_spans(const struct nft_fence_place *place, uint64_t now_ns,
			 struct prefix_spans *out_spans) MUST_CHECK;

/* Packets since the counters were made. 0; -errno. */
int nft_fence_counters(const char *policy,
		       struct nft_fence_counters *out_counters) MUST_CHECK;

/* How many of the fence's rules are there now; and how many there should be. */
int nft_fence_rules(size_t *out_count) MUST_CHECK;
size_t nft_fence_rules_wanted(const struct nft_fence *fence);

#endif
