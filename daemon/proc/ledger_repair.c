/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_repair - see ledger_repair.h.
 */
#include "proc/ledger_repair.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"
#include "proc/ledger_ask.h"
#include "proc/ledger_store.h"
#include "proc/ledger_sync.h"

#define IMPORT_MAX	8192u /* bans of one commit */
#define SEEN_FIRST	4096u /* room at first; doubles */
#define WALK_STEP_ITEMS 512u

/* A ban that the kernel has and should have. Compared as bytes. */
struct seen {
	struct prefix prefix;
	uint8_t policy;
};

static_assert(sizeof(struct seen) == sizeof(struct prefix) + 1, "no padding");

struct repair {
	struct ledger *ledger;
	bool is_importing, is_again;
	repair_done_fn done;
	struct repair_result result;
	struct seen *seen;
	bool is_sorted; /* seen; only if something has to be looked up in it */
	size_t seen_count, seen_room;
	struct ban_batch *batch; /* differences found so far */
	bool has_more_extras;	 /* than one pass removes */
	struct db_ban *imports;
	size_t import_count;
	size_t cursor; /* of the walk through the set */
};

static int seen_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct seen));
}

static int repair_see(struct repair *repair, const struct seen *seen)
{
	if (repair->seen_count == repair->seen_room) {
		size_t room = repair->seen_room ? repair->seen_room * 2 : SEEN_FIRST;
		struct seen *grown = reallocarray(repair->seen, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		repair->seen = grown;
		repair->seen_room = room;
	}
	repair->seen[repair->seen_count++] = *seen;
	repair->is_sorted = false;
	return 0;
}

void repair_free(struct repair **repair)
{
	if (!*repair)
		return;
	if ((*repair)->ledger->walker == *repair)
		(*repair)->ledger->walker = NULL;
	batch_free(&(*repair)->batch);
	free((*repair)->seen);
	free((*repair)->imports);
	free(*repair);
	*repair = NULL;
}

bool repair_is_running(const struct ledger *ledger)
{
	return ledger->repair;
}

static void repair_end(struct repair *repair)
{
	struct ledger *ledger = repair->ledger;
	struct repair_result result = repair->result;
	repair_done_fn done = repair->done;
	bool is_again = repair->is_again;

	repair_free(&ledger->repair);
	if (is_again && repair_begin(ledger, false, done) == 0)
		return;
	if (done)
		done(ledger, &result);
}

static void repair_fail(struct repair *repair, int error)
{
	log_error("event=repair-failed error=\"%s\"", strerror(-error));
	ledger_fail(repair->ledger);
}

/* ---- what the kernel still knew when the store was lost --------------------------------------- */

static void repair_write_imports(struct repair *repair)
{
	struct ledger *ledger = repair->ledger;
	int err;

	if (repair->import_count == 0)
		return;
	err = store_begin(ledger);
	if (err)
		goto lost;
	for (size_t i = 0; i < repair->import_count && !err; i++)
		err = db_ban_put(store_db(ledger), &repair->imports[i]);
	if (err)
		store_abort(ledger, err);
	else
		err = store_commit(ledger);
	if (!err) {
		repair->import_count = 0;
		return;
	}
lost:
	log_error(
		"event=import-unstored bans=%zu message=\"enforced, but they end with the next restart\"",
		repair->import_count);
	repair->import_count = 0;
}

static int repair_import(struct repair *repair, const struct msg_ban *ban)
{
	struct ledger *ledger = repair->ledger;
	struct prefix_set_item item = {
		.prefix = ban->prefix,
		.group = ban->policy,
		.ends_ns = ban->ends_ns,
	};
	struct db_ban *stored;
	int err = prefix_set_put(ledger->set, &item);

	if (err < 0)
		return err;
	if (!repair->imports)
		repair->imports = calloc(IMPORT_MAX, sizeof(*repair->imports));
	if (!repair->imports)
		return -ENOMEM;
	stored = &repair->imports[repair->import_count++];
	*stored = (struct db_ban){
		.prefix = ban->prefix,
		.policy = ledger->keys[ban->policy],
		.began_s = ledger->now.wall_s,
		.ends_s = ledger_wall_from_boot(ledger, ban->ends_ns),
		.source = DB_SOURCE_KERNEL,
	};
	(void)text_copy(stored->why, sizeof(stored->why),
			"taken over from the kernel: the store was lost");
	repair->result.imported++;
	if (repair->import_count == IMPORT_MAX)
		repair_write_imports(repair);
	return 0;
}

/* ---- the walk through the kernel --------------------------------------------------------------- */

static int repair_differ(struct repair *repair, const struct prefix *prefix,
			 uint8_t policy, enum ban_edit_kind edit)
{
	struct ban_change *change;

	if (!repair->batch)
		repair->batch = batch_new(REPAIR_EXTRAS_MAX, 0);
	if (!repair->batch)
		return -ENOMEM;
	change = batch_add(repair->batch);
	if (!change) {
		repair->has_more_extras = true;
		return 0;
	}
	change->prefix = *prefix;
	change->policy = policy;
	change->edit = (uint8_t)edit;
	change->cause = CAUSE_REPAIR;
	return 0;
}

static bool repair_ends_agree(uint64_t a_ns, uint64_t b_ns)
{
	uint64_t apart_ns = a_ns > b_ns ? a_ns - b_ns : b_ns - a_ns;

	return apart_ns <= REPAIR_TOLERANCE_S * NS_PER_S;
}

static int repair_look(struct repair *repair, const struct msg_ban *ban)
{
	struct ledger *ledger = repair->ledger;
	struct seen seen = {.prefix = ban->prefix, .policy = ban->policy};
	struct prefix_set_item item;
	bool is_wanted = prefix_set_get(ledger->set, ban->policy, &ban->prefix, &item);
	int err = 0;

	repair->result.kernel++;
	if (!is_wanted) {
		if (!repair->is_importing || !ledger->keys[ban->policy] ||
		    ban->ends_ns <= ledger->now.boot_ns)
			return repair_differ(repair, &ban->prefix, ban->policy,
					     BAN_EDIT_REMOVE);
		err = repair_import(repair, ban);
	} else if (!repair_ends_agree(item.ends_ns, ban->ends_ns)) {
		err = repair_differ(repair, &ban->prefix, ban->policy, BAN_EDIT_SET);
	} else {
		/* To the nanosecond the kernel's, which the clock of the wall cannot know. */
		item.ends_ns = ban->ends_ns;
		if (prefix_set_put(ledger->set, &item) < 0)
			return -ENOSPC;
		repair->result.kept++;
	}
	return err ? err : repair_see(repair, &seen);
}

static void repair_walk_set(struct repair *repair);
static int repair_ask_page(struct repair *repair, bool restart);

/* The differences of the walk have reached the kernel. */
static void repair_on_walk_edits(void *context, struct ban_batch *batch)
{
	struct repair *repair = context;
	int err;

	for (size_t i = 0; i < batch->count; i++) {
		if (batch->changes[i].error)
			repair->result.failed++;
		else if (batch->changes[i].edit == BAN_EDIT_REMOVE)
			repair->result.removed++;
		else
			repair->result.set++;
	}
	if (!repair->has_more_extras) {
		repair_walk_set(repair);
		return;
	}
	repair->has_more_extras = false;
	repair->seen_count = 0;
	repair->result.kernel = repair->result.kept = 0;
	err = repair_ask_page(repair, true);
	if (err)
		repair_fail(repair, err);
}

static void repair_walk_ended(struct repair *repair)
{
	repair->ledger->walker = NULL;
	repair_write_imports(repair);
	if (!repair->batch) {
		repair_walk_set(repair);
		return;
	}
	repair->batch->done = repair_on_walk_edits;
	repair->batch->context = repair;
	sync_submit(repair->ledger, &repair->batch);
}

static void repair_on_page(void *context, const struct msg *answer)
{
	struct repair *repair = context;
	int err = answer ? 0 : -ETIMEDOUT;

	/* First of all: the keeper reads the next page while this one is looked at. */
	if (!err && !answer->bans.last)
		err = repair_ask_page(repair, false);
	for (uint32_t i = 0; !err && i < answer->bans.count; i++)
		err = repair_look(repair, &answer->bans.bans[i]);
	if (!err && answer->bans.last)
		repair_walk_ended(repair);
	if (err)
		repair_fail(repair, err);
}

static int repair_ask_page(struct repair *repair, bool restart)
{
	struct msg msg = {.type = MSG_BAN_WALK, .ban_walk.restart = restart};

	/* From whoever had it: verify begins its walk again. */
	repair->ledger->walker = repair;
	return ask_send(repair->ledger, &msg, repair_on_page, repair);
}

/* ---- the walk through the set: what the kernel lacks -------------------------------------------- */

static bool repair_has_seen(const struct repair *repair,
			    const struct prefix_set_item *item)
{
	struct seen key = {.prefix = item->prefix, .policy = (uint8_t)item->group};

	return repair->seen_count &&
	       bsearch(&key, repair->seen, repair->seen_count, sizeof(key), seen_compare);
}

static void repair_on_set_edits(void *context, struct ban_batch *batch)
{
	struct repair *repair = context;

	for (size_t i = 0; i < batch->count; i++) {
		if (batch->changes[i].error)
			repair->result.failed++;
		else
			repair->result.set++;
	}
	repair_walk_set(repair);
}

/* Fills a batch from the set. Returns it; NULL: nothing is missing any more. */
static struct ban_batch *repair_collect(struct repair *repair, bool *out_at_end)
{
	AUTO(batch_free)
	struct ban_batch *batch = batch_new(REPAIR_BATCH_MAX + WALK_STEP_ITEMS, 0);

	do {
		struct prefix_set_item items[WALK_STEP_ITEMS];
		size_t count = 0;

		if (!batch)
			return NULL;
		repair->cursor = prefix_set_walk(repair->ledger->set, repair->cursor,
						 items, WALK_STEP_ITEMS, &count);
		for (size_t i = 0; i < count; i++) {
			struct ban_change *change;

			if (repair_has_seen(repair, &items[i]))
				continue;
			change = batch_add(batch);
			change->prefix = items[i].prefix;
			change->policy = (uint8_t)items[i].group;
			change->edit = BAN_EDIT_SET;
			change->cause = CAUSE_REPAIR;
			change->key = repair->ledger->keys[items[i].group];
			change->ends_ns = items[i].ends_ns;
		}
	} while (repair->cursor != 0 && batch->count < REPAIR_BATCH_MAX);
	*out_at_end = repair->cursor == 0;
	return TAKE_PTR(batch);
}

static void repair_walk_set(struct repair *repair)
{
	struct ban_batch *batch;
	bool at_end = repair->cursor == SIZE_MAX ||
		      repair->seen_count == prefix_set_count(repair->ledger->set);

	if (at_end) {
		repair_end(repair);
		return;
	}
	if (repair->seen_count && !repair->is_sorted)
		qsort(repair->seen, repair->seen_count, sizeof(*repair->seen),
		      seen_compare);
	repair->is_sorted = true;
	batch = repair_collect(repair, &at_end);
	if (!batch) {
		repair_fail(repair, -ENOMEM);
		return;
	}
	if (at_end)
		repair->cursor = SIZE_MAX;
	batch->is_load = true;
	batch->done = repair_on_set_edits;
	batch->context = repair;
	sync_submit(repair->ledger, &batch);
}

int repair_begin(struct ledger *ledger, bool is_importing, repair_done_fn done)
{
	int err;

	if (ledger->repair) {
		ledger->repair->is_again = true;
		return -EALREADY;
	}
	ledger->repair = calloc(1, sizeof(*ledger->repair));
	if (!ledger->repair)
		return -ENOMEM;
	ledger->repair->ledger = ledger;
	ledger->repair->is_importing = is_importing;
	ledger->repair->done = done;
	err = repair_ask_page(ledger->repair, true);
	if (err)
		repair_free(&ledger->repair);
	return err;
}
