/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_conn - what the stores of sys/db share: a connection, its schema and its prepared statements.
 *
 * Errors are -errno, as db.h lists them.
 */
#ifndef SYS_DB_CONN_H
#define SYS_DB_CONN_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define DB_ADDR_MAX    17u /* key of a prefix: its address and its length in one more byte */
#define CONN_STMTS_MAX 32u /* statements of one store */

struct db_schema {
	const char *const *upgrades; /* step i brings a store of version i to i + 1 */
	int version;		     /* how many */
	const char *const *sql;	     /* the statements, at most CONN_STMTS_MAX */
	const char *pragmas;	     /* besides those that all stores have */
	bool is_checked;	     /* read all of it when it is opened: is it whole? */
};

enum conn_control {
	CONN_BEGIN,
	CONN_COMMIT,
	CONN_ROLLBACK,
	CONN_CONTROL_COUNT,
};

struct db_conn {
	sqlite3 *handle;
	const struct db_schema *schema;
	sqlite3_stmt *stmts[CONN_STMTS_MAX]; /* prepared at first use */
	sqlite3_stmt *control[CONN_CONTROL_COUNT];
	uint32_t log_pages; /* not yet written back */
};

struct db_key {
	uint8_t bytes[DB_ADDR_MAX];
	int len;
};

/**
 * conn_open - open a store, make it, or bring an older one up to date.
 * @conn: zeroed; may not move afterwards; conn_close() also after a failure
 * @path: file; ":memory:": kept nowhere
 * @out_fresh: true if there was none; untouched on failure
 *
 * Return: 0; -ENOTSUP, made by a newer version; -EBUSY, another process has it; -errno.
 */
int conn_open(struct db_conn *conn, const char *path, const struct db_schema *schema,
	      bool *out_fresh) MUST_CHECK;
void conn_close(struct db_conn *conn);

/* -errno of a result code of SQLite; 0 for success. */
int conn_errno(const struct db_conn *conn, int rc);

/* What the store itself said about the last error; valid until the next call. */
const char *conn_error(const struct db_conn *conn);

/* The statement, reset and without bindings; NULL: could not be prepared, see conn_prepare_errno(). */
sqlite3_stmt *conn_stmt(struct db_conn *conn, size_t id);
int conn_prepare_errno(const struct db_conn *conn);

/* Run a statement that gives no row, and reset it. NULL: it could not be prepared. 0; -errno. */
int conn_run(struct db_conn *conn, sqlite3_stmt *stmt);

/* One number that a query gives. */
int conn_number(struct db_conn *conn, const char *text, int64_t *out_number);

/* One transaction at a time. conn_commit() rolls back on failure. */
int conn_begin(struct db_conn *conn) MUST_CHECK;
int conn_commit(struct db_conn *conn) MUST_CHECK;
void conn_rollback(struct db_conn *conn);

/* Write the log back into the file. */
int conn_write_back(struct db_conn *conn);

/* Size of the file and its log. */
int conn_file_bytes(struct db_conn *conn, uint64_t *out_bytes) MUST_CHECK;

/* Prefixes as they are kept: sorted by address, then length; IPv4 and IPv6 differ in size. */
struct db_key db_key_make(const struct prefix *prefix);
int db_key_read(const void *bytes, int len, struct prefix *out_prefix) MUST_CHECK;
void db_bind_prefix(sqlite3_stmt *stmt, int column, const struct prefix *prefix);

/* Text of a column, cut to the array. */
void db_column_text(sqlite3_stmt *stmt, int column, char *out_text, size_t cap_bytes);

#endif
