/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_fence - the second fence: what its parts offer each other; the rest of the keeper has its functions from
 * keeper_state.h.
 *
 * keeper_fence.c decides where it stands, and for what; keeper_fence_bans.c knows the bans that hold there;
 * keeper_fence_verify.c compares.
 */
#ifndef PROC_KEEPER_FENCE_H
#define PROC_KEEPER_FENCE_H

#include "proc/keeper_state.h"
#include "sys/nft_batch.h"

#define FENCE_PREFIXES_MAX 65536u /* bans of other lengths than a client's; as in XDP */

/* Room for all bans that there may be. 0; -ENOMEM. */
int fence_bans_open(struct keeper *keeper, uint32_t bans_max) MUST_CHECK;
/* What XDP's maps have. 0; -errno. */
int fence_bans_learn(struct keeper *keeper) MUST_CHECK;
void fence_bans_free(struct keeper *keeper);

/* How long the host has been asleep since it was started. */
uint64_t fence_asleep_ns(void);

/* All exact bans of one policy, into sets that are empty. 0; -errno. */
int fence_bans_fill(const struct keeper_fence *fence,
		    const struct keeper_fence_policy *policy) MUST_CHECK;

/* The same in the place of what is in its sets: who is banned is dropped all the while. 0; -errno. */
int fence_bans_renew(const struct keeper_fence *fence,
		     const struct keeper_fence_policy *policy) MUST_CHECK;

/* Those that belong into another set, as the list changes. */
void fence_bans_move(const struct keeper_fence *fence,
		     const struct keeper_fence_policy *before,
		     const struct keeper_fence_policy *policy, struct nft_batch *batch);

/* Where bans of prefixes hold, for the sets. 0; -ENOMEM. */
int fence_prefix_spans(const struct keeper_fence *fence,
		       const struct keeper_fence_policy *policy, enum addr_family family,
		       struct prefix_spans *out_spans) MUST_CHECK;

/* The same into the sets of one policy, both families. 0; -ENOMEM. */
int fence_prefixes_put(const struct keeper_fence *fence,
		       const struct keeper_fence_policy *policy,
		       struct nft_batch *batch) MUST_CHECK;

/* Does a longer entry of the list lie inside this client's prefix? Then its ban is one of the prefixes. */
bool fence_is_inside(const struct keeper_fence_policy *policy,
		     const struct prefix *prefix);

/* The policy with this id; NULL: it is not in force. */
const struct keeper_fence_policy *fence_policy(const struct keeper_fence *fence,
					       uint16_t id);

/* All that is in nftables, anew. @is_gone: nothing is there now. 0; -errno. */
int fence_rebuild(struct keeper *keeper, bool is_gone) MUST_CHECK;

/* What of a list stands in which set. 0; -ENOMEM. */
int fence_list_spans(const struct prefix_table *table, enum nft_fence_set set,
		     enum addr_family family, struct prefix_spans *out_spans) MUST_CHECK;

#endif
