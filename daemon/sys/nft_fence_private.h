/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_fence_private - what the files of sys/nft_fence share; nobody else includes it.
 */
#ifndef SYS_NFT_FENCE_PRIVATE_H
#define SYS_NFT_FENCE_PRIVATE_H

#include <stddef.h>

#include "base/cleanup.h"
#include "sys/nft_fence.h"

#define FENCE_TEXT_MAX \
	64u /* of a name: the longest word, and that of a policy or an interface */
#define FENCE_MAIN   "fence"
#define FENCE_POLICY "policy"
#define FENCE_PORTS  "ports"
#define FENCE_FOUND_MAX \
	64u /* chains of others' making in our table are not searched through */

enum fence_reason {
	FENCE_PASSED,
	FENCE_DROPPED_BAN,
	FENCE_DROPPED_BAN_PREFIX,
	FENCE_DROPPED_BLACKLISTED,
	FENCE_DROPPED_NOT_PERMITTED,
	FENCE_DROPPED_NO_ENTRY,
	FENCE_REASONS,
};

/* Whose chains are in the kernel. */
struct fence_chains {
	char interfaces[FENCE_FOUND_MAX][FENCE_TEXT_MAX];
	size_t interface_count;
	char policies[FENCE_FOUND_MAX][FENCE_TEXT_MAX];
	size_t policy_count;
};

/* Each returns out. */
const char *fence_set_name(const struct nft_fence_place *place, char out[FENCE_TEXT_MAX]);
const char *fence_name(const char *what, const char *whose, char out[FENCE_TEXT_MAX]);
const char *fence_counter_name(enum fence_reason reason, const char *policy,
			       char out[FENCE_TEXT_MAX]);

/* 0; -errno. */
int fence_chains_read(struct fence_chains *out_chains) MUST_CHECK;

#endif
