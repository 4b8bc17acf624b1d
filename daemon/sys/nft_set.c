/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_set - see nft_set.h.
 */
#include "sys/nft_set.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <string.h>

#include <libnftnl/common.h>
#include <libnftnl/set.h>

#include "sys/netlink.h"
#include "sys/nft.h"

/* nft's numbers of data types, for its listings. */
#define TYPE_IPADDR	  7u
#define TYPE_IP6ADDR	  8u
#define TYPE_INET_SERVICE 13u

#define ELEMENTS_MAX  256u /* of one message */
#define ELEMENT_BYTES 80u  /* at most */
#define MESSAGE_BYTES (256u + NFT_SET_NAME_MAX + ELEMENTS_MAX * ELEMENT_BYTES)

/* nft remembers that a span has no end, so that it lists it as one: a note of flags, of 4 bytes. */
static const uint8_t open_note[] = {1, 4, 1, 0, 0, 0};

/* ---- sets ------------------------------------------------------------------------------------------- */

static void free_set(struct nftnl_set **set)
{
	if (*set)
		nftnl_set_free(*set);
	*set = NULL;
}

static struct nftnl_set *make_set(const char *name)
{
	struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		return NULL;
	nftnl_set_set_str(set, NFTNL_SET_TABLE, NFT_TABLE);
	nftnl_set_set_str(set, NFTNL_SET_NAME, name);
	nftnl_set_set_u32(set, NFTNL_SET_FAMILY, NFPROTO_INET);
	return set;
}

static uint32_t flags_of(enum nft_set_kind kind)
{
	switch (kind) {
	case NFT_SET_KIND_ADDRS:
		return NFT_SET_TIMEOUT;
	case NFT_SET_KIND_SPANS:
		return NFT_SET_INTERVAL;
	case NFT_SET_KIND_SPANS_ENDS:
		return NFT_SET_INTERVAL | NFT_SET_TIMEOUT;
	case NFT_SET_KIND_PORTS:
		break;
	}
	return 0;
}

static void put_set(struct nft_batch *batch, uint16_t type, struct nftnl_set *set)
{
	struct nlmsghdr *message =
		nft_batch_message(batch, type, type == NFT_MSG_NEWSET ? NLM_F_CREATE : 0,
				  NFT_BATCH_MESSAGE_BYTES);

	if (!set)
		nft_batch_fail(batch, -ENOMEM);
	if (!set || !message)
		return;
	nftnl_set_nlmsg_build_payload(message, set);
	nft_batch_take(batch, message);
}

void nft_set_add(struct nft_batch *batch, const struct nft_set_spec *spec)
{
	AUTO(free_set) struct nftnl_set *set = make_set(spec->name);
	uint32_t type = spec->is_v6 ? TYPE_IP6ADDR : TYPE_IPADDR;
	uint32_t len = spec->is_v6 ? sizeof(struct in6_addr) : sizeof(struct in_addr);

	if (spec->kind == NFT_SET_KIND_PORTS) {
		type = TYPE_INET_SERVICE;
		len = sizeof(uint16_t);
	}
	if (set) {
		nftnl_set_set_u32(set, NFTNL_SET_FLAGS, flags_of(spec->kind));
		nftnl_set_set_u32(set, NFTNL_SET_KEY_TYPE, type);
		nftnl_set_set_u32(set, NFTNL_SET_KEY_LEN, len);
		nftnl_set_set_u32(set, NFTNL_SET_ID, batch->seq + 1);
	}
	put_set(batch, NFT_MSG_NEWSET, set);
}

void nft_set_remove(struct nft_batch *batch, const struct nft_set_spec *spec)
{
	AUTO(free_set) struct nftnl_set *set = make_set(spec->name);

	put_set(batch, NFT_MSG_DELSET, set);
}

/* ---- attributes --------------------------------------------------------------------------------------- */

/* Nothing in them is longer than what nft_batch_message() was asked for. */
static struct nlattr *attr_put(struct nlmsghdr *message, uint16_t type, const void *bytes,
			       size_t len)
{
	char *at = (char *)message + NLMSG_ALIGN(message->nlmsg_len);
	struct nlattr *attr = (struct nlattr *)(void *)at;

	attr->nla_type = type;
	attr->nla_len = (uint16_t)(NLA_HDRLEN + len);
	memset(at + NLA_HDRLEN, 0, NLA_ALIGN(len));
	if (len > 0)
		memcpy(at + NLA_HDRLEN, bytes, len);
	message->nlmsg_len =
		NLMSG_ALIGN(message->nlmsg_len) + NLA_HDRLEN + (uint32_t)NLA_ALIGN(len);
	return attr;
}

static struct nlattr *nest_begin(struct nlmsghdr *message, uint16_t type)
{
	return attr_put(message, type | NLA_F_NESTED, NULL, 0);
}

static void nest_end(const struct nlmsghdr *message, struct nlattr *nest)
{
	nest->nla_len = (uint16_t)((const char *)message + message->nlmsg_len -
				   (const char *)nest);
}

static void element_write(struct nlmsghdr *message, const struct nft_element *element)
{
	struct nlattr *nest = nest_begin(message, NFTA_LIST_ELEM);
	struct nlattr *key;

	if (element->is_behind) {
		const uint32_t flags_be = htobe32(NFT_SET_ELEM_INTERVAL_END);

		(void)attr_put(message, NFTA_SET_ELEM_FLAGS, &flags_be, sizeof(flags_be));
	}
	key = nest_begin(message, NFTA_SET_ELEM_KEY);
	(void)attr_put(message, NFTA_DATA_VALUE, element->key, element->len);
	nest_end(message, key);
	if (element->left_ms > 0) {
		const uint64_t left_be = htobe64(element->left_ms);

		(void)attr_put(message, NFTA_SET_ELEM_TIMEOUT, &left_be, sizeof(left_be));
	}
	if (element->is_open)
		(void)attr_put(message, NFTA_SET_ELEM_USERDATA, open_note,
			       sizeof(open_note));
	nest_end(message, nest);
}

/* ---- elements ------------------------------------------------------------------------------------------- */

/* The message of elements of a set, up to the list of them. */
static struct nlmsghdr *elements_message(struct nft_batch *batch, const char *set,
					 bool is_removal)
{
	struct nlmsghdr *message = nft_batch_message(
		batch, is_removal ? NFT_MSG_DELSETELEM : NFT_MSG_NEWSETELEM,
		is_removal ? 0 : NLM_F_CREATE, MESSAGE_BYTES);

	if (!message)
		return NULL;
	(void)attr_put(message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE, sizeof(NFT_TABLE));
	(void)attr_put(message, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	return message;
}

void nft_set_flush(struct nft_batch *batch, const char *set)
{
	struct nlmsghdr *message = elements_message(batch, set, true);

	if (message)
		nft_batch_take(batch, message);
}

void nft_elements_end(struct nft_elements *elements)
{
	struct nlmsghdr *message = (struct nlmsghdr *)(void *)elements->message;

	if (!message)
		return;
	nest_end(message, (struct nlattr *)(void *)elements->list);
	nft_batch_take(elements->batch, message);
	elements->message = elements->list = NULL;
	elements->count = 0;
}

void nft_elements_put(struct nft_elements *elements, const struct nft_element *element)
{
	struct nlmsghdr *message;

	if (elements->count == ELEMENTS_MAX)
		nft_elements_end(elements);
	if (!elements->message) {
		message = elements_message(elements->batch, elements->set,
					   elements->is_removal);
		if (!message)
			return;
		elements->message = (char *)message;
		elements->list = (char *)nest_begin(message, NFTA_SET_ELEM_LIST_ELEMENTS);
	}
	element_write((struct nlmsghdr *)(void *)elements->message, element);
	elements->count++;
}

/* ---- reading ---------------------------------------------------------------------------------------------- */

struct reader {
	nft_element_fn on_element;
	void *context;
};

static int read_element(struct nftnl_set_elem *from, void *context)
{
	const struct reader *reader = context;
	struct nft_element element = {.len = 0};
	uint32_t len = 0;
	const void *key = nftnl_set_elem_get(from, NFTNL_SET_ELEM_KEY, &len);

	if (!key || len > sizeof(element.key))
		return 0;
	element.len = (uint8_t)len;
	memcpy(element.key, key, len);
	if (nftnl_set_elem_is_set(from, NFTNL_SET_ELEM_FLAGS))
		element.is_behind = nftnl_set_elem_get_u32(from, NFTNL_SET_ELEM_FLAGS) &
				    NFT_SET_ELEM_INTERVAL_END;
	if (nftnl_set_elem_is_set(from, NFTNL_SET_ELEM_EXPIRATION))
		element.left_ms =
			nftnl_set_elem_get_u64(from, NFTNL_SET_ELEM_EXPIRATION) + 1;
	return reader->on_element(reader->context, &element);
}

static int read_message(void *context, const struct nlmsghdr *message)
{
	AUTO(free_set) struct nftnl_set *set = nftnl_set_alloc();

	if (!set)
		return -ENOMEM;
	if (nftnl_set_elems_nlmsg_parse(message, set) < 0)
		return -EBADMSG;
	return nftnl_set_elem_foreach(set, read_element, context);
}

int nft_set_read(const char *set, nft_element_fn on_element, void *context)
{
	char bytes[NFT_BATCH_MESSAGE_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *message = nftnl_nlmsg_build_hdr(bytes, NFT_MSG_GETSETELEM,
							 NFPROTO_INET, NLM_F_DUMP, 1);
	struct reader reader = {on_element, context};
	struct netlink_request request = {
		.bus = NETLINK_NETFILTER,
		.bytes = message,
		.seq = 1,
		.on_message = read_message,
		.context = &reader,
	};

	(void)attr_put(message, NFTA_SET_ELEM_LIST_TABLE, NFT_TABLE, sizeof(NFT_TABLE));
	(void)attr_put(message, NFTA_SET_ELEM_LIST_SET, set, strlen(set) + 1);
	request.len = message->nlmsg_len;
	return netlink_talk(&request);
}
