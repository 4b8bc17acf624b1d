/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - bans and their history (SQLite). See db.h.
 */
#include <errno.h>
#include <string.h>

#include "sys/db.h"
#include "sys/db_conn.h"
#include "sys/db_private.h"

static int db_ban_column(sqlite3_stmt *stmt, struct db_ban *out_ban)
{
	int err = db_key_read(sqlite3_column_blob(stmt, 1), sqlite3_column_bytes(stmt, 1),
			      &out_ban->prefix);

	out_ban->policy = (uint32_t)sqlite3_column_int64(stmt, 0);
	out_ban->began_s = sqlite3_column_int64(stmt, 2);
	out_ban->ends_s = sqlite3_column_int64(stmt, 3);
	out_ban->source = (uint8_t)sqlite3_column_int(stmt, 4);
	db_column_text(stmt, 5, out_ban->why, sizeof(out_ban->why));
	return err;
}

int db_ban_put(struct db *db, const struct db_ban *ban)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_BAN_PUT);

	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, ban->policy);
		db_bind_prefix(stmt, 2, &ban->prefix);
		(void)sqlite3_bind_int64(stmt, 3, ban->began_s);
		(void)sqlite3_bind_int64(stmt, 4, ban->ends_s);
		(void)sqlite3_bind_int(stmt, 5, ban->source);
		(void)sqlite3_bind_text(stmt, 6, ban->why, -1, SQLITE_TRANSIENT);
	}
	return conn_run(&db->conn, stmt);
}

int db_ban_end(struct db *db, uint32_t policy, const struct prefix *prefix, int64_t now_s,
	       enum db_end how)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_BAN_TO_HISTORY);
	int err;

	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, policy);
		db_bind_prefix(stmt, 2, prefix);
		(void)sqlite3_bind_int64(stmt, 3, now_s);
		(void)sqlite3_bind_int(stmt, 4, (int)how);
	}
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	if (sqlite3_changes(db->conn.handle) == 0)
		return -ENOENT;
	db->history++;
	stmt = conn_stmt(&db->conn, STMT_BAN_DELETE);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, policy);
		db_bind_prefix(stmt, 2, prefix);
	}
	return conn_run(&db->conn, stmt);
}

int db_ban_get(struct db *db, uint32_t policy, const struct prefix *prefix,
	       struct db_ban *out_ban)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_BAN_GET);
	struct db_ban ban;
	int rc = SQLITE_ERROR;
	int err;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	(void)sqlite3_bind_int64(stmt, 1, policy);
	db_bind_prefix(stmt, 2, prefix);
	rc = sqlite3_step(stmt);
	err = conn_errno(&db->conn, rc);
	if (rc == SQLITE_ROW)
		err = db_ban_column(stmt, &ban);
	else if (!err)
		err = -ENOENT;
	(void)sqlite3_reset(stmt);
	if (!err)
		*out_ban = ban;
	return err;
}

/* Binds where the range begins and ends. Addresses inside a prefix lie next to each other. */
static void db_range_bind_inside(sqlite3_stmt *stmt, const struct db_range *range)
{
	struct db_key low = db_key_make(&range->inside);
	struct db_key high = low;
	uint8_t len = range->inside.len;

	for (unsigned int bit = len;
	     bit < addr_bits((enum addr_family)range->inside.addr.family); bit++)
		high.bytes[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	high.bytes[high.len - 1] = UINT8_MAX;
	(void)sqlite3_bind_int64(stmt, 1, range->policy);
	if (range->after_policy)
		db_bind_prefix(stmt, 2, &range->after);
	else /* without its length byte: before every key of this address */
		(void)sqlite3_bind_blob(stmt, 2, low.bytes, low.len - 1,
					SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 3, high.bytes, high.len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 5, &len, 1, SQLITE_TRANSIENT);
}

static void db_range_bind_all(sqlite3_stmt *stmt, const struct db_range *range)
{
	if (range->after_policy) {
		(void)sqlite3_bind_int64(stmt, 1, range->after_policy);
		db_bind_prefix(stmt, 2, &range->after);
	} else {
		(void)sqlite3_bind_int64(stmt, 1, range->policy);
		(void)sqlite3_bind_blob(stmt, 2, "", 0, SQLITE_STATIC);
	}
	(void)sqlite3_bind_int64(stmt, 3,
				 range->policy ? (int64_t)range->policy : INT64_MAX);
}

int db_bans_read(struct db *db, const struct db_range *range, db_ban_fn visit,
		 void *context)
{
	bool inside = range->inside.addr.family != ADDR_NONE;
	sqlite3_stmt *stmt =
		conn_stmt(&db->conn, inside ? STMT_BANS_INSIDE : STMT_BANS_ALL);
	int rc = SQLITE_ROW;
	int err = 0;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	if (inside)
		db_range_bind_inside(stmt, range);
	else
		db_range_bind_all(stmt, range);
	(void)sqlite3_bind_int64(stmt, 4, range->max ? (int64_t)range->max : -1);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct db_ban ban;

		err = db_ban_column(stmt, &ban);
		if (!err)
			err = visit(context, &ban);
	}
	if (!err)
		err = conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_bans_end_all(struct db *db, int64_t now_s)
{
	sqlite3_stmt *stmt;
	int err = db_begin(db);
	int ended = 0;

	if (err)
		return err;
	stmt = conn_stmt(&db->conn, STMT_BANS_ENDED_TO_HISTORY);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, now_s);
		(void)sqlite3_bind_int(stmt, 2, DB_END_EXPIRED);
	}
	err = conn_run(&db->conn, stmt);
	if (!err) {
		ended = sqlite3_changes(db->conn.handle);
		stmt = conn_stmt(&db->conn, STMT_BANS_ENDED_DELETE);
		if (stmt)
			(void)sqlite3_bind_int64(stmt, 1, now_s);
		err = conn_run(&db->conn, stmt);
	}
	if (err) {
		db_rollback(db);
		return err;
	}
	err = db_commit(db);
	if (!err)
		db->history += (uint64_t)ended;
	return err;
}

int db_history_read(struct db *db, const struct prefix *prefix, size_t max,
		    db_past_fn visit, void *context)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_HISTORY_READ);
	int rc = SQLITE_ROW;
	int err = 0;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	db_bind_prefix(stmt, 1, prefix);
	(void)sqlite3_bind_int64(stmt, 2, (int64_t)max);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct db_past past;

		err = db_ban_column(stmt, &past.ban);
		past.ended_s = sqlite3_column_int64(stmt, 6);
		past.how = (uint8_t)sqlite3_column_int(stmt, 7);
		if (!err)
			err = visit(context, &past);
	}
	if (!err)
		err = conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_repeats(struct db *db, const struct prefix *client, int64_t since_s,
	       uint32_t *out_count)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_REPEATS);
	int rc;
	int err;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	db_bind_prefix(stmt, 1, client);
	(void)sqlite3_bind_int64(stmt, 2, since_s);
	(void)sqlite3_bind_int(stmt, 3, DB_END_EXPIRED);
	(void)sqlite3_bind_int(stmt, 4, DB_SOURCE_STRIKES);
	rc = sqlite3_step(stmt);
	err = conn_errno(&db->conn, rc);
	if (rc == SQLITE_ROW)
		*out_count = (uint32_t)sqlite3_column_int64(stmt, 0);
	(void)sqlite3_reset(stmt);
	return err;
}
