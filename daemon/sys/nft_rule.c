/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_rule - see nft_rule.h.
 */
#include "sys/nft_rule.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/expr.h>
#include <libnftnl/rule.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "sys/nft.h"

#define TCP_DEST_PORT_AT   2u /* in the TCP header, RFC 9293 3.1 */
#define TCP_FLAGS_AT	   13u
#define TCP_SYN		   0x02u
#define TCP_ACK		   0x10u
#define IPV4_SOURCE_AT	   12u
#define IPV6_SOURCE_AT	   8u
#define INTERFACE_BYTES	   16u
#define CT_DIRECTION_REPLY 1u

/* ---- expressions; a failure leaves *rule NULL ------------------------------------------------------- */

void nft_rule_free(struct nftnl_rule **rule)
{
	if (*rule)
		nftnl_rule_free(*rule);
	*rule = NULL;
}

/* A new expression, added to the rule; NULL: the rule is gone. */
static struct nftnl_expr *add(struct nftnl_rule **rule, const char *name)
{
	struct nftnl_expr *expression = *rule ? nftnl_expr_alloc(name) : NULL;

	if (!expression) {
		nft_rule_free(rule);
		return NULL;
	}
	nftnl_rule_add_expr(*rule, expression);
	return expression;
}

static void load_meta(struct nftnl_rule **rule, uint32_t key)
{
	struct nftnl_expr *e = add(rule, "meta");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_DREG, NFT_REG_1);
}

static void load_ct(struct nftnl_rule **rule, uint32_t key)
{
	struct nftnl_expr *e = add(rule, "ct");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, key);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_DREG, NFT_REG_1);
}

/* @header: enum nft_payload_bases */
static void load_header(struct nftnl_rule **rule, uint32_t header, uint32_t at,
			uint32_t len)
{
	struct nftnl_expr *e = add(rule, "payload");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_BASE, header);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_OFFSET, at);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_LEN, len);
	nftnl_expr_set_u32(e, NFTNL_EXPR_PAYLOAD_DREG, NFT_REG_1);
}

static void load_dest_port(struct nftnl_rule **rule)
{
	load_header(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_DEST_PORT_AT,
		    sizeof(uint16_t));
}

static void keep_bits(struct nftnl_rule **rule, const void *mask, uint32_t len)
{
	const struct in6_addr none = {0};
	struct nftnl_expr *e = add(rule, "bitwise");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_DREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_BITWISE_LEN, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_MASK, mask, len);
	nftnl_expr_set(e, NFTNL_EXPR_BITWISE_XOR, &none, len);
}

static void equals(struct nftnl_rule **rule, const void *bytes, uint32_t len)
{
	struct nftnl_expr *e = add(rule, "cmp");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_SREG, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CMP_OP, NFT_CMP_EQ);
	nftnl_expr_set(e, NFTNL_EXPR_CMP_DATA, bytes, len);
}

static void immediate(struct nftnl_rule **rule, uint32_t reg, const void *bytes,
		      uint32_t len)
{
	struct nftnl_expr *e = add(rule, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, reg);
	nftnl_expr_set(e, NFTNL_EXPR_IMM_DATA, bytes, len);
}

/* @chain: of a jump; NULL else. */
static void verdict(struct nftnl_rule **rule, int code, const char *chain)
{
	struct nftnl_expr *e = add(rule, "immediate");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_DREG, NFT_REG_VERDICT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_IMM_VERDICT, (uint32_t)code);
	if (chain)
		nftnl_expr_set_str(e, NFTNL_EXPR_IMM_CHAIN, chain);
}

static void is_protocol(struct nftnl_rule **rule, uint8_t protocol)
{
	load_meta(rule, NFT_META_L4PROTO);
	equals(rule, &protocol, sizeof(protocol));
}

static void is_tcp(struct nftnl_rule **rule)
{
	is_protocol(rule, IPPROTO_TCP);
}

/* It begins a connection. */
static void is_syn(struct nftnl_rule **rule)
{
	const uint8_t mask = TCP_SYN | TCP_ACK, flags = TCP_SYN;

	load_header(rule, NFT_PAYLOAD_TRANSPORT_HEADER, TCP_FLAGS_AT, sizeof(flags));
	keep_bits(rule, &mask, sizeof(mask));
	equals(rule, &flags, sizeof(flags));
}

static void is_to_port(struct nftnl_rule **rule, uint16_t port)
{
	const uint16_t port_be = htons(port);

	is_tcp(rule);
	load_dest_port(rule);
	equals(rule, &port_be, sizeof(port_be));
}

static void set_meta_mark(struct nftnl_rule **rule, uint32_t mark)
{
	struct nftnl_expr *e;

	immediate(rule, NFT_REG_1, &mark, sizeof(mark));
	e = add(rule, "meta");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_KEY, NFT_META_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_META_SREG, NFT_REG_1);
}

static void set_ct_mark(struct nftnl_rule **rule, uint32_t mark)
{
	struct nftnl_expr *e;

	immediate(rule, NFT_REG_1, &mark, sizeof(mark));
	e = add(rule, "ct");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_KEY, NFT_CT_MARK);
	nftnl_expr_set_u32(e, NFTNL_EXPR_CT_SREG, NFT_REG_1);
}

static void tproxy(struct nftnl_rule **rule, uint8_t family, uint16_t port)
{
	const struct in_addr loopback4 = {.s_addr = htonl(INADDR_LOOPBACK)};
	const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;
	const uint16_t port_be = htons(port);
	struct nftnl_expr *e;

	if (family == NFPROTO_IPV4)
		immediate(rule, NFT_REG_1, &loopback4, sizeof(loopback4));
	else
		immediate(rule, NFT_REG_1, &loopback6, sizeof(loopback6));
	immediate(rule, NFT_REG_2, &port_be, sizeof(port_be));
	e = add(rule, "tproxy");
	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_FAMILY, family);
	nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_REG_ADDR, NFT_REG_1);
	nftnl_expr_set_u32(e, NFTNL_EXPR_TPROXY_REG_PORT, NFT_REG_2);
}

/* ---- rules ---------------------------------------------------------------------------------------------- */

struct nftnl_rule *nft_rule_tproxy(uint8_t family, const struct nft_port *port,
				   uint32_t mark)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	is_to_port(&rule, port->port);
	load_meta(&rule, NFT_META_NFPROTO);
	equals(&rule, &family, sizeof(family));
	/* Where nobody listens the rule ends here, and the mark must not have been set by then. */
	tproxy(&rule, family, port->gate_port);
	set_meta_mark(&rule, mark);
	verdict(&rule, NF_ACCEPT, NULL);
	return rule;
}

struct nftnl_rule *nft_rule_reset(uint16_t port)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *e;

	is_to_port(&rule, port);
	is_syn(&rule);
	e = add(&rule, "reject");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_REJECT_TYPE, NFT_REJECT_TCP_RST);
	nftnl_expr_set_u8(e, NFTNL_EXPR_REJECT_CODE, 0);
	return rule;
}

struct nftnl_rule *nft_rule_sockets(uint8_t protocol, uint32_t mark)
{
	const uint8_t yes = 1;
	struct nftnl_rule *rule = nftnl_rule_alloc();
	struct nftnl_expr *e;

	is_protocol(&rule, protocol);
	e = add(&rule, "socket");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_SOCKET_KEY, NFT_SOCKET_TRANSPARENT);
	nftnl_expr_set_u32(e, NFTNL_EXPR_SOCKET_DREG, NFT_REG_1);
	equals(&rule, &yes, sizeof(yes));
	set_meta_mark(&rule, mark);
	return rule;
}

struct nftnl_rule *nft_rule_answers(uint32_t mark)
{
	const uint8_t reply = CT_DIRECTION_REPLY;
	struct nftnl_rule *rule = nftnl_rule_alloc();

	load_ct(&rule, NFT_CT_DIRECTION);
	equals(&rule, &reply, sizeof(reply));
	load_ct(&rule, NFT_CT_MARK);
	equals(&rule, &mark, sizeof(mark));
	set_meta_mark(&rule, mark);
	return rule;
}

struct nftnl_rule *nft_rule_note(uint32_t from, uint32_t to)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	load_meta(&rule, NFT_META_MARK);
	equals(&rule, &from, sizeof(from));
	set_ct_mark(&rule, to);
	return rule;
}

struct nftnl_rule *nft_rule_guarded(const char *interface, uint32_t mark, const char *set,
				    uint32_t set_id, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();
	char name[INTERFACE_BYTES] = {0};
	struct nftnl_expr *e;

	(void)memccpy(name, interface, '\0', sizeof(name) - 1);
	load_meta(&rule, NFT_META_IIFNAME);
	equals(&rule, name, sizeof(name));
	if (mark) {
		load_meta(&rule, NFT_META_MARK);
		equals(&rule, &mark, sizeof(mark));
	}
	is_tcp(&rule);
	load_dest_port(&rule);
	e = add(&rule, "lookup");
	if (!e)
		return NULL;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SET_ID, set_id);
	verdict(&rule, NFT_JUMP, chain);
	return rule;
}

/* ---- rules of the fence ---------------------------------------------------------------------------------- */

static void is_in(struct nftnl_rule **rule, const char *set)
{
	struct nftnl_expr *e = add(rule, "lookup");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_LOOKUP_SREG, NFT_REG_1);
	nftnl_expr_set_str(e, NFTNL_EXPR_LOOKUP_SET, set);
}

static void count(struct nftnl_rule **rule, const char *counter)
{
	struct nftnl_expr *e = add(rule, "objref");

	if (!e)
		return;
	nftnl_expr_set_u32(e, NFTNL_EXPR_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER);
	nftnl_expr_set_str(e, NFTNL_EXPR_OBJREF_IMM_NAME, counter);
}

/* The source address into the first register; of IPv6 as many bits as are asked for. */
static void load_source(struct nftnl_rule **rule, const struct nft_source *source)
{
	const uint8_t family = source->is_v6 ? NFPROTO_IPV6 : NFPROTO_IPV4;
	const uint32_t len =
		source->is_v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);
	struct in6_addr mask = {.s6_addr = {0}};

	load_meta(rule, NFT_META_NFPROTO);
	equals(rule, &family, sizeof(family));
	load_header(rule, NFT_PAYLOAD_NETWORK_HEADER,
		    source->is_v6 ? IPV6_SOURCE_AT : IPV4_SOURCE_AT, len);
	if (source->bits == 0)
		return;
	memset(mask.s6_addr, 0xff, source->bits / 8u);
	keep_bits(rule, &mask, len);
}

struct nftnl_rule *nft_rule_source(const struct nft_source *source, const char *counter,
				   bool is_dropped)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	if (source) {
		load_source(&rule, source);
		is_in(&rule, source->set);
	}
	count(&rule, counter);
	verdict(&rule, is_dropped ? NF_DROP : NF_ACCEPT, NULL);
	return rule;
}

struct nftnl_rule *nft_rule_ports(const char *set, const char *chain)
{
	struct nftnl_rule *rule = nftnl_rule_alloc();

	is_tcp(&rule);
	if (set) {
		load_dest_port(&rule);
		is_in(&rule, set);
	}
	verdict(&rule, NFT_JUMP, chain);
	return rule;
}

/* ---- in messages ------------------------------------------------------------------------------------------ */

void nft_rule_place(struct nftnl_rule *rule, const char *table, const char *chain)
{
	nftnl_rule_set_str(rule, NFTNL_RULE_TABLE, table);
	nftnl_rule_set_str(rule, NFTNL_RULE_CHAIN, chain);
	nftnl_rule_set_u32(rule, NFTNL_RULE_FAMILY, NFPROTO_INET);
}

void nft_rule_write(struct nftnl_rule *rule, struct nlmsghdr *message)
{
	nftnl_rule_nlmsg_build_payload(message, rule);
}

bool nft_rule_chain(const struct nlmsghdr *message, const char *table,
		    char out_chain[NFT_CHAIN_NAME_MAX])
{
	AUTO(nft_rule_free) struct nftnl_rule *rule = nftnl_rule_alloc();
	const char *name, *chain;

	if (!rule || nftnl_rule_nlmsg_parse(message, rule) < 0)
		return false;
	name = nftnl_rule_get_str(rule, NFTNL_RULE_TABLE);
	chain = nftnl_rule_get_str(rule, NFTNL_RULE_CHAIN);
	return name && chain && strcmp(name, table) == 0 &&
	       text_copy(out_chain, NFT_CHAIN_NAME_MAX, chain);
}
