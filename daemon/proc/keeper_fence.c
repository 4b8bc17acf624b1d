/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_fence - where XDP cannot be attached, nftables drops what it would.
 *
 * The same lists and bans, from the same orders. It stands on the interfaces without XDP alone, and stays when the
 * keeper ends, as XDP does. Chains, rules and lists are put in force here; see keeper_fence.h for the rest.
 */
#include "proc/keeper_fence.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/siphash.h"
#include "policy/flags.h"

static_assert(NFT_FENCE_POLICIES_MAX >= CONF_POLICIES_MAX, "all policies fit");
static_assert(NFT_FENCE_NAME_MAX >= CONF_NAME_MAX, "their names, too");
static_assert(NFT_FENCE_PLACES_MAX >= 2 * CONF_INTERFACES_MAX,
	      "all interfaces and their bridges fit");
static_assert(MSG_DIGEST_KEY_BYTES >= SIPHASH_KEY_BYTES, "the key is long enough");

/* ---- lists ----------------------------------------------------------------------------------------------- */

static bool is_blacklisted(uint16_t flags)
{
	return flags & FLAG_BL;
}

static bool is_permitted(uint16_t flags)
{
	return !is_blacklisted(flags) && flags & FLAG_PA;
}

static bool is_refused(uint16_t flags)
{
	return !is_blacklisted(flags) && !(flags & FLAG_PA);
}

int fence_list_spans(const struct prefix_table *table, enum nft_fence_set set,
		     enum addr_family family, struct prefix_spans *out_spans)
{
	static bool (*const wanted[NFT_FENCE_SETS])(uint16_t flags) = {
		[NFT_FENCE_PERMIT] = is_permitted,
		[NFT_FENCE_BLACKLIST] = is_blacklisted,
		[NFT_FENCE_REFUSE] = is_refused,
	};

	return wanted[set] ? prefix_spans_of_table(table, family, wanted[set], out_spans)
			   : 0;
}

/* All that a list says, and nothing of where it stands in the files. */
static uint64_t list_digest(const struct keeper *keeper, const struct prefix_table *table)
{
	const size_t count = prefix_table_count(table);
	struct {
		uint64_t before;
		struct prefix prefix;
		uint16_t value;
	} link;
	uint64_t digest = count;

	for (size_t i = 0; i < count; i++) {
		struct prefix_row row;

		prefix_table_row(table, i, &row);
		memset(&link, 0, sizeof(link)); /* the padding, too */
		link.before = digest;
		link.prefix = row.prefix;
		link.value = row.value;
		digest = siphash24(keeper->digest_key, &link, sizeof(link));
	}
	return digest;
}

static int list_put(struct nft_batch *batch, const struct keeper_fence_policy *policy)
{
	static const enum addr_family families[] = {ADDR_V4, ADDR_V6};
	int err = 0;

	for (size_t i = 0; i < 2 * NFT_FENCE_SETS && !err; i++) {
		AUTO(prefix_spans_free) struct prefix_spans spans = {0};
		const struct nft_fence_place place = {
			.policy = policy->name,
			.set = (enum nft_fence_set)(i / 2),
			.family = families[i % 2],
		};

		if (place.set < NFT_FENCE_PERMIT)
			continue;
		err = fence_list_spans(policy->table, place.set, place.family, &spans);
		if (!err)
			nft_fence_fill(batch, &place, &spans, 0);
	}
	return err;
}

/* ---- where it should stand, and for what ---------------------------------------------------------------- */

/* What is wanted, before it is in force. */
struct plan {
	struct nft_fence wanted;
	struct keeper_fence_policy policies[NFT_FENCE_POLICIES_MAX];
	const char *missing; /* an interface that is not there; NULL: none */
};

static bool lacks_xdp(const struct keeper *keeper, const struct conf *conf,
		      const char *interface)
{
	if (!keeper->xdp || conf->xdp == XDP_WISH_OFF)
		return true;
	for (uint8_t i = 0; i < keeper->interface_count; i++)
		if (strcmp(keeper->interfaces[i].name, interface) == 0)
			return keeper->interfaces[i].is_fenced;
	return false;
}

/* Once: two ports may be of one bridge. */
static void plan_interface(struct nft_fence *wanted, const char *name)
{
	for (size_t i = 0; i < wanted->interface_count; i++)
		if (strcmp(wanted->interfaces[i], name) == 0)
			return;
	(void)text_copy(wanted->interfaces[wanted->interface_count++],
			sizeof(wanted->interfaces[0]), name);
}

static void plan_interfaces(struct plan *plan, const struct keeper *keeper,
			    const struct conf *conf)
{
	for (uint8_t i = 0; i < conf->interface_count; i++) {
		const char *name = conf->interfaces[i];
		char bridge[16];

		if (!lacks_xdp(keeper, conf, name))
			continue;
		if (if_nametoindex(name) == 0) {
			plan->missing = name;
			continue;
		}
		plan_interface(&plan->wanted, name);
		/* What postern takes off a port comes in at the bridge before nftables sees it at the port. */
		bridge_name(keeper, name, bridge);
		if (bridge[0])
			plan_interface(&plan->wanted, bridge);
	}
}

static void plan_ports(struct nft_fence_policy *policy, const struct conf *conf,
		       uint8_t index)
{
	for (uint8_t i = 0; i < conf->service_count; i++) {
		const struct conf_service *service = &conf->services[i];

		if (service->policy != index || !conf_service_is_on(conf, service))
			continue;
		for (uint8_t j = 0; j < service->port_count; j++)
			if (policy->port_count < NFT_PORTS_MAX)
				policy->ports[policy->port_count++] = service->ports[j];
	}
}

static bool table_is_fine(const struct prefix_table *table)
{
	for (size_t i = prefix_table_count_family(table, ADDR_V4);
	     i < prefix_table_count(table); i++) {
		struct prefix_row row;

		prefix_table_row(table, i, &row);
		if (row.prefix.len > CLIENT_V6_LEN)
			return true;
	}
	return false;
}

/* Policies that guard no port need nothing in nftables. */
static void plan_policies(struct plan *plan, const struct keeper *keeper,
			  const struct snapshot *snapshot)
{
	const struct conf *conf = snapshot->conf;

	for (uint8_t i = 0; i < conf->policy_count; i++) {
		struct nft_fence_policy *policy =
			&plan->wanted.policies[plan->wanted.policy_count];

		plan_ports(policy, conf, i);
		if (policy->port_count == 0)
			continue;
		(void)text_copy(policy->name, sizeof(policy->name),
				conf->policies[i].name);
		plan->policies[plan->wanted.policy_count++] =
			(struct keeper_fence_policy){
				.id = conf->policies[i].id,
				.has_fine = table_is_fine(snapshot->tables[i]),
				.digest = list_digest(keeper, snapshot->tables[i]),
				.table = snapshot->tables[i],
			};
	}
}

/* From now on this is what is wanted: the names are where they stay. */
static void plan_take(struct keeper_fence *fence, const struct plan *plan)
{
	fence->wanted = plan->wanted;
	memcpy(fence->policies, plan->policies, sizeof(fence->policies));
	for (size_t i = 0; i < plan->wanted.policy_count; i++)
		fence->policies[i].name = fence->wanted.policies[i].name;
	fence->rules = nft_fence_rules_wanted(&fence->wanted);
	fence->asleep_ns = fence_asleep_ns();
}

const struct keeper_fence_policy *fence_policy(const struct keeper_fence *fence,
					       uint16_t id)
{
	for (size_t i = 0; i < fence->wanted.policy_count; i++)
		if (fence->policies[i].id == id)
			return &fence->policies[i];
	return NULL;
}

/* The same policy as it was in force; NULL: none. */
static const struct keeper_fence_policy *
policy_before(const struct keeper_fence *fence, const struct keeper_fence_policy *policy)
{
	const struct keeper_fence_policy *before =
		fence->is_on ? fence_policy(fence, policy->id) : NULL;

	return before && strcmp(before->name, policy->name) == 0 ? before : NULL;
}

/* ---- in and out of force ----------------------------------------------------------------------------------- */

/* The changed lists, and with them what depends on them. */
static int put_policy(const struct keeper_fence *fence, struct nft_batch *batch,
		      const struct keeper_fence_policy *policy)
{
	const struct keeper_fence_policy *before = policy_before(fence, policy);
	const bool is_same = before && before->digest == policy->digest;
	int err = is_same ? 0 : list_put(batch, policy);

	if (err || is_same || fence->is_settling)
		return err;
	if (before)
		fence_bans_move(fence, before, policy, batch);
	return fence_prefixes_put(fence, policy, batch);
}

static int put_in_force(struct keeper *keeper, struct plan *plan)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	struct keeper_fence *fence = &keeper->fence;
	bool is_new[NFT_FENCE_POLICIES_MAX] = {false};
	int err = nft_batch_begin(&batch);

	for (size_t i = 0; i < plan->wanted.policy_count; i++)
		plan->policies[i].name = plan->wanted.policies[i].name;
	if (!err)
		err = nft_fence_put(&batch, &plan->wanted);
	for (size_t i = 0; i < plan->wanted.policy_count && !err; i++)
		err = put_policy(fence, &batch, &plan->policies[i]);
	if (!err)
		err = nft_batch_commit(&batch);
	if (err)
		return err;
	for (size_t i = 0; i < plan->wanted.policy_count; i++)
		is_new[i] = !policy_before(fence, &plan->policies[i]);
	plan_take(fence, plan);
	fence->is_on = true;
	for (size_t i = 0; i < fence->wanted.policy_count && !fence->is_settling; i++)
		if (!err && is_new[i])
			err = fence_bans_fill(fence, &fence->policies[i]);
	return err;
}

/* Chains, lists and bans of prefixes: the little that is there at once. */
static int put_back_most(struct keeper_fence *fence)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	int err = nft_batch_begin(&batch);

	if (!err)
		err = nft_fence_put(&batch, &fence->wanted);
	for (size_t i = 0; i < fence->wanted.policy_count && !err; i++) {
		err = list_put(&batch, &fence->policies[i]);
		if (!err && !fence->is_settling)
			err = fence_prefixes_put(fence, &fence->policies[i], &batch);
	}
	return err ? err : nft_batch_commit(&batch);
}

int fence_rebuild(struct keeper *keeper, bool is_gone)
{
	struct keeper_fence *fence = &keeper->fence;
	int err = put_back_most(fence);

	for (size_t i = 0; i < fence->wanted.policy_count && !fence->is_settling; i++)
		if (!err)
			err = is_gone ? fence_bans_fill(fence, &fence->policies[i])
				      : fence_bans_renew(fence, &fence->policies[i]);
	if (!err)
		fence->asleep_ns = fence_asleep_ns();
	return err;
}

/* Nothing of it is there any more, also of an earlier run. */
static int take_off(struct keeper *keeper)
{
	static const struct nft_fence nothing;
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	struct keeper_fence *fence = &keeper->fence;
	size_t rules = 0;
	int err;

	/* On a host that never needs it nftables is not even touched. */
	if (!fence->is_on && (nft_fence_rules(&rules) || rules == 0))
		return 0;
	err = nft_batch_begin(&batch);
	if (!err)
		err = nft_fence_put(&batch, &nothing);
	if (!err)
		err = nft_batch_commit(&batch);
	if (!err && !keeper->intercept.is_on)
		err = nft_remove();
	if (err)
		return err;
	fence->is_on = false;
	fence_bans_free(keeper);
	log_info(
		"event=fence reason=\"XDP guards all interfaces: nftables is not needed\"");
	return 0;
}

static int open_bans(struct keeper *keeper, const struct conf *conf)
{
	size_t rules = 0;
	int err;

	if (keeper->fence.bans)
		return 0;
	err = fence_bans_open(keeper, conf->limits.bans_max);
	if (!err)
		err = fence_bans_learn(keeper);
	if (!err)
		err = nft_fence_rules(&rules);
	/* The ledger will say all of them. Till then those of an earlier run hold, if there was one. */
	keeper->fence.is_settling =
		keeper->phase == PHASE_START && (!keeper->xdp || rules > 0);
	return err;
}

static int apply_plan(struct keeper *keeper, const struct snapshot *wanted,
		      struct plan *plan)
{
	const bool was_on = keeper->fence.is_on;
	int err;

	plan_interfaces(plan, keeper, wanted->conf);
	if (plan->wanted.interface_count == 0)
		return plan->missing ? 0 : take_off(keeper);
	plan_policies(plan, keeper, wanted);
	err = open_bans(keeper, wanted->conf);
	if (!err)
		err = put_in_force(keeper, plan);
	if (err && !was_on)
		fence_bans_free(keeper);
	return err;
}

int fence_apply(struct keeper *keeper, const struct snapshot *wanted,
		char problem[KEEPER_PROBLEM_MAX])
{
	AUTO(free_mem) struct plan *plan = calloc(1, sizeof(*plan));
	int err = plan ? 0 : -ENOMEM;

	if (!err && !keeper->fence.is_detached)
		err = apply_plan(keeper, wanted, plan);
	if (!err && plan->missing && keeper->phase == PHASE_START) {
		(void)snprintf(problem, KEEPER_PROBLEM_MAX,
			       "interface %s: there is no such interface", plan->missing);
		return -ENODEV;
	}
	if (err)
		(void)snprintf(
			problem, KEEPER_PROBLEM_MAX,
			"interfaces without XDP cannot be guarded by nftables either: %s%s",
			strerror(-err),
			err == -ENOENT || err == -EOPNOTSUPP
				? ": this kernel lacks nf_tables or its hook at ingress"
				: "");
	return err;
}

/* Does it stand on all interfaces that are there and need it, and on no other? */
static bool stands_where_it_should(const struct keeper *keeper)
{
	const struct nft_fence *wanted = &keeper->fence.wanted;
	const size_t count = keeper->fence.is_on ? wanted->interface_count : 0;
	AUTO(free_mem) struct plan *plan = calloc(1, sizeof(*plan));
	bool is_right;

	if (!plan)
		return true;
	plan_interfaces(plan, keeper, keeper_conf(keeper));
	is_right = plan->wanted.interface_count == count;
	for (size_t i = 0; i < count && is_right; i++)
		is_right = strcmp(plan->wanted.interfaces[i], wanted->interfaces[i]) == 0;
	return is_right;
}

void fence_refresh(struct keeper *keeper)
{
	char problem[KEEPER_PROBLEM_MAX];

	if (!stands_where_it_should(keeper) &&
	    fence_apply(keeper, &keeper->snapshot, problem))
		log_error("event=error what=fence reason=\"%s\"", problem);
}

bool fence_guards(const struct keeper *keeper, const char *interface)
{
	const struct nft_fence *wanted = &keeper->fence.wanted;

	for (size_t i = 0; keeper->fence.is_on && i < wanted->interface_count; i++)
		if (strcmp(wanted->interfaces[i], interface) == 0)
			return if_nametoindex(interface) != 0;
	return false;
}

void fence_settle(struct keeper *keeper)
{
	int err;

	if (!keeper->fence.is_settling)
		return;
	keeper->fence.is_settling = false;
	err = keeper->fence.is_on ? fence_rebuild(keeper, false) : 0;
	if (err)
		log_error("event=error what=fence reason=\"%s\"", strerror(-err));
}

void fence_snapshot_moved(struct keeper *keeper)
{
	struct keeper_fence *fence = &keeper->fence;
	const struct conf *conf = keeper_conf(keeper);

	for (size_t i = 0; i < fence->wanted.policy_count; i++) {
		const int index = conf_policy_find(conf, fence->policies[i].name);

		if (index >= 0)
			fence->policies[i].table = keeper->snapshot.tables[index];
	}
}

void fence_free(struct keeper *keeper)
{
	fence_bans_free(keeper);
}

/* ---- others that change nftables ------------------------------------------------------------------------------ */

static int put_back(struct keeper *keeper, bool is_gone)
{
	const uint64_t began_ns = clock_mono_ns();
	int err = fence_rebuild(keeper, is_gone);

	if (!err)
		log_warn(
			"event=fence reason=\"somebody changed table inet postern: it is put back\" "
			"rules=%zu ms=%llu",
			keeper->fence.rules,
			(unsigned long long)((clock_mono_ns() - began_ns) / NS_PER_MS));
	return err;
}

static void stay_off(struct keeper *keeper)
{
	keeper->fence.is_on = false;
	keeper->fence.is_detached = true;
	fence_bans_free(keeper);
	log_warn(
		"event=fence reason=\"posternd --detach took it off: nothing is dropped by "
		"nftables until a restart\"");
}

int fence_on_change(struct keeper *keeper, const struct nft_watched *seen)
{
	struct keeper_fence *fence = &keeper->fence;
	size_t rules = 0;
	int err;

	if (fence->is_on && seen->by_detach)
		stay_off(keeper);
	if (!fence->is_on)
		return 0;
	if (!stands_where_it_should(keeper)) {
		fence_refresh(keeper);
		return 0;
	}
	err = nft_fence_rules(&rules);
	if (!err && (seen->by_others || rules != fence->rules))
		err = put_back(keeper, rules == 0);
	if (err)
		log_error("event=error what=fence reason=\"%s\"", strerror(-err));
	return err;
}
