/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - the connection, the schema, transactions (SQLite).
 *
 * One connection, exclusive: no other process can make it wait, and the index of the log
 * lies in our own memory. synchronous=FULL: a commit has reached the disk when it returns. The log
 * is written back when the ledger has a quiet moment, never in the middle of a ban, unless it is long.
 */
#include "sys/db.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "sys/db_conn.h"

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

#define DB_VERSION ((int)(sizeof(upgrades) / sizeof(upgrades[0])))

#define BAN_COLUMNS    "policy, addr, began, ends, source, why"
#define STRIKE_COLUMNS "addr, at, policy, kind, digest, service, user, reply"

static const char *const sql[STMT_COUNT] = {
	[STMT_BEGIN] = "BEGIN IMMEDIATE",
	[STMT_COMMIT] = "COMMIT",
	[STMT_ROLLBACK] = "ROLLBACK",
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

int db_errno(const struct db *db, int rc)
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
		return db && sqlite3_system_errno(db->conn) == ENOSPC ? -ENOSPC : -EIO;
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

const char *db_error(const struct db *db)
{
	return db && db->conn ? sqlite3_errmsg(db->conn) : "not open";
}

sqlite3_stmt *db_stmt(struct db *db, enum db_stmt_id id)
{
	sqlite3_stmt **stmt = &db->stmts[id];

	if (!*stmt && sqlite3_prepare_v3(db->conn, sql[id], -1, SQLITE_PREPARE_PERSISTENT,
					 stmt, NULL) != SQLITE_OK)
		return NULL;
	(void)sqlite3_reset(
		*stmt); /* repeats the error of the last run, which was reported */
	(void)sqlite3_clear_bindings(*stmt);
	return *stmt;
}

int db_run(struct db *db, sqlite3_stmt *stmt)
{
	int rc;
	int err;

	if (!stmt)
		return db_errno(db, sqlite3_extended_errcode(db->conn));
	rc = sqlite3_step(stmt);
	err = rc == SQLITE_ROW ? -EIO : db_errno(db, rc);
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

static int db_on_log(void *context, sqlite3 *conn, const char *name, int pages)
{
	struct db *db = context;

	(void)conn;
	(void)name;
	db->log_pages = (uint32_t)pages;
	return SQLITE_OK;
}

static int db_exec(struct db *db, const char *text)
{
	return db_errno(db, sqlite3_exec(db->conn, text, NULL, NULL, NULL));
}

/* One number that a query gives. */
static int db_number(struct db *db, const char *text, int64_t *out_number)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->conn, text, -1, &stmt, NULL);
	int err;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = db_errno(db, rc);
	if (rc == SQLITE_ROW)
		*out_number = sqlite3_column_int64(stmt, 0);
	(void)sqlite3_finalize(stmt);
	return err;
}

/* Is every page and row where it should be? */
static int db_quick_check(struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(db->conn, "PRAGMA quick_check(1)", -1, &stmt, NULL);
	int err;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	err = db_errno(db, rc);
	if (rc == SQLITE_ROW) {
		const unsigned char *text = sqlite3_column_text(stmt, 0);

		err = text && strcmp((const char *)text, "ok") == 0 ? 0 : -EUCLEAN;
	}
	(void)sqlite3_finalize(stmt);
	return err;
}

static int db_upgrade(struct db *db, bool *out_fresh)
{
	int64_t version = 0;
	int err = db_number(db, "PRAGMA user_version", &version);

	if (err)
		return err;
	if (version > DB_VERSION || version < 0)
		return -ENOTSUP;
	*out_fresh = version == 0;
	if (version == DB_VERSION)
		return db_quick_check(db);
	err = db_begin(db);
	for (int64_t step = version; !err && step < DB_VERSION; step++)
		err = db_exec(db, upgrades[step]);
	if (!err) {
		char text[64];

		(void)snprintf(text, sizeof(text), "PRAGMA user_version = %d",
			       DB_VERSION);
		err = db_exec(db, text);
	}
	if (err) {
		db_rollback(db);
		return err;
	}
	return db_commit(db);
}

static int db_read_names(struct db *db)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(
		db->conn, "SELECT key, name FROM policies ORDER BY key", -1, &stmt, NULL);

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
	return db_errno(db, rc);
}

static int db_set_up(struct db *db, bool *out_fresh)
{
	int64_t rows[2] = {0};
	int err;

	(void)sqlite3_extended_result_codes(db->conn, 1);
	(void)sqlite3_db_config(db->conn, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_wal_hook(db->conn, db_on_log, db);
	err = db_exec(db, "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
			  "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
			  "PRAGMA cache_size = -8192; PRAGMA mmap_size = 0;"
			  "PRAGMA journal_size_limit = 4194304;"
			  "PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON");
	if (!err)
		err = db_upgrade(db, out_fresh);
	if (!err)
		err = db_read_names(db);
	if (!err)
		err = db_number(db, "SELECT count(*) FROM strikes", &rows[0]);
	if (!err)
		err = db_number(db, "SELECT count(*) FROM history", &rows[1]);
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
	err = db_errno(NULL, sqlite3_open_v2(path, &db->conn,
					     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE |
						     SQLITE_OPEN_NOMUTEX,
					     NULL));
	if (err)
		return err;
	err = db_set_up(db, &fresh);
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
	for (size_t i = 0; i < STMT_COUNT; i++)
		(void)sqlite3_finalize((*db)->stmts[i]);
	(void)sqlite3_close((*db)->conn);
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
	return db_run(db, db_stmt(db, STMT_BEGIN));
}

int db_commit(struct db *db)
{
	int err = db_run(db, db_stmt(db, STMT_COMMIT));

	if (err)
		db_rollback(db);
	else if (db->log_pages > DB_WAL_PAGES_MAX)
		(void)db_write_back(db); /* the commit is durable; tried again later */
	return err;
}

void db_rollback(struct db *db)
{
	/* Some errors have rolled back already. */
	if (!sqlite3_get_autocommit(db->conn))
		(void)db_run(db, db_stmt(db, STMT_ROLLBACK));
}

uint32_t db_log_pages(const struct db *db)
{
	return db->log_pages;
}

int db_write_back(struct db *db)
{
	int err = db_errno(db, sqlite3_wal_checkpoint_v2(db->conn, NULL,
							 SQLITE_CHECKPOINT_PASSIVE, NULL,
							 NULL));

	if (!err)
		db->log_pages = 0;
	return err;
}

int db_size_read(struct db *db, struct db_size *out_size)
{
	int64_t pages = 0;
	int64_t page_bytes = 0;
	int err = db_number(db, "PRAGMA page_count", &pages);

	if (!err)
		err = db_number(db, "PRAGMA page_size", &page_bytes);
	if (err)
		return err;
	out_size->strikes = db->strikes;
	out_size->history = db->history;
	out_size->file_bytes = (uint64_t)((pages + db->log_pages) * page_bytes);
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
	stmt = db_stmt(db, STMT_POLICY_ADD);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, (int64_t)db->name_count + 1);
		(void)sqlite3_bind_text(stmt, 2, name, -1, SQLITE_TRANSIENT);
	}
	err = db_run(db, stmt);
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
