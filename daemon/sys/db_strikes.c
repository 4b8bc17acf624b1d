/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db - strikes, the evidence kept with a ban, and dropping what is old (SQLite). See db.h.
 */
#include <string.h>

#include "sys/db.h"
#include "sys/db_conn.h"
#include "sys/db_private.h"

int db_strike_add(struct db *db, const struct db_strike *strike)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_STRIKE_ADD);
	int err;

	if (stmt) {
		db_bind_prefix(stmt, 1, &strike->client);
		(void)sqlite3_bind_int64(stmt, 2, strike->at_s);
		(void)sqlite3_bind_int64(stmt, 3, strike->policy);
		(void)sqlite3_bind_int(stmt, 4, strike->kind);
		(void)sqlite3_bind_blob(stmt, 5, strike->digest, DB_DIGEST_BYTES,
					SQLITE_TRANSIENT);
		(void)sqlite3_bind_text(stmt, 6, strike->service, -1, SQLITE_TRANSIENT);
		(void)sqlite3_bind_text(stmt, 7, strike->user, -1, SQLITE_TRANSIENT);
		(void)sqlite3_bind_text(stmt, 8, strike->reply, -1, SQLITE_TRANSIENT);
	}
	err = conn_run(&db->conn, stmt);
	if (!err)
		db->strikes++;
	return err;
}

/* Visits the rows of a bound statement with the columns of a strike. */
static int db_strikes_visit(struct db *db, sqlite3_stmt *stmt, db_strike_fn visit,
			    void *context)
{
	int rc = SQLITE_ROW;
	int err = 0;

	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct db_strike strike = {.at_s = sqlite3_column_int64(stmt, 1)};

		err = db_key_read(sqlite3_column_blob(stmt, 0),
				  sqlite3_column_bytes(stmt, 0), &strike.client);
		strike.policy = (uint32_t)sqlite3_column_int64(stmt, 2);
		strike.kind = (uint8_t)sqlite3_column_int(stmt, 3);
		if (sqlite3_column_bytes(stmt, 4) == DB_DIGEST_BYTES)
			memcpy(strike.digest, sqlite3_column_blob(stmt, 4),
			       DB_DIGEST_BYTES);
		db_column_text(stmt, 5, strike.service, sizeof(strike.service));
		db_column_text(stmt, 6, strike.user, sizeof(strike.user));
		db_column_text(stmt, 7, strike.reply, sizeof(strike.reply));
		if (!err)
			err = visit(context, &strike);
	}
	if (!err)
		err = conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_strikes_read(struct db *db, const struct prefix *client, int64_t since_s,
		    db_strike_fn visit, void *context)
{
	sqlite3_stmt *stmt =
		conn_stmt(&db->conn, client ? STMT_STRIKES_OF : STMT_STRIKES_ALL);

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	(void)sqlite3_bind_int64(stmt, 1, since_s);
	if (client)
		db_bind_prefix(stmt, 2, client);
	return db_strikes_visit(db, stmt, visit, context);
}

/* Runs a deletion and takes the rows that went off a count. */
static int db_run_delete(struct db *db, sqlite3_stmt *stmt, uint64_t *count)
{
	int err = conn_run(&db->conn, stmt);

	if (!err) {
		uint64_t gone = (uint64_t)sqlite3_changes(db->conn.handle);

		*count -= gone < *count ? gone : *count;
	}
	return err;
}

int db_strikes_forget(struct db *db, const struct prefix *client)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_STRIKES_FORGET);

	if (stmt)
		db_bind_prefix(stmt, 1, client);
	return db_run_delete(db, stmt, &db->strikes);
}

int db_evidence_keep(struct db *db, const struct prefix *client, int64_t began_s,
		     int64_t since_s)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_EVIDENCE_KEEP);

	if (stmt) {
		db_bind_prefix(stmt, 1, client);
		(void)sqlite3_bind_int64(stmt, 2, began_s);
		(void)sqlite3_bind_int64(stmt, 3, since_s);
		(void)sqlite3_bind_int(stmt, 4, (int)DB_EVIDENCE_MAX);
	}
	return conn_run(&db->conn, stmt);
}

int db_evidence_read(struct db *db, const struct prefix *client, int64_t began_s,
		     db_strike_fn visit, void *context)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_EVIDENCE_READ);

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	db_bind_prefix(stmt, 1, client);
	(void)sqlite3_bind_int64(stmt, 2, began_s);
	return db_strikes_visit(db, stmt, visit, context);
}

static int db_prune_history(struct db *db, const struct db_prune *prune)
{
	int64_t before_s =
		db->history > prune->history_max ? INT64_MAX : prune->history_before_s;
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_HISTORY_PRUNE_EVIDENCE);
	int err;

	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, before_s);
		(void)sqlite3_bind_int64(stmt, 2, prune->steps);
	}
	err = conn_run(&db->conn, stmt);
	if (err)
		return err;
	stmt = conn_stmt(&db->conn, STMT_HISTORY_PRUNE);
	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, before_s);
		(void)sqlite3_bind_int64(stmt, 2, prune->steps);
	}
	return db_run_delete(db, stmt, &db->history);
}

int db_prune(struct db *db, const struct db_prune *prune)
{
	int64_t before_s =
		db->strikes > prune->strikes_max ? INT64_MAX : prune->strikes_before_s;
	sqlite3_stmt *stmt = conn_stmt(&db->conn, STMT_STRIKES_PRUNE);
	int err;

	if (stmt) {
		(void)sqlite3_bind_int64(stmt, 1, before_s);
		(void)sqlite3_bind_int64(stmt, 2, prune->steps);
	}
	err = db_run_delete(db, stmt, &db->strikes);
	return err ? err : db_prune_history(db, prune);
}
