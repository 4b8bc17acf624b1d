/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_fence_read - what the kernel has of the fence.
 */
#include "sys/nft_fence.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/object.h>

#include "base/buf.h"
#include "base/clock.h"
#include "sys/netlink.h"
#include "sys/nft_fence_private.h"
#include "sys/nft_rule.h"
#include "sys/nft_set.h"

/* All of a kind that the kernel has, of all tables of our family. No nftables: none. */
static int dump(uint16_t type, netlink_message_fn on_message, void *context)
{
	char bytes[NFT_BATCH_MESSAGE_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *message =
		nftnl_nlmsg_build_hdr(bytes, type, NFPROTO_INET, NLM_F_DUMP, 1);
	const struct netlink_request request = {
		.bus = NETLINK_NETFILTER,
		.bytes = message,
		.len = message->nlmsg_len,
		.seq = 1,
		.on_message = on_message,
		.context = context,
	};
	const int err = netlink_talk(&request);

	return err == -ENOENT ? 0 : err;
}

/* ---- chains and rules ----------------------------------------------------------------------------------- */

/* The part of a name behind "WHAT-"; NULL. */
static const char *name_behind(const char *name, const char *what)
{
	const size_t len = strlen(what);

	return strncmp(name, what, len) == 0 && name[len] == '-' ? name + len + 1 : NULL;
}

static void chains_add(char (*names)[FENCE_TEXT_MAX], size_t *count, const char *name)
{
	if (name && *count < FENCE_FOUND_MAX &&
	    text_copy(names[*count], FENCE_TEXT_MAX, name))
		++*count;
}

static void free_chain(struct nftnl_chain **chain)
{
	if (*chain)
		nftnl_chain_free(*chain);
	*chain = NULL;
}

static int on_chain(void *context, const struct nlmsghdr *message)
{
	AUTO(free_chain) struct nftnl_chain *chain = nftnl_chain_alloc();
	struct fence_chains *chains = context;
	const char *table, *name;

	if (!chain)
		return -ENOMEM;
	if (nftnl_chain_nlmsg_parse(message, chain) < 0)
		return 0;
	table = nftnl_chain_get_str(chain, NFTNL_CHAIN_TABLE);
	name = nftnl_chain_get_str(chain, NFTNL_CHAIN_NAME);
	if (!table || !name || strcmp(table, NFT_TABLE) != 0)
		return 0;
	chains_add(chains->interfaces, &chains->interface_count,
		   name_behind(name, FENCE_MAIN));
	chains_add(chains->policies, &chains->policy_count,
		   name_behind(name, FENCE_POLICY));
	return 0;
}

int fence_chains_read(struct fence_chains *out_chains)
{
	int err = -EINTR;

	for (unsigned int i = 0; i < NFT_READ_TRIES && err == -EINTR; i++) {
		memset(out_chains, 0, sizeof(*out_chains));
		err = dump(NFT_MSG_GETCHAIN, on_chain, out_chains);
	}
	return err;
}

static int on_rule(void *context, const struct nlmsghdr *message)
{
	char chain[NFT_CHAIN_NAME_MAX] = "";
	size_t *count = context;

	if (nft_rule_chain(message, NFT_TABLE, chain))
		*count += strcmp(chain, FENCE_MAIN) == 0 ||
			  name_behind(chain, FENCE_MAIN) ||
			  name_behind(chain, FENCE_POLICY);
	return 0;
}

int nft_fence_rules(size_t *out_count)
{
	size_t count = 0;
	int err = -EINTR;

	for (unsigned int i = 0; i < NFT_READ_TRIES && err == -EINTR; i++) {
		count = 0;
		err = dump(NFT_MSG_GETRULE, on_rule, &count);
	}
	if (!err)
		*out_count = count;
	return err;
}

/* ---- counters -------------------------------------------------------------------------------------------- */

struct counting {
	char names[FENCE_REASONS][FENCE_TEXT_MAX];
	uint64_t packets[FENCE_REASONS];
};

static void free_object(struct nftnl_obj **object)
{
	if (*object)
		nftnl_obj_free(*object);
	*object = NULL;
}

static int on_counter(void *context, const struct nlmsghdr *message)
{
	AUTO(free_object) struct nftnl_obj *object = nftnl_obj_alloc();
	struct counting *counting = context;
	const char *table, *name;

	if (!object)
		return -ENOMEM;
	if (nftnl_obj_nlmsg_parse(message, object) < 0)
		return 0;
	table = nftnl_obj_get_str(object, NFTNL_OBJ_TABLE);
	name = nftnl_obj_get_str(object, NFTNL_OBJ_NAME);
	if (!table || !name || strcmp(table, NFT_TABLE) != 0 ||
	    nftnl_obj_get_u32(object, NFTNL_OBJ_TYPE) != NFT_OBJECT_COUNTER)
		return 0;
	for (size_t i = 0; i < FENCE_REASONS; i++)
		if (strcmp(name, counting->names[i]) == 0)
			counting->packets[i] =
				nftnl_obj_get_u64(object, NFTNL_OBJ_CTR_PKTS);
	return 0;
}

int nft_fence_counters(const char *policy, struct nft_fence_counters *out_counters)
{
	struct counting counting = {.packets = {0}};
	int err;

	for (enum fence_reason i = 0; i < FENCE_REASONS; i++)
		(void)fence_counter_name(i, policy, counting.names[i]);
	err = dump(NFT_MSG_GETOBJ, on_counter, &counting);
	if (err)
		return err;
	*out_counters = (struct nft_fence_counters){
		.passed = counting.packets[FENCE_PASSED],
		.dropped_ban = counting.packets[FENCE_DROPPED_BAN],
		.dropped_ban_prefix = counting.packets[FENCE_DROPPED_BAN_PREFIX],
		.dropped_blacklisted = counting.packets[FENCE_DROPPED_BLACKLISTED],
		.dropped_not_permitted = counting.packets[FENCE_DROPPED_NOT_PERMITTED],
		.dropped_no_entry = counting.packets[FENCE_DROPPED_NO_ENTRY],
	};
	return 0;
}

/* ---- sets -------------------------------------------------------------------------------------------------- */

static struct addr addr_of(const struct nft_element *element)
{
	struct addr addr = {.family = element->len == 4 ? ADDR_V4 : ADDR_V6};

	memcpy(addr.bytes, element->key, element->len);
	return addr;
}

static uint64_t ends_of(const struct nft_element *element, uint64_t now_ns)
{
	return element->left_ms ? now_ns + element->left_ms * NS_PER_MS
				: CLOCK_FOREVER_NS;
}

struct ban_reader {
	nft_fence_ban_fn on_ban;
	void *context;
	uint64_t now_ns;
};

static int on_ban_element(void *context, const struct nft_element *element)
{
	const struct ban_reader *reader = context;
	const struct addr addr = addr_of(element);
	const struct prefix prefix = prefix_of_client(&addr);

	return reader->on_ban(reader->context, &prefix, ends_of(element, reader->now_ns));
}

int nft_fence_read_bans(const char *policy, uint64_t now_ns, nft_fence_ban_fn on_ban,
			void *context)
{
	struct nft_fence_place place = {policy, NFT_FENCE_BANS, ADDR_V4};
	struct ban_reader reader = {on_ban, context, now_ns};
	char name[FENCE_TEXT_MAX];
	int err = nft_set_read(fence_set_name(&place, name), on_ban_element, &reader);

	place.family = ADDR_V6;
	if (!err)
		err = nft_set_read(fence_set_name(&place, name), on_ban_element, &reader);
	return err;
}

/* Where spans begin and where they are over, in the kernel's order. */
struct edges {
	struct nft_element *edges; /* owned */
	size_t count, room;
};

static void edges_free(struct edges *edges)
{
	free_mem(&edges->edges);
}

static int on_edge(void *context, const struct nft_element *element)
{
	struct edges *edges = context;

	if (edges->count == edges->room) {
		const size_t room = edges->room ? 2 * edges->room : 256;
		struct nft_element *grown =
			reallocarray(edges->edges, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		edges->edges = grown;
		edges->room = room;
	}
	edges->edges[edges->count++] = *element;
	return 0;
}

/* One span is over before the next begins at the same place. */
static int edge_compare(const void *a, const void *b)
{
	const struct nft_element *x = a, *y = b;
	const int order = memcmp(x->key, y->key, sizeof(x->key));

	return order ? order : (int)y->is_behind - (int)x->is_behind;
}

static struct addr addr_last(const struct nft_element *element)
{
	struct addr addr = addr_of(element);

	memset(addr.bytes, 0xff, element->len);
	return addr;
}

static int edges_pair(const struct edges *edges, bool has_ends, uint64_t now_ns,
		      struct prefix_spans *out_spans)
{
	if (edges->count == 0)
		return 0;
	out_spans->spans = reallocarray(NULL, edges->count, sizeof(*out_spans->spans));
	if (!out_spans->spans)
		return -ENOMEM;
	out_spans->room = edges->count;
	for (size_t i = 0; i < edges->count; i++) {
		const struct nft_element *from = &edges->edges[i];
		const bool is_last = i + 1 == edges->count;
		struct addr behind;

		if (from->is_behind)
			continue;
		behind = addr_of(from + !is_last);
		out_spans->spans[out_spans->count++] = (struct prefix_span){
			.first = addr_of(from),
			.last = is_last ? addr_last(from) : addr_before(&behind),
			.value = has_ends ? ends_of(from, now_ns) : 1,
		};
	}
	return 0;
}

int nft_fence_read_spans(const struct nft_fence_place *place, uint64_t now_ns,
			 struct prefix_spans *out_spans)
{
	AUTO(edges_free) struct edges edges = {0};
	char name[FENCE_TEXT_MAX];
	int err = nft_set_read(fence_set_name(place, name), on_edge, &edges);

	if (err)
		return err;
	if (edges.count > 0)
		qsort(edges.edges, edges.count, sizeof(*edges.edges), edge_compare);
	return edges_pair(&edges, place->set == NFT_FENCE_PREFIXES, now_ns, out_spans);
}
