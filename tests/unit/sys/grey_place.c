/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/sys/grey_place - see grey_place.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "grey_place.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/postern-grey-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	(void)snprintf(place->path, sizeof(place->path), "%s/grey.db", place->dir);
	assert_int_equal(db_grey_open(place->path, CAPACITY, &place->db), 0);
	*state = place;
	return 0;
}

int place_remove(void **state)
{
	struct place *place = *state;
	char path[128];

	db_grey_close(&place->db);
	for (const char *const *end = (const char *const[]){"", "-wal", "-shm", NULL};
	     *end; end++) {
		(void)snprintf(path, sizeof(path), "%s%s", place->path, *end);
		(void)unlink(path);
	}
	(void)rmdir(place->dir);
	free(place);
	return 0;
}

/* As after the death of the process: nothing is committed on the way out. */
void place_reopen(struct place *place)
{
	db_grey_close(&place->db);
	assert_int_equal(db_grey_open(place->path, CAPACITY, &place->db), 0);
}

struct db_grey_row row_of(enum db_grey_kind kind, const char *origin, int64_t at_s)
{
	struct db_grey_row row = {.kind = (uint8_t)kind, .at_s = at_s, .first_s = at_s};

	if (prefix_parse(origin, &row.origin.network))
		(void)text_copy(row.origin.domain, sizeof(row.origin.domain), origin);
	return row;
}

struct db_grey_row triplet(const char *origin, uint8_t digest, int64_t at_s)
{
	struct db_grey_row row = row_of(DB_GREY_WAITING, origin, at_s);

	row.digest[DB_GREY_DIGEST_BYTES - 1] = digest;
	(void)snprintf(row.sender, sizeof(row.sender), "sender%u@example.com", digest);
	(void)snprintf(row.recipient, sizeof(row.recipient), "anna@example.org");
	return row;
}

void put(struct place *place, const struct db_grey_row *row)
{
	struct db_grey_row was;
	int err = db_grey_get(place->db, row, &was);

	assert_true(err == 0 || err == -ENOENT);
	assert_int_equal(db_grey_put(place->db, err ? NULL : &was, row), 0);
}

void put_triplet(struct place *place, const char *origin, uint8_t digest, int64_t at_s)
{
	const struct db_grey_row row = triplet(origin, digest, at_s);

	put(place, &row);
}

uint64_t rows_of(struct place *place, enum db_grey_kind kind)
{
	struct db_grey_size size;

	assert_int_equal(db_grey_size_read(place->db, &size), 0);
	return size.rows[kind];
}

int see(void *context, const struct db_grey_row *row)
{
	static const char kinds[] = "wpnc";
	struct seen *seen = context;
	char addr[PREFIX_TEXT_MAX];

	buf_printf(&seen->buf, "%c:%s/%u ", kinds[row->kind],
		   row->origin.domain[0] ? row->origin.domain
					 : prefix_format(&row->origin.network, addr),
		   row->digest[DB_GREY_DIGEST_BYTES - 1]);
	return 0;
}

/* All rows of a range, read so many at a time (max; 100 unless said). */
void assert_range(struct place *place, struct db_grey_range range, const char *want)
{
	struct db_grey_cursor cursor = {.is_end = false};
	struct seen seen;

	buf_init(&seen.buf, seen.text, sizeof(seen.text));
	if (range.max == 0)
		range.max = 100;
	while (!cursor.is_end)
		assert_int_equal(db_grey_read(place->db, &range, &cursor, see, &seen), 0);
	assert_string_equal(seen.text, want);
}

struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

void put_kind(struct place *place, enum db_grey_kind kind, const char *origin)
{
	const struct db_grey_row row = row_of(kind, origin, 0);

	put(place, &row);
}

void put_proven(struct place *place, const char *origin, uint8_t digest, int64_t at_s)
{
	struct db_grey_row row = triplet(origin, digest, at_s);

	row.kind = DB_GREY_PROVEN;
	put(place, &row);
}

/* Is exactly this triplet found, one by one? */
bool is_found(struct place *place, const char *origin, uint8_t digest)
{
	const struct db_grey_row key = triplet(origin, digest, 0);
	struct db_grey_row got;
	int err = db_grey_get(place->db, &key, &got);

	assert_true(err == 0 || err == -ENOENT);
	return err == 0;
}
