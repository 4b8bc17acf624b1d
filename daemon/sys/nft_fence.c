/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/nft_fence - see nft_fence.h. What goes into the kernel; what comes back is in nft_fence_read.c.
 */
#include "sys/nft_fence.h"

/* Before the kernel's headers, which then leave its definitions alone. */
#include <netinet/in.h>

#include <assert.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>

#include <libnftnl/object.h>

#include "base/clock.h"
#include "sys/nft_fence_private.h"
#include "sys/nft_rule.h"
#include "sys/nft_set.h"

#define PRIORITY_FILTER 0
#define CLIENT_BITS	64u /* of an IPv6 client */

static_assert(FENCE_TEXT_MAX <= NFT_SET_NAME_MAX, "names of sets fit");

/* ---- names -------------------------------------------------------------------------------------------- */

static const char *const set_names[NFT_FENCE_SETS] = {
	[NFT_FENCE_BANS] = "ban",      [NFT_FENCE_PREFIXES] = "prefix",
	[NFT_FENCE_PERMIT] = "permit", [NFT_FENCE_BLACKLIST] = "blacklist",
	[NFT_FENCE_REFUSE] = "refuse",
};

static const enum nft_set_kind set_kinds[NFT_FENCE_SETS] = {
	[NFT_FENCE_BANS] = NFT_SET_KIND_ADDRS,
	[NFT_FENCE_PREFIXES] = NFT_SET_KIND_SPANS_ENDS,
	[NFT_FENCE_PERMIT] = NFT_SET_KIND_SPANS,
	[NFT_FENCE_BLACKLIST] = NFT_SET_KIND_SPANS,
	[NFT_FENCE_REFUSE] = NFT_SET_KIND_SPANS,
};

/* Which counter the rule of a set moves. */
static const enum fence_reason set_reasons[NFT_FENCE_SETS] = {
	[NFT_FENCE_BANS] = FENCE_DROPPED_BAN,
	[NFT_FENCE_PREFIXES] = FENCE_DROPPED_BAN_PREFIX,
	[NFT_FENCE_PERMIT] = FENCE_PASSED,
	[NFT_FENCE_BLACKLIST] = FENCE_DROPPED_BLACKLISTED,
	[NFT_FENCE_REFUSE] = FENCE_DROPPED_NOT_PERMITTED,
};

static const char *const reason_names[FENCE_REASONS] = {
	[FENCE_PASSED] = "passed",
	[FENCE_DROPPED_BAN] = "dropped-ban",
	[FENCE_DROPPED_BAN_PREFIX] = "dropped-ban-prefix",
	[FENCE_DROPPED_BLACKLISTED] = "dropped-blacklisted",
	[FENCE_DROPPED_NOT_PERMITTED] = "dropped-not-permitted",
	[FENCE_DROPPED_NO_ENTRY] = "dropped-no-entry",
};

const char *fence_set_name(const struct nft_fence_place *place, char out[FENCE_TEXT_MAX])
{
	(void)snprintf(out, FENCE_TEXT_MAX, "%s%s-%s", set_names[place->set],
		       place->family == ADDR_V4 ? "4" : "6", place->policy);
	return out;
}

const char *fence_name(const char *what, const char *whose, char out[FENCE_TEXT_MAX])
{
	(void)snprintf(out, FENCE_TEXT_MAX, "%s-%s", what, whose);
	return out;
}

const char *fence_counter_name(enum fence_reason reason, const char *policy,
			       char out[FENCE_TEXT_MAX])
{
	return fence_name(reason_names[reason], policy, out);
}

/* ---- counters ------------------------------------------------------------------------------------------- */

static void put_counter(struct nft_batch *batch, uint16_t type, const char *name)
{
	struct nlmsghdr *message =
		nft_batch_message(batch, type, type == NFT_MSG_NEWOBJ ? NLM_F_CREATE : 0,
				  NFT_BATCH_MESSAGE_BYTES);
	struct nftnl_obj *counter = message ? nftnl_obj_alloc() : NULL;

	if (!message)
		return;
	if (!counter) {
		nft_batch_fail(batch, -ENOMEM);
		return;
	}
	nftnl_obj_set_str(counter, NFTNL_OBJ_TABLE, NFT_TABLE);
	nftnl_obj_set_str(counter, NFTNL_OBJ_NAME, name);
	nftnl_obj_set_u32(counter, NFTNL_OBJ_TYPE, NFT_OBJECT_COUNTER);
	if (type == NFT_MSG_NEWOBJ) {
		nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_PKTS, 0);
		nftnl_obj_set_u64(counter, NFTNL_OBJ_CTR_BYTES, 0);
	}
	nftnl_obj_nlmsg_build_payload(message, counter);
	nftnl_obj_free(counter);
	nft_batch_take(batch, message);
}

static void put_counters(struct nft_batch *batch, uint16_t type, const char *policy)
{
	char name[FENCE_TEXT_MAX];

	for (enum fence_reason i = 0; i < FENCE_REASONS; i++)
		put_counter(batch, type, fence_counter_name(i, policy, name));
}

/* ---- policies ------------------------------------------------------------------------------------------- */

typedef void (*set_put_fn)(struct nft_batch *batch, const struct nft_set_spec *spec);

static void put_sets(struct nft_batch *batch, set_put_fn put, const char *policy)
{
	struct nft_set_spec ports = {.kind = NFT_SET_KIND_PORTS};

	for (enum nft_fence_set i = 0; i < NFT_FENCE_SETS; i++) {
		struct nft_fence_place place = {policy, i, ADDR_V4};
		struct nft_set_spec spec = {.kind = set_kinds[i]};

		(void)fence_set_name(&place, spec.name);
		put(batch, &spec);
		place.family = ADDR_V6;
		spec.is_v6 = true;
		(void)fence_set_name(&place, spec.name);
		put(batch, &spec);
	}
	(void)fence_name(FENCE_PORTS, policy, ports.name);
	put(batch, &ports);
}

static void put_ports(struct nft_batch *batch, const struct nft_fence_policy *policy)
{
	char name[FENCE_TEXT_MAX];
	struct nft_elements elements = {
		.batch = batch,
		.set = fence_name(FENCE_PORTS, policy->name, name),
	};

	nft_set_flush(batch, name);
	for (size_t i = 0; i < policy->port_count; i++) {
		const uint16_t port_be = htons(policy->ports[i]);
		struct nft_element element = {.len = sizeof(port_be)};

		memcpy(element.key, &port_be, sizeof(port_be));
		nft_elements_put(&elements, &element);
	}
	nft_elements_end(&elements);
}

/* What is in one of the sets is dropped, or passed, and counted for a policy. */
static void put_set_rule(struct nft_batch *batch, const char *chain, const char *policy,
			 const struct nft_fence_place *place)
{
	char set[FENCE_TEXT_MAX], counter[FENCE_TEXT_MAX];
	const bool is_client = place->set == NFT_FENCE_BANS && place->family == ADDR_V6;
	const struct nft_source source = {
		.set = fence_set_name(place, set),
		.is_v6 = place->family == ADDR_V6,
		.bits = is_client ? CLIENT_BITS : 0,
	};

	nft_batch_rule(batch, chain,
		       nft_rule_source(&source,
				       fence_counter_name(set_reasons[place->set], policy,
							  counter),
				       place->set != NFT_FENCE_PERMIT));
}

/* Of a family, from one set on. */
static void put_family_rules(struct nft_batch *batch, const char *chain,
			     const struct nft_fence_place *from)
{
	for (enum nft_fence_set i = from->set; i < NFT_FENCE_SETS; i++) {
		const struct nft_fence_place place = {from->policy, i, from->family};

		put_set_rule(batch, chain, from->policy, &place);
	}
}

/* All rules of a policy, anew. @spare: NULL: none. @first: of its sets, those before it are in no rule. */
static void put_rules(struct nft_batch *batch, const struct nft_fence_policy *policy,
		      const char *spare, enum nft_fence_set first)
{
	struct nft_fence_place place = {spare, NFT_FENCE_BANS, ADDR_V4};
	char name[FENCE_TEXT_MAX], counter[FENCE_TEXT_MAX];

	nft_batch_flush(batch, fence_name(FENCE_POLICY, policy->name, name));
	if (spare) {
		put_set_rule(batch, name, policy->name, &place);
		place.family = ADDR_V6;
		put_set_rule(batch, name, policy->name, &place);
	}
	put_family_rules(batch, name,
			 &(const struct nft_fence_place){policy->name, first, ADDR_V4});
	put_family_rules(batch, name,
			 &(const struct nft_fence_place){policy->name, first, ADDR_V6});
	nft_batch_rule(batch, name,
		       nft_rule_source(NULL,
				       fence_counter_name(FENCE_DROPPED_NO_ENTRY,
							  policy->name, counter),
				       true));
}

const char *nft_fence_spare_name(const char *policy, char out[NFT_FENCE_SPARE_MAX])
{
	/* No policy has a dot in its name. */
	(void)snprintf(out, NFT_FENCE_SPARE_MAX, "%s.spare", policy);
	return out;
}

/* The sets of exact bans of a policy or a spare, which no rule names now: gone, or there and empty. */
static void ban_sets(struct nft_batch *batch, const char *whose, bool is_there)
{
	static const enum addr_family families[] = {ADDR_V4, ADDR_V6};

	for (size_t i = 0; i < 2; i++) {
		const struct nft_fence_place place = {whose, NFT_FENCE_BANS, families[i]};
		struct nft_set_spec spec = {.kind = NFT_SET_KIND_ADDRS,
					    .is_v6 = families[i] == ADDR_V6};

		(void)fence_set_name(&place, spec.name);
		/* Made first, so that it is there for certain. To remove it is quick, whatever is in it. */
		nft_set_add(batch, &spec);
		nft_set_remove(batch, &spec);
		if (is_there)
			nft_set_add(batch, &spec);
	}
}

static void put_policy(struct nft_batch *batch, const struct nft_fence_policy *policy)
{
	char name[FENCE_TEXT_MAX], spare[NFT_FENCE_SPARE_MAX];
	const struct nft_chain chain = {
		.name = fence_name(FENCE_POLICY, policy->name, name),
	};

	nft_batch_chain_add(batch, &chain);
	put_sets(batch, nft_set_add, policy->name);
	put_ports(batch, policy);
	put_counters(batch, NFT_MSG_NEWOBJ, policy->name);
	put_rules(batch, policy, NULL, NFT_FENCE_BANS);
	/* Of a keeper that was killed while it renewed them. */
	ban_sets(batch, nft_fence_spare_name(policy->name, spare), false);
}

void nft_fence_spare(struct nft_batch *batch, const struct nft_fence_policy *policy,
		     bool is_there)
{
	char spare[NFT_FENCE_SPARE_MAX];

	(void)nft_fence_spare_name(policy->name, spare);
	put_rules(batch, policy, NULL, NFT_FENCE_BANS);
	ban_sets(batch, spare, is_there);
	if (is_there)
		put_rules(batch, policy, spare, NFT_FENCE_BANS);
}

void nft_fence_empty(struct nft_batch *batch, const struct nft_fence_policy *policy)
{
	char spare[NFT_FENCE_SPARE_MAX];

	(void)nft_fence_spare_name(policy->name, spare);
	put_rules(batch, policy, spare, NFT_FENCE_PREFIXES);
	ban_sets(batch, policy->name, true);
	put_rules(batch, policy, spare, NFT_FENCE_BANS);
}

/* After the rules that jump to it are gone. Made first, so that a piece that somebody took away is no error. */
static void remove_policy(struct nft_batch *batch, const char *policy)
{
	char name[FENCE_TEXT_MAX];
	const struct nft_chain chain = {.name = fence_name(FENCE_POLICY, policy, name)};

	nft_batch_chain_add(batch, &chain);
	nft_batch_flush(batch, name);
	nft_batch_chain_remove(batch, name);
	put_sets(batch, nft_set_add, policy);
	put_sets(batch, nft_set_remove, policy);
	put_counters(batch, NFT_MSG_NEWOBJ, policy);
	put_counters(batch, NFT_MSG_DELOBJ, policy);
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

static bool has_interface(const struct nft_fence *fence, const char *name)
{
	for (size_t i = 0; i < fence->interface_count; i++)
		if (strcmp(fence->interfaces[i], name) == 0)
			return true;
	return false;
}

static bool has_policy(const struct nft_fence *fence, const char *name)
{
	for (size_t i = 0; fence->interface_count && i < fence->policy_count; i++)
		if (strcmp(fence->policies[i].name, name) == 0)
			return true;
	return false;
}

static void put_interface(struct nft_batch *batch, const char *interface)
{
	char name[FENCE_TEXT_MAX];
	const struct nft_chain chain = {
		.name = fence_name(FENCE_MAIN, interface, name),
		.type = "filter",
		.hook = NF_INET_INGRESS,
		.priority = PRIORITY_FILTER,
		.device = interface,
	};

	nft_batch_chain_add(batch, &chain);
	nft_batch_flush(batch, name);
	nft_batch_rule(batch, name, nft_rule_ports(NULL, FENCE_MAIN));
}

/* What jumps goes before what is jumped to. */
static void remove_interfaces(struct nft_batch *batch, const struct fence_chains *there,
			      const struct nft_fence *fence)
{
	char name[FENCE_TEXT_MAX];

	for (size_t i = 0; i < there->interface_count; i++) {
		if (has_interface(fence, there->interfaces[i]))
			continue;
		(void)fence_name(FENCE_MAIN, there->interfaces[i], name);
		nft_batch_flush(batch, name);
		nft_batch_chain_remove(batch, name);
	}
}

static void remove_policies(struct nft_batch *batch, const struct fence_chains *there,
			    const struct nft_fence *fence)
{
	for (size_t i = 0; i < there->policy_count; i++)
		if (!has_policy(fence, there->policies[i]))
			remove_policy(batch, there->policies[i]);
}

int nft_fence_put(struct nft_batch *batch, const struct nft_fence *fence)
{
	AUTO(free_mem) struct fence_chains *there = calloc(1, sizeof(*there));
	const struct nft_chain chain = {.name = FENCE_MAIN};
	char name[FENCE_TEXT_MAX], ports[FENCE_TEXT_MAX];
	int err = there ? fence_chains_read(there) : -ENOMEM;

	if (err)
		return err;
	nft_batch_chain_add(batch, &chain);
	remove_interfaces(batch, there, fence);
	nft_batch_flush(batch, FENCE_MAIN);
	remove_policies(batch, there, fence);
	if (fence->interface_count == 0) {
		nft_batch_chain_remove(batch, FENCE_MAIN);
		return 0;
	}
	for (size_t i = 0; i < fence->policy_count; i++)
		put_policy(batch, &fence->policies[i]);
	for (size_t i = 0; i < fence->policy_count; i++)
		nft_batch_rule(
			batch, FENCE_MAIN,
			nft_rule_ports(
				fence_name(FENCE_PORTS, fence->policies[i].name, ports),
				fence_name(FENCE_POLICY, fence->policies[i].name, name)));
	for (size_t i = 0; i < fence->interface_count; i++)
		put_interface(batch, fence->interfaces[i]);
	return 0;
}

size_t nft_fence_rules_wanted(const struct nft_fence *fence)
{
	const size_t each = 1 + 2 * NFT_FENCE_SETS + 1;

	return fence->interface_count
		       ? fence->interface_count + each * fence->policy_count
		       : 0;
}

/* ---- what is in the sets ------------------------------------------------------------------------------------ */

/* 0: never. One that is over has no place in the set. */
static uint64_t left_ms(uint64_t ends_ns, uint64_t now_ns)
{
	if (ends_ns == CLOCK_FOREVER_NS)
		return 0;
	return ends_ns > now_ns ? (ends_ns - now_ns) / NS_PER_MS + 1 : 1;
}

static void element_of_addr(const struct addr *addr, struct nft_element *out)
{
	out->len = (uint8_t)(addr_bits((enum addr_family)addr->family) / 8);
	memcpy(out->key, addr->bytes, out->len);
}

static void put_span(struct nft_elements *elements, const struct prefix_span *span,
		     uint64_t left)
{
	struct nft_element from = {.left_ms = left}, behind = {.is_behind = true};
	struct addr next;

	element_of_addr(&span->first, &from);
	from.is_open = !addr_after(&span->last, &next);
	nft_elements_put(elements, &from);
	if (from.is_open)
		return;
	element_of_addr(&next, &behind);
	nft_elements_put(elements, &behind);
}

void nft_fence_fill(struct nft_batch *batch, const struct nft_fence_place *place,
		    const struct prefix_spans *spans, uint64_t now_ns)
{
	char name[FENCE_TEXT_MAX];
	struct nft_elements elements = {.batch = batch,
					.set = fence_set_name(place, name)};
	const bool has_ends = place->set == NFT_FENCE_PREFIXES;

	nft_set_flush(batch, name);
	for (size_t i = 0; i < spans->count; i++) {
		const uint64_t value = spans->spans[i].value;

		if (!has_ends || value > now_ns)
			put_span(&elements, &spans->spans[i],
				 has_ends ? left_ms(value, now_ns) : 0);
	}
	nft_elements_end(&elements);
}

/* Added, so that it is there for certain; and removed. */
static void take_out(struct nft_batch *batch, const char *set,
		     const struct nft_element *element)
{
	struct nft_elements added = {.batch = batch, .set = set};
	struct nft_elements removed = {.batch = batch, .set = set, .is_removal = true};

	nft_elements_put(&added, element);
	nft_elements_end(&added);
	nft_elements_put(&removed, element);
	nft_elements_end(&removed);
}

static void put_bans(struct nft_batch *batch, const struct nft_fence_place *place,
		     const struct nft_fence_ban *bans, size_t count, uint64_t now_ns)
{
	char name[FENCE_TEXT_MAX];
	struct nft_elements elements = {.batch = batch,
					.set = fence_set_name(place, name)};

	for (size_t i = 0; i < count; i++) {
		struct nft_element element = {.len = 0};

		if (bans[i].prefix.addr.family != place->family)
			continue;
		element_of_addr(&bans[i].prefix.addr, &element);
		/* A kernel before 6.12 changes no end of an element that is there. */
		if (!bans[i].is_new) {
			nft_elements_end(&elements);
			take_out(batch, name, &element);
		}
		if (bans[i].ends_ns <= now_ns)
			continue;
		element.left_ms = left_ms(bans[i].ends_ns, now_ns);
		nft_elements_put(&elements, &element);
	}
	nft_elements_end(&elements);
}

void nft_fence_bans(struct nft_batch *batch, const char *policy,
		    const struct nft_fence_ban *bans, size_t count, uint64_t now_ns)
{
	struct nft_fence_place place = {policy, NFT_FENCE_BANS, ADDR_V4};

	put_bans(batch, &place, bans, count, now_ns);
	place.family = ADDR_V6;
	put_bans(batch, &place, bans, count, now_ns);
}
