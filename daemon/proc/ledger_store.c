/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_store - see ledger_store.h.
 */
#include "proc/ledger_store.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/log.h"

struct store_op {
	bool is_forget; /* only strike.client counts */
	struct db_strike strike;
};

struct unstored {
	struct db_ban ban;
	bool is_remove;
	uint8_t policy; /* id */
};

struct store {
	struct db *db;
	enum store_state state;
	struct store_op waiting[STORE_WAITING_MAX];
	size_t waiting_count;
	size_t taken;		   /* of them, in the open transaction */
	struct unstored *unstored; /* STORE_UNSTORED_MAX */
	size_t unstored_count;
	size_t unstored_lost;
	size_t strikes_lost;
	struct log_limit complaints;
};

struct store *store_new(void)
{
	AUTO(store_free) struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->unstored = calloc(STORE_UNSTORED_MAX, sizeof(*store->unstored));
	if (!store->unstored)
		return NULL;
	store->complaints.per_minute = 12;
	return TAKE_PTR(store);
}

void store_free(struct store **store)
{
	if (!*store)
		return;
	db_close(&(*store)->db);
	free((*store)->unstored);
	free(*store);
	*store = NULL;
}

struct db *store_db(const struct ledger *ledger)
{
	return ledger->store->db;
}

enum store_state store_state(const struct ledger *ledger)
{
	return ledger->store->state;
}

const char *store_state_name(enum store_state state)
{
	static const char *const names[] = {
		[STORE_OK] = "ok",
		[STORE_SET_ASIDE] = "set-aside",
		[STORE_READ_ONLY] = "read-only",
	};

	return names[state];
}

size_t store_unstored(const struct ledger *ledger)
{
	return ledger->store->unstored_count + ledger->store->unstored_lost;
}

/* Rename the damaged file and begin a new one. */
static int store_begin_anew(struct ledger *ledger, const char *path)
{
	char name[DB_ERROR_MAX] = "";
	bool fresh = false;
	int err = db_set_aside(path, ledger->now.wall_s, name);

	if (err) {
		log_error(
			"event=store-damaged path=%s error=\"%s\" message=\"cannot set it aside\"",
			path, strerror(-err));
		return err;
	}
	log_error(
		"event=store-damaged path=%s set_aside=%s message=\"a new store is begun with the bans that the kernel still holds; history and strikes are in the file set aside\"",
		path, name);
	ledger->store->state = STORE_SET_ASIDE;
	return db_open(path, &ledger->store->db, &fresh);
}

int store_open(struct ledger *ledger, const char *path, bool *out_is_empty)
{
	struct store *store = ledger->store;
	int err = db_open(path, &store->db, out_is_empty);

	if (err == -EUCLEAN) {
		*out_is_empty = true;
		err = store_begin_anew(ledger, path);
	}
	if (err == -ENOSPC || err == -EROFS || err == -EIO) {
		log_error(
			"event=store-unwritable path=%s error=\"%s\" message=\"no ban survives the next restart until this is mended and posternd restarted\"",
			path, strerror(-err));
		store->state = STORE_READ_ONLY;
		*out_is_empty = true;
		err = db_open(":memory:", &store->db, out_is_empty);
	}
	if (err)
		log_error("event=store-failed path=%s error=\"%s\"", path,
			  err == -ENOTSUP ? "made by a newer version of postern"
					  : strerror(-err));
	return err;
}

int store_replace(struct ledger *ledger, const char *path)
{
	db_close(&ledger->store->db);
	return store_begin_anew(ledger, path);
}

void store_name_policies(struct ledger *ledger)
{
	const struct conf *conf = ledger_conf(ledger);

	memset(ledger->keys, 0, sizeof(ledger->keys));
	for (unsigned int i = 0; i < conf->policy_count; i++) {
		const struct conf_policy *policy = &conf->policies[i];
		int err = db_policy_key(ledger->store->db, policy->name,
					&ledger->keys[policy->id]);

		if (err)
			store_abort(ledger, err);
	}
}

void store_abort(struct ledger *ledger, int error)
{
	struct store *store = ledger->store;
	uint32_t dropped = 0;

	if (log_limit_take(&store->complaints, ledger->now.mono_ns, &dropped))
		log_error("event=store-error error=\"%s\" detail=\"%s\" dropped=%u",
			  strerror(-error), db_error(store->db), dropped);
	db_rollback(store->db);
	store->taken = 0;
	if (error == -EUCLEAN) {
		log_error(
			"event=store-damaged message=\"the ledger starts again, to set the store aside\"");
		ledger_fail(ledger);
	}
}

static int store_write_op(struct store *store, const struct store_op *op)
{
	if (op->is_forget)
		return db_strikes_forget(store->db, &op->strike.client);
	return db_strike_add(store->db, &op->strike);
}

int store_begin(struct ledger *ledger)
{
	struct store *store = ledger->store;
	int err = db_begin(store->db);

	for (size_t i = 0; !err && i < store->waiting_count; i++)
		err = store_write_op(store, &store->waiting[i]);
	if (err) {
		store_abort(ledger, err);
		return err;
	}
	store->taken = store->waiting_count;
	return 0;
}

int store_commit(struct ledger *ledger)
{
	struct store *store = ledger->store;
	int err = db_commit(store->db);

	if (err) {
		store_abort(ledger, err);
		return err;
	}
	store->waiting_count -= store->taken;
	memmove(store->waiting, store->waiting + store->taken,
		store->waiting_count * sizeof(store->waiting[0]));
	store->taken = 0;
	return store->state == STORE_READ_ONLY ? -EROFS : 0;
}

/* What waits goes into a transaction of its own. */
static void store_flush(struct ledger *ledger)
{
	if (ledger->store->waiting_count == 0)
		return;
	if (store_begin(ledger) == 0)
		(void)store_commit(ledger); /* said there; tried again in a second */
}

static struct store_op *store_wait(struct ledger *ledger)
{
	struct store *store = ledger->store;

	if (store->waiting_count == STORE_WAITING_MAX)
		store_flush(ledger);
	if (store->waiting_count == STORE_WAITING_MAX) {
		store->strikes_lost++;
		return NULL;
	}
	return &store->waiting[store->waiting_count++];
}

void store_strike(struct ledger *ledger, const struct db_strike *strike)
{
	struct store_op *op = store_wait(ledger);

	if (op)
		*op = (struct store_op){.strike = *strike};
}

void store_forget(struct ledger *ledger, const struct prefix *client)
{
	struct store_op *op = store_wait(ledger);

	if (op)
		*op = (struct store_op){.is_forget = true, .strike.client = *client};
}

int store_waiting_each(const struct ledger *ledger, const struct prefix *client,
		       db_strike_fn visit, void *context)
{
	const struct store *store = ledger->store;
	size_t begin = 0;

	for (size_t i = 0; i < store->waiting_count; i++) {
		if (store->waiting[i].is_forget &&
		    prefix_equal(&store->waiting[i].strike.client, client))
			begin = i + 1;
	}
	for (size_t i = begin; i < store->waiting_count; i++) {
		const struct store_op *op = &store->waiting[i];
		int err = 0;

		if (!op->is_forget && prefix_equal(&op->strike.client, client))
			err = visit(context, &op->strike);
		if (err)
			return err;
	}
	return 0;
}

void store_keep_unstored(struct ledger *ledger, const struct ban_change *change,
			 uint8_t source, const char *why)
{
	struct store *store = ledger->store;
	struct unstored *kept;

	if (store->state == STORE_READ_ONLY)
		return; /* it is in memory, with everything else */
	if (store->unstored_count == STORE_UNSTORED_MAX) {
		if (store->unstored_lost++ == 0)
			log_error(
				"event=store-lost message=\"more than %u bans wait for room on the disk: further ones end with the next restart\"",
				STORE_UNSTORED_MAX);
		return;
	}
	kept = &store->unstored[store->unstored_count++];
	*kept = (struct unstored){
		.ban = {.prefix = change->prefix,
			.policy = change->key,
			.began_s = change->began_s,
			.ends_s = change->ends_s,
			.source = source},
		.is_remove = change->edit == BAN_EDIT_REMOVE,
		.policy = change->policy,
	};
	(void)text_copy(kept->ban.why, sizeof(kept->ban.why), why);
}

bool store_unstored_ban(const struct ledger *ledger, size_t index, struct db_ban *out_ban)
{
	const struct store *store = ledger->store;

	for (size_t i = 0; i < store->unstored_count; i++) {
		if (store->unstored[i].is_remove)
			continue;
		if (index-- == 0) {
			*out_ban = store->unstored[i].ban;
			return true;
		}
	}
	return false;
}

bool store_unstored_next(const struct ledger *ledger, uint32_t policy, size_t *at,
			 struct prefix *out_prefix)
{
	const struct store *store = ledger->store;

	while (*at < store->unstored_count) {
		const struct unstored *kept = &store->unstored[(*at)++];

		if (kept->is_remove || kept->policy != policy)
			continue;
		*out_prefix = kept->ban.prefix;
		return true;
	}
	return false;
}

int store_write_change(struct ledger *ledger, const struct ban_change *change,
		       uint8_t source, const char *why)
{
	struct db_ban ban = {
		.prefix = change->prefix,
		.policy = change->key,
		.began_s = change->began_s,
		.ends_s = change->ends_s,
		.source = source,
	};

	if (!change->key)
		return -EAGAIN;
	if (change->edit == BAN_EDIT_REMOVE)
		return db_ban_end(ledger->store->db, change->key, &change->prefix,
				  ledger->now.wall_s,
				  change->cause == CAUSE_EXPIRED ? DB_END_EXPIRED
								 : DB_END_UNBANNED);
	(void)text_copy(ban.why, sizeof(ban.why), why);
	return db_ban_put(ledger->store->db, &ban);
}

/* The store's view of an unstored change; it may have been overtaken by later ones. */
static int store_retry_one(struct ledger *ledger, struct unstored *kept)
{
	struct prefix_set_item item;
	bool is_banned =
		prefix_set_get(ledger->set, kept->policy, &kept->ban.prefix, &item);
	int err;

	if (!kept->ban.policy)
		kept->ban.policy = ledger->keys[kept->policy];
	if (!kept->ban.policy)
		return -EAGAIN;
	if (kept->is_remove == is_banned)
		return 0; /* a later change, kept or stored by itself, says the contrary */
	if (is_banned)
		return db_ban_put(ledger->store->db, &kept->ban);
	err = db_ban_end(ledger->store->db, kept->ban.policy, &kept->ban.prefix,
			 ledger->now.wall_s, DB_END_UNBANNED);
	return err == -ENOENT ? 0 : err;
}

static void store_retry(struct ledger *ledger)
{
	struct store *store = ledger->store;
	size_t count = store->unstored_count < STORE_RETRY_WORK ? store->unstored_count
								: STORE_RETRY_WORK;
	int err = 0;

	if (count == 0 || store->state == STORE_READ_ONLY)
		return;
	for (size_t i = 0; i < CONF_POLICY_IDS; i++) {
		if (ledger_policy_index(ledger, (uint32_t)i) >= 0 && !ledger->keys[i]) {
			store_name_policies(ledger);
			break;
		}
	}
	if (store_begin(ledger))
		return;
	for (size_t i = 0; i < count && !err; i++)
		err = store_retry_one(ledger, &store->unstored[i]);
	if (err) {
		store_abort(ledger, err);
		return;
	}
	if (store_commit(ledger))
		return;
	store->unstored_count -= count;
	memmove(store->unstored, store->unstored + count,
		store->unstored_count * sizeof(store->unstored[0]));
	log_warn("event=store-caught-up changes=%zu left=%zu", count,
		 store->unstored_count);
}

static int64_t store_memory_s(const struct conf *conf, bool of_strikes)
{
	int64_t longest_s = 0;

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		const struct conf_strikes *s = &conf->policies[i].strikes;
		int64_t keep_s = of_strikes ? s->window_s : s->ban_memory_s;

		if (keep_s > longest_s)
			longest_s = keep_s;
	}
	return longest_s;
}

static void store_prune(struct ledger *ledger)
{
	struct store *store = ledger->store;
	const struct conf *conf = ledger_conf(ledger);
	struct db_prune prune = {
		.strikes_before_s = ledger->now.wall_s - store_memory_s(conf, true),
		.strikes_max =
			(uint64_t)conf->limits.strikes_clients_max * STRIKES_KEPT_MAX,
		.history_max = STORE_HISTORY_MAX,
		.steps = STORE_PRUNE_STEPS,
	};
	int64_t memory_s = store_memory_s(conf, false);
	int err;

	prune.history_before_s =
		memory_s < ledger->now.wall_s ? ledger->now.wall_s - memory_s : 0;
	err = db_begin(store->db);
	if (!err)
		err = db_prune(store->db, &prune);
	if (!err)
		err = db_commit(store->db);
	if (err)
		store_abort(ledger, err);
}

void store_tick(struct ledger *ledger)
{
	struct store *store = ledger->store;

	if (!store->db || !ledger->has_snapshot)
		return;
	store_flush(ledger);
	store_retry(ledger);
	store_prune(ledger);
	if (db_log_pages(store->db) > STORE_LOG_PAGES) {
		int err = db_write_back(store->db);

		if (err)
			store_abort(ledger, err);
	}
	if (store->strikes_lost) {
		log_warn(
			"event=store-lost strikes=%zu message=\"could not be stored, too many wait\"",
			store->strikes_lost);
		store->strikes_lost = 0;
	}
}
