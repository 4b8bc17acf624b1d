/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Start and reload: the kernel is brought to what the store says, by differences.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "ledger_lab.h"
#include "sys/db.h"

static struct lab lab;

static void a_restart_changes_nothing(void **state)
{
	struct msg_ban before;

	(void)state;
	lab_start(&lab);
	assert_int_equal(
		lab_code(
			&lab,
			"ban {\"addrs\":[\"192.0.2.1\",\"198.18.0.0/16\"],\"for_s\":60}"),
		0);
	assert_int_equal(
		lab_code(&lab, "ban {\"addrs\":[\"192.0.2.2\"],\"forever\":true}"), 0);
	assert_int_equal(lab.kernel_count, 6);
	before = *lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL);
	lab_kill(&lab);
	lab_start(&lab);
	assert_int_equal(lab.edits, 0);
	assert_int_equal(lab.kernel_count, 6);
	assert_int_equal(lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns,
			 before.ends_ns);
	assert_true(lab_set_has(&lab, "198.18.3.4", LAB_LAN));
	lab.report = "[]";
	assert_int_equal(lab_code(&lab, "verify"), 0); /* to the nanosecond */
	lab_drain(&lab);
	lab_start(&lab);
	assert_int_equal(lab.edits, 0);
}

static void what_the_kernel_lost_is_set_and_what_it_has_too_much_goes(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_int_equal(
		lab_code(&lab,
			 "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\"],"
			 "\"policy\":\"global\",\"for_s\":60}"),
		0);
	lab_kill(&lab);
	lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns += 60 * NS_PER_S;
	*lab_kernel_find(&lab, "192.0.2.2", LAB_GLOBAL) = lab.kernel[--lab.kernel_count];
	lab_kernel_put(&lab, "192.0.2.9", LAB_GLOBAL, clock_boot_ns() + 60 * NS_PER_S);
	lab_kernel_put(&lab, "192.0.2.1", LAB_LAN, clock_boot_ns() + 60 * NS_PER_S);
	lab_start(&lab);
	assert_int_equal(lab.edits, 4);
	assert_int_equal(lab.kernel_count, 3);
	assert_null(lab_kernel_find(&lab, "192.0.2.9", LAB_GLOBAL));
	assert_non_null(lab_kernel_find(&lab, "192.0.2.2", LAB_GLOBAL));
	assert_in_range(lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns -
				clock_boot_ns(),
			50 * NS_PER_S, 61 * NS_PER_S);
}

static void what_ended_meanwhile_is_not_banned_again(void **state)
{
	const struct timespec past = {.tv_sec = 2, .tv_nsec = 100000000};

	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"],\"for_s\":2}"),
			 0);
	lab_kill(&lab);
	(void)nanosleep(&past, NULL); /* its end */
	lab.kernel_count = 0;
	lab_start(&lab);
	assert_int_equal(lab.edits, 0);
	assert_false(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
}

/* Several windows and batches of edits. */
static void thousands_are_loaded(void **state)
{
	char *request = malloc(65536);

	(void)state;
	lab_start(&lab);
	for (int block = 0; block < 2; block++) {
		struct buf buf;

		buf_init(&buf, request, 65536);
		buf_puts(&buf, "ban {\"policy\":\"lan\",\"for_s\":600,\"addrs\":[");
		for (int i = 0; i < 1000; i++)
			buf_printf(&buf, "%s\"10.%d.%d.%d\"", i ? "," : "", block,
				   i / 250, i % 250);
		buf_puts(&buf, "]}");
		assert_false(buf.overflow);
		assert_int_equal(lab_code(&lab, request), 0);
	}
	free(request);
	assert_int_equal(lab.kernel_count, 2000);
	lab_kill(&lab);
	lab.kernel_count = 0;
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 2000);
	assert_int_equal(lab.edits, 2000);
	assert_int_equal(lab_code(&lab, "verify"),
			 3); /* the keeper's report is no list */
	lab.report = "[]";
	assert_int_equal(lab_code(&lab, "verify"), 0);
	assert_int_equal(lab_code(&lab, "unban {\"all\":true}"), 0);
	assert_int_equal(lab.kernel_count, 0);
}

static void path_of(char path[128], const char *name)
{
	(void)snprintf(path, 128, "%s/%s", lab.dir, name);
}

static void damage(const char *name)
{
	char path[128];
	char junk[4096];
	int fd;

	path_of(path, name);
	memset(junk, 0x5a, sizeof(junk));
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), 0), sizeof(junk));
	(void)close(fd);
}

static void a_damaged_store_is_set_aside_and_the_kernel_asked(void **state)
{
	json_t *bans;

	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.0/28\"],"
					"\"policy\":\"lan\",\"for_s\":60}"),
			 0);
	lab_drain(&lab);
	lab_kernel_put(&lab, "192.0.2.9", 30,
		       clock_boot_ns() + 60 * NS_PER_S); /* no such policy */
	lab_kernel_put(&lab, "192.0.2.8", LAB_LAN, 1);	 /* over */
	damage("bans.db");
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 2);
	assert_true(lab_set_has(&lab, "192.0.2.1", LAB_LAN));
	bans = lab_ask(&lab, "bans");
	assert_int_equal(json_array_size(json_object_get(bans, "rows")), 2);
	assert_string_equal(lab_text(bans, 0, "source"), "kernel");
	assert_string_equal(lab_text(bans, 0, "policy"), "lan");
	json_decref(bans);
	lab_kill(&lab);
	lab.kernel_count = 0;
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 2); /* they were stored */
}

static void a_lost_store_is_no_reason_to_unban(void **state)
{
	char path[128];

	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"],\"for_s\":60}"),
			 0);
	lab_drain(&lab);
	path_of(path, "bans.db");
	assert_int_equal(unlink(path), 0);
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 2);
	assert_true(lab_set_has(&lab, "192.0.2.1", LAB_LAN));
}

static bool kernel_has(struct lab *l, const void *context)
{
	return l->kernel_count == *(const size_t *)context;
}

static void a_policy_that_goes_takes_its_bans_out_and_brings_them_back(void **state)
{
	const size_t one = 1;
	const size_t two = 2;

	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"],\"for_s\":60}"),
			 0);
	assert_int_equal(lab.kernel_count, 2);
	lab.conf.policy_count = 1; /* lan has gone */
	lab.conf.service_count = 2;
	lab_reload(&lab);
	lab_until(&lab, kernel_has, &one);
	assert_false(lab_set_has(&lab, "192.0.2.1", LAB_LAN));
	lab.conf.policy_count = 2;
	lab.conf.service_count = 3;
	lab.conf.policies[1].id = 11; /* it comes back under another id */
	lab_reload(&lab);
	lab_until(&lab, kernel_has, &two);
	assert_true(lab_set_has(&lab, "192.0.2.1", 11));
	assert_non_null(lab_kernel_find(&lab, "192.0.2.1", 11));
}

static void a_reload_lifts_bans_of_what_must_stay_reachable(void **state)
{
	const size_t one = 1;
	struct prefix prefix;

	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.2\"],"
					"\"policy\":\"lan\",\"for_s\":60}"),
			 0);
	assert_int_equal(prefix_parse("192.0.2.1", &prefix), 0);
	assert_int_equal(protected_add(&lab.protected_set, &prefix, "backend"), 0);
	lab_reload(&lab);
	lab_until(&lab, kernel_has, &one);
	assert_non_null(lab_kernel_find(&lab, "192.0.2.2", LAB_LAN));
}

/* Random commands; at the end the kernel has what a list that was kept by hand says. */
static void the_kernel_ends_with_what_the_commands_said(void **state)
{
	bool wanted[64] = {false};
	size_t count = 0;
	unsigned int seed = 12345;
	char request[128];

	(void)state;
	lab_start(&lab);
	for (int i = 0; i < 600; i++) {
		unsigned int addr;

		seed = seed * 1103515245u + 12345u;
		addr = seed >> 16 & 63;
		wanted[addr] = seed >> 30 & 1;
		(void)snprintf(request, sizeof(request),
			       "%s {\"addrs\":[\"10.0.0.%u\"],\"policy\":\"lan\"}",
			       wanted[addr] ? "ban" : "unban", addr);
		(void)lab_code(&lab, request);
		if (i == 300) {
			lab_kill(&lab);
			lab.kernel_count /= 2; /* what it forgot is set again */
			lab_start(&lab);
		}
	}
	for (unsigned int addr = 0; addr < 64; addr++) {
		(void)snprintf(request, sizeof(request), "10.0.0.%u", addr);
		assert_int_equal(lab_kernel_find(&lab, request, LAB_LAN) != NULL,
				 wanted[addr]);
		assert_int_equal(lab_set_has(&lab, request, LAB_LAN), wanted[addr]);
		count += wanted[addr];
	}
	assert_int_equal(lab.kernel_count, count);
}

static void a_store_of_a_newer_version_is_left_alone(void **state)
{
	struct db *db = NULL;
	char path[128];
	bool fresh;

	(void)state;
	path_of(path, "bans.db");
	assert_int_equal(db_open(path, &db, &fresh), 0);
	db_close(&db);
	/* PRAGMA user_version stands big-endian at byte 60 of the file. */
	{
		static const unsigned char version[4] = {0, 0, 0, 99};
		int fd = open(path, O_RDWR | O_CLOEXEC);

		assert_int_equal(pwrite(fd, version, 4, 60), 4);
		(void)close(fd);
	}
	assert_int_not_equal(lab_start_fails(&lab), 0);
	assert_int_equal(access(path, F_OK), 0);
}

static bool is_caught_up(struct lab *l, const void *context)
{
	json_t *answer = lab_ask(l, "status");
	json_t *store = json_object_get(
		json_object_get(json_object_get(answer, "done"), "status"), "store");
	bool done = json_integer_value(json_object_get(store, "unstored")) == 0;

	(void)context;
	json_decref(answer);
	return done;
}

static void a_full_disk_still_bans_says_so_and_catches_up(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	assert_int_equal(
		lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\"}"), 0);
	lab_limit_files(&lab, true);
	answer = lab_ask(&lab, "ban {\"addrs\":[\"192.0.2.2\"],\"policy\":\"lan\"}");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(answer, "done"), "code")),
			 1);
	assert_string_equal(lab_text(answer, 0, "result"), "banned");
	assert_non_null(strstr(lab_text(answer, 0, "why"), "NOT STORED"));
	json_decref(answer);
	assert_true(lab_set_has(&lab, "192.0.2.2", LAB_LAN));
	assert_int_equal(lab.kernel_count, 2);
	answer = lab_ask(&lab, "bans");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 2);
	json_decref(answer);
	assert_int_equal(lab_code(&lab, "unban {\"addrs\":[\"192.0.2.1\"]}"), 1);
	assert_int_equal(lab.kernel_count, 1);
	lab_limit_files(&lab, false);
	lab_until(&lab, is_caught_up, NULL);
	lab_kill(&lab);
	lab.kernel_count = 0;
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 1);
	assert_non_null(lab_kernel_find(&lab, "192.0.2.2", LAB_LAN));
}

static void what_is_unbanned_before_it_was_stored_stays_unbanned(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_limit_files(&lab, true);
	assert_int_equal(
		lab_code(&lab, "ban {\"addrs\":[\"192.0.2.2\"],\"policy\":\"lan\"}"), 1);
	assert_int_equal(lab_code(&lab, "unban {\"addrs\":[\"192.0.2.2\"]}"),
			 0); /* nothing of it is in the store */
	assert_int_equal(lab.kernel_count, 0);
	lab_limit_files(&lab, false);
	lab_until(&lab, is_caught_up, NULL);
	lab_kill(&lab);
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 0);
}

static void ranges_and_all_reach_what_is_not_stored(void **state)
{
	static const struct {
		const char *request;
		size_t left;
	} rows[] = {
		{"unban {\"addrs\":[\"192.0.2.0/31\"],\"dry_run\":true}", 4},
		{"unban {\"addrs\":[\"192.0.2.0/31\"]}", 3},
		{"unban {\"all\":true,\"policy\":\"global\"}", 2},
		{"unban {\"all\":true,\"dry_run\":true}", 2},
		{"unban {\"all\":true}", 0},
	};

	(void)state;
	lab_start(&lab);
	lab_limit_files(&lab, true);
	(void)lab_code(
		&lab, "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.2\"],\"policy\":\"lan\"}");
	(void)lab_code(&lab, "ban {\"addrs\":[\"192.0.2.4\"]}");
	assert_int_equal(lab.kernel_count, 4);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(lab_code(&lab, rows[i].request), 0);
		assert_int_equal(lab.kernel_count, rows[i].left);
	}
	lab_limit_files(&lab, false);
	lab_until(&lab, is_caught_up, NULL);
	lab_kill(&lab);
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 0);
}

int main(void)
{
#define TEST(name) LAB_TEST(name, lab_set_up)
	const struct CMUnitTest tests[] = {
		TEST(a_restart_changes_nothing),
		TEST(what_the_kernel_lost_is_set_and_what_it_has_too_much_goes),
		TEST(what_ended_meanwhile_is_not_banned_again),
		TEST(thousands_are_loaded),
		TEST(a_damaged_store_is_set_aside_and_the_kernel_asked),
		TEST(a_lost_store_is_no_reason_to_unban),
		TEST(a_policy_that_goes_takes_its_bans_out_and_brings_them_back),
		TEST(a_reload_lifts_bans_of_what_must_stay_reachable),
		TEST(the_kernel_ends_with_what_the_commands_said),
		TEST(a_full_disk_still_bans_says_so_and_catches_up),
		TEST(what_is_unbanned_before_it_was_stored_stays_unbanned),
		TEST(ranges_and_all_reach_what_is_not_stored),
		TEST(a_store_of_a_newer_version_is_left_alone),
	};

	return cmocka_run_group_tests_name("proc/ledger_start", tests, NULL, NULL);
}
