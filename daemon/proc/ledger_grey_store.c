/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_grey_store - see ledger_grey_store.h.
 */
#include "proc/ledger_grey_store.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sys/db.h"

#define LOAD_FULL 1 /* of commands: only if an older version allowed more of them */

struct grey_store {
	struct db_grey *db;
	enum grey_store_state state;
	bool must_sync; /* something proven was committed since the last time */
	bool may_try;	/* a trial is due */
	uint64_t reopen_mono_ns;
	void *passes_memory;
	struct prefix_set *passes; /* group 0; ends by the boot-time clock, as bans */
	struct log_limit complaints, fullness;
};

struct grey_store *grey_store_new(void)
{
	AUTO(grey_store_free) struct grey_store *store = calloc(1, sizeof(*store));
	const size_t bytes = prefix_set_size(GREY_COMMANDS_MAX);

	if (!store)
		return NULL;
	store->passes_memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (store->passes_memory == MAP_FAILED) {
		store->passes_memory = NULL;
		return NULL;
	}
	store->passes = prefix_set_init(store->passes_memory, GREY_COMMANDS_MAX);
	store->complaints.per_minute = GREY_LOG_PER_MINUTE;
	store->fullness.per_minute = 1;
	return TAKE_PTR(store);
}

void grey_store_free(struct grey_store **store)
{
	if (!*store)
		return;
	db_grey_close(&(*store)->db);
	if ((*store)->passes_memory)
		(void)munmap((*store)->passes_memory, prefix_set_size(GREY_COMMANDS_MAX));
	free(*store);
	*store = NULL;
}

enum grey_store_state grey_store_state(const struct ledger *ledger)
{
	return ledger->grey_store->state;
}

const char *grey_store_state_name(enum grey_store_state state)
{
	static const char *const names[] = {
		[GREY_STORE_ABSENT] = "absent",
		[GREY_STORE_OK] = "ok",
		[GREY_STORE_FAILING] = "failing",
	};

	return names[state];
}

/* ---- opening ---------------------------------------------------------------------------------- */

static void grey_complain(struct ledger *ledger, int error)
{
	struct grey_store *store = ledger->grey_store;
	uint32_t dropped = 0;

	if (!log_limit_take(&store->complaints, ledger->now.mono_ns, &dropped))
		return;
	log_error(
		"event=greylist-store path=%s error=\"%s\" detail=\"%s\" message=\"who is not known is let through until this is mended\" dropped=%u",
		GREY_DB_PATH,
		error == -ENOTSUP ? "made by a newer version of postern"
				  : strerror(-error),
		store->db ? db_grey_error(store->db) : "-", dropped);
}

static int grey_load_pass(void *context, const struct db_grey_row *row)
{
	struct ledger *ledger = context;
	struct prefix_set_item item = {
		.prefix = row->origin.network,
		.ends_ns = ledger_boot_from_wall(ledger, row->at_s),
	};

	if (row->kind != DB_GREY_COMMAND || row->origin.domain[0] ||
	    item.ends_ns <= ledger->now.boot_ns)
		return 0;
	return prefix_set_put(ledger->grey_store->passes, &item) < 0 ? LOAD_FULL : 0;
}

static int grey_store_load(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;
	int err = db_grey_open(GREY_DB_PATH, ledger_conf(ledger)->limits.triplets_max,
			       &store->db);

	if (!err)
		err = db_grey_read_commands(store->db, grey_load_pass, ledger);
	return err == LOAD_FULL ? 0 : err;
}

/* A damaged file is set aside: the next one begins empty, and nobody waits twice within the window. */
static int grey_store_begin_anew(struct ledger *ledger)
{
	char name[DB_ERROR_MAX] = "";
	int err;

	db_grey_close(&ledger->grey_store->db);
	err = db_set_aside(GREY_DB_PATH, ledger->now.wall_s, name);
	if (err)
		return err;
	log_error(
		"event=greylist-damaged path=%s set_aside=%s message=\"a new store is begun: who was known has to come back once more\"",
		GREY_DB_PATH, name);
	return grey_store_load(ledger);
}

static void grey_store_open(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;
	int err = grey_store_load(ledger);

	if (err == -EUCLEAN)
		err = grey_store_begin_anew(ledger);
	store->reopen_mono_ns = ledger->now.mono_ns + GREY_REOPEN_S * NS_PER_S;
	if (err) {
		grey_complain(ledger, err);
		db_grey_close(&store->db);
	}
	store->state = err ? GREY_STORE_FAILING : GREY_STORE_OK;
}

void grey_store_start(struct ledger *ledger)
{
	if (access(GREY_DB_PATH, F_OK) == 0)
		grey_store_open(ledger);
}

struct db_grey *grey_store_db(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;

	if (!store->db && ledger->now.mono_ns >= store->reopen_mono_ns)
		grey_store_open(ledger);
	return store->db;
}

struct db_grey *grey_store_look(const struct ledger *ledger)
{
	return ledger->grey_store->db;
}

/* ---- writing ---------------------------------------------------------------------------------- */

bool grey_store_may_write(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;

	if (store->state == GREY_STORE_OK)
		return true;
	if (!store->may_try)
		return false;
	store->may_try = false;
	return true;
}

int grey_store_make_room(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;
	const uint32_t max = ledger_conf(ledger)->limits.triplets_max;
	uint32_t proven = 0, dropped = 0;
	int err = db_grey_make_room(store->db, max, GREY_ROOM_STEPS, &proven);

	if (!err && proven > 0 &&
	    log_limit_take(&store->fullness, ledger->now.mono_ns, &dropped))
		log_warn(
			"event=greylist-full max=%u dropped=%u message=\"senders that had come back are forgotten: raise triplets-max\"",
			max, dropped);
	return err;
}

void grey_store_abort(struct ledger *ledger, int error)
{
	struct grey_store *store = ledger->grey_store;

	grey_complain(ledger, error);
	if (store->db)
		db_grey_rollback(store->db);
	store->state = GREY_STORE_FAILING;
	if (error != -EUCLEAN)
		return;
	error = grey_store_begin_anew(ledger);
	if (!error) {
		store->state = GREY_STORE_OK;
		return;
	}
	grey_complain(ledger, error);
	db_grey_close(&store->db);
	store->reopen_mono_ns = ledger->now.mono_ns + GREY_REOPEN_S * NS_PER_S;
}

int grey_store_commit(struct ledger *ledger, bool is_proof)
{
	struct grey_store *store = ledger->grey_store;
	int err = db_grey_commit(store->db);

	if (!err && db_grey_log_pages(store->db) > GREY_LOG_PAGES)
		err = db_grey_write_back(store->db);
	if (err) {
		grey_store_abort(ledger, err);
		return err;
	}
	store->must_sync |= is_proof;
	if (store->state == GREY_STORE_FAILING) {
		store->state = GREY_STORE_OK;
		log_warn("event=greylist-store-ok path=%s", GREY_DB_PATH);
	}
	return 0;
}

/* ---- prefixes that pass by command -------------------------------------------------------------- */

bool grey_store_passes(const struct ledger *ledger, const struct addr *addr,
		       struct prefix_set_item *out_pass)
{
	return prefix_set_find(ledger->grey_store->passes, 0, addr, ledger->now.boot_ns,
			       out_pass);
}

bool grey_store_has_pass(const struct ledger *ledger, const struct prefix *prefix)
{
	struct prefix_set_item item;

	return prefix_set_get(ledger->grey_store->passes, 0, prefix, &item);
}

static int grey_put_pass(struct ledger *ledger, const struct prefix *prefix,
			 int64_t ends_s)
{
	struct db_grey *db = ledger->grey_store->db;
	const struct db_grey_row row = {.origin.network = *prefix,
					.kind = DB_GREY_COMMAND,
					.first_s = ledger->now.wall_s,
					.at_s = ends_s};
	struct db_grey_row was;
	int err = db_grey_get(db, &row, &was);

	if (err && err != -ENOENT)
		return err;
	return db_grey_put(db, err ? NULL : &was, &row);
}

static bool grey_has_room(const struct ledger *ledger, const struct prefix *prefixes,
			  size_t count)
{
	size_t wanted = prefix_set_count(ledger->grey_store->passes);

	for (size_t i = 0; i < count; i++)
		wanted += !grey_store_has_pass(ledger, &prefixes[i]);
	return wanted <= GREY_COMMANDS_MAX;
}

int grey_store_pass(struct ledger *ledger, const struct prefix *prefixes, size_t count,
		    int64_t ends_s)
{
	struct grey_store *store = ledger->grey_store;
	struct prefix_set_item item = {.ends_ns = ledger_boot_from_wall(ledger, ends_s)};
	int err = 0;

	if (!grey_store_db(ledger))
		return -EIO;
	if (!grey_has_room(ledger, prefixes, count))
		return -ENOSPC;
	for (size_t i = 0; !err && i < count; i++)
		err = grey_put_pass(ledger, &prefixes[i], ends_s);
	if (err)
		grey_store_abort(ledger, err);
	else
		err = grey_store_commit(ledger, false);
	if (!err)
		err = db_grey_sync(store->db);
	for (size_t i = 0; !err && i < count; i++) {
		item.prefix = prefixes[i];
		if (prefix_set_put(store->passes, &item) < 0)
			err = -ENOSPC;
	}
	return err;
}

void grey_store_pass_ended(struct ledger *ledger, const struct prefix *prefix)
{
	(void)prefix_set_remove(ledger->grey_store->passes, 0, prefix);
}

/* Those that have ended give their place back. */
static void grey_expire_passes(struct ledger *ledger)
{
	struct prefix_set *passes = ledger->grey_store->passes;
	size_t cursor = 0;

	if (prefix_set_count(passes) == 0)
		return;
	do {
		struct prefix_set_item items[64];
		size_t count = 0;

		/* A removal moves items, so that one may be missed: it is found a second later. */
		cursor = prefix_set_walk(passes, cursor, items, 64, &count);
		for (size_t i = 0; i < count; i++)
			if (items[i].ends_ns <= ledger->now.boot_ns)
				(void)prefix_set_remove(passes, 0, &items[i].prefix);
	} while (cursor != 0);
}

/* ---- ageing ------------------------------------------------------------------------------------- */

/* Does anybody who hands in mail fall under the greylisting of this policy? */
static bool policy_greylists(const struct conf *conf, unsigned int policy)
{
	if (conf->policies[policy].mode[CHECK_GREYLIST] == MODE_OFF)
		return false;
	for (unsigned int i = 0; i < conf->service_count; i++)
		if (conf->services[i].policy == policy &&
		    service_type_is_smtp((enum service_type)conf->services[i].type))
			return true;
	return false;
}

/* The longest of the policies that greylist, or of all while none does. */
static int64_t grey_longest_s(const struct conf *conf,
			      int64_t (*of)(const struct conf_greylist *greylist))
{
	int64_t used_s = 0, all_s = 0;

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		const int64_t s = of(&conf->policies[i].greylist);

		if (s > all_s)
			all_s = s;
		if (s > used_s && policy_greylists(conf, i))
			used_s = s;
	}
	return used_s > 0 ? used_s : all_s;
}

static int64_t window_of(const struct conf_greylist *greylist)
{
	return greylist->window_s;
}

static int64_t lifetime_of(const struct conf_greylist *greylist)
{
	return greylist->lifetime_s;
}

int64_t grey_window_s(const struct ledger *ledger)
{
	return grey_longest_s(ledger_conf(ledger), window_of);
}

int64_t grey_lifetime_s(const struct ledger *ledger)
{
	return grey_longest_s(ledger_conf(ledger), lifetime_of);
}

static int grey_expire(struct ledger *ledger)
{
	const struct db_grey_expiry expiry = {
		.waiting_before_s = ledger->now.wall_s - grey_window_s(ledger),
		.used_before_s = ledger->now.wall_s - grey_lifetime_s(ledger),
		.now_s = ledger->now.wall_s,
		.steps = GREY_EXPIRE_STEPS,
	};
	uint32_t gone;

	return db_grey_expire(ledger->grey_store->db, &expiry, &gone);
}

void grey_store_tick(struct ledger *ledger)
{
	struct grey_store *store = ledger->grey_store;
	int err;

	if (!ledger->has_snapshot)
		return;
	store->may_try = true;
	grey_expire_passes(ledger);
	if (store->state == GREY_STORE_FAILING)
		(void)grey_store_db(ledger);
	if (!store->db || store->state == GREY_STORE_FAILING)
		return;
	err = grey_expire(ledger);
	if (err) {
		grey_store_abort(ledger, err);
		return;
	}
	if (grey_store_commit(ledger, false) || !store->must_sync)
		return;
	err = db_grey_sync(store->db);
	if (err)
		grey_store_abort(ledger, err);
	else
		store->must_sync = false;
}
