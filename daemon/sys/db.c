/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - the schema of bans and strikes, transactions, policies (SQLite). See db.h.
 *
 * synchronous=FULL: a commit has reached the disk when it returns. The log is written back when the
 * ledger has a quiet moment, never in the middle of a ban, unless it is long.
 */
#include "sys/db.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "sys/db_conn.h"
#include "sys/db_private.h"

/* Step i brings a store of version i to i + 1. Never change one that was released: add one. */
static const char *const upgrades[] = {
	"CREATE TABLE policies(key INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
	"CREATE TABLE bans(policy INTEGER NOT NULL, addr BLOB NOT NULL, began INTEGER NOT NULL,"
	" ends INTEGER NOT NULL, source INTEGER NOT NULL, why TEXT NOT NULL,"
	" PRIMARY KEY(policy, addr)) WITHOUT ROWID;"
	"CREATE TABLE history(id INTEGER PRIMARY KEY, policy INTEGER NOT NULL,"
	" addr BLOB NOT NULL, began INTEGER NOT NULL, ends INTEGER NOT NULL,"
	" source INTEGER NOT NULL, why TEXT NOT NULL, ended INTEGER NOT NULL,"
	" how INTEGER NOT NULL);"
	"CREATE INDEX history_addr ON history(addr);"
	"CREATE TABLE strikes(id INTEGER PRIMARY KEY, addr BLOB NOT NULL, at INTEGER NOT NULL,"
	" policy INTEGER NOT NULL, kind INTEGER NOT NULL, digest BLOB NOT NULL,"
	" service TEXT NOT NULL, user TEXT NOT NULL, reply TEXT NOT NULL);"
	"CREATE INDEX strikes_addr ON strikes(addr);"
	"CREATE TABLE evidence(addr BLOB NOT NULL, began INTEGER NOT NULL,"
	" seq INTEGER NOT NULL, at INTEGER NOT NULL, policy INTEGER NOT NULL,"
	" kind INTEGER NOT NULL, service TEXT NOT NULL, user TEXT NOT NULL,"
	" reply TEXT NOT NULL, PRIMARY KEY(addr, began, seq)) WITHOUT ROWID;",
};

#define BAN_COLUMNS    "policy, addr, began, ends, source, why"
#define STRIKE_COLUMNS "addr, at, policy, kind, digest, service, user, reply"

static const char *const sql[STMT_COUNT] = {
	[STMT_POLICY_ADD] = "INSERT INTO policies(key, name) VALUES(?1, ?2)",
	[STMT_BAN_PUT] =
		"INSERT INTO bans(" BAN_COLUMNS ") VALUES(?1, ?2, ?3, ?4, ?5, ?6)"
		" ON CONFLICT DO UPDATE SET ends = ?4, source = ?5, why = ?6",
	[STMT_BAN_GET] =
		"SELECT " BAN_COLUMNS " FROM bans WHERE policy = ?1 AND addr = ?2",
	[STMT_BAN_TO_HISTORY] =
		"INSERT INTO history(" BAN_COLUMNS ", ended, how) SELECT " BAN_COLUMNS
		", ?3, ?4 FROM bans WHERE policy = ?1 AND addr = ?2",
	[STMT_BAN_DELETE] = "DELETE FROM bans WHERE policy = ?1 AND addr = ?2",
	[STMT_BANS_ALL] =
		"SELECT " BAN_COLUMNS " FROM bans WHERE (policy, addr) > (?1, ?2)"
		" AND policy <= ?3 ORDER BY policy, addr LIMIT ?4",
	[STMT_BANS_INSIDE] =
		"SELECT " BAN_COLUMNS " FROM bans WHERE policy = ?1 AND addr > ?2"
		" AND addr <= ?3 AND length(addr) = length(?3) AND substr(addr, -1) >= ?5"
		" ORDER BY addr LIMIT ?4",
	[STMT_BANS_ENDED_TO_HISTORY] =
		"INSERT INTO history(" BAN_COLUMNS ", ended, how) SELECT " BAN_COLUMNS
		", ends, ?2 FROM bans WHERE ends <= ?1",
	[STMT_BANS_ENDED_DELETE] = "DELETE FROM bans WHERE ends <= ?1",
	[STMT_HISTORY_READ] = "SELECT " BAN_COLUMNS ", ended, how FROM history"
			      " WHERE addr = ?1 ORDER BY id DESC LIMIT ?2",
	[STMT_HISTORY_PRUNE_EVIDENCE] =
		"DELETE FROM evidence WHERE (addr, began) IN (SELECT addr, began FROM"
		" (SELECT addr, began, ended FROM history ORDER BY id LIMIT ?2) WHERE ended < ?1)"
		" AND NOT EXISTS (SELECT 1 FROM policies, bans WHERE bans.policy = policies.key"
		" AND bans.addr = evidence.addr AND bans.began = evidence.began)",
	[STMT_HISTORY_PRUNE] = "DELETE FROM history WHERE ended < ?1 AND id IN"
			       " (SELECT id FROM history ORDER BY id LIMIT ?2)",
	[STMT_REPEATS] =
		"SELECT count(*) FROM (SELECT began FROM history WHERE addr = ?1"
		" AND how = ?3 AND source = ?4 AND began >= ?2 UNION"
		" SELECT began FROM policies, bans WHERE bans.policy = policies.key"
		" AND bans.addr = ?1 AND source = ?4 AND began >= ?2)",
	[STMT_STRIKE_ADD] = "INSERT INTO strikes(" STRIKE_COLUMNS ")"
			    " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
	[STMT_STRIKES_OF] = "SELECT " STRIKE_COLUMNS " FROM strikes WHERE addr = ?2"
			    " AND at >= ?1 ORDER BY id",
	[STMT_STRIKES_ALL] =
		"SELECT " STRIKE_COLUMNS " FROM strikes WHERE at >= ?1 ORDER BY id",
	[STMT_STRIKES_FORGET] = "DELETE FROM strikes WHERE addr = ?1",
	[STMT_STRIKES_PRUNE] = "DELETE FROM strikes WHERE at < ?1 AND id IN"
			       " (SELECT id FROM strikes ORDER BY id LIMIT ?2)",
	[STMT_EVIDENCE_KEEP] =
		"INSERT OR REPLACE INTO evidence(addr, began, seq, at, policy, kind, service, user,"
		" reply) SELECT addr, ?2, id, at, policy, kind, service, user, reply FROM strikes"
		" WHERE addr = ?1 AND at >= ?3 ORDER BY id DESC LIMIT ?4",
	[STMT_EVIDENCE_READ] =
		"SELECT addr, at, policy, kind, x'', service, user, reply FROM evidence"
		" WHERE addr = ?1 AND began = ?2 ORDER BY seq",
};

static_assert(STMT_COUNT <= CONN_STMTS_MAX, "room for every statement");

static const struct db_schema schema = {
	.upgrades = upgrades,
	.version = (int)(sizeof(upgrades) / sizeof(upgrades[0])),
	.sql = sql,
	.pragmas = "PRAGMA synchronous = FULL; PRAGMA cache_size = -8192;"
		   "PRAGMA journal_size_limit = 4194304",
	.is_checked = true,
};

void db_seed(void)
{
	unsigned char byte;

	sqlite3_randomness(sizeof(byte), &byte);
}

const char *db_error(const struct db *db)
{
	return db ? conn_error(&db->conn) : "not open";
}

static int db_read_names(struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->conn.handle,
				    "SELECT key, name FROM policies ORDER BY key", -1,
				    &stmt, NULL);

	while (rc == SQLITE_OK || rc == SQLITE_ROW) {
		rc = sqlite3_step(stmt);
		if (rc != SQLITE_ROW)
			break;
		if (sqlite3_column_int64(stmt, 0) != (int64_t)db->name_count + 1 ||
		    db->name_count == DB_POLICIES_MAX) {
			rc = SQLITE_CORRUPT;
			break;
		}
		db_column_text(stmt, 1, db->names[db->name_count++], DB_NAME_MAX);
	}
	(void)sqlite3_finalize(stmt);
	return conn_errno(&db->conn, rc);
}

static int db_set_up(struct db *db, const char *path, bool *out_fresh)
{
	int64_t rows[2] = {0};
	int err = conn_open(&db->conn, path, &schema, out_fresh);

	if (!err)
		err = db_read_names(db);
	if (!err)
		err = conn_number(&db->conn, "SELECT count(*) FROM strikes", &rows[0]);
	if (!err)
		err = conn_number(&db->conn, "SELECT count(*) FROM history", &rows[1]);
	db->strikes = (uint64_t)rows[0];
	db->history = (uint64_t)rows[1];
	return err;
}

int db_open(const char *path, struct db **out_db, bool *out_fresh)
{
	AUTO(db_close) struct db *db = calloc(1, sizeof(*db));
	bool fresh = false;
	int err;

	if (!db)
		return -ENOMEM;
	err = db_set_up(db, path, &fresh);
	if (err)
		return err;
	*out_db = TAKE_PTR(db);
	*out_fresh = fresh;
	return 0;
}

void db_close(struct db **db)
{
	if (!*db)
		return;
	conn_close(&(*db)->conn);
	free(*db);
	*db = NULL;
}

int db_set_aside(const char *path, int64_t now_s, char out_name[DB_ERROR_MAX])
{
	static const char *const parts[] = {"-wal", "-shm", "-journal", ""};
	char name[DB_ERROR_MAX];

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char from[DB_ERROR_MAX];
		struct buf from_buf = BUF_OVER(from);
		struct buf name_buf = BUF_OVER(name);

		buf_printf(&from_buf, "%s%s", path, parts[i]);
		buf_printf(&name_buf, "%s.damaged-%lld%s", path, (long long)now_s,
			   parts[i]);
		if (from_buf.overflow || name_buf.overflow)
			return -ENAMETOOLONG;
		if (rename(from, name) && (errno != ENOENT || parts[i][0] == '\0'))
			return -errno;
	}
	(void)text_copy(out_name, DB_ERROR_MAX, name);
	return 0;
}

int db_begin(struct db *db)
{
	return conn_begin(&db->conn);
}

int db_commit(struct db *db)
{
	int err = conn_commit(&db->conn);

	if (!err && db->conn.log_pages > DB_WAL_PAGES_MAX)
		(void)conn_write_back(
			&db->conn); /* the commit is durable; tried again later */
	return err;
}

void db_rollback(struct db *db)
{
	conn_rollback(&db->conn);
}

uint32_t db_log_pages(const struct db *db)
{
	return db->conn.log_pages;
}

int db_write_back(struct db *db)
{
	return conn_write_back(&db->conn);
}

int db_size_read(struct db *db, struct db_size *out_size)
{
	uint64_t file_bytes = 0;
	int err = conn_file_bytes(&db->conn, &file_bytes);

	if (err)
		return err;
	*out_size = (struct db_size){
		.strikes = db->strikes, .history = db->history, .file_bytes = file_bytes};
	return 0;
}

int db_policy_key(struct db *db, const char *name, uint32_t *out_key)
{
	sqlite3_stmt *stmt;
	int err;

	for (uint32_t i = 0; i < db->name_count; i++) {
		if (strcmp(db->names[i], name) == 0) {
			*out_key = i + 1;
			return 0;
		}
	}
	if (db->name_count == DB_POLICIES_MAX || strlen(name) >= DB_NAME_MAX)
		return -ENOSPC;
	stmt = conn_stmt(&db->conn, STMT_POLICY_ADD);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, (int64_t)db->name_count + 1);
		(void)sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
	}
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	(void)text_copy(db->names[db->name_count], DB_NAME_MAX, name);
	*out_key = ++db->name_count;
	return 0;
}

const char *db_policy_name(const struct db *db, uint32_t key)
{
	return key >= 1 && key <= db->name_count ? db->names[key - 1] : NULL;
}

uint32_t db_policy_count(const struct db *db)
{
	return db->name_count;
}
