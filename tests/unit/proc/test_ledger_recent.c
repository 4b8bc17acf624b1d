/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Recent logins (AM): a whole ledger between a keeper and a gate that the test plays.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ledger_lab.h"

#define ID(n)	 (0x1000 + (uint64_t)(n))
#define GATE_1	 (UINT64_C(1) << 56)
#define WINDOW_S 300 /* am-window's default */

static struct lab lab;

static bool is_known(const char *addr)
{
	struct auth_recent recent;

	return lab_recent(&lab, addr, &recent);
}

/* The record of a client that has one. */
static struct auth_recent record_of(const char *addr)
{
	struct auth_recent recent = {0};

	if (!lab_recent(&lab, addr, &recent))
		fail_msg("nothing is known of %s", addr);
	return recent;
}

static bool counts(const char *addr)
{
	struct auth_recent recent;

	return lab_recent(&lab, addr, &recent) &&
	       auth_recent_until(&recent, WINDOW_S) > clock_boot_ns();
}

static void a_login_counts_while_its_session_is_open_and_the_window_after(void **state)
{
	struct auth_recent recent;
	uint64_t before_ns;

	(void)state;
	lab_start(&lab);
	assert_false(is_known("192.0.2.1"));
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_settle(&lab);
	recent = record_of("192.0.2.1");
	assert_int_equal(recent.open, 1);
	assert_true(recent.seen_ns == CLOCK_FOREVER_NS);
	assert_string_equal(recent.user, "anna");
	assert_string_equal(recent.service, "imap");
	assert_true(recent.login_at_s >= clock_wall_s() - 10);

	before_ns = clock_boot_ns();
	lab_logout(&lab, ID(1));
	lab_settle(&lab);
	recent = record_of("192.0.2.1");
	assert_int_equal(recent.open, 0);
	assert_true(recent.seen_ns >= before_ns && recent.seen_ns <= clock_boot_ns());
	assert_true(auth_recent_until(&recent, WINDOW_S) ==
		    recent.seen_ns + WINDOW_S * NS_PER_S);
}

static void the_longest_window_decides_how_long_it_is_kept(void **state)
{
	(void)state;
	/* lan has no service where mail is handed in: its window is of no use. */
	lab.conf.policies[0].am_window_s = 0;
	lab.conf.policies[1].am_window_s = 600;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_settle(&lab);
	assert_true(is_known("192.0.2.1"));
	lab_logout(&lab, ID(1));
	lab_settle(&lab);
	assert_false(is_known("192.0.2.1"));
	lab.conf.policies[0].am_window_s = 60;
	lab_reload(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(2), "anna");
	lab_logout(&lab, ID(2));
	lab_settle(&lab);
	assert_true(is_known("192.0.2.1"));
}

static void two_sessions_are_two_and_one_told_twice_is_one(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.1", ID(2), "anna");
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.1").open, 2);
	lab_logout(&lab, ID(1));
	lab_logout(&lab, ID(1));
	lab_logout(&lab, ID(99));
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.1").open, 1);
	assert_int_equal(record_of("192.0.2.1").has_many, 0);
}

static void a_client_of_ipv6_is_its_64_and_a_mapped_one_is_ipv4(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "2001:db8:7::1", ID(1), "anna");
	lab_login_as(&lab, "::ffff:192.0.2.9", ID(2), "anna");
	lab_settle(&lab);
	assert_true(is_known("2001:db8:7::2"));
	assert_false(is_known("2001:db8:7:1::1"));
	assert_true(is_known("192.0.2.9"));
}

static void only_a_mailbox_counts_and_only_of_the_gate_that_tells(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_login(&lab, "192.0.2.1", LAB_SMTP);
	lab_login_as(&lab, "192.0.2.2", GATE_1 | ID(1), "anna");
	lab_settle(&lab);
	assert_false(is_known("192.0.2.1"));
	assert_false(is_known("192.0.2.2"));
}

static void several_users_of_one_address_are_remembered_as_such(void **state)
{
	struct auth_recent recent;

	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_settle(&lab);
	recent = record_of("192.0.2.1");
	assert_string_equal(auth_recent_name(&recent), "anna");
	lab_login_as(&lab, "192.0.2.1", ID(2), "bob");
	lab_login_as(&lab, "192.0.2.1", ID(3), "bob");
	lab_settle(&lab);
	recent = record_of("192.0.2.1");
	assert_string_equal(recent.user, "bob");
	assert_null(auth_recent_name(&recent));
}

/* Of the service number n in the answer to why. */
static const char *vouches(const json_t *why, size_t n)
{
	const json_t *service = json_array_get(json_object_get(why, "services"), n);

	return json_string_value(json_object_get(service, "auth_by"));
}

static const json_t *why_of(json_t *answer)
{
	return json_object_get(json_object_get(answer, "done"), "why");
}

static void why_and_status_tell_of_it(void **state)
{
	json_t *answer;
	const json_t *why, *login;

	(void)state;
	lab_start(&lab);
	answer = lab_ask(&lab, "why {\"addr\":\"233.252.0.7\"}");
	assert_true(json_is_null(json_object_get(why_of(answer), "login")));
	assert_string_equal(vouches(why_of(answer), LAB_SMTP), "-");
	json_decref(answer);

	lab_login_as(&lab, "233.252.0.7", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.1", ID(2), "bob");
	lab_settle(&lab);
	answer = lab_ask(&lab, "why {\"addr\":\"233.252.0.7\"}");
	why = why_of(answer);
	assert_string_equal(vouches(why, LAB_SMTP), "am");
	assert_string_equal(vouches(why, LAB_SUBMISSION), "am");
	assert_string_equal(vouches(why, LAB_IMAP), "-");
	login = json_object_get(why, "login");
	assert_string_equal(json_string_value(json_object_get(login, "user")), "anna");
	assert_string_equal(json_string_value(json_object_get(login, "service")), "imap");
	assert_int_equal(json_integer_value(json_object_get(login, "open")), 1);
	assert_true(json_is_false(json_object_get(login, "many_users")));
	json_decref(answer);

	/* Known, but the entry has no AM. */
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.1\"}");
	assert_string_equal(vouches(why_of(answer), LAB_SMTP), "-");
	assert_true(json_is_object(json_object_get(why_of(answer), "login")));
	json_decref(answer);
	answer = lab_ask(&lab, "why {\"addr\":\"233.252.0.99\"}");
	assert_string_equal(vouches(why_of(answer), LAB_SMTP), "aa");
	json_decref(answer);

	answer = lab_ask(&lab, "status");
	why = json_object_get(json_object_get(answer, "done"), "status");
	assert_int_equal(json_integer_value(json_object_get(why, "logins")), 2);
	assert_int_equal(json_integer_value(json_object_get(why, "logins_open")), 2);
	json_decref(answer);
}

static bool nothing_is_open(struct lab *l, const void *context)
{
	struct auth_recent recent;

	return lab_recent(l, context, &recent) && recent.open == 0;
}

static void the_sessions_of_a_gate_end_with_it(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.1", ID(2), "anna");
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.1").open, 2);
	lab_gate_dies(&lab);
	lab_until(&lab, nothing_is_open, "192.0.2.1");
	assert_true(counts("192.0.2.1"));
	/* Its end, told after all, is one of nobody. */
	lab_logout(&lab, ID(1));
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.1").open, 0);
}

static bool is_open(struct lab *l, const void *context)
{
	struct auth_recent recent;

	return lab_recent(l, context, &recent) && recent.open == 1;
}

static void a_ledger_that_dies_loses_no_login(void **state)
{
	struct auth_recent recent;

	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.2", ID(2), "bob");
	lab_logout(&lab, ID(2));
	lab_login_as(&lab, "192.0.2.77", ID(3), "carol");
	lab_settle(&lab);
	lab_kill(&lab);
	/* Of the three only the last one is still there, says the gate. */
	lab.session.id = ID(3);
	lab.session.service = LAB_IMAP;
	lab.session.auth_by = AUTH_BY_LOGIN;
	(void)snprintf(lab.session.user, sizeof(lab.session.user), "carol");
	lab_start(&lab);
	lab_until(&lab, is_open, "192.0.2.77");
	recent = record_of("192.0.2.1");
	assert_int_equal(recent.open, 0);
	assert_string_equal(recent.user, "anna");
	assert_true(counts("192.0.2.1"));
	assert_true(counts("192.0.2.2"));
	assert_int_equal(record_of("192.0.2.77").has_many, 0);
	lab_logout(&lab, ID(3));
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.77").open, 0);
}

/* A word of a gate that was lost: the next count finds out. Each reload counts. */
static void a_session_that_no_gate_knows_has_ended(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_login_as(&lab, "192.0.2.77", ID(3), "carol");
	lab_settle(&lab);
	lab.session.id = ID(3);
	lab.session.service = LAB_IMAP;
	lab.session.auth_by = AUTH_BY_LOGIN;
	lab_reload(&lab);
	lab_until(&lab, nothing_is_open, "192.0.2.1");
	assert_int_equal(record_of("192.0.2.77").open, 1);
}

static void what_had_ended_is_not_taken_over(void **state)
{
	(void)state;
	lab.conf.policies[0].am_window_s = 1;
	lab.conf.policies[1].am_window_s = 0;
	lab_start(&lab);
	lab_login_as(&lab, "192.0.2.1", ID(1), "anna");
	lab_logout(&lab, ID(1));
	lab_settle(&lab);
	lab_kill(&lab);
	lab.conf.policies[0].am_window_s = 300;
	while (is_known("192.0.2.1"))
		; /* a second at most */
	lab_start(&lab);
	assert_false(is_known("192.0.2.1"));
}

/* am-clients-max records, sessions-max sessions: what is too much is not told, and harms nobody. */
static void full_tables_refuse_and_go_on(void **state)
{
	char addr[32];

	(void)state;
	lab_start(&lab);
	for (unsigned int i = 0; i < LAB_LOGINS_MAX + 4; i++) {
		(void)snprintf(addr, sizeof(addr), "192.0.2.%u", 100 + i);
		lab_login_as(&lab, addr, ID(i), "anna");
	}
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.100").open, 1);
	assert_int_equal(record_of("192.0.2.107").open, 1);
	/* No room for its session: it counts from the login on. */
	assert_int_equal(record_of("192.0.2.108").open, 0);
	assert_true(counts("192.0.2.108"));
	assert_true(counts("192.0.2.115"));
	assert_false(is_known("192.0.2.116"));
	lab_logout(&lab, ID(0));
	lab_login_as(&lab, "192.0.2.100", ID(50), "anna");
	lab_settle(&lab);
	assert_int_equal(record_of("192.0.2.100").open, 1);
}

int main(void)
{
#define TEST(name) LAB_TEST(name, lab_set_up)
	const struct CMUnitTest tests[] = {
		TEST(a_login_counts_while_its_session_is_open_and_the_window_after),
		TEST(the_longest_window_decides_how_long_it_is_kept),
		TEST(two_sessions_are_two_and_one_told_twice_is_one),
		TEST(a_client_of_ipv6_is_its_64_and_a_mapped_one_is_ipv4),
		TEST(only_a_mailbox_counts_and_only_of_the_gate_that_tells),
		TEST(several_users_of_one_address_are_remembered_as_such),
		TEST(why_and_status_tell_of_it),
		TEST(the_sessions_of_a_gate_end_with_it),
		TEST(a_ledger_that_dies_loses_no_login),
		TEST(a_session_that_no_gate_knows_has_ended),
		TEST(what_had_ended_is_not_taken_over),
		TEST(full_tables_refuse_and_go_on),
	};

	return cmocka_run_group_tests_name("proc/ledger_recent", tests, NULL, NULL);
}
