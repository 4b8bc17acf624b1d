/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store of greylisting: rows come back as they were put, the right ones go first, and it looks the
 * same as a plain array.
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

#include "base/buf.h"
#include "sys/db.h"
#include "sys/db_grey.h"
#include "unit/seed.h"

struct place {
	char dir[64];
	char path[96];
	struct db_grey *db;
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/postern-grey-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	(void)snprintf(place->path, sizeof(place->path), "%s/grey.db", place->dir);
	assert_int_equal(db_grey_open(place->path, &place->db), 0);
	*state = place;
	return 0;
}

static int place_remove(void **state)
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
static void place_reopen(struct place *place)
{
	db_grey_close(&place->db);
	assert_int_equal(db_grey_open(place->path, &place->db), 0);
}

static struct db_grey_row row_of(enum db_grey_kind kind, const char *origin, int64_t at_s)
{
	struct db_grey_row row = {.kind = (uint8_t)kind, .at_s = at_s, .first_s = at_s};

	if (prefix_parse(origin, &row.origin.network))
		(void)text_copy(row.origin.domain, sizeof(row.origin.domain), origin);
	return row;
}

static struct db_grey_row triplet(const char *origin, uint8_t digest, int64_t at_s)
{
	struct db_grey_row row = row_of(DB_GREY_WAITING, origin, at_s);

	row.digest[DB_GREY_DIGEST_BYTES - 1] = digest;
	(void)snprintf(row.sender, sizeof(row.sender), "sender%u@example.com", digest);
	(void)snprintf(row.recipient, sizeof(row.recipient), "anna@example.org");
	return row;
}

static void put(struct place *place, const struct db_grey_row *row)
{
	struct db_grey_row was;
	int err = db_grey_get(place->db, row, &was);

	assert_true(err == 0 || err == -ENOENT);
	assert_int_equal(db_grey_put(place->db, err ? NULL : &was, row), 0);
}

static void put_triplet(struct place *place, const char *origin, uint8_t digest,
			int64_t at_s)
{
	const struct db_grey_row row = triplet(origin, digest, at_s);

	put(place, &row);
}

static uint64_t rows_of(struct place *place, enum db_grey_kind kind)
{
	struct db_grey_size size;

	assert_int_equal(db_grey_size_read(place->db, &size), 0);
	return size.rows[kind];
}

struct seen {
	char text[1024];
	struct buf buf;
	struct db_grey_row last;
};

static int see(void *context, const struct db_grey_row *row)
{
	static const char kinds[] = "wpnc";
	struct seen *seen = context;
	char addr[PREFIX_TEXT_MAX];

	buf_printf(&seen->buf, "%c:%s/%u ", kinds[row->kind],
		   row->origin.domain[0] ? row->origin.domain
					 : prefix_format(&row->origin.network, addr),
		   row->digest[DB_GREY_DIGEST_BYTES - 1]);
	seen->last = *row;
	return 0;
}

static void assert_range(struct place *place, struct db_grey_range range,
			 const char *want)
{
	struct seen seen;

	buf_init(&seen.buf, seen.text, sizeof(seen.text));
	if (range.max == 0)
		range.max = 100;
	assert_int_equal(db_grey_read(place->db, &range, see, &seen), 0);
	assert_string_equal(seen.text, want);
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void a_row_comes_back_as_it_was(void **state)
{
	struct place *place = *state;
	struct db_grey_row row = triplet("192.0.2.0/24", 7, 1000);
	struct db_grey_row got;

	assert_int_equal(db_grey_get(place->db, &row, &got), -ENOENT);
	put(place, &row);
	row.kind = DB_GREY_PROVEN;
	row.at_s = 2000;
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
		"w:example.com/1 w:c000:200::/64/1 c:192.0.2.0/24/0 n:192.0.2.0/24/0 "
		"w:192.0.2.0/24/1 w:192.0.2.0/24/2 w:192.0.3.0/24/1 ");
}

static void ranges_find_what_lies_inside(void **state)
{
	struct place *place = *state;
	const struct db_grey_row after = triplet("192.0.2.0/24", 1, 0);

	put_triplet(place, "192.0.1.0/24", 1, 0);
	put_triplet(place, "192.0.2.0/24", 1, 0);
	put_triplet(place, "192.0.2.0/24", 2, 0);
	put_triplet(place, "192.0.3.0/24", 1, 0);
	put_triplet(place, "2001:db8::/64", 1, 0);
	put_triplet(place, "example.com", 1, 0);
	put_triplet(place, "example.com", 2, 0);
	put(place, &(struct db_grey_row){.origin.network = prefix_of("192.0.2.0/23"),
					 .kind = DB_GREY_COMMAND});
	put(place, &(struct db_grey_row){.origin.network = prefix_of("192.0.2.9"),
					 .kind = DB_GREY_COMMAND});
	assert_range(place, (struct db_grey_range){.inside = prefix_of("192.0.2.0/24")},
		     "w:192.0.2.0/24/1 w:192.0.2.0/24/2 c:192.0.2.9/0 ");
	assert_range(place, (struct db_grey_range){.inside = prefix_of("192.0.2.0/23")},
		     "c:192.0.2.0/23/0 w:192.0.2.0/24/1 w:192.0.2.0/24/2 c:192.0.2.9/0 "
		     "w:192.0.3.0/24/1 ");
	assert_range(place, (struct db_grey_range){.inside = prefix_of("192.0.2.8/31")},
		     "c:192.0.2.9/0 ");
	assert_range(place,
		     (struct db_grey_range){.inside = prefix_of("192.0.2.0/24"),
					    .after = &after},
		     "w:192.0.2.0/24/2 c:192.0.2.9/0 ");
	assert_range(place, (struct db_grey_range){.inside = prefix_of("::/0")},
		     "w:2001:db8::/64/1 ");
	assert_range(place, (struct db_grey_range){.domain = "example.com"},
		     "w:example.com/1 w:example.com/2 ");
	assert_range(place, (struct db_grey_range){.domain = "example.co"}, "");
}

static void pages_follow_each_other(void **state)
{
	struct place *place = *state;
	struct seen seen = {.last.kind = 0};
	struct db_grey_range range = {.max = 7};
	struct db_grey_row after;
	unsigned int total = 0;

	for (unsigned int i = 0; i < 100; i++)
		put_triplet(place, i % 3 ? "192.0.2.0/24" : "example.com", (uint8_t)i, 0);
	for (;;) {
		buf_init(&seen.buf, seen.text, sizeof(seen.text));
		assert_int_equal(db_grey_read(place->db, &range, see, &seen), 0);
		for (const char *at = seen.text; (at = strchr(at, ' ')); at++)
			total++;
		if (seen.buf.len == 0)
			break;
		after = seen.last;
		range.after = &after;
	}
	assert_int_equal(total, 100);
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
	db_grey_rollback(place->db);
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
		put_triplet(place, "192.0.2.0/24", i, 1000 - i);
	/* Six are there, and the command, which does not count. */
	assert_int_equal(db_grey_make_room(place->db, 7, 10, &gone_proven), 0);
	assert_int_equal(rows_of(place, DB_GREY_WAITING), 4);
	assert_int_equal(db_grey_make_room(place->db, 6, 10, &gone_proven), 0);
	assert_int_equal(gone_proven, 0);
	assert_range(
		place, (struct db_grey_range){.inside = prefix_of("192.0.2.0/24")},
		"w:192.0.2.0/24/1 w:192.0.2.0/24/2 w:192.0.2.0/24/3 p:192.0.2.0/24/9 ");
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
	assert_int_equal(rows_of(place, DB_GREY_PROVEN), 0);
	assert_int_equal(rows_of(place, DB_GREY_NETWORK), 0);
	assert_int_equal(rows_of(place, DB_GREY_COMMAND), 0);
}

/* ---- the twin ---------------------------------------------------------------------------------- */

#define TWIN_MAX 64u

struct twin {
	struct db_grey_row rows[TWIN_MAX];
	size_t count;
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

	assert_non_null(same);
	assert_memory_equal(same, row, sizeof(*row));
	return 0;
}

static void twin_remove(struct place *place, struct twin *twin,
			const struct db_grey_row *key)
{
	struct db_grey_row *row = twin_find(twin, key);

	if (!row)
		return;
	assert_int_equal(db_grey_remove(place->db, row), 0);
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
		const struct db_grey_range all = {.max = TWIN_MAX};

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
		assert_int_equal(db_grey_read(place->db, &all, twin_check, &twin), 0);
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
		put_triplet(place, origin, 1, 1000);
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
	err = db_grey_open(place->path, &place->db);
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
	assert_int_equal(db_grey_open(place->path, &place->db), -EUCLEAN);
	assert_null(place->db);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
	const struct CMUnitTest tests[] = {
		TEST(a_row_comes_back_as_it_was),
		TEST(other_origins_kinds_and_digests_are_other_rows),
		TEST(ranges_find_what_lies_inside),
		TEST(pages_follow_each_other),
		TEST(a_commit_survives_and_the_rest_does_not),
		TEST(the_oldest_that_wait_make_room),
		TEST(what_is_old_goes_in_small_steps),
		TEST(it_holds_what_its_twin_holds),
		TEST(damage_is_seen_when_it_is_met),
		TEST(what_is_no_database_is_not_opened),
	};

	return cmocka_run_group_tests_name("sys/db_grey", tests, NULL, NULL);
}
