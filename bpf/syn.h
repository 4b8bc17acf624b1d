/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/syn - does this source begin more connections than its policy allows?
 *
 * A token bucket for each source, kept as one number: the time at which it is full again. A SYN puts that off by
 * what a token takes to come back; one that would put it off by more than the burst is over the rate. One number
 * changes by one compare-and-exchange, so CPUs that serve the same source at once let no more through than one alone.
 *
 * The buckets lie in an LRU map. A flood of forged sources makes it forget: a source that is forgotten begins with a
 * full bucket. So a forger can let others (and itself) have a burst more; it cannot make postern drop what is under
 * the rate, nor take more memory than the map has.
 *
 * Some of what is dropped is the owner's, whose address others use for a flood, or a client's that had a moment of haste.
 * An honest stack sends a dropped SYN again after a second, from the same port and with the same number (RFC 9293
 * §3.8.1); what floods makes up another one. So a SYN that was dropped and comes again has a smaller bucket for itself, which the flood does not
 * empty. Who floods with the same SYNs over and over gets that bucket, too, and no more.
 *
 * Called by bpf/postern.bpf.c for SYNs that passed all else. Bans nobody: it reports (proc/session_detect).
 */
#ifndef BPF_SYN_H
#define BPF_SYN_H

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/maps.h"
#include "bpf/parse.h"

#define SECOND_NS 1000000000ULL

enum syn_verdict {
	SYN_FINE,
	SYN_OVER,	   /* to be dropped */
	SYN_OVER_OBSERVED, /* to be counted */
};

/* The key of a source in bans and in syn_sources. */
static __always_inline struct ban_key source_key(__u32 policy,
						 const struct packet *packet)
{
	struct ban_key key = {.family = packet->family, .policy = (__u16)policy};

	if (packet->family == ABI_FAMILY_V4)
		__builtin_memcpy(key.addr, packet->src, 4);
	else
		__builtin_memcpy(key.addr, packet->src, 8);
	return key;
}

/* Takes a token out of a bucket that holds so many, each of which takes so long to come back. 0: there was none. */
static __always_inline int syn_take(__u64 *bucket, __u64 burst, __u64 token_ns,
				    __u64 now_ns)
{
	const __u64 empty_ns = now_ns + burst * token_ns;

	for (__u32 i = 0; i < ABI_SYN_TRIES_MAX; i++) {
		const __u64 full_ns = *(volatile __u64 *)bucket;
		const __u64 next_ns = (full_ns > now_ns ? full_ns : now_ns) + token_ns;

		if (full_ns >
		    empty_ns) { /* under limits that were others: no emptier than empty */
			(void)__sync_val_compare_and_swap(bucket, full_ns, empty_ns);
			return 0;
		}
		if (next_ns > empty_ns)
			return 0;
		if (__sync_val_compare_and_swap(bucket, full_ns, next_ns) == full_ns)
			return 1;
	}
	return 1; /* as many other CPUs have just taken one each: in doubt, it passes */
}

/* No secret: who could make two SYNs alike could send one twice. */
static __always_inline __u64 syn_hash(const struct packet *packet)
{
	__u64 hash = (__u64)packet->sequence << 32 | (__u32)packet->source_port << 16 |
		     packet->port;

	for (int i = 0; i < 4; i++) {
		hash = (hash ^ packet->src32[i]) * 0x9e3779b97f4a7c15ULL;
		hash ^= hash >> 29;
	}
	return hash;
}

/* Was the same SYN dropped before, as long ago as one that is sent again is? It is remembered in any case. */
static __always_inline int syn_comes_again(const struct packet *packet, __u64 now_ns)
{
	const __u64 hash = syn_hash(packet);
	const __u32 slot = (__u32)hash & (ABI_SYN_SEEN_MAX - 1);
	const __u32 mark = (__u32)(hash >> 32);
	const __u32 now_ms = (__u32)(now_ns / 1000000);
	struct syn_seen *seen = bpf_map_lookup_elem(&syn_seen, &slot);
	__u32 age_ms;
	int is_known;

	if (!seen)
		return 0;
	age_ms = now_ms - seen->at_ms;
	is_known = seen->mark == mark;
	if (is_known && age_ms < ABI_SYN_AGAIN_MIN_MS)
		return 0; /* a copy: the wait goes on */
	seen->mark = mark;
	seen->at_ms = now_ms;
	return is_known && age_ms <= ABI_SYN_AGAIN_MAX_MS;
}

static __always_inline int syn_take_again(const struct syn_limit *limit,
					  struct syn_source *source,
					  const struct packet *packet, __u64 now_ns)
{
	const __u64 token_ns = ABI_SYN_AGAIN_SHARE * (SECOND_NS / limit->rate);
	const __u64 burst =
		(limit->burst + ABI_SYN_AGAIN_SHARE - 1) / ABI_SYN_AGAIN_SHARE;

	if (!syn_comes_again(packet, now_ns) ||
	    !syn_take(&source->again_full_ns, burst, token_ns, now_ns))
		return 0;
	__sync_fetch_and_add(&source->again, 1);
	return 1;
}

/* At most one in so long for each source; when the ring is full it is lost, and the next one says all. */
static __always_inline void syn_report(const struct ban_key *key, __u16 port,
				       struct syn_source *source, __u64 now_ns)
{
	const __u64 last_ns = *(volatile __u64 *)&source->last_report_ns;
	struct syn_report *report;

	if (last_ns != 0 && now_ns < last_ns + ABI_SYN_REPORT_NS)
		return;
	if (__sync_val_compare_and_swap(&source->last_report_ns, last_ns, now_ns) !=
	    last_ns)
		return;
	report = bpf_ringbuf_reserve(&syn_reports, sizeof(*report), 0);
	if (!report)
		return;
	report->source = *key;
	report->port = port;
	report->pad = 0;
	report->passed = source->passed;
	report->over = source->over;
	report->at_ns = now_ns;
	bpf_ringbuf_submit(report, 0);
}

/* Asked only when somebody is over the rate: it costs the others nothing. */
static __always_inline int syn_is_exempt(const struct packet *packet)
{
	struct syn_exempt_key key = {.prefixlen = 32 + 128};

	key.family[3] = (__u8)packet->family;
	__builtin_memcpy(key.addr, packet->src, sizeof(key.addr));
	return bpf_map_lookup_elem(&syn_exempt, &key) != NULL;
}

static __always_inline enum syn_verdict syn_judge(__u32 policy,
						  const struct packet *packet)
{
	const struct syn_limit *limit = bpf_map_lookup_elem(&syn_limits, &policy);
	struct syn_source *source;
	struct ban_key key;
	__u64 now_ns, token_ns;

	if (!limit || limit->mode == ABI_SYN_OFF || limit->rate == 0)
		return SYN_FINE;
	key = source_key(policy, packet);
	now_ns = bpf_ktime_get_boot_ns();
	token_ns = SECOND_NS / limit->rate;
	source = bpf_map_lookup_elem(&syn_sources, &key);
	if (!source) {
		const struct syn_source fresh = {
			.full_ns = now_ns + token_ns,
			.passed = 1,
		};

		(void)bpf_map_update_elem(&syn_sources, &key, &fresh, BPF_NOEXIST);
		return SYN_FINE;
	}
	if (syn_take(&source->full_ns, limit->burst, token_ns, now_ns) ||
	    syn_is_exempt(packet) ||
	    (limit->mode == ABI_SYN_ENFORCE &&
	     syn_take_again(limit, source, packet, now_ns))) {
		__sync_fetch_and_add(&source->passed, 1);
		return SYN_FINE;
	}
	__sync_fetch_and_add(&source->over, 1);
	if (limit->mode != ABI_SYN_ENFORCE)
		__sync_fetch_and_add(&source->passed, 1);
	syn_report(&key, packet->port, source, now_ns);
	return limit->mode == ABI_SYN_ENFORCE ? SYN_OVER : SYN_OVER_OBSERVED;
}

#endif
