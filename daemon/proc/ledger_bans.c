/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_bans - see ledger_bans.h.
 */
#include "proc/ledger_bans.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_events.h"
#include "proc/ledger_store.h"

#define EXPIRE_STEP_ITEMS 8192u /* in one step of the walk */

void bans_fill_set(const struct ledger *ledger, struct ban_change *change,
		   int64_t length_s)
{
	int64_t now_s = ledger->now.wall_s;

	change->edit = BAN_EDIT_SET;
	change->key = change->policy < CONF_POLICY_IDS ? ledger->keys[change->policy] : 0;
	change->began_s = now_s;
	change->ends_s =
		length_s > DB_FOREVER_S - now_s ? DB_FOREVER_S : now_s + length_s;
	change->ends_ns = ledger_boot_from_wall(ledger, change->ends_s);
}

static uint8_t bans_source(const struct ban_change *change)
{
	return change->cause == CAUSE_STRIKES ? DB_SOURCE_STRIKES : DB_SOURCE_COMMAND;
}

/* Keep the strikes that made an autoban, and start counting anew. */
static int bans_write_evidence(struct ledger *ledger, const struct ban_change *change)
{
	int index = ledger_policy_index(ledger, change->policy);
	int64_t window_s;

	if (change->cause != CAUSE_STRIKES || index < 0)
		return 0;
	window_s = ledger_conf(ledger)->policies[index].strikes.window_s;
	return db_evidence_keep(store_db(ledger), &change->prefix, change->began_s,
				change->began_s - window_s);
}

/* The ban that has ended goes to the history, so that the new one has its own beginning and evidence. */
static int bans_write_end(struct ledger *ledger, const struct ban_change *change)
{
	int err = db_ban_end(store_db(ledger), change->key, &change->prefix,
			     ledger->now.wall_s, DB_END_EXPIRED);

	return err == -ENOENT ? 0 : err;
}

static int bans_write_one(struct ledger *ledger, struct ban_batch *batch,
			  struct ban_change *change)
{
	int err = change->was_over ? bans_write_end(ledger, change) : 0;

	if (!err)
		err = store_write_change(ledger, change, bans_source(change),
					 batch_why(batch, change));
	if (err == -ENOENT && change->edit == BAN_EDIT_REMOVE) {
		/* It may be known only to memory, if the store had no room for it. */
		if (change->policy == LEDGER_POLICY_NONE ||
		    !prefix_set_get(ledger->set, change->policy, &change->prefix,
				    &(struct prefix_set_item){.group = 0}))
			change->error = -ENOENT;
		return 0;
	}
	if (!err && change->edit == BAN_EDIT_SET)
		err = bans_write_evidence(ledger, change);
	return err;
}

/* All of a batch in one transaction. 0; -errno: none of it is stored. */
static int bans_write(struct ledger *ledger, struct ban_batch *batch)
{
	int err = store_begin(ledger);

	if (err)
		return err;
	for (size_t i = 0; !err && i < batch->count; i++) {
		if (!batch->changes[i].error)
			err = bans_write_one(ledger, batch, &batch->changes[i]);
	}
	for (size_t i = 0; !err && i < batch->count; i++) {
		if (batch->changes[i].cause == CAUSE_STRIKES)
			err = db_strikes_forget(store_db(ledger),
						&batch->changes[i].prefix);
	}
	if (err) {
		store_abort(ledger, err);
		return err;
	}
	return store_commit(ledger);
}

/* A change the store could not take is enforced all the same, and kept for later. */
static void bans_keep_unstored(struct ledger *ledger, struct ban_batch *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct ban_change *change = &batch->changes[i];

		if (change->error)
			continue;
		if (change->policy == LEDGER_POLICY_NONE) {
			change->error = -EIO; /* it lies only in the store */
			continue;
		}
		change->is_unstored = true;
		store_keep_unstored(ledger, change, bans_source(change),
				    batch_why(batch, change));
	}
}

static void bans_enforce_one(struct ledger *ledger, struct ban_change *change)
{
	struct prefix_set_item item = {
		.prefix = change->prefix,
		.group = change->policy,
		.ends_ns = change->ends_ns,
	};
	int err;

	if (change->error || change->policy == LEDGER_POLICY_NONE)
		return;
	if (change->edit == BAN_EDIT_REMOVE) {
		(void)prefix_set_remove(ledger->set, change->policy, &change->prefix);
		return;
	}
	err = prefix_set_put(ledger->set, &item);
	if (err < 0)
		change->error = err;
	else
		change->existed = err == 1 && !change->was_over;
}

/* Before anything is stored: is there room in the set? */
static void bans_check_room(struct ledger *ledger, struct ban_batch *batch)
{
	size_t room = ledger->set_capacity - prefix_set_count(ledger->set);

	for (size_t i = 0; i < batch->count; i++) {
		struct ban_change *change = &batch->changes[i];
		struct prefix_set_item item;

		if (change->error || change->edit != BAN_EDIT_SET)
			continue;
		if (prefix_set_get(ledger->set, change->policy, &change->prefix, &item))
			change->was_over = item.ends_ns <= ledger->now.boot_ns;
		else if (room == 0)
			change->error = -ENOSPC;
		else
			room--;
	}
}

void bans_commit(struct ledger *ledger, struct ban_batch **batch)
{
	bans_check_room(ledger, *batch);
	if (bans_write(ledger, *batch))
		bans_keep_unstored(ledger, *batch);
	for (size_t i = 0; i < (*batch)->count; i++)
		bans_enforce_one(ledger, &(*batch)->changes[i]);
	sync_submit(ledger, batch);
}

/* The keeper refused a ban: as if it had never been. */
static void bans_undo(struct ledger *ledger, const struct ban_change *change)
{
	int err;

	(void)prefix_set_remove(ledger->set, change->policy, &change->prefix);
	if (!change->key)
		return;
	err = store_begin(ledger);
	if (err)
		return;
	err = db_ban_end(store_db(ledger), change->key, &change->prefix,
			 ledger->now.wall_s, DB_END_UNBANNED);
	if (err && err != -ENOENT)
		store_abort(ledger, err);
	else
		(void)store_commit(
			ledger); /* said there; the next start refuses it again */
}

/* The keeper has answered for a part of a batch. */
static void bans_on_answer(struct ledger *ledger, struct ban_batch *batch, size_t first,
			   size_t count)
{
	size_t sets = 0;

	for (size_t i = first; i < first + count; i++) {
		const struct ban_change *change = &batch->changes[i];
		bool is_set = change->edit == BAN_EDIT_SET;

		if (is_set && !change->error && ++sets <= BANS_RECHECK_MAX)
			ledger_recheck(ledger, &change->prefix);
		/* Not what never was: -ENOENT is an answer for who asked, no event. */
		if (change->error == -ENOENT && !is_set)
			continue;
		if (is_set && (change->error == -EPERM || change->error == -ENOSPC ||
			       change->error == -E2BIG || change->error == -EINVAL))
			bans_undo(ledger, change);
		if (change->cause != CAUSE_REPAIR || change->error)
			events_change(ledger, batch, i);
	}
	if (sets > BANS_RECHECK_MAX)
		ledger_recheck(ledger, NULL);
	if (first + count == batch->count)
		events_batch(ledger, batch);
}

void bans_init(struct ledger *ledger)
{
	sync_on_answer(ledger, bans_on_answer);
}

int bans_restore(struct ledger *ledger, const struct db_ban *ban)
{
	struct prefix_set_item item = {
		.prefix = ban->prefix,
		.group = (uint16_t)ledger_policy_of_key(ledger, ban->policy),
		.ends_ns = ledger_boot_from_wall(ledger, ban->ends_s),
	};
	int err;

	if (item.group == LEDGER_POLICY_NONE || item.ends_ns <= ledger->now.boot_ns)
		return 0;
	err = prefix_set_put(ledger->set, &item);
	return err < 0 ? err : 0;
}

/* Must this ban go? Returns whether, and why. */
static bool bans_must_go(const struct ledger *ledger, const struct prefix_set_item *item,
			 enum ban_cause *out_cause)
{
	if (item->ends_ns <= ledger->now.boot_ns) {
		*out_cause = CAUSE_EXPIRED;
		return true;
	}
	if (ledger->is_checking_protected &&
	    protected_find(ledger->snapshot.protected_set, &item->prefix)) {
		*out_cause = CAUSE_PROTECTED;
		return true;
	}
	return false;
}

static void bans_add_removal(const struct ledger *ledger, struct ban_batch *batch,
			     const struct prefix_set_item *item, enum ban_cause cause)
{
	struct ban_change *change = batch_add(batch);

	if (!change)
		return; /* found again in the next round */
	change->prefix = item->prefix;
	change->policy = (uint8_t)item->group;
	change->edit = BAN_EDIT_REMOVE;
	change->cause = (uint8_t)cause;
	change->key = ledger->keys[item->group];
}

static void bans_end_round(struct ledger *ledger)
{
	ledger->is_checking_protected = ledger->next_round_protected;
	ledger->next_round_protected = false;
}

/* One step of the walk through the set. false: the round is at its end. */
static bool bans_expire_step(struct ledger *ledger, struct prefix_set_item *items,
			     struct ban_batch **batch)
{
	size_t count = 0;

	ledger->expire_cursor = prefix_set_walk(ledger->set, ledger->expire_cursor, items,
						EXPIRE_STEP_ITEMS, &count);
	for (size_t i = 0; i < count; i++) {
		enum ban_cause cause;

		if (!bans_must_go(ledger, &items[i], &cause))
			continue;
		if (!*batch)
			*batch = batch_new(BANS_EXPIRE_MAX, 0);
		if (*batch)
			bans_add_removal(ledger, *batch, &items[i], cause);
	}
	if (ledger->expire_cursor != 0)
		return true;
	bans_end_round(ledger);
	return false;
}

void bans_tick(struct ledger *ledger)
{
	AUTO(batch_free) struct ban_batch *batch = NULL;
	AUTO(free_mem) struct prefix_set_item *items = NULL;

	if (prefix_set_count(ledger->set) == 0) {
		ledger->expire_cursor = 0;
		bans_end_round(ledger);
		return;
	}
	items = calloc(EXPIRE_STEP_ITEMS, sizeof(*items));
	for (unsigned int step = 0; items && step < BANS_EXPIRE_STEPS; step++) {
		if (!bans_expire_step(ledger, items, &batch))
			break;
	}
	if (batch)
		bans_commit(ledger, &batch);
}
