/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey - the ledger's second store: what greylisting remembers.
 *
 * A file of its own (SQLite, WAL), so that a million rows make neither the bans' file slow nor their
 * commits late. Called by the ledger only. It decides nothing and logs nothing: time is an argument,
 * errors are as in db.h.
 *
 * Changes are collected in a transaction that db_grey_commit() ends. A commit survives the death of
 * the process, and after db_grey_sync() a power failure, too: no decision has to wait for the disk.
 *
 * What waits is by far the most, comes from everywhere, and mostly never comes back. It is only ever appended to
 * its table and taken off its front, so that a thousand rows are some thirty pages to write; an index of it lies in
 * memory, 36 bytes a row, and is read back when the store is opened.
 */
#ifndef SYS_DB_GREY_H
#define SYS_DB_GREY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define DB_GREY_DIGEST_BYTES 16u
#define DB_GREY_NAME_MAX     128u /* of a sender or recipient as it is shown, with the NUL */
#define DB_GREY_DOMAIN_MAX   256u

struct db_grey;

enum db_grey_kind {
	DB_GREY_WAITING, /* a triplet that has not come back yet */
	DB_GREY_PROVEN,	 /* one that has */
	DB_GREY_NETWORK, /* the successes of an origin; no digest */
	DB_GREY_COMMAND, /* a prefix that an admin lets pass; no digest */
	DB_GREY_KIND_COUNT,
};

/* Where mail comes from: a domain, or else a network. */
struct db_grey_origin {
	struct prefix network;
	char domain[DB_GREY_DOMAIN_MAX]; /* "": the network */
};

struct db_grey_row {
	struct db_grey_origin origin;
	uint8_t digest[DB_GREY_DIGEST_BYTES]; /* of sender and recipient */
	uint8_t kind;			      /* enum db_grey_kind */
	uint32_t successes;		      /* NETWORK */
	int64_t id; /* WAITING: its number, in the order in which they came; else 0 */
	int64_t first_s; /* first attempt; NETWORK: last success that counted; COMMAND: when it was said */
	int64_t at_s; /* WAITING: first_s; COMMAND: its end, DB_FOREVER_S; else the last use */
	char sender[DB_GREY_NAME_MAX]; /* triplets only */
	char recipient[DB_GREY_NAME_MAX];
};

/* Called for each row; the row is valid during the call. Not 0: stop, and return it. */
typedef int (*db_grey_fn)(void *context, const struct db_grey_row *row);

/**
 * db_grey_open - open the store, make it, or bring an older one up to date.
 * @path: file, in a directory that the process may write
 * @capacity: triplets that may wait at a time, > 0
 * @out_db: owned by the caller
 *
 * Of what is proven damage shows when it is met. Return: 0; -errno as in db.h.
 */
int db_grey_open(const char *path, uint32_t capacity, struct db_grey **out_db) MUST_CHECK;
void db_grey_close(struct db_grey **db); /* what is not committed is lost */

/* What the store itself said about the last error; valid until the next call. */
const char *db_grey_error(const struct db_grey *db);

/**
 * db_grey_get - the row of a triplet, of a network's successes, or of a command.
 * @key: origin; kind (WAITING and PROVEN mean the triplet); digest of a triplet
 * @out_row: untouched on failure
 *
 * Return: 0; -ENOENT; -errno.
 */
int db_grey_get(struct db_grey *db, const struct db_grey_row *key,
		struct db_grey_row *out_row) MUST_CHECK;

/**
 * db_grey_put - add a row, or change one.
 * @was: the row as db_grey_get() found it; NULL: there is none
 * @row: its origin and digest are those of @was; its id does not matter
 */
int db_grey_put(struct db_grey *db, const struct db_grey_row *was,
		const struct db_grey_row *row) MUST_CHECK;

/* End the transaction, if one is open. On failure all of it is gone, and rows are as before. */
int db_grey_commit(struct db_grey *db) MUST_CHECK;
void db_grey_rollback(struct db_grey *db);

/* Changes not yet committed. */
uint32_t db_grey_changes(const struct db_grey *db);

/* Wait until everything committed is on the disk. */
int db_grey_sync(struct db_grey *db) MUST_CHECK;

/* Pages of the log not yet written back; and writing them back. */
uint32_t db_grey_log_pages(const struct db_grey *db);
int db_grey_write_back(struct db_grey *db) MUST_CHECK;

/**
 * db_grey_make_room - remove rows until there are fewer than this.
 * @max: > 0; not more than the capacity count
 * @steps: at most so many rows go
 * @out_proven: how many of them were not just waiting
 *
 * The oldest that wait go first; only without any the proven ones, longest unused first, then
 * networks. Commands never go. Return: 0; -errno.
 */
int db_grey_make_room(struct db_grey *db, uint64_t max, uint32_t steps,
		      uint32_t *out_proven) MUST_CHECK;

/* Rows of these ages go, at most steps of each kind; and what waits since a time that lies ahead: the clock was wrong. */
struct db_grey_expiry {
	int64_t waiting_before_s, used_before_s; /* older ones */
	int64_t now_s;				 /* for commands */
	uint32_t steps;
};
int db_grey_expire(struct db_grey *db, const struct db_grey_expiry *expiry,
		   uint32_t *out_gone) MUST_CHECK;

/* Which rows: networks inside a prefix, one domain, or (neither) all. */
struct db_grey_range {
	struct prefix inside; /* family ADDR_NONE: not by network */
	const char *domain;   /* NULL: not by domain */
	uint32_t max;	      /* rows to look at in one step */
};

/* How far it has been read; zeroed to begin. */
struct db_grey_cursor {
	bool is_end;
	bool is_waiting; /* what waits comes last */
	bool has_after;
	struct db_grey_row after;
};

/**
 * db_grey_read - visit the rows of the next step.
 * @cursor: moved; is_end when there is no more
 *
 * First, ordered by origin, the command, the successes and the proven triplets of each; then what waits, the oldest first.
 * The rows that were visited may be removed before the next step.
 */
int db_grey_read(struct db_grey *db, const struct db_grey_range *range,
		 struct db_grey_cursor *cursor, db_grey_fn visit,
		 void *context) MUST_CHECK;

/* Visit the triplets that came last and wait, the latest first. */
int db_grey_read_latest(struct db_grey *db, uint32_t max, db_grey_fn visit,
			void *context) MUST_CHECK;

/* Visit all that pass by command. */
int db_grey_read_commands(struct db_grey *db, db_grey_fn visit, void *context) MUST_CHECK;

/* Remove a row. */
int db_grey_remove(struct db_grey *db, const struct db_grey_row *row) MUST_CHECK;

struct db_grey_size {
	uint64_t rows[DB_GREY_KIND_COUNT]; /* with those not yet committed */
	uint64_t file_bytes;		   /* with the log */
};
int db_grey_size_read(struct db_grey *db, struct db_grey_size *out_size) MUST_CHECK;

#endif
