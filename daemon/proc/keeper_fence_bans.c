/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_fence_bans - the bans that hold at the second fence, and each change of them.
 *
 * The keeper remembers them: nftables keeps a ban of a prefix cut to pieces, and a set of a million cannot be read back
 * in any time to speak of. A client's ban is one element of a hash; of a prefix the set of its policy is made anew.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/prefix_set.h"
#include "proc/keeper_fence.h"

#define WALK_ITEMS 512u
#define BATCH_BANS 16384u
#define ENDED_NS   (NS_PER_S / 2) /* then nftables has seen it, too */

/* In this order, so that the difference is never less than nothing. */
uint64_t fence_asleep_ns(void)
{
	const uint64_t mono_ns = clock_mono_ns();

	return clock_boot_ns() - mono_ns;
}

/* ---- the memory of them ------------------------------------------------------------------------------- */

static struct prefix_set *set_open(size_t capacity, size_t *out_bytes)
{
	const size_t bytes = prefix_set_size(capacity);
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED)
		return NULL;
	*out_bytes = bytes;
	return prefix_set_init(memory, capacity);
}

static void set_close(struct prefix_set **set, size_t bytes)
{
	if (*set)
		(void)munmap(*set, bytes);
	*set = NULL;
}

int fence_bans_open(struct keeper *keeper, uint32_t bans_max)
{
	struct keeper_fence *fence = &keeper->fence;

	fence->bans = set_open(bans_max, &fence->bans_bytes);
	fence->prefixes = set_open(FENCE_PREFIXES_MAX, &fence->prefixes_bytes);
	if (fence->bans && fence->prefixes)
		return 0;
	fence_bans_free(keeper);
	return -ENOMEM;
}

void fence_bans_free(struct keeper *keeper)
{
	netlink_hang_up(&keeper->fence.line);
	set_close(&keeper->fence.bans, keeper->fence.bans_bytes);
	set_close(&keeper->fence.prefixes, keeper->fence.prefixes_bytes);
}

static bool is_client(const struct prefix *prefix)
{
	return prefix->len == (prefix->addr.family == ADDR_V4 ? 32 : CLIENT_V6_LEN);
}

static struct prefix_set *set_of(const struct keeper_fence *fence,
				 const struct prefix *prefix)
{
	return is_client(prefix) ? fence->bans : fence->prefixes;
}

static int learn(void *context, const struct xdp_ban *ban)
{
	const struct keeper_fence *fence = context;
	const struct prefix_set_item item = {
		.prefix = ban->prefix,
		.group = ban->policy,
		.ends_ns = ban->ends_ns,
	};
	const int result = prefix_set_put(set_of(fence, &ban->prefix), &item);

	return result < 0 ? result : 0;
}

int fence_bans_learn(struct keeper *keeper)
{
	return keeper->xdp ? xdp_ban_each(keeper->xdp, learn, &keeper->fence) : 0;
}

/* ---- bans of prefixes ---------------------------------------------------------------------------------- */

bool fence_is_inside(const struct keeper_fence_policy *policy,
		     const struct prefix *prefix)
{
	return policy->has_fine && prefix->addr.family == ADDR_V6 &&
	       prefix_table_has_inside(policy->table, prefix);
}

struct ends {
	struct prefix_ends *ends; /* owned */
	size_t count, room;
};

static void ends_free(struct ends *ends)
{
	free_mem(&ends->ends);
}

static int ends_add(struct ends *ends, const struct prefix_set_item *item)
{
	if (ends->count == ends->room) {
		const size_t room = ends->room ? 2 * ends->room : 64;
		struct prefix_ends *grown =
			reallocarray(ends->ends, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		ends->ends = grown;
		ends->room = room;
	}
	ends->ends[ends->count++] = (struct prefix_ends){item->prefix, item->ends_ns};
	return 0;
}

static int ends_collect(const struct keeper_fence *fence, uint16_t id,
			enum addr_family family, struct ends *out)
{
	const uint64_t now_ns = clock_boot_ns();
	struct prefix_set_item items[WALK_ITEMS];
	size_t cursor = 0, count;
	int err = 0;

	do {
		cursor = prefix_set_walk(fence->prefixes, cursor, items, WALK_ITEMS,
					 &count);
		for (size_t i = 0; i < count && !err; i++)
			if (items[i].group == id &&
			    items[i].prefix.addr.family == family &&
			    items[i].ends_ns > now_ns)
				err = ends_add(out, &items[i]);
	} while (cursor != 0 && !err);
	return err;
}

/* Bans of clients that have a longer entry inside: found by those entries, of which there are few. */
static int ends_collect_fine(const struct keeper_fence *fence,
			     const struct keeper_fence_policy *policy, struct ends *out)
{
	const size_t begin = prefix_table_count_family(policy->table, ADDR_V4);
	const size_t count = prefix_table_count(policy->table);
	struct prefix last = {.len = 0};
	int err = 0;

	for (size_t i = begin; policy->has_fine && i < count && !err; i++) {
		struct prefix_set_item item;
		struct prefix_row row;
		struct prefix client;

		prefix_table_row(policy->table, i, &row);
		client = prefix_of_client(&row.prefix.addr);
		/* They are sorted: those of one client stand together. */
		if (row.prefix.len <= CLIENT_V6_LEN || prefix_equal(&client, &last))
			continue;
		last = client;
		if (prefix_set_get(fence->bans, policy->id, &client, &item) &&
		    item.ends_ns > clock_boot_ns())
			err = ends_add(out, &item);
	}
	return err;
}

int fence_prefix_spans(const struct keeper_fence *fence,
		       const struct keeper_fence_policy *policy, enum addr_family family,
		       struct prefix_spans *out_spans)
{
	AUTO(ends_free) struct ends ends = {0};
	int err = ends_collect(fence, policy->id, family, &ends);

	if (!err && family == ADDR_V6)
		err = ends_collect_fine(fence, policy, &ends);
	return err ? err
		   : prefix_spans_of_bans(ends.ends, ends.count, policy->table,
					  out_spans);
}

int fence_prefixes_put(const struct keeper_fence *fence,
		       const struct keeper_fence_policy *policy, struct nft_batch *batch)
{
	struct nft_fence_place place = {policy->name, NFT_FENCE_PREFIXES, ADDR_V4};
	AUTO(prefix_spans_free) struct prefix_spans spans4 = {0};
	AUTO(prefix_spans_free) struct prefix_spans spans6 = {0};
	int err = fence_prefix_spans(fence, policy, ADDR_V4, &spans4);

	if (!err)
		err = fence_prefix_spans(fence, policy, ADDR_V6, &spans6);
	if (err)
		return err;
	nft_fence_fill(batch, &place, &spans4, clock_boot_ns());
	place.family = ADDR_V6;
	nft_fence_fill(batch, &place, &spans6, clock_boot_ns());
	return 0;
}

/* ---- bans of clients ------------------------------------------------------------------------------------- */

/*
 * In batches: the kernel's tables grow beside the work, and a batch of a million elements takes five times as long as
 * sixty of a sixtieth.
 */
struct filling {
	struct nft_batch batch;
	const char *name; /* of the policy, or of its spare */
	size_t count;	  /* in the batch */
	size_t at_once;
};

static int filling_commit(struct filling *filling)
{
	const int err = nft_batch_commit(&filling->batch);

	nft_batch_free(&filling->batch);
	filling->batch = (struct nft_batch){0};
	filling->count = 0;
	return err;
}

static int filling_add(struct filling *filling, const struct nft_fence_ban *bans,
		       size_t count)
{
	int err = 0;

	if (count == 0)
		return 0;
	if (!filling->batch.bytes)
		err = nft_batch_begin(&filling->batch);
	if (err)
		return err;
	nft_fence_bans(&filling->batch, filling->name, bans, count, clock_boot_ns());
	filling->count += count;
	return filling->count < filling->at_once ? 0 : filling_commit(filling);
}

/* All exact bans of a policy. */
static int fill(const struct keeper_fence *fence,
		const struct keeper_fence_policy *policy, struct filling *filling)
{
	const uint64_t now_ns = clock_boot_ns();
	struct prefix_set_item items[WALK_ITEMS];
	struct nft_fence_ban bans[WALK_ITEMS];
	size_t cursor = 0, count;
	int err;

	do {
		size_t at = 0;

		cursor = prefix_set_walk(fence->bans, cursor, items, WALK_ITEMS, &count);
		for (size_t i = 0; i < count; i++)
			if (items[i].group == policy->id && items[i].ends_ns > now_ns &&
			    !fence_is_inside(policy, &items[i].prefix))
				bans[at++] = (struct nft_fence_ban){items[i].prefix, true,
								    items[i].ends_ns};
		err = filling_add(filling, bans, at);
	} while (cursor != 0 && !err);
	if (!err && filling->batch.bytes)
		err = filling_commit(filling);
	nft_batch_free(&filling->batch);
	return err;
}

int fence_bans_fill(const struct keeper_fence *fence,
		    const struct keeper_fence_policy *policy)
{
	struct filling filling = {.name = policy->name, .at_once = BATCH_BANS};

	return fill(fence, policy, &filling);
}

static void put_none(struct nft_batch *batch, const char *policy)
{
	const struct prefix_spans none = {0};
	struct nft_fence_place place = {policy, NFT_FENCE_BANS, ADDR_V4};

	nft_fence_fill(batch, &place, &none, 0);
	place.family = ADDR_V6;
	nft_fence_fill(batch, &place, &none, 0);
}

typedef void (*spare_step_fn)(struct nft_batch *batch,
			      const struct nft_fence_policy *policy);

static void spare_begin(struct nft_batch *batch, const struct nft_fence_policy *policy)
{
	nft_fence_spare(batch, policy, true);
}

static void spare_end(struct nft_batch *batch, const struct nft_fence_policy *policy)
{
	nft_fence_spare(batch, policy, false);
}

static int spare_step(spare_step_fn step, const struct nft_fence_policy *policy)
{
	AUTO(nft_batch_free) struct nft_batch batch = {0};
	int err = nft_batch_begin(&batch);

	if (err)
		return err;
	step(&batch, policy);
	return nft_batch_commit(&batch);
}

/* Few enough for one batch. */
static int renew_at_once(const struct keeper_fence *fence,
			 const struct keeper_fence_policy *policy)
{
	struct filling whole = {.name = policy->name, .at_once = SIZE_MAX};
	int err = nft_batch_begin(&whole.batch);

	if (!err)
		put_none(&whole.batch, policy->name);
	return err ? err : fill(fence, policy, &whole);
}

int fence_bans_renew(const struct keeper_fence *fence,
		     const struct keeper_fence_policy *policy)
{
	const struct nft_fence_policy *wanted =
		&fence->wanted.policies[policy - fence->policies];
	char name[NFT_FENCE_SPARE_MAX];
	struct filling spare = {.name = nft_fence_spare_name(policy->name, name),
				.at_once = BATCH_BANS};
	int err;

	if (prefix_set_count(fence->bans) <= BATCH_BANS)
		return renew_at_once(fence, policy);
	err = spare_step(spare_begin, wanted);
	if (!err)
		err = fill(fence, policy, &spare);
	if (!err)
		err = spare_step(nft_fence_empty, wanted);
	if (!err)
		err = fence_bans_fill(fence, policy);
	return err ? err : spare_step(spare_end, wanted);
}

/* Clients inside of which a row of this list lies, into the set where the new list wants them. */
static void move_of_table(const struct keeper_fence *fence,
			  const struct prefix_table *table,
			  const struct keeper_fence_policy *policy,
			  struct nft_batch *batch)
{
	struct prefix last = {.len = 0};

	for (size_t i = prefix_table_count_family(table, ADDR_V4);
	     i < prefix_table_count(table); i++) {
		struct nft_fence_ban ban = {.is_new = false};
		struct prefix_set_item item;
		struct prefix_row row;

		prefix_table_row(table, i, &row);
		ban.prefix = prefix_of_client(&row.prefix.addr);
		if (row.prefix.len <= CLIENT_V6_LEN || prefix_equal(&ban.prefix, &last))
			continue;
		last = ban.prefix;
		if (!prefix_set_get(fence->bans, policy->id, &ban.prefix, &item))
			continue;
		if (!fence_is_inside(policy, &ban.prefix))
			ban.ends_ns = item.ends_ns;
		nft_fence_bans(batch, policy->name, &ban, 1, clock_boot_ns());
	}
}

void fence_bans_move(const struct keeper_fence *fence,
		     const struct keeper_fence_policy *before,
		     const struct keeper_fence_policy *policy, struct nft_batch *batch)
{
	if (before->has_fine)
		move_of_table(fence, before->table, policy, batch);
	if (policy->has_fine)
		move_of_table(fence, policy->table, policy, batch);
}

/* ---- changes ---------------------------------------------------------------------------------------------- */

/* What a message of changes comes to. */
struct edits {
	struct nft_fence_ban
		all[MSG_BANS_MAX];  /* as each has changed what the keeper remembers */
	bool is_void[MSG_BANS_MAX]; /* nothing is to be done in nftables */
	struct nft_fence_ban bans[MSG_BANS_MAX]; /* exact ones of one policy */
	size_t count;
	bool is_wide; /* its sets of prefixes have to be made anew */
};

static bool edit_counts(const struct msg_ban *ban)
{
	return !ban->error || (ban->error == -ENOENT && ban->edit == BAN_EDIT_REMOVE);
}

static void edit_remove(const struct keeper_fence *fence, struct edits *edits, size_t i,
			const struct msg_ban *ban)
{
	struct prefix_set *set = set_of(fence, &ban->prefix);
	const uint64_t now_ns = clock_boot_ns();
	struct prefix_set_item item;

	/* What has ended has gone from the kernel's set by itself. */
	edits->is_void[i] = !prefix_set_get(set, ban->policy, &ban->prefix, &item) ||
			    (is_client(&ban->prefix) && item.ends_ns < now_ns &&
			     now_ns - item.ends_ns > ENDED_NS);
	(void)prefix_set_remove(set, ban->policy, &ban->prefix);
}

static void edit_set(const struct keeper_fence *fence, struct edits *edits, size_t i,
		     struct msg_ban *ban)
{
	const struct prefix_set_item item = {
		.prefix = ban->prefix,
		.group = ban->policy,
		.ends_ns = ban->ends_ns,
	};
	const int result = prefix_set_put(set_of(fence, &ban->prefix), &item);

	edits->all[i].ends_ns = ban->ends_ns;
	edits->all[i].is_new = result == 0;
	if (result < 0) {
		ban->error = (int16_t)result;
		edits->is_void[i] = true;
	}
}

/* Into the keeper's memory, in their order: the same address may come twice. */
static void edits_remember(const struct keeper_fence *fence, struct edits *edits,
			   struct msg_bans *bans)
{
	memset(edits, 0, sizeof(*edits));
	for (uint32_t i = 0; i < bans->count; i++) {
		struct msg_ban *ban = &bans->bans[i];

		edits->all[i].prefix = ban->prefix;
		if (!edit_counts(ban))
			edits->is_void[i] = true;
		else if (ban->edit == BAN_EDIT_REMOVE)
			edit_remove(fence, edits, i, ban);
		else
			edit_set(fence, edits, i, ban);
	}
}

/* Those of one policy, for nftables. */
static void edits_choose(struct edits *edits, const struct msg_bans *bans,
			 const struct keeper_fence_policy *policy)
{
	edits->count = 0;
	edits->is_wide = false;
	for (uint32_t i = 0; i < bans->count; i++) {
		const struct nft_fence_ban *ban = &edits->all[i];

		if (edits->is_void[i] || bans->bans[i].policy != policy->id)
			continue;
		if (is_client(&ban->prefix) && !fence_is_inside(policy, &ban->prefix))
			edits->bans[edits->count++] = *ban;
		else
			edits->is_wide = true;
	}
}

/* By one batch. */
static int edits_put(const struct keeper_fence *fence, const struct edits *edits,
		     const struct keeper_fence_policy *policy, struct netlink_line *line)
{
	AUTO(nft_batch_free) struct nft_batch batch = {.line = line};
	int err;

	if (edits->count == 0 && !edits->is_wide)
		return 0;
	err = nft_batch_begin(&batch);
	if (err)
		return err;
	nft_fence_bans(&batch, policy->name, edits->bans, edits->count, clock_boot_ns());
	if (edits->is_wide)
		err = fence_prefixes_put(fence, policy, &batch);
	return err ? err : nft_batch_commit(&batch);
}

static void edits_fail(struct msg_bans *bans, uint16_t policy, int err)
{
	log_error("event=error what=fence reason=\"%s\"", strerror(-err));
	for (uint32_t i = 0; i < bans->count; i++)
		if (bans->bans[i].policy == policy && edit_counts(&bans->bans[i]))
			bans->bans[i].error = (int16_t)err;
}

/* The ends were said as times left, on a clock that stands while the host is asleep. */
static bool has_slept(const struct keeper_fence *fence)
{
	return fence_asleep_ns() > fence->asleep_ns + NS_PER_S;
}

void fence_edits(struct keeper *keeper, struct msg_bans *bans)
{
	struct keeper_fence *fence = &keeper->fence;
	AUTO(free_mem) struct edits *edits = NULL;

	if (!fence->is_on)
		return;
	edits = malloc(sizeof(*edits));
	if (edits)
		edits_remember(fence, edits, bans);
	for (size_t i = 0; i < fence->wanted.policy_count && !fence->is_settling; i++) {
		int err = -ENOMEM;

		if (edits) {
			edits_choose(edits, bans, &fence->policies[i]);
			err = edits_put(fence, edits, &fence->policies[i], &fence->line);
		}
		/* Somebody may just have changed the table: then the whole is put back. */
		if (err && edits)
			err = fence_rebuild(keeper, false);
		if (err)
			edits_fail(bans, fence->policies[i].id, err);
	}
	if (has_slept(fence) && fence_rebuild(keeper, false))
		log_error("event=error what=fence reason=\"after the host slept\"");
}

/* ---- without XDP ------------------------------------------------------------------------------------------- */

static void ban_tell(const struct prefix_set_item *item, struct xdp_ban *out_ban)
{
	*out_ban = (struct xdp_ban){
		.prefix = item->prefix,
		.policy = item->group,
		.ends_ns = item->ends_ns,
	};
}

bool fence_find(const struct keeper *keeper, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban)
{
	const struct keeper_fence *fence = &keeper->fence;
	struct prefix_set_item item;

	if (!fence->bans || !prefix_set_get(set_of(fence, prefix), policy, prefix, &item))
		return false;
	ban_tell(&item, out_ban);
	return true;
}

void fence_walk(struct keeper *keeper, bool restart, struct xdp_ban *out_bans, size_t max,
		size_t *out_count)
{
	struct keeper_fence *fence = &keeper->fence;
	struct prefix_set_item items[WALK_ITEMS];
	size_t count = 0;

	if (max > WALK_ITEMS)
		max = WALK_ITEMS;
	if (restart)
		fence->walk = (struct keeper_fence_walk){0};
	/* A step may be empty before the end. */
	while (fence->bans && count == 0 && !fence->walk.is_over) {
		const struct prefix_set *set =
			fence->walk.is_in_prefixes ? fence->prefixes : fence->bans;

		fence->walk.cursor =
			prefix_set_walk(set, fence->walk.cursor, items, max, &count);
		if (fence->walk.cursor != 0)
			continue;
		fence->walk.is_over = fence->walk.is_in_prefixes;
		fence->walk.is_in_prefixes = true;
	}
	for (size_t i = 0; i < count; i++)
		ban_tell(&items[i], &out_bans[i]);
	*out_count = count;
}
