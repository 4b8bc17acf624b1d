/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey - see db_grey.h.
 *
 * One table, so that one bound, one search by age and one list hold for everything. Its key begins with
 * the origin: what belongs to a network lies together. An origin is a blob (a prefix, as in the store
 * of bans) or a text (a domain); in the place of a digest what is no triplet has one or two zeros.
 */
#include "sys/db_grey.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "sys/db_conn.h"

enum grey_stmt_id {
	GREY_GET,
	GREY_ADD,
	GREY_CHANGE,
	GREY_REMOVE,
	GREY_REMOVE_OLD,
	GREY_READ_ALL,
	GREY_READ_INSIDE,
	GREY_READ_DOMAIN,
	GREY_READ_KIND,
	GREY_COUNT_ROWS,
	GREY_STMT_COUNT,
};

struct db_grey {
	struct db_conn conn;
	bool is_begun; /* a transaction is open */
	uint32_t changes;
	uint64_t rows[DB_GREY_KIND_COUNT];
	uint64_t rows_committed[DB_GREY_KIND_COUNT];
};

/* Step i brings a store of version i to i + 1. Never change one that was released: add one. */
static const char *const upgrades[] = {
	"CREATE TABLE triplets(origin NOT NULL, digest BLOB NOT NULL, kind INTEGER NOT NULL,"
	" at INTEGER NOT NULL, first INTEGER NOT NULL, successes INTEGER NOT NULL,"
	" sender TEXT NOT NULL, recipient TEXT NOT NULL,"
	" PRIMARY KEY(origin, digest)) WITHOUT ROWID;"
	"CREATE INDEX triplets_age ON triplets(kind, at);",
};

#define COLUMNS "origin, digest, kind, at, first, successes, sender, recipient"

static const char *const sql[GREY_STMT_COUNT] = {
	[GREY_GET] = "SELECT " COLUMNS " FROM triplets WHERE origin = ?1 AND digest = ?2",
	[GREY_ADD] = "INSERT INTO triplets(" COLUMNS
		     ") VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[GREY_CHANGE] =
		"UPDATE triplets SET kind = ?3, at = ?4, first = ?5, successes = ?6,"
		" sender = ?7, recipient = ?8 WHERE origin = ?1 AND digest = ?2",
	[GREY_REMOVE] = "DELETE FROM triplets WHERE origin = ?1 AND digest = ?2",
	[GREY_REMOVE_OLD] =
		"DELETE FROM triplets WHERE (origin, digest) IN (SELECT origin, digest"
		" FROM triplets INDEXED BY triplets_age WHERE kind = ?1 AND at < ?2"
		" ORDER BY at LIMIT ?3)",
	[GREY_READ_ALL] =
		"SELECT " COLUMNS " FROM triplets WHERE (origin, digest) > (?1, ?2)"
		" ORDER BY origin, digest LIMIT ?3",
	[GREY_READ_INSIDE] =
		"SELECT " COLUMNS " FROM triplets WHERE (origin, digest) > (?1, ?2)"
		" AND origin <= ?4 AND length(origin) = length(?4)"
		" AND substr(origin, -1) >= ?5 ORDER BY origin, digest LIMIT ?3",
	[GREY_READ_DOMAIN] =
		"SELECT " COLUMNS " FROM triplets WHERE origin = ?1 AND digest > ?2"
		" ORDER BY digest LIMIT ?3",
	[GREY_READ_KIND] = "SELECT " COLUMNS
			   " FROM triplets INDEXED BY triplets_age WHERE kind = ?1",
	[GREY_COUNT_ROWS] = "SELECT count(*) FROM triplets WHERE kind = ?1",
};

static_assert(GREY_STMT_COUNT <= CONN_STMTS_MAX, "room for every statement");

/*
 * synchronous=NORMAL: a commit is handed to the kernel, not waited for. The cache holds the upper levels
 * of both trees of a million rows, and more.
 */
static const struct db_schema schema = {
	.upgrades = upgrades,
	.version = (int)(sizeof(upgrades) / sizeof(upgrades[0])),
	.sql = sql,
	.pragmas = "PRAGMA synchronous = NORMAL; PRAGMA cache_size = -16384;"
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

static void bind_key(sqlite3_stmt *stmt, const struct db_grey_row *row)
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
	bind_key(stmt, row);
	(void)sqlite3_bind_int(stmt, 3, row->kind);
	(void)sqlite3_bind_int64(stmt, 4, row->at_s);
	(void)sqlite3_bind_int64(stmt, 5, row->first_s);
	(void)sqlite3_bind_int64(stmt, 6, row->successes);
	(void)sqlite3_bind_text(stmt, 7, row->sender, -1, SQLITE_TRANSIENT);
	(void)sqlite3_bind_text(stmt, 8, row->recipient, -1, SQLITE_TRANSIENT);
}

/* What a damaged file says is not believed. */
static int column_origin(sqlite3_stmt *stmt, struct db_grey_origin *out_origin)
{
	if (sqlite3_column_type(stmt, 0) != SQLITE_TEXT)
		return db_key_read(sqlite3_column_blob(stmt, 0),
				   sqlite3_column_bytes(stmt, 0), &out_origin->network);
	db_column_text(stmt, 0, out_origin->domain, sizeof(out_origin->domain));
	return out_origin->domain[0] ? 0 : -EUCLEAN;
}

static int column_row(sqlite3_stmt *stmt, struct db_grey_row *out_row)
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
	*out_row = row;
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------ */

static int grey_count_rows(struct db_grey *db)
{
	for (int kind = 0; kind < DB_GREY_KIND_COUNT; kind++) {
		sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_COUNT_ROWS);
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
	memcpy(db->rows_committed, db->rows, sizeof(db->rows));
	return 0;
}

int db_grey_open(const char *path, struct db_grey **out_db)
{
	AUTO(db_grey_close) struct db_grey *db = calloc(1, sizeof(*db));
	bool fresh;
	int err;

	if (!db)
		return -ENOMEM;
	err = conn_open(&db->conn, path, &schema, &fresh);
	if (!err)
		err = grey_count_rows(db);
	if (!err)
		*out_db = TAKE_PTR(db);
	return err;
}

void db_grey_close(struct db_grey **db)
{
	if (!*db)
		return;
	conn_close(&(*db)->conn);
	free(*db);
	*db = NULL;
}

const char *db_grey_error(const struct db_grey *db)
{
	return conn_error(&db->conn);
}

/* ---- transactions ---------------------------------------------------------------------------- */

static int grey_begin(struct db_grey *db)
{
	int err = db->is_begun ? 0 : conn_begin(&db->conn);

	if (!err)
		db->is_begun = true;
	return err;
}

void db_grey_rollback(struct db_grey *db)
{
	conn_rollback(&db->conn);
	memcpy(db->rows, db->rows_committed, sizeof(db->rows));
	db->is_begun = false;
	db->changes = 0;
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

/* ---- rows ------------------------------------------------------------------------------------ */

int db_grey_get(struct db_grey *db, const struct db_grey_row *key,
		struct db_grey_row *out_row)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_GET);
	int rc;
	int err;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	bind_key(stmt, key);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		err = column_row(stmt, out_row);
	else
		err = rc == SQLITE_DONE ? -ENOENT : conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_grey_put(struct db_grey *db, const struct db_grey_row *was,
		const struct db_grey_row *row)
{
	int err = grey_begin(db);
	sqlite3_stmt *stmt;

	if (err)
		return err;
	stmt = conn_stmt(&db->conn, was ? GREY_CHANGE : GREY_ADD);
	if (stmt)
		bind_row(stmt, row);
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	if (was)
		db->rows[was->kind]--;
	db->rows[row->kind]++;
	db->changes++;
	return 0;
}

int db_grey_remove(struct db_grey *db, const struct db_grey_row *row)
{
	int err = grey_begin(db);
	sqlite3_stmt *stmt;

	if (err)
		return err;
	stmt = conn_stmt(&db->conn, GREY_REMOVE);
	if (stmt)
		bind_key(stmt, row);
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	if (sqlite3_changes(db->conn.handle) > 0)
		db->rows[row->kind]--;
	db->changes++;
	return 0;
}

/* Rows of one kind older than a time go, the oldest first. */
static int grey_remove_old(struct db_grey *db, enum db_grey_kind kind, int64_t before_s,
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
	stmt = conn_stmt(&db->conn, GREY_REMOVE_OLD);
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

int db_grey_make_room(struct db_grey *db, uint64_t max, uint32_t steps,
		      uint32_t *out_proven)
{
	static const enum db_grey_kind order[] = {DB_GREY_WAITING, DB_GREY_PROVEN,
						  DB_GREY_NETWORK};
	uint64_t rows = 0;

	*out_proven = 0;
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		rows += db->rows[order[i]];
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]) && rows >= max; i++) {
		const uint64_t over = rows - max + 1;
		uint32_t gone;
		int err = grey_remove_old(db, order[i], INT64_MAX,
					  over < steps ? over : steps, &gone);

		if (err)
			return err;
		rows -= gone;
		steps -= gone;
		if (order[i] != DB_GREY_WAITING)
			*out_proven += gone;
	}
	return 0;
}

int db_grey_expire(struct db_grey *db, const struct db_grey_expiry *expiry,
		   uint32_t *out_gone)
{
	const int64_t before_s[DB_GREY_KIND_COUNT] = {
		[DB_GREY_WAITING] = expiry->waiting_before_s,
		[DB_GREY_PROVEN] = expiry->used_before_s,
		[DB_GREY_NETWORK] = expiry->used_before_s,
		[DB_GREY_COMMAND] = expiry->now_s + 1,
	};

	*out_gone = 0;
	for (int kind = 0; kind < DB_GREY_KIND_COUNT; kind++) {
		uint32_t gone;
		int err = grey_remove_old(db, (enum db_grey_kind)kind, before_s[kind],
					  expiry->steps, &gone);

		if (err)
			return err;
		*out_gone += gone;
	}
	return 0;
}

/* ---- reading many ---------------------------------------------------------------------------- */

/* Networks inside a prefix lie next to each other. */
static void bind_inside(sqlite3_stmt *stmt, const struct db_grey_range *range)
{
	struct db_key low = db_key_make(&range->inside);
	struct db_key high = low;
	const uint8_t len = range->inside.len;

	for (unsigned int bit = len;
	     bit < addr_bits((enum addr_family)range->inside.addr.family); bit++)
		high.bytes[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	high.bytes[high.len - 1] = UINT8_MAX;
	if (!range->after) /* without its length byte: before every key of this address */
		(void)sqlite3_bind_blob(stmt, 1, low.bytes, low.len - 1,
					SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 4, high.bytes, high.len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 5, &len, 1, SQLITE_TRANSIENT);
}

static sqlite3_stmt *range_stmt(struct db_grey *db, const struct db_grey_range *range)
{
	const bool is_inside = range->inside.addr.family != ADDR_NONE;
	sqlite3_stmt *stmt = conn_stmt(&db->conn, range->domain ? GREY_READ_DOMAIN
						  : is_inside	? GREY_READ_INSIDE
								: GREY_READ_ALL);

	if (!stmt)
		return NULL;
	/* Texts sort before blobs, and the empty text before everything. */
	(void)sqlite3_bind_text(stmt, 1, "", 0, SQLITE_STATIC);
	(void)sqlite3_bind_blob(stmt, 2, "", 0, SQLITE_STATIC);
	if (range->after)
		bind_key(stmt, range->after);
	if (range->domain)
		(void)sqlite3_bind_text(stmt, 1, range->domain, -1, SQLITE_TRANSIENT);
	else if (is_inside)
		bind_inside(stmt, range);
	(void)sqlite3_bind_int64(stmt, 3, range->max);
	return stmt;
}

static int grey_visit(struct db_grey *db, sqlite3_stmt *stmt, db_grey_fn visit,
		      void *context)
{
	int rc = SQLITE_ROW;
	int err = 0;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct db_grey_row row;

		err = column_row(stmt, &row);
		if (!err)
			err = visit(context, &row);
	}
	if (!err)
		err = conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_grey_read(struct db_grey *db, const struct db_grey_range *range, db_grey_fn visit,
		 void *context)
{
	return grey_visit(db, range_stmt(db, range), visit, context);
}

int db_grey_read_commands(struct db_grey *db, db_grey_fn visit, void *context)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_READ_KIND);

	if (stmt)
		(void)sqlite3_bind_int(stmt, 1, DB_GREY_COMMAND);
	return grey_visit(db, stmt, visit, context);
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
