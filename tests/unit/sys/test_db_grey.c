/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store of greylisting: rows come back as they were put, the right ones go first, damage is seen.
 *
 * link: grey_place.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "grey_place.h"
#include "sys/db.h"

static void a_row_comes_back_as_it_was(void **state)
{
	struct place *place = *state;
	struct db_grey_row row = triplet("192.0.2.0/24", 7, 1000);
	struct db_grey_row got;

	assert_int_equal(db_grey_get(place->db, &row, &got), -ENOENT);
	put(place, &row);
	assert_int_equal(db_grey_commit(place->db), 0);
	place_reopen(place);
	assert_int_equal(db_grey_get(place->db, &row, &got), 0);
	assert_true(got.id > 0);
	row.id = got.id;
	assert_memory_equal(&got, &row, sizeof(row));
	row.kind = DB_GREY_PROVEN;
	row.at_s = 2000;
	row.id = 0;
	put(place, &row);
	assert_int_equal(db_grey_commit(place->db), 0);
	place_reopen(place);
	assert_int_equal(db_grey_get(place->db, &row, &got), 0);
	assert_memory_equal(&got, &row, sizeof(row));
	assert_int_equal(rows_of(place, DB_GREY_PROVEN), 1);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 0);
}

static void other_origins_kinds_and_digests_are_other_rows(void **state)
{
	struct place *place = *state;
	struct db_grey_row network = row_of(DB_GREY_NETWORK, "192.0.2.0/24", 5);
	struct db_grey_row command =
		row_of(DB_GREY_COMMAND, "192.0.2.0/24", DB_FOREVER_S);
	struct db_grey_row got;

	network.successes = UINT32_MAX;
	put_triplet(place, "192.0.2.0/24", 1, 1000);
	put_triplet(place, "192.0.2.0/24", 2, 1001);
	put_triplet(place, "192.0.3.0/24", 1, 1002);
	put_triplet(place, "c000:200::/64", 1, 1003); /* begins with the same bytes */
	put_triplet(place, "example.com", 1, 1004);
	put(place, &network);
	put(place, &command);
	assert_int_equal(db_grey_get(place->db, &network, &got), 0);
	assert_memory_equal(&got, &network, sizeof(got));
	assert_int_equal(db_grey_get(place->db, &command, &got), 0);
	assert_memory_equal(&got, &command, sizeof(got));
	assert_range(
		place, (struct db_grey_range){.max = 0},
		"c:192.0.2.0/24/0 n:192.0.2.0/24/0 w:192.0.2.0/24/1 w:192.0.2.0/24/2 "
		"w:192.0.3.0/24/1 w:c000:200::/64/1 w:example.com/1 ");
}

static void a_new_attempt_goes_to_the_end(void **state)
{
	struct place *place = *state;

	put_triplet(place, "192.0.2.0/24", 1, 1000);
	put_triplet(place, "192.0.2.0/24", 2, 1001);
	put_triplet(place, "192.0.2.0/24", 1, 1002);
	assert_range(place, (struct db_grey_range){.max = 0},
		     "w:192.0.2.0/24/2 w:192.0.2.0/24/1 ");
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 2);
}

static void a_commit_survives_and_the_rest_does_not(void **state)
{
	struct place *place = *state;

	put_triplet(place, "192.0.2.0/24", 1, 0);
	assert_int_equal(db_grey_changes(place->db), 1);
	assert_int_equal(db_grey_commit(place->db), 0);
	assert_int_equal(db_grey_changes(place->db), 0);
	assert_int_equal(db_grey_sync(place->db), 0);
	put_triplet(place, "192.0.2.0/24", 2, 0);
	place_reopen(place);
	assert_range(place, (struct db_grey_range){.max = 0}, "w:192.0.2.0/24/1 ");
	put_triplet(place, "192.0.2.0/24", 2, 0);
	put_triplet(place, "192.0.2.0/24", 3, 0);
	assert_true(is_found(place, "192.0.2.0/24", 2));
	put_proven(place, "192.0.2.0/24", 1, 0); /* it waits no more */
	db_grey_rollback(place->db);
	assert_true(is_found(place, "192.0.2.0/24", 1));
	assert_false(is_found(place, "192.0.2.0/24", 2));
	assert_false(is_found(place, "192.0.2.0/24", 3));
	assert_int_equal(rows_of(place, DB_GREY_PROVEN), 0);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 1);
	assert_int_equal(db_grey_changes(place->db), 0);
	put_triplet(place, "192.0.2.0/24", 4, 0);
	assert_int_equal(db_grey_commit(place->db), 0);
	assert_true(db_grey_log_pages(place->db) > 0);
	assert_int_equal(db_grey_write_back(place->db), 0);
	assert_int_equal(db_grey_log_pages(place->db), 0);
	assert_range(place, (struct db_grey_range){.max = 0},
		     "w:192.0.2.0/24/1 w:192.0.2.0/24/4 ");
}

static void a_long_transaction_can_be_taken_back(void **state)
{
	struct place *place = *state;
	char origin[32];

	for (unsigned int i = 0; i < 3000; i++) {
		(void)snprintf(origin, sizeof(origin), "10.%u.%u.0/24", i / 256, i % 256);
		put_triplet(place, origin, 1, 0);
		if (i == 99)
			assert_int_equal(db_grey_commit(place->db), 0);
	}
	db_grey_rollback(place->db);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 100);
	assert_true(is_found(place, "10.0.0.0/24", 1));
	assert_true(is_found(place, "10.0.99.0/24", 1));
	assert_false(is_found(place, "10.0.100.0/24", 1));
	assert_false(is_found(place, "10.11.183.0/24", 1));
}

static void the_oldest_that_wait_make_room(void **state)
{
	struct place *place = *state;
	struct db_grey_row command = row_of(DB_GREY_COMMAND, "198.51.100.0/24", 1);
	struct db_grey_row network = row_of(DB_GREY_NETWORK, "198.51.100.0/24", 1);
	struct db_grey_row proven = triplet("192.0.2.0/24", 9, 1);
	uint32_t gone_proven = 99;

	proven.kind = DB_GREY_PROVEN;
	put(place, &proven);
	put(place, &command);
	put(place, &network);
	for (uint8_t i = 1; i <= 4; i++)
		put_triplet(place, "192.0.2.0/24", i, 1000);
	/* Six are there, and the command, which does not count. */
	assert_int_equal(db_grey_make_room(place->db, 7, 10, &gone_proven), 0);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 4);
	assert_int_equal(db_grey_make_room(place->db, 6, 10, &gone_proven), 0);
	assert_int_equal(gone_proven, 0);
	assert_range(
		place, (struct db_grey_range){.inside = prefix_of("192.0.2.0/24")},
		"p:192.0.2.0/24/9 w:192.0.2.0/24/2 w:192.0.2.0/24/3 w:192.0.2.0/24/4 ");
	assert_false(is_found(place, "192.0.2.0/24", 1));
	/* No more steps than allowed. */
	assert_int_equal(db_grey_make_room(place->db, 2, 2, &gone_proven), 0);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 1);
	/* In the end what is proven goes, and then networks; never a command. */
	assert_int_equal(db_grey_make_room(place->db, 2, 10, &gone_proven), 0);
	assert_int_equal(gone_proven, 1);
	assert_range(place, (struct db_grey_range){.max = 0},
		     "c:198.51.100.0/24/0 n:198.51.100.0/24/0 ");
	assert_int_equal(db_grey_make_room(place->db, 1, 10, &gone_proven), 0);
	assert_int_equal(gone_proven, 1);
	assert_range(place, (struct db_grey_range){.max = 0}, "c:198.51.100.0/24/0 ");
}

static void what_is_old_goes_in_small_steps(void **state)
{
	struct place *place = *state;
	const struct db_grey_row command =
		row_of(DB_GREY_COMMAND, "203.0.113.0/24", 5000);
	struct db_grey_row network = row_of(DB_GREY_NETWORK, "192.0.2.0/24", 150);
	struct db_grey_row proven = triplet("192.0.2.0/24", 100, 150);
	struct db_grey_expiry expiry = {
		.waiting_before_s = 105, .used_before_s = 150, .now_s = 4999, .steps = 3};
	uint32_t gone = 0;

	proven.kind = DB_GREY_PROVEN;
	put(place, &proven);
	put(place, &network);
	put(place, &command);
	for (uint8_t i = 0; i < 10; i++)
		put_triplet(place, "192.0.2.0/24", i, 100 + i);
	assert_int_equal(db_grey_expire(place->db, &expiry, &gone), 0);
	assert_int_equal(gone, 3);
	assert_int_equal(db_grey_expire(place->db, &expiry, &gone), 0);
	assert_int_equal(gone, 2); /* 105 stays: it is not older */
	assert_int_equal(db_grey_expire(place->db, &expiry, &gone), 0);
	assert_int_equal(gone, 0);
	expiry.used_before_s = 151;
	expiry.now_s = 5000;
	assert_int_equal(db_grey_expire(place->db, &expiry, &gone), 0);
	assert_int_equal(gone, 3);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 5);
	assert_false(is_found(place, "192.0.2.0/24", 4));
	assert_true(is_found(place, "192.0.2.0/24", 5));
	assert_int_equal(rows_of(place, DB_GREY_PROVEN), 0);
	assert_int_equal(rows_of(place, DB_GREY_NETWORK), 0);
	assert_int_equal(rows_of(place, DB_GREY_COMMAND), 0);
}

static void a_time_that_lies_ahead_blocks_nothing(void **state)
{
	struct place *place = *state;
	const struct db_grey_expiry expiry = {
		.waiting_before_s = 100, .used_before_s = 100, .now_s = 200, .steps = 10};
	uint32_t gone = 0;

	put_triplet(place, "192.0.2.0/24", 1, 99999); /* the clock was wrong */
	put_triplet(place, "192.0.2.0/24", 2, 50);
	put_triplet(place, "192.0.2.0/24", 3, 200);
	put_triplet(place, "192.0.2.0/24", 4,
		    50); /* its turn comes behind the one before it */
	assert_int_equal(db_grey_expire(place->db, &expiry, &gone), 0);
	assert_int_equal(gone, 2);
	assert_range(place, (struct db_grey_range){.max = 0},
		     "w:192.0.2.0/24/3 w:192.0.2.0/24/4 ");
}

static void no_more_wait_than_the_index_holds(void **state)
{
	struct place *place = *state;
	uint32_t gone = 0;

	for (uint8_t i = 1; i <= 10; i++)
		put_triplet(place, "192.0.2.0/24", i, 0);
	assert_int_equal(db_grey_commit(place->db), 0);
	db_grey_close(&place->db);
	assert_int_equal(db_grey_open(place->path, 4, &place->db),
			 0); /* the limit was lowered */
	assert_false(is_found(place, "192.0.2.0/24", 6));
	assert_true(is_found(place, "192.0.2.0/24", 7));
	assert_true(is_found(place, "192.0.2.0/24", 10));
	assert_int_equal(db_grey_make_room(place->db, 1000, 16, &gone), 0);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 3);
	assert_range(place, (struct db_grey_range){.max = 0},
		     "w:192.0.2.0/24/8 w:192.0.2.0/24/9 w:192.0.2.0/24/10 ");
}

/* ---- damage -------------------------------------------------------------------------------------- */

static void damage_is_seen_when_it_is_met(void **state)
{
	struct place *place = *state;
	char junk[4096];
	struct db_grey_row row, got;
	struct stat st;
	int fd, err = 0;

	for (unsigned int i = 0; i < 2000; i++) {
		char origin[32];

		(void)snprintf(origin, sizeof(origin), "10.%u.%u.0/24", i / 256, i % 256);
		put_proven(place, origin, 1, 1000);
	}
	assert_int_equal(db_grey_commit(place->db), 0);
	db_grey_close(&place->db);
	assert_int_equal(stat(place->path, &st), 0);
	assert_true(st.st_size > 20 * 4096);
	memset(junk, 0xa5, sizeof(junk));
	fd = open(place->path, O_RDWR | O_CLOEXEC);
	for (off_t page = 4; page < st.st_size / 4096; page++)
		assert_int_equal(pwrite(fd, junk, sizeof(junk), page * 4096),
				 sizeof(junk));
	(void)close(fd);
	err = db_grey_open(place->path, CAPACITY, &place->db);
	for (unsigned int i = 0; err == 0 && i < 256; i++) {
		char origin[32];

		(void)snprintf(origin, sizeof(origin), "10.0.%u.0/24", i);
		row = triplet(origin, 1, 0);
		err = db_grey_get(place->db, &row, &got);
	}
	assert_int_equal(err, -EUCLEAN);
}

static void what_is_no_database_is_not_opened(void **state)
{
	struct place *place = *state;
	int fd;

	db_grey_close(&place->db);
	fd = open(place->path, O_RDWR | O_TRUNC | O_CLOEXEC);
	for (int i = 0; i < 500; i++)
		assert_int_equal(write(fd, "this is no database", 19), 19);
	(void)close(fd);
	assert_int_equal(db_grey_open(place->path, CAPACITY, &place->db), -EUCLEAN);
	assert_null(place->db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_as_it_was),
		TEST(other_origins_kinds_and_digests_are_other_rows),
		TEST(a_new_attempt_goes_to_the_end),
		TEST(a_long_transaction_can_be_taken_back),
		TEST(a_time_that_lies_ahead_blocks_nothing),
		TEST(no_more_wait_than_the_index_holds),
		TEST(a_commit_survives_and_the_rest_does_not),
		TEST(the_oldest_that_wait_make_room),
		TEST(what_is_old_goes_in_small_steps),
		TEST(damage_is_seen_when_it_is_met),
		TEST(what_is_no_database_is_not_opened),
	};

	return cmocka_run_group_tests_name("sys/db_grey", tests, NULL, NULL);
}
