/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From strikes to bans: a whole ledger between a keeper and a gate that the test plays.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "ledger_lab.h"

static struct lab lab;

struct wanted {
	const char *prefix;
	uint8_t policy;
};

static bool is_banned(struct lab *l, const void *context)
{
	const struct wanted *wanted = context;

	return lab_kernel_find(l, wanted->prefix, wanted->policy) != NULL;
}

static void await_ban(const char *prefix, uint8_t policy)
{
	struct wanted wanted = {prefix, policy};

	lab_until(&lab, is_banned, &wanted);
}

/* What the store has written since its last check point; the caller frees it. Strikes are written within a second. */
static char *journal_read(size_t *out_len)
{
	const size_t cap_bytes = 8u << 20;
	char path[sizeof(lab.dir) + 32];
	char *bytes = malloc(cap_bytes);
	FILE *file;

	assert_non_null(bytes);
	(void)snprintf(path, sizeof(path), "%s/bans.db-wal", lab.dir);
	file = fopen(path, "rb");
	assert_non_null(file);
	*out_len = fread(bytes, 1, cap_bytes, file);
	(void)fclose(file);
	return bytes;
}

static bool is_written(struct lab *l, const void *context)
{
	const char *user = context;
	size_t len;
	char *bytes = journal_read(&len);
	const bool holds = memmem(bytes, len, user, strlen(user)) != NULL;

	(void)l;
	free(bytes);
	return holds;
}

static bool is_longer(struct lab *l, const void *context)
{
	const size_t *before = context;
	size_t len;

	(void)l;
	free(journal_read(&len));
	return len > *before;
}

/* Four strikes, on the disk. */
static void four_stored_strikes(const char *addr)
{
	lab_strikes(&lab, addr, LAB_SMTP, 3);
	lab_strike(&lab, addr, LAB_SMTP, "the-fourth-user");
	lab_until(&lab, is_written, "the-fourth-user");
}

static void the_fifth_strike_bans(void **state)
{
	json_t *bans;

	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 4);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
	assert_false(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
	lab_strike(&lab, "192.0.2.1", LAB_SUBMISSION, "carol");
	await_ban("192.0.2.1", LAB_GLOBAL);
	assert_true(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
	assert_int_equal(lab.kernel_count, 1); /* not in lan: no strike was made there */
	lab_settle(&lab);
	assert_true(lab.rechecks >= 1);
	assert_int_equal(lab.recheck.prefix.len, 32);
	bans = lab_ask(&lab, "bans");
	assert_int_equal(json_array_size(json_object_get(bans, "rows")), 1);
	assert_string_equal(lab_text(bans, 0, "addr"), "192.0.2.1");
	assert_string_equal(lab_text(bans, 0, "policy"), "global");
	assert_string_equal(lab_text(bans, 0, "source"), "strikes");
	json_decref(bans);
}

static void the_end_is_an_hour_from_now_on_both_clocks(void **state)
{
	const struct msg_ban *ban;
	uint64_t left_ns;

	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	ban = lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL);
	left_ns = ban->ends_ns - clock_boot_ns();
	assert_in_range(left_ns / NS_PER_S, 3590, 3600);
}

static void strikes_count_across_services_and_ban_in_each_of_their_policies(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 2);
	lab_strikes(&lab, "192.0.2.1", LAB_IMAP, 3);
	await_ban("192.0.2.1", LAB_GLOBAL);
	await_ban("192.0.2.1", LAB_LAN);
	assert_int_equal(lab.edit_messages, 1); /* stored and sent together */
}

static void an_ipv6_client_is_its_64(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "2001:db8::1", LAB_SMTP, 3);
	lab_strikes(&lab, "2001:db8::ffff", LAB_SMTP, 2);
	await_ban("2001:db8::/64", LAB_GLOBAL);
	assert_true(lab_set_has(&lab, "2001:db8::abcd", LAB_GLOBAL));
	assert_false(lab_set_has(&lab, "2001:db8:0:1::", LAB_GLOBAL));
}

static void assert_never_counted(const char *addr)
{
	json_t *status;

	lab_strikes(&lab, addr, LAB_SMTP, 20);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
	status = lab_ask(&lab, "status");
	assert_int_equal(
		json_integer_value(json_object_get(
			json_object_get(json_object_get(status, "done"), "status"),
			"strikes")),
		0);
	json_decref(status);
}

static void an_entry_without_ll_is_not_counted(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_never_counted("203.0.113.5");
	assert_never_counted("2001:db8:1::1");
}

static void a_protected_address_is_not_counted(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_never_counted("198.51.100.1");
	assert_never_counted("2001:db8:ffff::7");
}

static void off_counts_nothing(void **state)
{
	(void)state;
	lab.conf.policies[0].mode[CHECK_STRIKES] = MODE_OFF;
	lab_start(&lab);
	assert_never_counted("192.0.2.1");
}

static void observe_counts_and_bans_nobody(void **state)
{
	(void)state;
	lab.conf.policies[0].mode[CHECK_STRIKES] = MODE_OBSERVE;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 20);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
	/* A policy that enforces, with strikes of both. */
	lab_strikes(&lab, "192.0.2.2", LAB_SMTP, 2);
	lab_strikes(&lab, "192.0.2.2", LAB_IMAP, 3);
	await_ban("192.0.2.2", LAB_LAN);
	assert_int_equal(lab.kernel_count, 1);
}

static void who_follows_hears_of_everything(void **state)
{
	(void)state;
	lab.conf.policies[0].mode[CHECK_STRIKES] = MODE_OBSERVE;
	lab_start(&lab);
	/* The answer to the first line leaves when the second one has been read. */
	json_decref(lab_ask(&lab,
			    "{\"v\":1,\"cmd\":\"bans\"}\n{\"v\":1,\"cmd\":\"events\"}"));
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	lab_until_told(&lab, "\"strike\"");
	lab_until_told(&lab, "\"would-ban\"");
	lab_strikes(&lab, "192.0.2.2", LAB_IMAP, 5);
	lab_until_told(&lab, "\"event\":\"ban\"");
	lab_until_told(&lab, "\"addr\":\"192.0.2.2\"");
	lab_login(&lab, "192.0.2.3", LAB_SMTP);
	lab_until_told(&lab, "\"login\"");
	lab_reload(&lab);
	lab_until_told(&lab, "\"reload\"");
}

static void cleared_strikes_do_not_come_back(void **state)
{
	size_t len;

	(void)state;
	lab_start(&lab);
	four_stored_strikes("192.0.2.1");
	free(journal_read(&len));
	(void)lab_code(&lab, "unban {\"addrs\":[\"192.0.2.1\"]}");
	lab_until(&lab, is_longer, &len);
	lab_kill(&lab);
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 4);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
}

static void strikes_while_banned_change_nothing(void **state)
{
	uint64_t ends_ns;
	unsigned int edits;

	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	ends_ns = lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns;
	edits = lab.edits;
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 20);
	lab_settle(&lab);
	assert_int_equal(lab.edits, edits);
	assert_int_equal(lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns,
			 ends_ns);
}

static bool is_empty(struct lab *l, const void *context)
{
	(void)context;
	return l->kernel_count == 0;
}

static void a_ban_ends_and_the_next_one_is_twice_as_long(void **state)
{
	uint64_t left_ns;

	(void)state;
	lab.conf.policies[0].strikes.ban_time_s = 2;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	lab_until(&lab, is_empty, NULL);
	assert_int_equal(lab_code(&lab, "bans"), 0);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	left_ns =
		lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns - clock_boot_ns();
	assert_in_range(left_ns / NS_PER_MS, 2500, 4000);
}

static void an_unbanned_client_begins_anew(void **state)
{
	uint64_t left_ns;

	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	assert_int_equal(lab_code(&lab, "unban {\"addrs\":[\"192.0.2.1\"]}"), 0);
	assert_int_equal(lab.kernel_count, 0);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	left_ns =
		lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL)->ends_ns - clock_boot_ns();
	assert_in_range(left_ns / NS_PER_S, 3590, 3600);
}

static void unban_clears_the_strikes(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 4);
	lab_settle(&lab);
	answer = lab_ask(&lab, "unban {\"addrs\":[\"192.0.2.1\"]}");
	assert_non_null(strstr(lab_text(answer, 0, "why"), "strikes were cleared"));
	json_decref(answer);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 4);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
	lab_strike(&lab, "192.0.2.1", LAB_SMTP, "bob");
	await_ban("192.0.2.1", LAB_GLOBAL);
}

static void a_success_clears_and_gives_credit(void **state)
{
	(void)state;
	lab.conf.policies[0].strikes.success_credit_s = 600;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 4);
	lab_login(&lab, "192.0.2.1", LAB_SMTP);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 20);
	lab_settle(&lab);
	assert_int_equal(lab.kernel_count, 0);
}

static void what_the_keeper_refuses_is_undone(void **state)
{
	(void)state;
	lab_start(&lab);
	lab.refuse = -EPERM;
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	lab_settle(&lab);
	lab_settle(&lab);
	assert_int_equal(lab.edits, 1);
	assert_false(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
	lab.refuse = 0;
	lab_kill(&lab);
	lab_start(&lab);
	assert_int_equal(lab.kernel_count, 0);
}

static void without_xdp_the_set_alone_bans(void **state)
{
	(void)state;
	lab_start(&lab);
	lab.refuse = -EOPNOTSUPP;
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	lab_settle(&lab);
	lab_settle(&lab);
	assert_true(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
	assert_true(lab.rechecks >= 1);
}

static void strikes_survive_a_kill(void **state)
{
	(void)state;
	lab_start(&lab);
	four_stored_strikes("192.0.2.1");
	lab_kill(&lab);
	lab_start(&lab);
	lab_strike(&lab, "192.0.2.1", LAB_SMTP, "bob");
	await_ban("192.0.2.1", LAB_GLOBAL);
}

static void a_reported_ban_survives_a_kill(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	lab_kill(&lab);
	lab.kernel_count = 0; /* as after a reboot */
	lab_start(&lab);
	assert_non_null(lab_kernel_find(&lab, "192.0.2.1", LAB_GLOBAL));
	assert_true(lab_set_has(&lab, "192.0.2.1", LAB_GLOBAL));
}

/*
 * A ban ends by itself, and the ledger takes it out of its books within a second. A ban made in between is a
 * new one: with a beginning and evidence of its own, and the old one in the history.
 */
static void a_ban_between_an_end_and_its_tick_is_a_new_one(void **state)
{
	const struct timespec until_it_has_ended = {.tv_sec = 1, .tv_nsec = 50000000};
	const json_t *why;
	const json_t *ban;
	json_t *answer;

	(void)state;
	lab.conf.policies[0].strikes.ban_time_s = 1;
	lab_start(&lab);
	lab_tell(&lab, "{\"v\":1,\"cmd\":\"events\"}");
	/* Just behind a tick. */
	lab_strikes(&lab, "192.0.2.9", LAB_SMTP, 5);
	lab_until_told(&lab, "\"expire\"");
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	await_ban("192.0.2.1", LAB_GLOBAL);
	(void)nanosleep(&until_it_has_ended, NULL);
	lab.conf.policies[0].strikes.ban_time_s = 3600;
	lab_reload(&lab);
	lab_until_told(&lab, "\"reload\"");
	lab.out_len = 0;
	lab_strikes(&lab, "192.0.2.1", LAB_SMTP, 5);
	lab_until_told(&lab, "\"event\":\"ban\"");
	lab_kill(&lab);
	lab.out_len = 0;
	lab_start(&lab);
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.1\"}");
	why = json_object_get(json_object_get(answer, "done"), "why");
	ban = json_array_get(json_object_get(why, "bans"), 0);
	assert_int_equal(json_array_size(json_object_get(why, "bans")), 1);
	assert_int_equal(json_array_size(json_object_get(ban, "evidence")), 5);
	assert_int_equal(json_array_size(json_object_get(why, "history")), 1);
	json_decref(answer);
}

static void many_clients_at_once_are_all_banned(void **state)
{
	char addr[32];

	(void)state;
	lab.conf.limits.strikes_clients_max = 1024;
	lab_start(&lab);
	for (int i = 0; i < 500; i++) {
		(void)snprintf(addr, sizeof(addr), "10.0.%d.%d", i / 250, i % 250);
		lab_strikes(&lab, addr, LAB_SMTP, 5);
	}
	for (int i = 0; i < 500; i++) {
		(void)snprintf(addr, sizeof(addr), "10.0.%d.%d", i / 250, i % 250);
		await_ban(addr, LAB_GLOBAL);
	}
	assert_true(lab.edit_messages < 500);
}

int main(void)
{
#define TEST(name) LAB_TEST(name, lab_set_up)
	const struct CMUnitTest tests[] = {
		TEST(the_fifth_strike_bans),
		TEST(the_end_is_an_hour_from_now_on_both_clocks),
		TEST(strikes_count_across_services_and_ban_in_each_of_their_policies),
		TEST(an_ipv6_client_is_its_64),
		TEST(an_entry_without_ll_is_not_counted),
		TEST(a_protected_address_is_not_counted),
		TEST(off_counts_nothing),
		TEST(observe_counts_and_bans_nobody),
		TEST(who_follows_hears_of_everything),
		TEST(cleared_strikes_do_not_come_back),
		TEST(strikes_while_banned_change_nothing),
		TEST(a_ban_ends_and_the_next_one_is_twice_as_long),
		TEST(a_ban_between_an_end_and_its_tick_is_a_new_one),
		TEST(an_unbanned_client_begins_anew),
		TEST(unban_clears_the_strikes),
		TEST(a_success_clears_and_gives_credit),
		TEST(what_the_keeper_refuses_is_undone),
		TEST(without_xdp_the_set_alone_bans),
		TEST(strikes_survive_a_kill),
		TEST(a_reported_ban_survives_a_kill),
		TEST(many_clients_at_once_are_all_banned),
	};

	return cmocka_run_group_tests_name("proc/ledger_strikes", tests, NULL, NULL);
}
