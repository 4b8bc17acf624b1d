/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_store - the store's health: what waits to be written, and what to do when it cannot be.
 *
 * Strikes are written at most STORE_STRIKES_DELAY later, together; bans at once. A ban that cannot
 * be stored (disk full) is enforced all the same, said loudly, and tried again every second: it is
 * better to ban until the next restart than not at all.
 */
#ifndef PROC_LEDGER_STORE_H
#define PROC_LEDGER_STORE_H

#include "proc/ledger_state.h"
#include "proc/ledger_sync.h"
#include "sys/db.h"

#define STORE_WAITING_MAX  1024u /* strikes (and forgettings) not yet written */
#define STORE_UNSTORED_MAX 4096u /* changes that the disk had no room for */
#define STORE_LOG_PAGES	   512u /* of 4 KiB: write the log back in the next quiet second */
#define STORE_HISTORY_MAX  1000000u
#define STORE_PRUNE_STEPS  512u /* rows a second */
#define STORE_RETRY_WORK   256u /* unstored changes tried in one second */

enum store_state {
	STORE_OK,
	STORE_SET_ASIDE, /* the file was damaged: a new one was begun */
	STORE_READ_ONLY, /* cannot be written: nothing survives the ledger */
};

struct store *store_new(void);
void store_free(struct store **store);

/**
 * store_open - open the file, or begin a new one where it was damaged.
 * @out_is_empty: true: there was no store, or nothing could be read: the kernel may know more
 *
 * Return: 0; -ENOTSUP, made by a newer version; -EBUSY, another ledger lives; -errno.
 */
int store_open(struct ledger *ledger, const char *path, bool *out_is_empty) MUST_CHECK;

/* The file turned out to be damaged while it was read: set it aside, begin a new one. */
int store_replace(struct ledger *ledger, const char *path) MUST_CHECK;

struct db *store_db(const struct ledger *ledger);
enum store_state store_state(const struct ledger *ledger);
const char *store_state_name(enum store_state state);
size_t store_unstored(const struct ledger *ledger);

/* Keys of the configured policies, after each CONF. */
void store_name_policies(struct ledger *ledger);

/* Begin a transaction that first takes what waits; write; commit. 0; -errno, logged. */
int store_begin(struct ledger *ledger) MUST_CHECK;
int store_commit(struct ledger *ledger);
/* Give up on a transaction after an error of the store. */
void store_abort(struct ledger *ledger, int error);

/* A strike, or that a client's strikes are over, to be written soon. */
void store_strike(struct ledger *ledger, const struct db_strike *strike);
void store_forget(struct ledger *ledger, const struct prefix *client);

/* Strikes that wait, oldest first. */
int store_waiting_each(const struct ledger *ledger, const struct prefix *client,
		       db_strike_fn visit, void *context);

/* A change that could not be stored: keep it for later. */
void store_keep_unstored(struct ledger *ledger, const struct ban_change *change,
			 uint8_t source, const char *why);

/* The ban number index that waits for room on the disk; false: no more. */
bool store_unstored_ban(const struct ledger *ledger, size_t index,
			struct db_ban *out_ban);

/* The next such ban of a policy (id), from number *at on, which moves behind it; false: no more. */
bool store_unstored_next(const struct ledger *ledger, uint32_t policy, size_t *at,
			 struct prefix *out_prefix);

/* Write the change within a transaction. 0; -ENOENT, nothing to remove; -errno. */
int store_write_change(struct ledger *ledger, const struct ban_change *change,
		       uint8_t source, const char *why) MUST_CHECK;

/* Once a second: write, try again, write back, prune. */
void store_tick(struct ledger *ledger);

#endif
