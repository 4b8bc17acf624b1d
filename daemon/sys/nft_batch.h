/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_batch - messages about table inet postern that are carried out all at once, or not at all.
 *
 * A part of sys/nft, used by it and by sys/nft_fence. An error is kept in the batch: whoever commits it hears of it.
 */
#ifndef SYS_NFT_BATCH_H
#define SYS_NFT_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define NFT_BATCH_MAX_BYTES	(512u << 20) /* lists of some millions of prefixes fit */
#define NFT_BATCH_MESSAGE_BYTES 4096u	     /* the longest message but one of elements */

struct netlink_line;
struct nftnl_rule;
struct nlmsghdr;

struct nft_batch {
	char *bytes; /* owned */
	size_t len, room;
	size_t last; /* where the last message begins */
	uint32_t seq;
	int error;		   /* 0; the first -errno */
	struct netlink_line *line; /* NULL: a new one for this batch */
};

/* A chain: one that others jump to, unless there is a hook. */
struct nft_chain {
	const char *name;
	const char *type; /* "filter", "route"; NULL: no hook */
	uint32_t hook;
	int32_t priority;
	const char *device; /* of hook ingress; NULL: none */
};

/* Begin; our table is there from now on. Zeroed before, but for the line. 0; -errno. */
int nft_batch_begin(struct nft_batch *batch) MUST_CHECK;
void nft_batch_free(struct nft_batch *batch);

/* The next message, with so many bytes for it; NULL: there was an error, now or before. Valid until the next call. */
struct nlmsghdr *nft_batch_message(struct nft_batch *batch, uint16_t type, uint16_t flags,
				   size_t max_bytes);
/* It is complete. */
void nft_batch_take(struct nft_batch *batch, const struct nlmsghdr *message);
void nft_batch_fail(struct nft_batch *batch, int error);

/* Each is made if it is missing; of a chain that is taken away, nobody may know any more. */
void nft_batch_chain_add(struct nft_batch *batch, const struct nft_chain *chain);
void nft_batch_chain_remove(struct nft_batch *batch, const char *name);
/* All rules of a chain. */
void nft_batch_flush(struct nft_batch *batch, const char *chain);
/* At the end of the chain. Takes the rule. */
void nft_batch_rule(struct nft_batch *batch, const char *chain, struct nftnl_rule *rule);
/* The table, and all that is in it. */
void nft_batch_table_remove(struct nft_batch *batch);
void nft_batch_table_add(struct nft_batch *batch);

/* Carry it out. 0; -errno: nothing has changed. */
int nft_batch_commit(struct nft_batch *batch) MUST_CHECK;

#endif
