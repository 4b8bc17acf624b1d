/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_batch - see nft_batch.h.
 */
#include "sys/nft_batch.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/rule.h>
#include <libnftnl/table.h>

#include "sys/netlink.h"
#include "sys/nft.h"
#include "sys/nft_rule.h"

#define ROOM_FIRST_BYTES (64u << 10)

void nft_batch_free(struct nft_batch *batch)
{
	free_mem(&batch->bytes);
}

void nft_batch_fail(struct nft_batch *batch, int error)
{
	batch->error = batch->error ? batch->error : error;
}

/* Where the next message begins; NULL: there was an error. */
static char *batch_room(struct nft_batch *batch, size_t max_bytes)
{
	const size_t need = batch->len + max_bytes;
	size_t room = batch->room ? batch->room : ROOM_FIRST_BYTES;
	char *grown;

	if (batch->error)
		return NULL;
	while (room < need)
		room *= 2;
	if (room > NFT_BATCH_MAX_BYTES) {
		nft_batch_fail(batch, -E2BIG);
		return NULL;
	}
	if (room > batch->room) {
		grown = realloc(batch->bytes, room);
		if (!grown) {
			nft_batch_fail(batch, -ENOMEM);
			return NULL;
		}
		batch->bytes = grown;
		batch->room = room;
	}
	return batch->bytes + batch->len;
}

struct nlmsghdr *nft_batch_message(struct nft_batch *batch, uint16_t type, uint16_t flags,
				   size_t max_bytes)
{
	char *room = batch_room(batch, max_bytes);

	return room ? nftnl_nlmsg_build_hdr(room, type, NFPROTO_INET, flags, ++batch->seq)
		    : NULL;
}

void nft_batch_take(struct nft_batch *batch, const struct nlmsghdr *message)
{
	batch->last = batch->len;
	batch->len += NLMSG_ALIGN(message->nlmsg_len);
}

static void put_table(struct nft_batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message =
		nft_batch_message(batch, type, flags, NFT_BATCH_MESSAGE_BYTES);
	struct nftnl_table *table = message ? nftnl_table_alloc() : NULL;

	if (!message)
		return;
	if (!table) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE);
	nftnl_table_nlmsg_build_payload(message, table);
	nftnl_table_free(table);
	nft_batch_take(batch, message);
}

void nft_batch_table_remove(struct nft_batch *batch)
{
	put_table(batch, NFT_MSG_DELTABLE, 0);
}

void nft_batch_table_add(struct nft_batch *batch)
{
	put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

static void put_chain(struct nft_batch *batch, uint16_t type,
		      const struct nft_chain *wanted)
{
	struct nlmsghdr *message = nft_batch_message(
		batch, type, type == NFT_MSG_NEWCHAIN ? NLM_F_CREATE : 0,
		NFT_BATCH_MESSAGE_BYTES);
	struct nftnl_chain *chain = message ? nftnl_chain_alloc() : NULL;

	if (!message)
		return;
	if (!chain) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, wanted->name);
	if (wanted->type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, wanted->type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, wanted->hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, wanted->priority);
	}
	if (wanted->device)
		nftnl_chain_set_str(chain, NFTNL_CHAIN_DEV, wanted->device);
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftnl_chain_free(chain);
	nft_batch_take(batch, message);
}

void nft_batch_chain_add(struct nft_batch *batch, const struct nft_chain *chain)
{
	put_chain(batch, NFT_MSG_NEWCHAIN, chain);
}

void nft_batch_chain_remove(struct nft_batch *batch, const char *name)
{
	const struct nft_chain chain = {.name = name};

	put_chain(batch, NFT_MSG_DELCHAIN, &chain);
}

static void put_rule(struct nft_batch *batch, struct nlmsghdr *message, const char *chain,
		     struct nftnl_rule *rule)
{
	if (!message)
		return;
	nft_rule_place(rule, NFT_TABLE, chain);
	nft_rule_write(rule, message);
	nft_batch_take(batch, message);
}

void nft_batch_flush(struct nft_batch *batch, const char *chain)
{
	AUTO(nft_rule_free) struct nftnl_rule *all = nftnl_rule_alloc();

	if (!all) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	put_rule(batch,
		 nft_batch_message(batch, NFT_MSG_DELRULE, 0, NFT_BATCH_MESSAGE_BYTES),
		 chain, all);
}

void nft_batch_rule(struct nft_batch *batch, const char *chain, struct nftnl_rule *rule)
{
	if (!rule) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	put_rule(batch,
		 nft_batch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND,
				   NFT_BATCH_MESSAGE_BYTES),
		 chain, rule);
	nft_rule_free(&rule);
}

int nft_batch_begin(struct nft_batch *batch)
{
	char *room = batch_room(batch, NFT_BATCH_MESSAGE_BYTES);

	if (!room)
		return batch->error;
	nft_batch_take(batch, nftnl_batch_begin(room, ++batch->seq));
	nft_batch_table_add(batch);
	return batch->error;
}

int nft_batch_commit(struct nft_batch *batch)
{
	struct netlink_request request = {
		.bus = NETLINK_NETFILTER,
		.seq = batch->seq,
		.line = batch->line,
	};
	char *room = batch_room(batch, NFT_BATCH_MESSAGE_BYTES);
	struct nlmsghdr *last;

	if (!room)
		return batch->error;
	/* The last one is answered when all is done. */
	last = (struct nlmsghdr *)(void *)(batch->bytes + batch->last);
	last->nlmsg_flags |= NLM_F_ACK;
	nft_batch_take(batch, nftnl_batch_end(room, ++batch->seq));
	request.bytes = batch->bytes;
	request.len = batch->len;
	return netlink_talk(&request);
}
