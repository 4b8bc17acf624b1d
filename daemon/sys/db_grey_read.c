/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/db_grey - reading many rows, a step at a time. See db_grey.h.
 */
#include <string.h>

#include "sys/db_grey_private.h"

int grey_visit(struct db_grey *db, sqlite3_stmt *stmt, db_grey_fn visit, void *context)
{
	int rc = SQLITE_ROW;
	int err = 0;

	if (!stmt)
		return conn_prepare_errno(&db->conn);
	while (!err && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct db_grey_row row;

		err = grey_column_row(stmt, &row);
		if (!err)
			err = visit(context, &row);
	}
	if (!err)
		err = conn_errno(&db->conn, rc);
	(void)sqlite3_reset(stmt);
	return err;
}

int db_grey_read_commands(struct db_grey *db, db_grey_fn visit, void *context)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_KNOWN_KIND);

	if (stmt)
		(void)sqlite3_bind_int(stmt, 1, DB_GREY_COMMAND);
	return grey_visit(db, stmt, visit, context);
}

int db_grey_read_latest(struct db_grey *db, uint32_t max, db_grey_fn visit, void *context)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_WAITING_LATEST);

	if (stmt)
		(void)sqlite3_bind_int64(stmt, 1, max);
	return grey_visit(db, stmt, visit, context);
}

/* ---- steps ----------------------------------------------------------------------------------- */

struct step {
	const struct db_grey_range *range;
	struct db_grey_cursor *cursor;
	uint32_t count;
	db_grey_fn visit;
	void *context;
};

/* What is known was chosen by the query; what waits is looked at row by row. */
static bool is_wanted(const struct db_grey_range *range, const struct db_grey_row *row)
{
	const struct db_grey_origin *origin = &row->origin;

	if (range->domain)
		return strcmp(range->domain, origin->domain) == 0;
	if (range->inside.addr.family != ADDR_NONE)
		return !origin->domain[0] &&
		       prefix_covers(&range->inside, &origin->network);
	return true;
}

static int step_on_row(void *context, const struct db_grey_row *row)
{
	struct step *step = context;

	step->count++;
	step->cursor->after = *row;
	step->cursor->has_after = true;
	if (step->cursor->is_waiting && !is_wanted(step->range, row))
		return 0;
	return step->visit(step->context, row);
}

/* Networks inside a prefix lie next to each other. */
static void bind_inside(sqlite3_stmt *stmt, const struct step *step)
{
	struct db_key low = db_key_make(&step->range->inside);
	struct db_key high = low;
	const uint8_t len = step->range->inside.len;

	for (unsigned int bit = len;
	     bit < addr_bits((enum addr_family)step->range->inside.addr.family); bit++)
		high.bytes[bit / 8] |= (uint8_t)(0x80u >> (bit % 8));
	high.bytes[high.len - 1] = UINT8_MAX;
	if (!step->cursor
		     ->has_after) /* without its length byte: before every key of this address */
		(void)sqlite3_bind_blob(stmt, 1, low.bytes, low.len - 1,
					SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 4, high.bytes, high.len, SQLITE_TRANSIENT);
	(void)sqlite3_bind_blob(stmt, 5, &len, 1, SQLITE_TRANSIENT);
}

static sqlite3_stmt *known_stmt(struct db_grey *db, const struct step *step)
{
	const struct db_grey_range *range = step->range;
	const bool is_inside = range->inside.addr.family != ADDR_NONE;
	sqlite3_stmt *stmt = conn_stmt(&db->conn, range->domain ? GREY_KNOWN_DOMAIN
						  : is_inside	? GREY_KNOWN_INSIDE
								: GREY_KNOWN_ALL);

	if (!stmt)
		return NULL;
	/* Texts sort before blobs, and the empty text before everything. */
	(void)sqlite3_bind_text(stmt, 1, "", 0, SQLITE_STATIC);
	(void)sqlite3_bind_blob(stmt, 2, "", 0, SQLITE_STATIC);
	if (step->cursor->has_after)
		grey_bind_key(stmt, &step->cursor->after);
	if (range->domain)
		(void)sqlite3_bind_text(stmt, 1, range->domain, -1, SQLITE_TRANSIENT);
	else if (is_inside)
		bind_inside(stmt, step);
	(void)sqlite3_bind_int64(stmt, 3, range->max);
	return stmt;
}

static sqlite3_stmt *waiting_stmt(struct db_grey *db, const struct step *step)
{
	sqlite3_stmt *stmt = conn_stmt(&db->conn, GREY_WAITING_AFTER);

	if (!stmt)
		return NULL;
	(void)sqlite3_bind_int64(
		stmt, 1, step->cursor->has_after ? step->cursor->after.id : INT64_MIN);
	(void)sqlite3_bind_int64(stmt, 2, step->range->max);
	return stmt;
}

int db_grey_read(struct db_grey *db, const struct db_grey_range *range,
		 struct db_grey_cursor *cursor, db_grey_fn visit, void *context)
{
	struct step step = {
		.range = range, .cursor = cursor, .visit = visit, .context = context};
	int err = grey_visit(
		db, cursor->is_waiting ? waiting_stmt(db, &step) : known_stmt(db, &step),
		step_on_row, &step);

	if (err || step.count == range->max)
		return err;
	cursor->is_end = cursor->is_waiting;
	cursor->is_waiting = true;
	cursor->has_after = false;
	return 0;
}
