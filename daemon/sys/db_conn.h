/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_conn - what the files of sys/db share: the connection and its prepared statements.
 */
#ifndef SYS_DB_CONN_H
#define SYS_DB_CONN_H

#include <sqlite3.h>

#include "sys/db.h"

#define DB_ADDR_MAX 17u /* key of a prefix: its address and its length in one more byte */

enum db_stmt_id {
	STMT_BEGIN,
	STMT_COMMIT,
	STMT_ROLLBACK,
	STMT_POLICY_ADD,
	STMT_BAN_PUT,
	STMT_BAN_GET,
	STMT_BAN_TO_HISTORY,
	STMT_BAN_DELETE,
	STMT_BANS_ALL,
	STMT_BANS_INSIDE,
	STMT_BANS_ENDED_TO_HISTORY,
	STMT_BANS_ENDED_DELETE,
	STMT_HISTORY_READ,
	STMT_HISTORY_PRUNE_EVIDENCE,
	STMT_HISTORY_PRUNE,
	STMT_REPEATS,
	STMT_STRIKE_ADD,
	STMT_STRIKES_OF,
	STMT_STRIKES_ALL,
	STMT_STRIKES_FORGET,
	STMT_STRIKES_PRUNE,
	STMT_EVIDENCE_KEEP,
	STMT_EVIDENCE_READ,
	STMT_COUNT,
};

struct db {
	sqlite3 *conn;
	sqlite3_stmt *stmts[STMT_COUNT];	  /* prepared at first use */
	char names[DB_POLICIES_MAX][DB_NAME_MAX]; /* key - 1 -> name */
	uint32_t name_count;
	uint32_t log_pages;
	uint64_t strikes, history; /* rows */
};

struct db_key {
	uint8_t bytes[DB_ADDR_MAX];
	int len;
};

/* -errno of a result code of SQLite; 0 for success. */
int db_errno(const struct db *db, int rc);

/* The statement, reset and without bindings; NULL: could not be prepared (see db_errno). */
sqlite3_stmt *db_stmt(struct db *db, enum db_stmt_id id);

/* Run a statement that gives no row, and reset it. 0; -errno. */
int db_run(struct db *db, sqlite3_stmt *stmt);

/* Prefixes as they are kept: sorted by address, then length; IPv4 and IPv6 differ in size. */
struct db_key db_key_make(const struct prefix *prefix);
int db_key_read(const void *bytes, int len, struct prefix *out_prefix);
void db_bind_prefix(sqlite3_stmt *stmt, int column, const struct prefix *prefix);

/* Text of a column, cut to the array. */
void db_column_text(sqlite3_stmt *stmt, int column, char *out_text, size_t cap_bytes);

#endif
