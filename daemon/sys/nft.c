/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft - see nft.h. The batch is built here, the expressions of the rules in nft_rule.c.
 *
 *   table inet postern {
 *     set guarded { type inet_service; elements = { 25, ... } }
 *     chain gates {
 *       tcp dport 25 meta nfproto ipv4 meta mark set LOCAL tproxy ip to 127.0.0.1:GATE accept
 *       tcp dport 25 meta nfproto ipv6 meta mark set LOCAL tproxy ip6 to [::1]:GATE accept
 *       tcp dport 25 reject with tcp reset
 *     }
 *     chain prerouting { type filter hook prerouting priority mangle
 *       meta l4proto tcp socket transparent 1 meta mark set LOCAL
 *       iifname "eth0" tcp dport @guarded jump gates
 *     }
 *     chain output { type route hook output priority mangle
 *       meta mark GATE ct mark set LOCAL
 *       ct direction reply ct mark LOCAL meta mark set LOCAL
 *     }
 *   }
 */
#include "sys/nft.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

#include "sys/netlink.h"
#include "sys/nft_rule.h"

#define BATCH_MAX_BYTES	  (1u << 18) /* 64 ports need a tenth */
#define MESSAGE_SPARE	  4096u	     /* the longest single message is shorter */
#define GUARDED_SET	  "guarded"
#define GUARDED_SET_ID	  1u
#define TYPE_INET_SERVICE 13u /* nft's number of this data type, for its listings */
#define PRIORITY_MANGLE	  (-150)
#define GATES_CHAIN	  "gates"
#define PREROUTING_CHAIN  "prerouting"
#define OUTPUT_CHAIN	  "output"
#define WATCH_DRAIN_MAX	  1000u
#define RULES_EACH_FAMILY 2u

static_assert(NFT_PORTS_MAX * 4u * 1024u <= BATCH_MAX_BYTES, "a batch holds all rules");

/* ---- the batch --------------------------------------------------------------------------------- */

struct batch {
	char *bytes;
	size_t len;
	uint32_t seq;
	int error;
};

static void batch_free(struct batch *batch)
{
	free_mem(&batch->bytes);
}

/* Where the next message begins; NULL: there was an error already. */
static char *batch_room(struct batch *batch)
{
	if (!batch->error && batch->len + MESSAGE_SPARE > BATCH_MAX_BYTES)
		batch->error = -E2BIG;
	return batch->error ? NULL : batch->bytes + batch->len;
}

static struct nlmsghdr *batch_message(struct batch *batch, uint16_t type, uint16_t flags)
{
	char *room = batch_room(batch);

	return room ? nftnl_nlmsg_build_hdr(room, type, NFPROTO_INET, flags, ++batch->seq)
		    : NULL;
}

static void batch_take(struct batch *batch, const struct nlmsghdr *message)
{
	batch->len += NLMSG_ALIGN(message->nlmsg_len);
}

static void put_table(struct batch *batch, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *message = batch_message(batch, type, flags);
	struct nftnl_table *table = message ? nftnl_table_alloc() : NULL;

	if (!message)
		return;
	if (!table) {
		batch->error = -ENOMEM;
		return;
	}
	nftnl_table_set_str(table, NFTNL_TABLE_NAME, NFT_TABLE);
	nftnl_table_nlmsg_build_payload(message, table);
	nftnl_table_free(table);
	batch_take(batch, message);
}

/* @type: NULL: a chain that others jump to. */
static void put_chain(struct batch *batch, const char *name, const char *type,
		      uint32_t hook)
{
	struct nlmsghdr *message = batch_message(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	struct nftnl_chain *chain = message ? nftnl_chain_alloc() : NULL;

	if (!message)
		return;
	if (!chain) {
		batch->error = -ENOMEM;
		return;
	}
	nftnl_chain_set_str(chain, NFTNL_CHAIN_TABLE, NFT_TABLE);
	nftnl_chain_set_str(chain, NFTNL_CHAIN_NAME, name);
	if (type) {
		nftnl_chain_set_str(chain, NFTNL_CHAIN_TYPE, type);
		nftnl_chain_set_u32(chain, NFTNL_CHAIN_HOOKNUM, hook);
		nftnl_chain_set_s32(chain, NFTNL_CHAIN_PRIO, PRIORITY_MANGLE);
	}
	nftnl_chain_nlmsg_build_payload(message, chain);
	nftnl_chain_free(chain);
	batch_take(batch, message);
}

/* Takes the rule. */
static void put_rule(struct batch *batch, const char *chain, struct nftnl_rule *rule)
{
	struct nlmsghdr *message =
		batch_message(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	if (!rule)
		batch->error = batch->error ? batch->error : -ENOMEM;
	if (!batch->error) {
		nft_rule_place(rule, NFT_TABLE, chain);
		nft_rule_write(rule, message);
		batch_take(batch, message);
	}
	nft_rule_free(&rule);
}

/* ---- the set of guarded ports -------------------------------------------------------------------- */

static void free_set(struct nftnl_set **set)
{
	if (*set)
		nftnl_set_free(*set);
	*set = NULL;
}

static struct nftnl_set *make_set(const struct nft_table *table)
{
	AUTO(free_set) struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		return NULL;
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, GUARDED_SET);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, TYPE_INET_SERVICE);
	nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, sizeof(uint16_t));
	nftnl_set_set_u32(set, NFTNL_SET_ID, GUARDED_SET_ID);
	for (size_t i = 0; i < table->port_count; i++) {
		struct nftnl_set_elem *element = nftnl_set_elem_alloc();
		const uint16_t port_be = htons(table->ports[i].port);

		if (!element)
			return NULL;
		nftnl_set_elem_set(element, NFTNL_SET_ELEM_KEY, &port_be,
				   sizeof(port_be));
		nftnl_set_elem_add(set, element);
	}
	return TAKE_PTR(set);
}

static void put_set(struct batch *batch, const struct nft_table *table)
{
	AUTO(free_set) struct nftnl_set *set = make_set(table);
	struct nlmsghdr *message;

	if (!set) {
		batch->error = batch->error ? batch->error : -ENOMEM;
		return;
	}
	message = batch_message(batch, NFT_MSG_NEWSET, NLM_F_CREATE);
	if (!message)
		return;
	nftnl_set_nlmsg_build_payload(message, set);
	batch_take(batch, message);
	message = batch_message(batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	if (!message)
		return;
	nftnl_set_elems_nlmsg_build_payload(message, set);
	batch_take(batch, message);
}

/* ---- the rules ------------------------------------------------------------------------------------- */

static size_t port_rules(const struct nft_port *port)
{
	switch ((enum nft_way)port->way) {
	case NFT_TO_GATE:
		return RULES_EACH_FAMILY + 1;
	case NFT_TO_GATE_OR_PASS:
		return RULES_EACH_FAMILY;
	case NFT_REFUSE:
		return 1;
	case NFT_PASS:
		break;
	}
	return 0;
}

static void put_port(struct batch *batch, const struct nft_table *table,
		     const struct nft_port *port)
{
	const bool to_gate = port->way == NFT_TO_GATE || port->way == NFT_TO_GATE_OR_PASS;

	if (to_gate) {
		put_rule(batch, GATES_CHAIN,
			 nft_rule_tproxy(NFPROTO_IPV4, port, table->local_mark));
		put_rule(batch, GATES_CHAIN,
			 nft_rule_tproxy(NFPROTO_IPV6, port, table->local_mark));
	}
	if (port->way == NFT_TO_GATE || port->way == NFT_REFUSE)
		put_rule(batch, GATES_CHAIN, nft_rule_reset(port->port));
}

static void put_rules(struct batch *batch, const struct nft_table *table)
{
	for (size_t i = 0; i < table->port_count; i++)
		put_port(batch, table, &table->ports[i]);
	put_rule(batch, PREROUTING_CHAIN, nft_rule_sockets(table->local_mark));
	for (size_t i = 0; i < table->interface_count; i++)
		put_rule(batch, PREROUTING_CHAIN,
			 nft_rule_guarded(table->interfaces[i], GUARDED_SET,
					  GUARDED_SET_ID, GATES_CHAIN));
	put_rule(batch, OUTPUT_CHAIN, nft_rule_note(table->gate_mark, table->local_mark));
	put_rule(batch, OUTPUT_CHAIN, nft_rule_answers(table->local_mark));
}

size_t nft_rules_wanted(const struct nft_table *table)
{
	size_t count = 3 + table->interface_count;

	for (size_t i = 0; i < table->port_count; i++)
		count += port_rules(&table->ports[i]);
	return count;
}

/* ---- in and out of force ----------------------------------------------------------------------------- */

static int batch_begin(struct batch *batch)
{
	batch->bytes = malloc(BATCH_MAX_BYTES);
	if (!batch->bytes)
		return -ENOMEM;
	batch_take(batch, nftnl_batch_begin(batch->bytes, ++batch->seq));
	/* Made and removed, so that a table that is not there is no error. */
	put_table(batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	return 0;
}

/* @type: of the last message, which asks for the acknowledgement. */
static int batch_commit(struct batch *batch, uint16_t type, uint16_t flags)
{
	struct netlink_request request = {.bus = NETLINK_NETFILTER};
	char *room;

	put_table(batch, type, (uint16_t)(flags | NLM_F_ACK));
	request.seq = batch->seq;
	room = batch_room(batch);
	if (!room)
		return batch->error;
	batch_take(batch, nftnl_batch_end(room, ++batch->seq));
	request.bytes = batch->bytes;
	request.len = batch->len;
	return netlink_talk(&request);
}

int nft_apply(const struct nft_table *table)
{
	AUTO(batch_free) struct batch batch = {0};
	int err = batch_begin(&batch);

	if (err)
		return err;
	put_table(&batch, NFT_MSG_DELTABLE, 0);
	put_table(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
	put_set(&batch, table);
	put_chain(&batch, GATES_CHAIN, NULL, 0);
	put_chain(&batch, PREROUTING_CHAIN, "filter", NF_INET_PRE_ROUTING);
	put_chain(&batch, OUTPUT_CHAIN, "route", NF_INET_LOCAL_OUT);
	put_rules(&batch, table);
	return batch_commit(&batch, NFT_MSG_NEWTABLE, NLM_F_CREATE);
}

int nft_remove(void)
{
	AUTO(batch_free) struct batch batch = {0};
	int err = batch_begin(&batch);

	return err ? err : batch_commit(&batch, NFT_MSG_DELTABLE, 0);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static int count_rule(void *context, const struct nlmsghdr *message)
{
	size_t *count = context;

	*count += nft_rule_is_of(message, NFT_TABLE);
	return 0;
}

int nft_rules(size_t *out_count)
{
	char bytes[MESSAGE_SPARE] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(bytes, NFT_MSG_GETRULE,
							 NFPROTO_INET, NLM_F_DUMP, 1);
	size_t count = 0;
	const struct netlink_request request = {
		.bus = NETLINK_NETFILTER,
		.bytes = message,
		.len = message->nlmsg_len,
		.seq = 1,
		.on_message = count_rule,
		.context = &count,
	};
	int err;

	err = netlink_talk(&request);
	if (err && err != -ENOENT)
		return err;
	*out_count = count;
	return 0;
}

int nft_watch_open(int *out_fd)
{
	const struct sockaddr_nl sa = {
		.nl_family = AF_NETLINK,
		.nl_groups = 1u << (NFNLGRP_NFTABLES - 1),
	};
	AUTO(close_fd)
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC,
			NETLINK_NETFILTER);

	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

void nft_watch_take(int fd)
{
	char byte;

	/* Whatever it was, or whether some were lost: the rules are counted. */
	for (unsigned int i = 0; i < WATCH_DRAIN_MAX; i++)
		if (recv(fd, &byte, sizeof(byte), 0) < 0 && errno != EINTR &&
		    errno != ENOBUFS)
			break;
}
