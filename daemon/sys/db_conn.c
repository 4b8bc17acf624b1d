/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - one connection: opening, bringing up to date, statements, transactions (SQLite). See db_conn.h.
 *
 * Exclusive: no other process can make it wait, and the index of the log lies in our own memory.
 */
#include "sys/db_conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

/* What every connection is told. */
static const char common_pragmas[] =
	"PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
	"PRAGMA temp_store = MEMORY; PRAGMA mmap_size = 0;"
	"PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON";

static const char *const control_sql[CONN_CONTROL_COUNT] = {
	[CONN_BEGIN] = "BEGIN IMMEDIATE",
	[CONN_COMMIT] = "COMMIT",
	[CONN_ROLLBACK] = "ROLLBACK",
};

int conn_errno(const struct db_conn *conn, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EUCLEAN;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return conn && sqlite3_system_errno(conn->handle) == ENOSPC ? -ENOSPC
									    : -EIO;
	case SQLITE_READONLY:
	case SQLITE_CANTOPEN:
	case SQLITE_PERM:
		return -EROFS;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_NOMEM:
		return -ENOMEM;
	default:
		return -EIO;
	}
}

const char *conn_error(const struct db_conn *conn)
{
	return conn->handle ? sqlite3_errmsg(conn->handle) : "not open";
}

static sqlite3_stmt *conn_prepare(struct db_conn *conn, sqlite3_stmt **stmt,
				  const char *text)
{
	if (!*stmt &&
	    sqlite3_prepare_v3(conn->handle, text, -1, SQLITE_PREPARE_PERSISTENT, stmt,
			       NULL) != SQLITE_OK)
		return NULL;
	(void)sqlite3_reset(
		*stmt); /* repeats the error of the last run, which was reported */
	return *stmt;
}

sqlite3_stmt *conn_stmt(struct db_conn *conn, size_t id)
{
	sqlite3_stmt *stmt = conn_prepare(conn, &conn->stmts[id], conn->schema->sql[id]);

	if (stmt)
		(void)sqlite3_clear_bindings(stmt);
	return stmt;
}

int conn_prepare_errno(const struct db_conn *conn)
{
	return conn_errno(conn, sqlite3_extended_errcode(conn->handle));
}

int conn_run(struct db_conn *conn, sqlite3_stmt *stmt)
{
	int rc;
	int err;

	if (!stmt)
		return conn_prepare_errno(conn);
	rc = sqlite3_step(stmt);
	err = rc == SQLITE_ROW ? -EIO : conn_errno(conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

struct db_key db_key_make(const struct prefix *prefix)
{
	struct db_key key = {.len = prefix->addr.family == ADDR_V4 ? 5 : 17};

	memcpy(key.bytes, prefix->addr.bytes, (size_t)key.len - 1);
	key.bytes[key.len - 1] = prefix->len;
	return key;
}

int db_key_read(const void *bytes, int len, struct prefix *out_prefix)
{
	struct prefix prefix = {.len = 0};

	if (!bytes || (len != 5 && len != 17))
		return -EUCLEAN;
	prefix.addr.family = len == 5 ? ADDR_V4 : ADDR_V6;
	memcpy(prefix.addr.bytes, bytes, (size_t)len - 1);
	prefix.len = ((const uint8_t *)bytes)[len - 1];
	if (prefix.len > addr_bits((enum addr_family)prefix.addr.family))
		return -EUCLEAN;
	*out_prefix = prefix;
	return 0;
}

void db_bind_prefix(sqlite3_stmt *stmt, int column, const struct prefix *prefix)
{
	struct db_key key = db_key_make(prefix);

	(void)sqlite3_bind_blob(stmt, column, key.bytes, key.len, SQLITE_TRANSIENT);
}

void db_column_text(sqlite3_stmt *stmt, int column, char *out_text, size_t cap_bytes)
{
	const unsigned char *text = sqlite3_column_text(stmt, column);

	(void)text_copy(out_text, cap_bytes, text ? (const char *)text : "");
}

static int conn_on_log(void *context, sqlite3 *handle, const char *name, int pages)
{
	struct db_conn *conn = context;

	(void)handle;
	(void)name;
	conn->log_pages = (uint32_t)pages;
	return SQLITE_OK;
}

static int conn_exec(struct db_conn *conn, const char *text)
{
	return conn_errno(conn, sqlite3_exec(conn->handle, text, NULL, NULL, NULL));
}

/* One number that a query gives. */
int conn_number(struct db_conn *conn, const char *text, int64_t *out_number)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(conn->handle, text, -1, &stmt, NULL);
	int err;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = conn_errno(conn, rc);
	if (rc == SQLITE_ROW)
		*out_number = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return err;
}

/* Is every page and row where it should be? */
static int conn_quick_check(struct db_conn *conn)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(conn->handle, "PRAGMA quick_check(1)", -1, &stmt,
				    NULL);
	int err;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = conn_errno(conn, rc);
	if (rc == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(stmt, 0);

		err = text && strcmp((const char *)text, "ok") == 0 ? 0 : -EUCLEAN;
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

static int conn_upgrade(struct db_conn *conn, bool *out_fresh)
{
	const int wanted = conn->schema->version;
	int64_t version = 0;
	int err = conn_number(conn, "PRAGMA user_version", &version);

	if (err)
		return err;
	if (version > wanted || version < 0)
		return -ENOTSUP;
	*out_fresh = version == 0;
	if (version == wanted)
		return conn->schema->is_checked ? conn_quick_check(conn) : 0;
	err = conn_begin(conn);
	for (int64_t step = version; !err && step < wanted; step++)
		err = conn_exec(conn, conn->schema->upgrades[step]);
	if (!err) {
		char text[64];

		(void)snprintf(text, sizeof(text), "PRAGMA user_version = %d", wanted);
		err = conn_exec(conn, text);
	}
	if (err) {
		conn_rollback(conn);
		return err;
	}
	return conn_commit(conn);
}

int conn_open(struct db_conn *conn, const char *path, const struct db_schema *schema,
	      bool *out_fresh)
{
	int err;

	conn->schema = schema;
	err = conn_errno(conn,
			 sqlite3_open_v2(path, &conn->handle,
					 SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
						 SQLITE_OPEN_NOMUTEX,
					 NULL));
	if (err)
		return err;
	(void)sqlite3_extended_result_codes(conn->handle, 1);
	(void)sqlite3_db_config(conn->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	err = conn_exec(conn, common_pragmas);
	if (!err)
		err = conn_exec(conn, schema->pragmas);
	/* It takes the place of SQLite's own, which would write back within a commit. */
	(void)sqlite3_wal_hook(conn->handle, conn_on_log, conn);
	return err ? err : conn_upgrade(conn, out_fresh);
}

void conn_close(struct db_conn *conn)
{
	for (size_t i = 0; i < CONN_STMTS_MAX; i++)
		(void)sqlite3_finalize(conn->stmts[i]);
	for (size_t i = 0; i < CONN_CONTROL_COUNT; i++)
		(void)sqlite3_finalize(conn->control[i]);
	(void)sqlite3_close(conn->handle);
	*conn = (struct db_conn){.handle = NULL};
}

static int conn_control(struct db_conn *conn, enum conn_control what)
{
	return conn_run(conn,
			conn_prepare(conn, &conn->control[what], control_sql[what]));
}

int conn_begin(struct db_conn *conn)
{
	return conn_control(conn, CONN_BEGIN);
}

int conn_commit(struct db_conn *conn)
{
	int err = conn_control(conn, CONN_COMMIT);

	if (err)
		conn_rollback(conn);
	return err;
}

void conn_rollback(struct db_conn *conn)
{
	/* Some errors have rolled back already. */
	if (!sqlite3_get_autocommit(conn->handle))
		(void)conn_control(conn, CONN_ROLLBACK);
}

int conn_write_back(struct db_conn *conn)
{
	int err = conn_errno(conn, sqlite3_wal_checkpoint_v2(conn->handle, NULL,
							     SQLITE_CHECKPOINT_PASSIVE,
							     NULL, NULL));

	if (!err)
		conn->log_pages = 0;
	return err;
}

int conn_file_bytes(struct db_conn *conn, uint64_t *out_bytes)
{
	int64_t pages = 0;
	int64_t page_bytes = 0;
	int err = conn_number(conn, "PRAGMA page_count", &pages);

	if (!err)
		err = conn_number(conn, "PRAGMA page_size", &page_bytes);
	if (!err)
		*out_bytes = (uint64_t)((pages + conn->log_pages) * page_bytes);
	return err;
}
