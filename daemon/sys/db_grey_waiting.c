/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey - the triplets that wait: a table that is only appended to and taken off its front, and its index in
 * memory. See db_grey.h.
 *
 * The index knows a triplet by 64 bits of a hash whose key nobody knows; the row that it leads to is compared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sys/db_grey_private.h"

#define NEVER UINT64_MAX /* the index does not expire: the table decides */

/* ---- the index ------------------------------------------------------------------------------- */

static uint64_t index_key(const struct db_grey *db, const struct db_grey_row *row)
{
	uint8_t bytes[DB_GREY_DOMAIN_MAX + DB_GREY_DIGEST_BYTES];
	size_t len;

	if (row->origin.domain[0]) {
		len = strlen(row->origin.domain) +
		      1; /* with its NUL: no prefix has this length and end */
		memcpy(bytes, row->origin.domain, len);
	} else {
		const struct db_key network = db_key_make(&row->origin.network);

		len = (size_t)network.len;
		memcpy(bytes, network.bytes, len);
	}
	memcpy(bytes + len, row->digest, DB_GREY_DIGEST_BYTES);
	return siphash24(db->seed, bytes, len + DB_GREY_DIGEST_BYTES);
}

static void index_note(struct db_grey *db, uint64_t key, int64_t id, bool was_added)
{
	if (db->undo_count == GREY_UNDO_MAX)
		db->has_lost_undo = true;
	else
		db->undo[db->undo_count++] =
			(struct grey_undo){.key = key, .id = id, .was_added = was_added};
}

static void index_put(struct db_grey *db, uint64_t key, int64_t id)
{
	int64_t *value = ttlmap_put(db->index, &key, 0, NEVER, NULL);

	*value = id;
}

/* Only if it leads to this row: a later one may have taken its place. */
static void index_remove(struct db_grey *db, const struct db_grey_row *row)
{
	const uint64_t key = index_key(db, row);
	const int64_t *id = ttlmap_get(db->index, &key, 0);

	if (!id || *id != row->id)
		return;
	index_note(db, key, row->id, false);
	(void)ttlmap_remove(db->index, &key);
}

static void index_add(struct db_grey *db, const struct db_grey_row *row, int64_t id)
{
	const uint64_t key = index_key(db, row);
	const int64_t *was = ttlmap_get(db->index, &key, 0);

	if (was)
		index_note(db, key, *was, false);
	index_note(db, key, id, true);
	index_put(db, key, id);
}

static int index_on_row(void *context, const struct db_grey_row *row)
{
	struct db_grey *db = context;
	const uint64_t key = index_key(db, row);

	if (!ttlmap_get(db->index, &key, 0)) /* a later one was read before */
		index_put(db, key, row->id);
	return 0;
}

/* From the latest back, as many as there is room for. */
static int index_read(struct db_grey *db)
{
	ttlmap_free(&db->index);
	db->index = ttlmap_new(db->capacity, sizeof(uint64_t), sizeof(int64_t), db->seed);
	if (!db->index)
		return -ENOMEM;
	return db_grey_read_latest(db, db->capacity, index_on_row, db);
}

int grey_waiting_load(struct db_grey *db)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_WAITING_COUNT);
	int rc;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		db->rows[DB_GREY_WAITING] = (uint64_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return rc == SQLITE_ROW ? index_read(db) : conn_errno(&db->conn, rc);
}

void grey_waiting_committed(struct db_grey *db)
{
	db->undo_count = 0;
	db->has_lost_undo = false;
}

void grey_waiting_rolled_back(struct db_grey *db)
{
	while (!db->has_lost_undo && db->undo_count > 0) {
		const struct grey_undo *undo = &db->undo[--db->undo_count];

		if (undo->was_added)
			(void)ttlmap_remove(db->index, &undo->key);
		else
			index_put(db, undo->key, undo->id);
	}
	/* Without it the rows are there and not found: whoever waits begins anew. */
	if (db->has_lost_undo)
		(void)index_read(db);
	grey_waiting_committed(db);
}

/* ---- rows ------------------------------------------------------------------------------------ */

static bool is_same(const struct db_grey_row *a, const struct db_grey_row *b)
{
	return strcmp(a->origin.domain, b->origin.domain) == 0 &&
	       (a->origin.domain[0] ||
		prefix_equal(&a->origin.network, &b->origin.network)) &&
	       memcmp(a->digest, b->digest, sizeof(a->digest)) == 0;
}

int grey_waiting_get(struct db_grey *db, const struct db_grey_row *key,
		     struct db_grey_row *out_row)
{
	const uint64_t hash = index_key(db, key);
	const int64_t *id = db->index ? ttlmap_get(db->index, &hash, 0) : NULL;
	struct db_grey_row row = {.id = 0};
	sqlite3_stmt *stmt;
	int rc;
	int err;

	if (!id)
		return -ENOENT;
	stmt = conn_stmt(&db->conn, GREY_WAITING_GET);
	if (!stmt)
		return conn_prepare_errno(&db->conn);
	(void)sqlite3_bind_int64(stmt, 1, *id);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = grey_column_row(stmt, &row);
	else
		err = rc == SQLITE_DONE ? -ENOENT : conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	if (!err && !is_same(&row, key))
		err = -ENOENT;
	if (!err)
		*out_row = row;
	return err;
}

int grey_waiting_add(struct db_grey *db, const struct db_grey_row *row)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_WAITING_ADD);
	int err;

	if (stmt) {
		grey_bind_key(stmt, row);
		(void)sqlite3_bind_int64(stmt, 3, row->first_s);
		(void)sqlite3_bind_text(stmt, 4, row->sender, -1, SQLITE_TRANSIENT);
		(void)sqlite3_bind_text(stmt, 5, row->recipient, -1, SQLITE_TRANSIENT);
	}
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	index_add(db, row, sqlite3_last_insert_rowid(db->conn.handle));
	grey_count_row(db, DB_GREY_WAITING, 1);
	return 0;
}

int grey_waiting_remove(struct db_grey *db, const struct db_grey_row *row)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_WAITING_REMOVE);
	int err;

	if (stmt)
		(void)sqlite3_bind_int64(stmt, 1, row->id);
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	if (sqlite3_changes(db->conn.handle) > 0)
		grey_count_row(db, DB_GREY_WAITING, -1);
	index_remove(db, row);
	return 0;
}

/* ---- the front ------------------------------------------------------------------------------- */

struct front_walk {
	struct db_grey *db;
	const struct grey_front *front;
	int64_t last_id; /* up to which all go */
	uint32_t count;
};

#define FRONT_ENDS 1 /* this one stays, and so do those behind it */

static int front_on_row(void *context, const struct db_grey_row *row)
{
	struct front_walk *walk = context;
	const struct grey_front *front = walk->front;

	if (!front->is_any && row->first_s >= front->before_s &&
	    row->first_s <= front->now_s)
		return FRONT_ENDS;
	index_remove(walk->db, row);
	walk->last_id = row->id;
	walk->count++;
	return 0;
}

int grey_waiting_take_front(struct db_grey *db, const struct grey_front *front,
			    uint32_t *out_gone)
{
	struct front_walk walk = {.db = db, .front = front};
	sqlite3_stmt *stmt;
	int err;

	*out_gone = 0;
	if (front->max == 0 || db->rows[DB_GREY_WAITING] == 0)
		return 0;
	err = grey_begin(db);
	if (err)
		return err;
	stmt = conn_stmt(&db->conn, GREY_WAITING_AFTER);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, INT64_MIN);
		(void)sqlite3_bind_int64(stmt, 2, (int64_t)front->max);
	}
	err = grey_visit(db, stmt, front_on_row, &walk);
	if (err && err != FRONT_ENDS)
		return err;
	if (walk.count == 0)
		return 0;
	stmt = conn_stmt(&db->conn, GREY_WAITING_REMOVE_UP_TO);
	if (stmt)
		(void)sqlite3_bind_int64(stmt, 1, walk.last_id);
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	for (uint32_t i = 0; i < walk.count; i++)
		grey_count_row(db, DB_GREY_WAITING, -1);
	*out_gone = walk.count;
	return 0;
}
