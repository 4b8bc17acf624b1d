/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - the ledger's store: bans, their history, and the strikes that led to them.
 *
 * The interface speaks of bans, strikes and history, so that another store may stand behind
 * it one day; today it is SQLite in one file (WAL). Called by the ledger only. It decides
 * nothing and logs nothing: time is an argument, errors are -errno:
 *
 *   -EUCLEAN  the file is damaged: set it aside        -ENOSPC  the disk is full
 *   -EROFS    it cannot be written                     -EBUSY   another process holds it
 *   -ENOTSUP  it was made by a newer version           -EIO, -ENOMEM, -ENOENT
 *
 * What is written between db_begin() and db_commit() is there after a power failure if db_commit()
 * returned 0, and only then. Policies are kept by name (ids may change with the kernel maps); a
 * `key` is the store's own number of a policy, valid as long as the store.
 */
#ifndef SYS_DB_H
#define SYS_DB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define DB_FOREVER_S	INT64_MAX
#define DB_NAME_MAX	32u  /* of a policy or service, with the NUL */
#define DB_WHY_MAX	200u /* why something was banned, with the NUL */
#define DB_USER_MAX	64u
#define DB_REPLY_MAX	128u
#define DB_DIGEST_BYTES 8u
#define DB_POLICIES_MAX 256u /* names that the store remembers */
#define DB_EVIDENCE_MAX 32u  /* strikes kept with one ban */
#define DB_ERROR_MAX	256u
#define DB_WAL_PAGES_MAX \
	16384u /* of 4 KiB: a longer log is written back within the commit */

/* Before the process is shut in: afterwards the library finds no source of chance any more. */
void db_seed(void);

struct db;

enum db_source {
	DB_SOURCE_STRIKES,
	DB_SOURCE_COMMAND,
	DB_SOURCE_KERNEL, /* found in the kernel's maps when the store had been lost */
};

enum db_end {
	DB_END_EXPIRED = 1,
	DB_END_UNBANNED,
};

struct db_ban {
	struct prefix prefix;
	uint32_t policy; /* key */
	int64_t began_s; /* wall clock */
	int64_t ends_s;	 /* wall clock; DB_FOREVER_S */
	uint8_t source;	 /* enum db_source */
	char why[DB_WHY_MAX];
};

/* A ban that is over. */
struct db_past {
	struct db_ban ban;
	int64_t ended_s;
	uint8_t how; /* enum db_end */
};

struct db_strike {
	struct prefix client;
	int64_t at_s;
	uint32_t policy; /* key */
	uint8_t kind;	 /* the caller's */
	uint8_t digest[DB_DIGEST_BYTES];
	char service[DB_NAME_MAX];
	char user[DB_USER_MAX];
	char reply[DB_REPLY_MAX];
};

/* Which bans to read, in the store's own order. */
struct db_range {
	uint32_t policy; /* key; 0: all policies */
	struct prefix
		inside; /* only bans inside it; family ADDR_NONE: all. Needs a policy */
	uint32_t after_policy; /* go on behind this ban; 0: begin */
	struct prefix after;
	size_t max; /* at most so many; 0: all */
};

struct db_size {
	uint64_t strikes, history; /* rows */
	uint64_t file_bytes;	   /* with the log */
};

/* Called for each row; the row is valid during the call. Not 0: stop, and return it. */
typedef int (*db_ban_fn)(void *context, const struct db_ban *ban);
typedef int (*db_past_fn)(void *context, const struct db_past *past);
typedef int (*db_strike_fn)(void *context, const struct db_strike *strike);

/**
 * db_open - open the store, make it, or bring an older one up to date.
 * @path: file, in a directory that the process may write; ":memory:": kept nowhere
 * @out_db: owned by the caller
 * @out_fresh: true if there was none
 *
 * Only one process can have it open. Return: 0; -errno as above.
 */
int db_open(const char *path, struct db **out_db, bool *out_fresh) MUST_CHECK;
void db_close(struct db **db);

/**
 * db_set_aside - rename a damaged store, with its log, to PATH.damaged-TIME.
 * @now_s: the TIME
 * @out_name: the new name of the file
 *
 * Return: 0; -errno.
 */
int db_set_aside(const char *path, int64_t now_s, char out_name[DB_ERROR_MAX]) MUST_CHECK;

/* What the store itself said about the last error; valid until the next call. */
const char *db_error(const struct db *db);

/* One transaction at a time. db_commit() rolls back on failure. */
int db_begin(struct db *db) MUST_CHECK;
int db_commit(struct db *db) MUST_CHECK;
void db_rollback(struct db *db);

/* Pages of the log not yet written back, and writing them back (for a quiet moment). */
uint32_t db_log_pages(const struct db *db);
int db_write_back(struct db *db);

int db_size_read(struct db *db, struct db_size *out_size) MUST_CHECK;

/**
 * db_policy_key - the key of a policy's name, made if there is none.
 * Return: 0; -ENOSPC, more than DB_POLICIES_MAX names; -errno.
 */
int db_policy_key(struct db *db, const char *name, uint32_t *out_key) MUST_CHECK;

/* Name of a key; NULL. Valid as long as the store. */
const char *db_policy_name(const struct db *db, uint32_t key);

/* Keys are 1..db_policy_count(). */
uint32_t db_policy_count(const struct db *db);

/* Add a ban; an existing one keeps when it began, and takes end, source and why. */
int db_ban_put(struct db *db, const struct db_ban *ban) MUST_CHECK;

/* Take a ban out and put it into the history. 0; -ENOENT; -errno. */
int db_ban_end(struct db *db, uint32_t policy, const struct prefix *prefix, int64_t now_s,
	       enum db_end how) MUST_CHECK;

/* 0; -ENOENT; -errno. */
int db_ban_get(struct db *db, uint32_t policy, const struct prefix *prefix,
	       struct db_ban *out_ban) MUST_CHECK;

/* Visit bans. 0; what @visit returned; -errno. */
int db_bans_read(struct db *db, const struct db_range *range, db_ban_fn visit,
		 void *context) MUST_CHECK;

/* All bans that have ended by now go into the history. A transaction of its own. */
int db_bans_end_all(struct db *db, int64_t now_s) MUST_CHECK;

/* Past bans of exactly this prefix, newest first, at most max. */
int db_history_read(struct db *db, const struct prefix *prefix, size_t max,
		    db_past_fn visit, void *context) MUST_CHECK;

/* Bans of this client made by strikes that began at or after since_s and were not lifted by hand. */
int db_repeats(struct db *db, const struct prefix *client, int64_t since_s,
	       uint32_t *out_count) MUST_CHECK;

int db_strike_add(struct db *db, const struct db_strike *strike) MUST_CHECK;

/* Strikes since a time, oldest first; of one client, or (client NULL) of all. */
int db_strikes_read(struct db *db, const struct prefix *client, int64_t since_s,
		    db_strike_fn visit, void *context) MUST_CHECK;

/* Forget a client's strikes. */
int db_strikes_forget(struct db *db, const struct prefix *client) MUST_CHECK;

/* Keep the client's strikes since a time with the ban that began at began_s, at most DB_EVIDENCE_MAX. */
int db_evidence_keep(struct db *db, const struct prefix *client, int64_t began_s,
		     int64_t since_s) MUST_CHECK;
int db_evidence_read(struct db *db, const struct prefix *client, int64_t began_s,
		     db_strike_fn visit, void *context) MUST_CHECK;

/**
 * db_prune - drop what is too old, a bounded step at a time.
 * @strikes_before_s, @history_before_s: older ones go
 * @strikes_max, @history_max: more rows than that go, too, oldest first
 * @steps: rows looked at
 */
struct db_prune {
	int64_t strikes_before_s, history_before_s;
	uint64_t strikes_max, history_max;
	uint32_t steps;
};
int db_prune(struct db *db, const struct db_prune *prune) MUST_CHECK;

#endif
