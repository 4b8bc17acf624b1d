/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey - see db_grey.h. The schema, transactions, and what is known; what waits: db_grey_waiting.c.
 *
 * What is known is in the order of its origins, so that what belongs to a network lies together. An origin is a blob
 * (a prefix, as in the store of bans) or a text (a domain); in the place of a digest what is no triplet has one or
 * two zeros.
 */
#include "sys/db_grey.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/buf.h"
#include "sys/db_grey_private.h"

/* Step i brings a store of version i to i + 1. Never change one that was released: add one. */
static const char *const upgrades[] = {
	"CREATE TABLE known(origin NOT NULL, digest BLOB NOT NULL, kind INTEGER NOT NULL,"
	" at INTEGER NOT NULL, first INTEGER NOT NULL, successes INTEGER NOT NULL,"
	" sender TEXT NOT NULL, recipient TEXT NOT NULL,"
	" PRIMARY KEY(origin, digest)) WITHOUT ROWID;"
	"CREATE INDEX known_age ON known(kind, at);"
	"CREATE TABLE waiting(id INTEGER PRIMARY KEY, origin NOT NULL, digest BLOB NOT NULL,"
	" first INTEGER NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL);",
};

#define KNOWN \
	"SELECT origin, digest, kind, at, first, successes, sender, recipient, 0 FROM known"
#define WAITING \
	"SELECT origin, digest, 0, first, first, 0, sender, recipient, id FROM waiting"

static const char *const sql[GREY_STMT_COUNT] = {
	[GREY_KNOWN_GET] = KNOWN " WHERE origin = ?1 AND digest = ?2",
	[GREY_KNOWN_ADD] =
		"INSERT INTO known(origin, digest, kind, at, first, successes, sender, recipient)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[GREY_KNOWN_CHANGE] =
		"UPDATE known SET kind = ?3, at = ?4, first = ?5, successes = ?6,"
		" sender = ?7, recipient = ?8 WHERE origin = ?1 AND digest = ?2",
	[GREY_KNOWN_REMOVE] = "DELETE FROM known WHERE origin = ?1 AND digest = ?2",
	[GREY_KNOWN_REMOVE_OLD] =
		"DELETE FROM known WHERE (origin, digest) IN (SELECT origin, digest"
		" FROM known INDEXED BY known_age WHERE kind = ?1 AND at < ?2"
		" ORDER BY at LIMIT ?3)",
	[GREY_KNOWN_ALL] = KNOWN " WHERE (origin, digest) > (?1, ?2)"
				 " ORDER BY origin, digest LIMIT ?3",
	[GREY_KNOWN_INSIDE] =
		KNOWN " WHERE (origin, digest) > (?1, ?2) AND origin <= ?4"
		      " AND length(origin) = length(?4) AND substr(origin, -1) >= ?5"
		      " ORDER BY origin, digest LIMIT ?3",
	[GREY_KNOWN_DOMAIN] =
		KNOWN " WHERE origin = ?1 AND digest > ?2 ORDER BY digest LIMIT ?3",
	[GREY_KNOWN_KIND] = KNOWN " INDEXED BY known_age WHERE kind = ?1",
	[GREY_KNOWN_COUNT] = "SELECT count(*) FROM known WHERE kind = ?1",
	[GREY_WAITING_ADD] =
		"INSERT INTO waiting(origin, digest, first, sender, recipient)"
		" VALUES(?1, ?2, ?3, ?4, ?5)",
	[GREY_WAITING_GET] = WAITING " WHERE id = ?1",
	[GREY_WAITING_REMOVE] = "DELETE FROM waiting WHERE id = ?1",
	[GREY_WAITING_REMOVE_UP_TO] = "DELETE FROM waiting WHERE id <= ?1",
	[GREY_WAITING_AFTER] = WAITING " WHERE id > ?1 ORDER BY id LIMIT ?2",
	[GREY_WAITING_LATEST] = WAITING " ORDER BY id DESC LIMIT ?1",
	[GREY_WAITING_COUNT] = "SELECT count(*) FROM waiting",
};

static_assert(GREY_STMT_COUNT <= CONN_STMTS_MAX, "room for every statement");

/* synchronous=NORMAL: a commit is handed to the kernel, not waited for. */
static const struct db_schema schema = {
	.upgrades = upgrades,
	.version = (int)(sizeof(upgrades) / sizeof(upgrades[0])),
	.sql = sql,
	.pragmas = "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -8192;"
		   "PRAGMA journal_size_limit = 4194304",
};

/* ---- keys and rows --------------------------------------------------------------------------- */

struct digest_key {
	uint8_t bytes[DB_GREY_DIGEST_BYTES];
	int len;
};

static struct digest_key digest_key_of(const struct db_grey_row *row)
{
	struct digest_key key = {.len = 0};

	if (row->kind == DB_GREY_COMMAND) {
		key.len = 1;
	} else if (row->kind == DB_GREY_NETWORK) {
		key.len = 2;
	} else {
		memcpy(key.bytes, row->digest, DB_GREY_DIGEST_BYTES);
		key.len = (int)DB_GREY_DIGEST_BYTES;
	}
	return key;
}

void grey_bind_key(sqlite3_stmt *stmt, const struct db_grey_row *row)
{
	const struct digest_key key = digest_key_of(row);

	if (row->origin.domain[0])
		(void)sqlite3_bind_text(stmt, 1, row->origin.domain, -1,
					SQLITE_TRANSIENT);
	else
		db_bind_prefix(stmt, 1, &row->origin.network);
	(void)sqlite3_bind_blob(stmt, 2, key.bytes, key.len, SQLITE_TRANSIENT);
}

static void bind_row(sqlite3_stmt *stmt, const struct db_grey_row *row)
{
	grey_bind_key(stmt, row);
	(void)sqlite3_bind_int(stmt, 3, row->kind);
	(void)sqlite3_bind_int64(stmt, 4, row->at_s);
	(void)sqlite3_bind_int64(stmt, 5, row->first_s);
	(void)sqlite3_bind_int64(stmt, 6, row->successes);
	(void)sqlite3_bind_text(stmt, 7, row->sender, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(stmt, 8, row->recipient, -1, SQLITE_TRANSIENT);
}

static int column_origin(sqlite3_stmt *stmt, struct db_grey_origin *out_origin)
{
	if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT)
		return db_key_read(sqlite3_column_blob(stmt, 0),
				   sqlite3_column_bytes(stmt, 0), &out_origin->network);
	db_column_text(stmt, 0, out_origin->domain, sizeof(out_origin->domain));
	return out_origin->domain[0] ? 0 : -EUCLEAN;
}

int grey_column_row(sqlite3_stmt *stmt, struct db_grey_row *out_row)
{
	struct db_grey_row row = {.kind = (uint8_t)sqlite3_column_int(stmt, 2)};
	int err = column_origin(stmt, &row.origin);

	if (err)
		return err;
	if (row.kind >= DB_GREY_KIND_COUNT ||
	    sqlite3_column_bytes(stmt, 1) != digest_key_of(&row).len)
		return -EUCLEAN;
	if (row.kind == DB_GREY_WAITING || row.kind == DB_GREY_PROVEN)
		memcpy(row.digest, sqlite3_column_blob(stmt, 1), DB_GREY_DIGEST_BYTES);
	row.at_s = sqlite3_column_int64(stmt, 3);
	row.first_s = sqlite3_column_int64(stmt, 4);
	row.successes = (uint32_t)sqlite3_column_int64(stmt, 5);
	db_column_text(stmt, 6, row.sender, sizeof(row.sender));
	db_column_text(stmt, 7, row.recipient, sizeof(row.recipient));
	row.id = sqlite3_column_int64(stmt, 8);
	*out_row = row;
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int count_known(struct db_grey *db)
{
	for (int kind = DB_GREY_PROVEN; kind < DB_GREY_KIND_COUNT; kind++) {
		sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_KNOWN_COUNT);
		int rc;

		if (!stmt)
			return conn_prepare_errno(&db->conn);
		(void)sqlite3_bind_int(stmt, 1, kind);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			db->rows[kind] = (uint64_t)sqlite3_column_int64(stmt, 0);
		(void)sqlite3_reset(stmt);
		if (rc != SQLITE_ROW)
			return conn_errno(&db->conn, rc);
	}
	return 0;
}

int db_grey_open(const char *path, uint32_t capacity, struct db_grey **out_db)
{
	AUTO(db_grey_close) struct db_grey *db = calloc(1, sizeof(*db));
	bool fresh;
	int err;

	if (!db || getrandom(db->seed, sizeof(db->seed), 0) != (ssize_t)sizeof(db->seed))
		return -ENOMEM;
	db->capacity = capacity;
	err = conn_open(&db->conn, path, &schema, &fresh);
	if (!err)
		err = count_known(db);
	if (!err)
		err = grey_waiting_load(db);
	if (err)
		return err;
	memcpy(db->rows_committed, db->rows, sizeof(db->rows));
	*out_db = TAKE_PTR(db);
	return 0;
}

void db_grey_close(struct db_grey **db)
{
	if (!*db)
		return;
	ttlmap_free(&(*db)->index);
	conn_close(&(*db)->conn);
	free(*db);
	*db = NULL;
}

const char *db_grey_error(const struct db_grey *db)
{
	return conn_error(&db->conn);
}

int db_grey_size_read(struct db_grey *db, struct db_grey_size *out_size)
{
	uint64_t file_bytes = 0;
	int err = conn_file_bytes(&db->conn, &file_bytes);

	if (err)
		return err;
	memcpy(out_size->rows, db->rows, sizeof(out_size->rows));
	out_size->file_bytes = file_bytes;
	return 0;
}

/* ---- transactions ---------------------------------------------------------------------------- */

int grey_begin(struct db_grey *db)
{
	int err = db->is_begun ? 0 : conn_begin(&db->conn);

	if (!err)
		db->is_begun = true;
	return err;
}

void grey_count_row(struct db_grey *db, uint8_t kind, int change)
{
	if (change > 0)
		db->rows[kind]++;
	else if (db->rows[kind] > 0)
		db->rows[kind]--;
	db->changes++;
}

void db_grey_rollback(struct db_grey *db)
{
	conn_rollback(&db->conn);
	memcpy(db->rows, db->rows_committed, sizeof(db->rows));
	db->is_begun = false;
	db->changes = 0;
	grey_waiting_rolled_back(db);
}

int db_grey_commit(struct db_grey *db)
{
	int err = db->is_begun ? conn_commit(&db->conn) : 0;

	if (err) {
		db_grey_rollback(db);
		return err;
	}
	memcpy(db->rows_committed, db->rows, sizeof(db->rows));
	db->is_begun = false;
	db->changes = 0;
	grey_waiting_committed(db);
	return 0;
}

uint32_t db_grey_changes(const struct db_grey *db)
{
	return db->changes;
}

int db_grey_sync(struct db_grey *db)
{
	sqlite3_file *log = NULL;
	int rc = sqlite3_file_control(db->conn.handle, "main",
				      SQLITE_FCNTL_JOURNAL_POINTER, &log);

	if (rc == SQLITE_OK && log && log->pMethods)
		rc = log->pMethods->xSync(log, SQLITE_SYNC_NORMAL);
	return conn_errno(&db->conn, rc);
}

uint32_t db_grey_log_pages(const struct db_grey *db)
{
	return db->conn.log_pages;
}

int db_grey_write_back(struct db_grey *db)
{
	return conn_write_back(&db->conn);
}

/* ---- one row --------------------------------------------------------------------------------- */

static int known_get(struct db_grey *db, const struct db_grey_row *key,
		     struct db_grey_row *out_row)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_KNOWN_GET);
	int rc;
	int err;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	grey_bind_key(stmt, key);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = grey_column_row(stmt, out_row);
	else
		err = rc == SQLITE_DONE ? -ENOENT : conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_grey_get(struct db_grey *db, const struct db_grey_row *key,
		struct db_grey_row *out_row)
{
	const bool is_triplet =
		key->kind == DB_GREY_WAITING || key->kind == DB_GREY_PROVEN;
	int err = known_get(db, key, out_row);

	return err == -ENOENT && is_triplet ? grey_waiting_get(db, key, out_row) : err;
}

static int known_put(struct db_grey *db, const struct db_grey_row *row, bool is_there)
{
	sqlite3_stmt *stmt =
		conn_stmt(&db->conn, is_there ? GREY_KNOWN_CHANGE : GREY_KNOWN_ADD);
	int err;

	if (stmt)
		bind_row(stmt, row);
	err = conn_run(&db->conn, stmt);
	if (!err && !is_there)
		grey_count_row(db, row->kind, 1);
	else if (!err)
		db->changes++;
	return err;
}

static int known_remove(struct db_grey *db, const struct db_grey_row *row)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_KNOWN_REMOVE);
	int err;

	if (stmt)
		grey_bind_key(stmt, row);
	err = conn_run(&db->conn, stmt);
	if (!err && sqlite3_changes(db->conn.handle) > 0)
		grey_count_row(db, row->kind, -1);
	return err;
}

int db_grey_remove(struct db_grey *db, const struct db_grey_row *row)
{
	int err = grey_begin(db);

	if (err)
		return err;
	return row->kind == DB_GREY_WAITING ? grey_waiting_remove(db, row)
					    : known_remove(db, row);
}

/* From one table to the other, or within what waits: a new attempt goes to its end. */
static bool must_move(const struct db_grey_row *was, const struct db_grey_row *row)
{
	return was && (was->kind == DB_GREY_WAITING || row->kind == DB_GREY_WAITING);
}

int db_grey_put(struct db_grey *db, const struct db_grey_row *was,
		const struct db_grey_row *row)
{
	int err = grey_begin(db);

	if (!err && must_move(was, row)) {
		err = db_grey_remove(db, was);
		was = NULL;
	}
	if (err)
		return err;
	return row->kind == DB_GREY_WAITING ? grey_waiting_add(db, row)
					    : known_put(db, row, was != NULL);
}

/* ---- ageing ---------------------------------------------------------------------------------- */

/* Known rows of one kind older than a time go, the oldest first. */
static int known_remove_old(struct db_grey *db, enum db_grey_kind kind, int64_t before_s,
			    uint64_t max, uint32_t *out_gone)
{
	uint64_t gone;
	sqlite3_stmt *stmt;
	int err;

	*out_gone = 0;
	if (max == 0 || db->rows[kind] == 0)
		return 0;
	err = grey_begin(db);
	if (err)
		return err;
	stmt = conn_stmt(&db->conn, GREY_KNOWN_REMOVE_OLD);
	if (stmt) {
		(void)sqlite3_bind_int(stmt, 1, (int)kind);
		(void)sqlite3_bind_int64(stmt, 2, before_s);
		(void)sqlite3_bind_int64(stmt, 3, (int64_t)max);
	}
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	gone = (uint64_t)sqlite3_changes(db->conn.handle);
	db->rows[kind] -= gone < db->rows[kind] ? gone : db->rows[kind];
	db->changes += (uint32_t)gone;
	*out_gone = (uint32_t)gone;
	return 0;
}

/* How many of steps have to go so that there is room for one more. */
static uint64_t rows_over(const struct db_grey *db, uint64_t max, uint32_t steps)
{
	const uint64_t rows = db->rows[DB_GREY_WAITING] + db->rows[DB_GREY_PROVEN] +
			      db->rows[DB_GREY_NETWORK];
	const uint64_t over = rows >= max ? rows - max + 1 : 0;

	return over < steps ? over : steps;
}

int db_grey_make_room(struct db_grey *db, uint64_t max, uint32_t steps,
		      uint32_t *out_proven)
{
	static const enum db_grey_kind order[] = {DB_GREY_PROVEN, DB_GREY_NETWORK};
	struct grey_front front = {.is_any = true};
	uint32_t gone;
	int err;

	*out_proven = 0;
	if (max > db->capacity)
		max = db->capacity;
	front.max = rows_over(db, max, steps);
	err = grey_waiting_take_front(db, &front, &gone);
	steps -= gone;
	for (size_t i = 0; !err && i < sizeof(order) / sizeof(order[0]); i++) {
		err = known_remove_old(db, order[i], INT64_MAX, rows_over(db, max, steps),
				       &gone);
		steps -= gone;
		*out_proven += gone;
	}
	return err;
}

int db_grey_expire(struct db_grey *db, const struct db_grey_expiry *expiry,
		   uint32_t *out_gone)
{
	const int64_t before_s[DB_GREY_KIND_COUNT] = {
		[DB_GREY_PROVEN] = expiry->used_before_s,
		[DB_GREY_NETWORK] = expiry->used_before_s,
		[DB_GREY_COMMAND] = expiry->now_s + 1,
	};
	const struct grey_front front = {
		.max = expiry->steps,
		.before_s = expiry->waiting_before_s,
		.now_s = expiry->now_s,
	};
	int err = grey_waiting_take_front(db, &front, out_gone);

	for (int kind = DB_GREY_PROVEN; !err && kind < DB_GREY_KIND_COUNT; kind++) {
		uint32_t gone;

		err = known_remove_old(db, (enum db_grey_kind)kind, before_s[kind],
				       expiry->steps, &gone);
		*out_gone += gone;
	}
	return err;
}
