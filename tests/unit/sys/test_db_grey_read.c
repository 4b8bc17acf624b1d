/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store of greylisting, read a step at a time; and it holds the same as a plain array.
 *
 * link: grey_place.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "grey_place.h"
#include "unit/seed.h"

static void ranges_find_what_lies_inside(void **state)
{
	struct place *place = *state;
	struct {
		struct db_grey_range range;
		const char *want;
	} rows[] = {
		{{.inside = prefix_of("192.0.2.0/24")},
		 "p:192.0.2.0/24/2 c:192.0.2.9/0 w:192.0.2.0/24/1 "},
		{{.inside = prefix_of("192.0.2.0/23")},
		 "c:192.0.2.0/23/0 p:192.0.2.0/24/2 c:192.0.2.9/0 w:192.0.2.0/24/1 "
		 "w:192.0.3.0/24/1 "},
		{{.inside = prefix_of("192.0.2.8/31")}, "c:192.0.2.9/0 "},
		{{.inside = prefix_of("::/0")}, "p:c000:200::/64/1 "},
		{{.domain = "example.com"},
		 "n:example.com/0 p:example.com/2 w:example.com/1 "},
		{{.domain = "example.co"}, ""},
	};

	put_triplet(place, "192.0.1.0/24", 1, 0);
	put_triplet(place, "192.0.2.0/24", 1, 0);
	put_proven(place, "192.0.2.0/24", 2, 0);
	put_triplet(place, "192.0.3.0/24", 1, 0);
	put_proven(place, "c000:200::/64", 1, 0); /* begins with the same bytes */
	put_proven(place, "192.0.4.0/24", 1, 0);
	put_triplet(place, "example.com", 1, 0);
	put_proven(place, "example.com", 2, 0);
	put_kind(place, DB_GREY_COMMAND, "192.0.2.0/23");
	put_kind(place, DB_GREY_COMMAND, "192.0.2.9");
	put_kind(place, DB_GREY_NETWORK, "example.com");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (uint32_t max = 1; max < 12; max++) {
			rows[i].range.max = max;
			assert_range(place, rows[i].range, rows[i].want);
		}
	}
}

static int count_row(void *context, const struct db_grey_row *row)
{
	(void)row;
	(*(unsigned int *)context)++;
	return 0;
}

static void pages_follow_each_other(void **state)
{
	struct place *place = *state;
	const struct db_grey_range range = {.max = 7};
	struct db_grey_cursor cursor = {.is_end = false};
	unsigned int total = 0, steps = 0;

	for (unsigned int i = 0; i < 100; i++) {
		const char *origin = i % 3 ? "192.0.2.0/24" : "example.com";

		if (i % 2)
			put_triplet(place, origin, (uint8_t)i, 0);
		else
			put_proven(place, origin, (uint8_t)i, 0);
	}
	for (; !cursor.is_end; steps++) {
		const unsigned int before = total;

		assert_int_equal(
			db_grey_read(place->db, &range, &cursor, count_row, &total), 0);
		assert_true(total - before <= 7);
	}
	assert_int_equal(total, 100);
	assert_int_equal(steps, 16); /* twice 7 full ones and a rest */
}

/* What one step found. */
struct found {
	struct db_grey_row rows[4];
	size_t count;
};

static int find_row(void *context, const struct db_grey_row *row)
{
	struct found *found = context;

	found->rows[found->count++] = *row;
	return 0;
}

static void what_was_visited_may_be_removed(void **state)
{
	struct place *place = *state;
	const struct db_grey_range range = {.max = 3};
	struct db_grey_cursor cursor = {.is_end = false};

	for (unsigned int i = 0; i < 20; i++) {
		put_triplet(place, "192.0.2.0/24", (uint8_t)i, 0);
		put_proven(place, "192.0.3.0/24", (uint8_t)i, 0);
	}
	while (!cursor.is_end) {
		struct found found = {.count = 0};

		assert_int_equal(
			db_grey_read(place->db, &range, &cursor, find_row, &found), 0);
		for (size_t i = 0; i < found.count; i++)
			assert_int_equal(db_grey_remove(place->db, &found.rows[i]), 0);
	}
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 0);
	assert_int_equal(rows_of(place, DB_GREY_PROVEN), 0);
	assert_range(place, (struct db_grey_range){.max = 0}, "");
}

static void the_latest_come_first(void **state)
{
	struct place *place = *state;
	struct seen seen;

	for (uint8_t i = 1; i <= 5; i++)
		put_triplet(place, "192.0.2.0/24", i, 0);
	buf_init(&seen.buf, seen.text, sizeof(seen.text));
	assert_int_equal(db_grey_read_latest(place->db, 2, see, &seen), 0);
	assert_string_equal(seen.text, "w:192.0.2.0/24/5 w:192.0.2.0/24/4 ");
}

static void commands_are_found_among_the_others(void **state)
{
	struct place *place = *state;
	struct seen seen;

	put_triplet(place, "192.0.2.0/24", 1, 0);
	put_kind(place, DB_GREY_NETWORK, "192.0.2.0/24");
	put_kind(place, DB_GREY_COMMAND, "192.0.2.0/24");
	buf_init(&seen.buf, seen.text, sizeof(seen.text));
	assert_int_equal(db_grey_read_commands(place->db, see, &seen), 0);
	assert_string_equal(seen.text, "c:192.0.2.0/24/0 ");
}

/* ---- the twin ---------------------------------------------------------------------------------- */

#define TWIN_MAX 64u

struct twin {
	struct db_grey_row rows[TWIN_MAX];
	size_t count, seen;
};

static struct db_grey_row *twin_find(struct twin *twin, const struct db_grey_row *key)
{
	for (size_t i = 0; i < twin->count; i++) {
		struct db_grey_row *row = &twin->rows[i];
		const bool both_triplets =
			row->kind <= DB_GREY_PROVEN && key->kind <= DB_GREY_PROVEN;

		if ((both_triplets || row->kind == key->kind) &&
		    memcmp(&row->origin, &key->origin, sizeof(row->origin)) == 0 &&
		    memcmp(row->digest, key->digest, sizeof(row->digest)) == 0)
			return row;
	}
	return NULL;
}

static struct db_grey_row random_row(uint64_t *seed)
{
	static const char *const origins[] = {"192.0.2.0/24", "192.0.3.0/24",
					      "2001:db8::/64", "a.example"};
	const char *origin = origins[seed_below(seed, 4)];
	struct db_grey_row row = triplet(origin, (uint8_t)seed_below(seed, 4), 0);

	row.kind = (uint8_t)seed_below(seed, 3);
	if (row.kind == DB_GREY_NETWORK) {
		row = row_of(DB_GREY_NETWORK, origin, 0);
		row.successes = seed_below(seed, 9);
	}
	row.at_s = row.first_s = seed_below(seed, 1000);
	return row;
}

static int twin_check(void *context, const struct db_grey_row *row)
{
	struct twin *twin = context;
	const struct db_grey_row *same = twin_find(twin, row);
	struct db_grey_row plain = *row;

	assert_non_null(same);
	plain.id = 0;
	assert_memory_equal(same, &plain, sizeof(plain));
	twin->seen++;
	return 0;
}

static void twin_remove(struct place *place, struct twin *twin,
			const struct db_grey_row *key)
{
	struct db_grey_row *row = twin_find(twin, key);
	struct db_grey_row stored;

	if (!row)
		return;
	assert_int_equal(db_grey_get(place->db, row, &stored), 0);
	assert_int_equal(db_grey_remove(place->db, &stored), 0);
	*row = twin->rows[--twin->count];
}

static void it_holds_what_its_twin_holds(void **state)
{
	struct place *place = *state;
	uint64_t seed = seed_start();
	struct twin twin = {.count = 0};

	for (unsigned int step = 0; step < 3000; step++) {
		const struct db_grey_row row = random_row(&seed);
		struct db_grey_row *same = twin_find(&twin, &row);
		const struct db_grey_range all = {.max = 5};
		struct db_grey_cursor cursor = {.is_end = false};

		if (seed_below(&seed, 4) == 0) {
			twin_remove(place, &twin, &row);
		} else {
			if (!same)
				same = &twin.rows[twin.count++];
			put(place, &row);
			*same = row;
		}
		if (step % 100 == 0)
			assert_int_equal(db_grey_commit(place->db), 0);
		twin.seen = 0;
		while (!cursor.is_end)
			assert_int_equal(
				db_grey_read(place->db, &all, &cursor, twin_check, &twin),
				0);
		assert_int_equal(twin.seen, twin.count);
		assert_int_equal(rows_of(place, DB_GREY_WAITING) +
					 rows_of(place, DB_GREY_PROVEN) +
					 rows_of(place, DB_GREY_NETWORK),
				 twin.count);
	}
	assert_int_equal(db_grey_commit(place->db), 0);
	place_reopen(place);
	assert_int_equal(rows_of(place, DB_GREY_WAITING) +
				 rows_of(place, DB_GREY_PROVEN) +
				 rows_of(place, DB_GREY_NETWORK),
			 twin.count);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
	const struct CMUnitTest tests[] = {
		TEST(ranges_find_what_lies_inside),
		TEST(pages_follow_each_other),
		TEST(what_was_visited_may_be_removed),
		TEST(the_latest_come_first),
		TEST(commands_are_found_among_the_others),
		TEST(it_holds_what_its_twin_holds),
	};

	return cmocka_run_group_tests_name("sys/db_grey_read", tests, NULL, NULL);
}
