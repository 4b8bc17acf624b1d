/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft - see nft.h. The batch is built here, the expressions of the rules in nft_rule.c.
 *
 *   table inet postern {
 *     set guarded { type inet_service; elements = { 25, ... } }
 *     chain gates {
 *       tcp dport 25 meta nfproto ipv4 meta mark set IN tproxy ip to 127.0.0.1:GATE accept
 *       tcp dport 25 meta nfproto ipv6 meta mark set IN tproxy ip6 to [::1]:GATE accept
 *       tcp dport 25 tcp flags syn / syn,ack reject with tcp reset
 *     }
 *     chain prerouting { type filter hook prerouting priority mangle
 *       meta l4proto tcp socket transparent 1 meta mark set IN, and so for icmp and ipv6-icmp
 *       iifname "eth0" [meta mark ...] tcp dport @guarded jump gates
 *     }
 *     chain output { type route hook output priority mangle
 *       meta mark GATE ct mark set OUT
 *       ct direction reply ct mark OUT meta mark set OUT
 *     }
 *   }
 */
#include "sys/nft.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <libnftnl/common.h>
#include <libnftnl/set.h>

#include "sys/netlink.h"
#include "sys/nft_batch.h"
#include "sys/nft_rule.h"

#define MESSAGE_SPARE	  4096u /* the longest single message is shorter */
#define SET_MESSAGE_BYTES (MESSAGE_SPARE + NFT_PORTS_MAX * 64u)
#define GUARDED_SET	  "guarded"
#define GUARDED_SET_ID	  1u
#define TYPE_INET_SERVICE 13u /* nft's number of this data type, for its listings */
#define PRIORITY_MANGLE	  (-150)
#define GATES_CHAIN	  "gates"
#define PREROUTING_CHAIN  "prerouting"
#define OUTPUT_CHAIN	  "output"
#define WATCH_DRAIN_MAX	  1000u
#define WATCH_BYTES	  16384u /* the kernel puts several messages into one datagram */
#define WATCH_TEXT_MAX	  64u
#define DETACH_NAME	  "postern-detach"
#define RULES_EACH_FAMILY 2u
#define OUTPUT_RULES	  2u
#define SOCKET_RULES	  (sizeof(socket_protocols) / sizeof(socket_protocols[0]))

/* Whoever jumps stands before whom it jumps to: so they can be taken away one after the other. */
static const struct nft_chain chains[] = {
	{PREROUTING_CHAIN, "filter", NF_INET_PRE_ROUTING, PRIORITY_MANGLE, NULL},
	{OUTPUT_CHAIN, "route", NF_INET_LOCAL_OUT, PRIORITY_MANGLE, NULL},
	{.name = GATES_CHAIN},
};
#define CHAINS (sizeof(chains) / sizeof(chains[0]))

static const uint8_t socket_protocols[] = {IPPROTO_TCP, IPPROTO_ICMP, IPPROTO_ICMPV6};

/* ---- the set of guarded ports -------------------------------------------------------------------- */

static void free_set(struct nftnl_set **set)
{
	if (*set)
		nftnl_set_free(*set);
	*set = NULL;
}

/* The set of guarded ports, with its elements; NULL: no memory. */
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

/* @type: of the set itself, or of what is in it. */
static void put_set(struct nft_batch *batch, uint16_t type, uint16_t flags,
		    struct nftnl_set *set)
{
	struct nlmsghdr *message =
		nft_batch_message(batch, type, flags, SET_MESSAGE_BYTES);

	if (!set)
		nft_batch_fail(batch, -ENOMEM);
	if (!set || !message)
		return;
	if (type == NFT_MSG_NEWSETELEM)
		nftnl_set_elems_nlmsg_build_payload(message, set);
	else
		nftnl_set_nlmsg_build_payload(message, set);
	nft_batch_take(batch, message);
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

static void put_port(struct nft_batch *batch, const struct nft_table *table,
		     const struct nft_port *port)
{
	const bool to_gate = port->way == NFT_TO_GATE || port->way == NFT_TO_GATE_OR_PASS;

	if (to_gate) {
		nft_batch_rule(batch, GATES_CHAIN,
			       nft_rule_tproxy(NFPROTO_IPV4, port, table->in_mark));
		nft_batch_rule(batch, GATES_CHAIN,
			       nft_rule_tproxy(NFPROTO_IPV6, port, table->in_mark));
	}
	if (port->way == NFT_TO_GATE || port->way == NFT_REFUSE)
		nft_batch_rule(batch, GATES_CHAIN, nft_rule_reset(port->port));
}

static void put_rules(struct nft_batch *batch, const struct nft_table *table)
{
	for (size_t i = 0; i < table->port_count; i++)
		put_port(batch, table, &table->ports[i]);
	for (size_t i = 0; i < SOCKET_RULES; i++)
		nft_batch_rule(batch, PREROUTING_CHAIN,
			       nft_rule_sockets(socket_protocols[i], table->in_mark));
	for (size_t i = 0; i < table->interface_count; i++)
		nft_batch_rule(batch, PREROUTING_CHAIN,
			       nft_rule_guarded(table->interfaces[i], table->marks[i],
						GUARDED_SET, GUARDED_SET_ID,
						GATES_CHAIN));
	nft_batch_rule(batch, OUTPUT_CHAIN,
		       nft_rule_note(table->gate_mark, table->out_mark));
	nft_batch_rule(batch, OUTPUT_CHAIN, nft_rule_answers(table->out_mark));
}

size_t nft_rules_wanted(const struct nft_table *table)
{
	size_t count = SOCKET_RULES + OUTPUT_RULES + table->interface_count;

	for (size_t i = 0; i < table->port_count; i++)
		count += port_rules(&table->ports[i]);
	return count;
}

/* ---- in and out of force ----------------------------------------------------------------------------- */

/* Made first, so that what is not there is no error. What else is in the table stays. */
static void put_nothing(struct nft_batch *batch)
{
	AUTO(free_set) struct nftnl_set *set = make_set(&(const struct nft_table){0});

	for (size_t i = 0; i < CHAINS; i++)
		nft_batch_chain_add(batch, &chains[i]);
	put_set(batch, NFT_MSG_NEWSET, NLM_F_CREATE, set);
	for (size_t i = 0; i < CHAINS; i++)
		nft_batch_flush(batch, chains[i].name);
	for (size_t i = 0; i < CHAINS; i++)
		nft_batch_chain_remove(batch, chains[i].name);
	put_set(batch, NFT_MSG_DELSET, 0, set);
}

int nft_apply(const struct nft_table *table)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	AUTO(free_set) struct nftnl_set *set = make_set(table);
	int err = nft_batch_begin(&batch);

	if (err)
		return err;
	put_nothing(&batch);
	for (size_t i = 0; i < CHAINS; i++)
		nft_batch_chain_add(&batch, &chains[i]);
	put_set(&batch, NFT_MSG_NEWSET, NLM_F_CREATE, set);
	put_set(&batch, NFT_MSG_NEWSETELEM, NLM_F_CREATE, set);
	put_rules(&batch, table);
	return nft_batch_commit(&batch);
}

int nft_remove(void)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	int err = nft_batch_begin(&batch);

	if (err)
		return err;
	nft_batch_table_remove(&batch);
	return nft_batch_commit(&batch);
}

int nft_remove_rules(void)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	int err = nft_batch_begin(&batch);

	if (err)
		return err;
	put_nothing(&batch);
	return nft_batch_commit(&batch);
}

/* ---- looking ------------------------------------------------------------------------------------------- */

static int count_rule(void *context, const struct nlmsghdr *message)
{
	char chain[NFT_CHAIN_NAME_MAX] = "";
	size_t *count = context;

	if (!nft_rule_chain(message, NFT_TABLE, chain))
		return 0;
	for (size_t i = 0; i < CHAINS; i++)
		*count += strcmp(chain, chains[i].name) == 0;
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
	int err = -EINTR;

	for (unsigned int i = 0; i < NFT_READ_TRIES && err == -EINTR; i++) {
		count = 0;
		err = netlink_talk(&request);
	}
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

/* The name of a table in a message of nftables: its first attribute. Of the end of a change: who made it. */
static bool watched_text(const char *bytes, size_t len, uint16_t type,
			 char out[WATCH_TEXT_MAX])
{
	size_t at = NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct nfgenmsg));

	while (at + NLA_HDRLEN <= len) {
		struct nlattr attr;
		size_t text;

		memcpy(&attr, bytes + at, sizeof(attr));
		if (attr.nla_len < NLA_HDRLEN || attr.nla_len > len - at)
			return false;
		text = attr.nla_len - NLA_HDRLEN;
		if ((attr.nla_type & NLA_TYPE_MASK) == type && text < WATCH_TEXT_MAX) {
			memcpy(out, bytes + at + NLA_HDRLEN, text);
			out[text] = '\0';
			return true;
		}
		at += NLA_ALIGN(attr.nla_len);
	}
	return false;
}

static void watched_add(const char *bytes, size_t len, struct nft_watched *seen)
{
	char text[WATCH_TEXT_MAX] = "", own_name[WATCH_TEXT_MAX] = "";
	struct nlmsghdr head;

	memcpy(&head, bytes, sizeof(head));
	if ((head.nlmsg_type & 0xff) != NFT_MSG_NEWGEN) {
		seen->is_ours = seen->is_ours ||
				(watched_text(bytes, len, NFTA_TABLE_NAME, text) &&
				 strcmp(text, NFT_TABLE) == 0);
		return;
	}
	/* The end of a change. */
	(void)prctl(PR_GET_NAME, own_name);
	if (seen->is_ours && watched_text(bytes, len, NFTA_GEN_PROC_NAME, text)) {
		seen->by_detach = seen->by_detach || strcmp(text, DETACH_NAME) == 0;
		seen->by_others = seen->by_others || strcmp(text, own_name) != 0;
	}
	seen->is_ours = false;
}

static void watched_read(const char *bytes, size_t len, struct nft_watched *seen)
{
	struct nlmsghdr head;

	for (size_t at = 0; at + sizeof(head) <= len; at += NLMSG_ALIGN(head.nlmsg_len)) {
		memcpy(&head, bytes + at, sizeof(head));
		if (head.nlmsg_len < sizeof(head) || head.nlmsg_len > len - at)
			break;
		watched_add(bytes + at, head.nlmsg_len, seen);
	}
}

void nft_watch_take(int fd, struct nft_watched *seen)
{
	char bytes[WATCH_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));

	/* Whether some were lost: the rules are counted all the same. */
	for (unsigned int i = 0; i < WATCH_DRAIN_MAX; i++) {
		const ssize_t len = recv(fd, bytes, sizeof(bytes), 0);

		if (len > 0)
			watched_read(bytes, (size_t)len, seen);
		else if (len < 0 && errno != EINTR && errno != ENOBUFS)
			break;
	}
}

void nft_call_detach(void)
{
	(void)prctl(PR_SET_NAME, DETACH_NAME);
}
