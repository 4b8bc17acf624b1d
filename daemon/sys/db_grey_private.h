/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey_private - what the files of the store of greylisting share.
 */
#ifndef SYS_DB_GREY_PRIVATE_H
#define SYS_DB_GREY_PRIVATE_H

#include "base/siphash.h"
#include "base/ttlmap.h"
#include "sys/db_conn.h"
#include "sys/db_grey.h"

#define GREY_UNDO_MAX \
	2048u /* changes of the index that a rollback can take back one by one */

enum grey_stmt_id {
	GREY_KNOWN_GET,
	GREY_KNOWN_ADD,
	GREY_KNOWN_CHANGE,
	GREY_KNOWN_REMOVE,
	GREY_KNOWN_REMOVE_OLD,
	GREY_KNOWN_ALL,
	GREY_KNOWN_INSIDE,
	GREY_KNOWN_DOMAIN,
	GREY_KNOWN_KIND,
	GREY_KNOWN_COUNT,
	GREY_WAITING_ADD,
	GREY_WAITING_GET,
	GREY_WAITING_REMOVE,
	GREY_WAITING_REMOVE_UP_TO,
	GREY_WAITING_AFTER,
	GREY_WAITING_LATEST,
	GREY_WAITING_COUNT,
	GREY_STMT_COUNT,
};

/* One change of the index. */
struct grey_undo {
	uint64_t key;
	int64_t id;
	bool was_added; /* else removed */
};

struct db_grey {
	struct db_conn conn;
	bool is_begun; /* a transaction is open */
	uint32_t changes;
	uint64_t rows[DB_GREY_KIND_COUNT];
	uint64_t rows_committed[DB_GREY_KIND_COUNT];
	/* The index of what waits: a keyed hash of origin and digest -> id. */
	uint32_t capacity;
	uint8_t seed[SIPHASH_KEY_BYTES];
	struct ttlmap *index;
	struct grey_undo undo[GREY_UNDO_MAX]; /* of the open transaction */
	uint32_t undo_count;
	bool has_lost_undo; /* there were more */
};

/* Begin a transaction, unless one is open. */
int grey_begin(struct db_grey *db) MUST_CHECK;

/* A row has come (or gone) in the open transaction. */
void grey_count_row(struct db_grey *db, uint8_t kind, int change);

/* Origin in ?1; in ?2 the digest, or what stands for it where there is none. */
void grey_bind_key(sqlite3_stmt *stmt, const struct db_grey_row *row);

/* Columns: origin, digest, kind, at, first, successes, sender, recipient, id. What a damaged file says is not believed. */
int grey_column_row(sqlite3_stmt *stmt, struct db_grey_row *out_row) MUST_CHECK;

/* Run a query, and visit its rows; stmt NULL: it could not be prepared. */
int grey_visit(struct db_grey *db, sqlite3_stmt *stmt, db_grey_fn visit, void *context);

/* ---- what waits ---- */

/* Count the rows and read the index. */
int grey_waiting_load(struct db_grey *db) MUST_CHECK;

/* 0; -ENOENT; -errno. */
int grey_waiting_get(struct db_grey *db, const struct db_grey_row *key,
		     struct db_grey_row *out_row) MUST_CHECK;
int grey_waiting_add(struct db_grey *db, const struct db_grey_row *row) MUST_CHECK;
int grey_waiting_remove(struct db_grey *db, const struct db_grey_row *row) MUST_CHECK;

/* The oldest ones go: whatever they are, or only those from before a time or from after now. */
struct grey_front {
	uint64_t max;
	bool is_any;
	int64_t before_s, now_s;
};
int grey_waiting_take_front(struct db_grey *db, const struct grey_front *front,
			    uint32_t *out_gone) MUST_CHECK;

/* The transaction has been committed; has been rolled back. */
void grey_waiting_committed(struct db_grey *db);
void grey_waiting_rolled_back(struct db_grey *db);

#endif
