/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The store: what was committed is there again, in order, and damage is seen.
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

struct place {
	char dir[64];
	char path[96];
	struct db *db;
};

static int place_make(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	bool fresh = false;

	(void)snprintf(place->dir, sizeof(place->dir), "/tmp/postern-db-XXXXXX");
	assert_non_null(mkdtemp(place->dir));
	(void)snprintf(place->path, sizeof(place->path), "%s/bans.db", place->dir);
	assert_int_equal(db_open(place->path, &place->db, &fresh), 0);
	assert_true(fresh);
	*state = place;
	return 0;
}

static int place_remove(void **state)
{
	struct place *place = *state;
	char command[128];

	db_close(&place->db);
	for (const char *const *end =
		     (const char *const[]){"", "-wal", "-shm", ".damaged-77",
					   ".damaged-77-wal", NULL};
	     *end; end++) {
		(void)snprintf(command, sizeof(command), "%s%s", place->path, *end);
		(void)unlink(command);
	}
	(void)rmdir(place->dir);
	free(place);
	return 0;
}

static void place_reopen(struct place *place)
{
	bool fresh = true;

	db_close(&place->db);
	assert_int_equal(db_open(place->path, &place->db, &fresh), 0);
	assert_false(fresh);
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix;

	assert_int_equal(prefix_parse(text, &prefix), 0);
	return prefix;
}

static void put(struct place *place, uint32_t policy, const char *addr, int64_t ends_s)
{
	struct db_ban ban = {.prefix = prefix_of(addr),
			     .policy = policy,
			     .began_s = 1000,
			     .ends_s = ends_s};

	(void)text_copy(ban.why, sizeof(ban.why), addr);
	assert_int_equal(db_ban_put(place->db, &ban), 0);
}

struct seen {
	char text[512];
	struct buf buf;
};

static int see(void *context, const struct db_ban *ban)
{
	struct seen *seen = context;
	char addr[PREFIX_TEXT_MAX];

	buf_printf(&seen->buf, "%u:%s ", ban->policy, prefix_format(&ban->prefix, addr));
	return 0;
}

static void assert_range(struct place *place, struct db_range range, const char *want)
{
	struct seen seen;

	buf_init(&seen.buf, seen.text, sizeof(seen.text));
	assert_int_equal(db_bans_read(place->db, &range, see, &seen), 0);
	assert_string_equal(seen.text, want);
}

static void a_committed_ban_is_there_again(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("192.0.2.1");
	struct db_ban ban;
	uint32_t key = 0;

	assert_int_equal(db_policy_key(place->db, "global", &key), 0);
	assert_int_equal(key, 1);
	assert_int_equal(db_begin(place->db), 0);
	put(place, key, "192.0.2.1", 5000);
	assert_int_equal(db_commit(place->db), 0);
	place_reopen(place);
	assert_string_equal(db_policy_name(place->db, key), "global");
	assert_int_equal(db_ban_get(place->db, key, &addr, &ban), 0);
	assert_int_equal(ban.began_s, 1000);
	assert_int_equal(ban.ends_s, 5000);
	assert_string_equal(ban.why, "192.0.2.1");
	assert_int_equal(db_ban_get(place->db, key + 1, &addr, &ban), -ENOENT);
}

static void a_rolled_back_ban_is_not(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("192.0.2.1");
	struct db_ban ban;

	assert_int_equal(db_begin(place->db), 0);
	put(place, 1, "192.0.2.1", 5000);
	db_rollback(place->db);
	assert_int_equal(db_ban_get(place->db, 1, &addr, &ban), -ENOENT);
}

static void banning_again_keeps_the_beginning(void **state)
{
	struct place *place = *state;
	struct db_ban ban = {.prefix = prefix_of("192.0.2.1"),
			     .policy = 1,
			     .began_s = 2000,
			     .ends_s = 9000,
			     .why = "second"};

	put(place, 1, "192.0.2.1", 5000);
	assert_int_equal(db_ban_put(place->db, &ban), 0);
	assert_int_equal(db_ban_get(place->db, 1, &ban.prefix, &ban), 0);
	assert_int_equal(ban.began_s, 1000);
	assert_int_equal(ban.ends_s, 9000);
	assert_string_equal(ban.why, "second");
}

static void ranges_find_what_lies_inside(void **state)
{
	struct place *place = *state;

	put(place, 1, "192.0.1.255", 9000);
	put(place, 1, "192.0.2.0", 9000);
	put(place, 1, "192.0.2.0/25", 9000);
	put(place, 1, "192.0.2.255", 9000);
	put(place, 1, "192.0.3.0", 9000);
	put(place, 1, "192.0.0.0/16", 9000);
	put(place, 2, "192.0.2.9", 9000);
	put(place, 1, "c000:200::/64",
	    9000); /* begins with the same bytes as 192.0.2.0 */

	assert_range(place,
		     (struct db_range){.policy = 1, .inside = prefix_of("192.0.2.0/24")},
		     "1:192.0.2.0/25 1:192.0.2.0 1:192.0.2.255 ");
	assert_range(place,
		     (struct db_range){.policy = 1, .inside = prefix_of("192.0.2.0")},
		     "1:192.0.2.0 ");
	assert_range(place,
		     (struct db_range){.policy = 1, .inside = prefix_of("192.0.2.1")},
		     "");
	assert_range(place,
		     (struct db_range){.policy = 1, .inside = prefix_of("c000::/16")},
		     "1:c000:200::/64 ");
	assert_range(place,
		     (struct db_range){.policy = 1,
				       .inside = prefix_of("192.0.2.0/24"),
				       .after_policy = 1,
				       .after = prefix_of("192.0.2.0/25"),
				       .max = 1},
		     "1:192.0.2.0 ");
}

static void pages_follow_each_other(void **state)
{
	struct place *place = *state;

	put(place, 1, "192.0.2.1", 9000);
	put(place, 1, "192.0.2.2", 9000);
	put(place, 2, "192.0.2.1", 9000);
	assert_range(place, (struct db_range){.max = 2}, "1:192.0.2.1 1:192.0.2.2 ");
	assert_range(place,
		     (struct db_range){.after_policy = 1,
				       .after = prefix_of("192.0.2.2"),
				       .max = 2},
		     "2:192.0.2.1 ");
	assert_range(place,
		     (struct db_range){.policy = 1,
				       .after_policy = 1,
				       .after = prefix_of("192.0.2.1")},
		     "1:192.0.2.2 ");
	assert_range(place, (struct db_range){.policy = 2}, "2:192.0.2.1 ");
}

static int count_past(void *context, const struct db_past *past)
{
	(void)past;
	(*(int *)context)++;
	return 0;
}

static void only_bans_that_ran_out_are_repeats(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("192.0.2.1");
	uint32_t key = 0;
	uint32_t repeats = 99;
	struct db_ban ban = {.prefix = addr, .began_s = 1200, .ends_s = 9000};
	int past = 0;

	assert_int_equal(db_policy_key(place->db, "global", &key), 0);
	put(place, key, "192.0.2.1", 2000); /* source 0: strikes */
	assert_int_equal(db_repeats(place->db, &addr, 1000, &repeats), 0);
	assert_int_equal(repeats, 1); /* it runs */
	assert_int_equal(db_bans_end_all(place->db, 1999), 0);
	assert_int_equal(db_history_read(place->db, &addr, 10, count_past, &past), 0);
	assert_int_equal(past, 0);
	assert_int_equal(db_bans_end_all(place->db, 2000), 0);
	assert_int_equal(db_history_read(place->db, &addr, 10, count_past, &past), 0);
	assert_int_equal(past, 1);
	assert_int_equal(db_repeats(place->db, &addr, 1000, &repeats), 0);
	assert_int_equal(repeats, 1);
	assert_int_equal(db_repeats(place->db, &addr, 1001, &repeats), 0);
	assert_int_equal(repeats, 0);

	ban.policy = key;
	assert_int_equal(db_ban_put(place->db, &ban), 0);
	assert_int_equal(db_ban_end(place->db, key, &addr, 1500, DB_END_UNBANNED), 0);
	assert_int_equal(db_ban_end(place->db, key, &addr, 1500, DB_END_UNBANNED),
			 -ENOENT);
	assert_int_equal(db_repeats(place->db, &addr, 0, &repeats), 0);
	assert_int_equal(repeats, 1);
}

static int count_strikes(void *context, const struct db_strike *strike)
{
	(void)strike;
	(*(int *)context)++;
	return 0;
}

static void strike_at(struct place *place, const char *addr, int64_t at_s)
{
	struct db_strike strike = {.client = prefix_of(addr),
				   .at_s = at_s,
				   .policy = 1,
				   .service = "smtp",
				   .user = "o'brien\"; --",
				   .reply = "535 no"};

	assert_int_equal(db_strike_add(place->db, &strike), 0);
}

static void strikes_become_evidence_and_go(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("2001:db8::/64");
	int seen = 0;

	for (int i = 0; i < 3; i++)
		strike_at(place, "2001:db8::/64", 100 + i);
	strike_at(place, "2001:db8:0:1::/64", 102);
	assert_int_equal(db_strikes_read(place->db, &addr, 101, count_strikes, &seen), 0);
	assert_int_equal(seen, 2);
	assert_int_equal(db_evidence_keep(place->db, &addr, 102, 101), 0);
	assert_int_equal(db_strikes_forget(place->db, &addr), 0);
	seen = 0;
	assert_int_equal(db_strikes_read(place->db, NULL, 0, count_strikes, &seen), 0);
	assert_int_equal(seen, 1);
	place_reopen(place);
	seen = 0;
	assert_int_equal(db_evidence_read(place->db, &addr, 102, count_strikes, &seen),
			 0);
	assert_int_equal(seen, 2);
}

static void pruning_takes_the_old_and_the_too_many(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("192.0.2.1");
	struct db_prune prune = {.strikes_before_s = 105,
				 .strikes_max = 100,
				 .history_max = 100,
				 .history_before_s = 0,
				 .steps = 3};
	struct db_size size;
	int seen = 0;

	for (int i = 0; i < 10; i++)
		strike_at(place, "192.0.2.1", 100 + i);
	assert_int_equal(db_prune(place->db, &prune), 0);
	assert_int_equal(db_size_read(place->db, &size), 0);
	assert_int_equal(size.strikes, 7); /* three steps */
	assert_int_equal(db_prune(place->db, &prune), 0);
	assert_int_equal(db_prune(place->db, &prune), 0);
	assert_int_equal(db_strikes_read(place->db, &addr, 0, count_strikes, &seen), 0);
	assert_int_equal(seen, 5); /* 105 to 109 */
	prune.strikes_max = 4;
	assert_int_equal(db_prune(place->db, &prune), 0);
	assert_int_equal(db_size_read(place->db, &size), 0);
	assert_int_equal(size.strikes, 2);
}

static void evidence_lives_as_long_as_its_ban(void **state)
{
	struct place *place = *state;
	struct prefix addr = prefix_of("192.0.2.1");
	struct db_prune prune = {.history_before_s = 5000,
				 .strikes_max = 100,
				 .history_max = 100,
				 .steps = 10};
	uint32_t key = 0;
	int seen = 0;

	assert_int_equal(db_policy_key(place->db, "global", &key), 0);
	strike_at(place, "192.0.2.1", 999);
	assert_int_equal(db_evidence_keep(place->db, &addr, 1000, 0), 0);
	put(place, key, "192.0.2.1", 2000);
	put(place, key + 1, "192.0.2.1", 2000);
	assert_int_equal(db_policy_key(place->db, "lan", &key), 0);
	assert_int_equal(db_ban_end(place->db, 1, &addr, 2000, DB_END_EXPIRED), 0);
	assert_int_equal(db_prune(place->db, &prune), 0);
	assert_int_equal(db_evidence_read(place->db, &addr, 1000, count_strikes, &seen),
			 0);
	assert_int_equal(seen, 1); /* the ban in the other policy still runs */
	assert_int_equal(db_ban_end(place->db, 2, &addr, 2000, DB_END_EXPIRED), 0);
	assert_int_equal(db_prune(place->db, &prune), 0);
	seen = 0;
	assert_int_equal(db_evidence_read(place->db, &addr, 1000, count_strikes, &seen),
			 0);
	assert_int_equal(seen, 0);
}

static void overwrite(const char *path, off_t at, size_t len)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	char junk[4096];

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	for (size_t done = 0; done < len; done += sizeof(junk))
		assert_int_equal(pwrite(fd, junk, sizeof(junk), at + (off_t)done),
				 sizeof(junk));
	(void)close(fd);
}

static void damage_is_seen_and_set_aside(void **state)
{
	struct place *place = *state;
	char name[DB_ERROR_MAX];
	struct stat st;
	bool fresh = false;
	uint32_t key;

	assert_int_equal(db_policy_key(place->db, "global", &key), 0);
	assert_int_equal(db_begin(place->db), 0);
	for (int i = 0; i < 2000; i++) {
		char addr[32];

		(void)snprintf(addr, sizeof(addr), "10.0.%d.%d", i / 256, i % 256);
		put(place, key, addr, 9000);
	}
	assert_int_equal(db_commit(place->db), 0);
	db_close(&place->db);
	assert_int_equal(stat(place->path, &st), 0);
	assert_true(st.st_size > 10 * 4096);
	overwrite(place->path, 4096L * 8, 8192); /* in the middle: the head is whole */
	assert_int_equal(db_open(place->path, &place->db, &fresh), -EUCLEAN);
	assert_null(place->db);
	overwrite(place->path, 0, 4096); /* no database at all */
	assert_int_equal(db_open(place->path, &place->db, &fresh), -EUCLEAN);
	assert_int_equal(db_set_aside(place->path, 77, name), 0);
	assert_non_null(strstr(name, "bans.db.damaged-77"));
	assert_int_equal(access(name, F_OK), 0);
	assert_int_equal(db_open(place->path, &place->db, &fresh), 0);
	assert_true(fresh);
}

static void only_one_may_have_it(void **state)
{
	struct place *place = *state;
	struct db *second = NULL;
	bool fresh;

	assert_int_equal(db_open(place->path, &second, &fresh), -EBUSY);
	assert_null(second);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, place_make, place_remove)
	const struct CMUnitTest tests[] = {
		TEST(a_committed_ban_is_there_again),
		TEST(a_rolled_back_ban_is_not),
		TEST(banning_again_keeps_the_beginning),
		TEST(ranges_find_what_lies_inside),
		TEST(pages_follow_each_other),
		TEST(only_bans_that_ran_out_are_repeats),
		TEST(strikes_become_evidence_and_go),
		TEST(pruning_takes_the_old_and_the_too_many),
		TEST(evidence_lives_as_long_as_its_ban),
		TEST(damage_is_seen_and_set_aside),
		TEST(only_one_may_have_it),
	};

	return cmocka_run_group_tests_name("sys/db", tests, NULL, NULL);
}
