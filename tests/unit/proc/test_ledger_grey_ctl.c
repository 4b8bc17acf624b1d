/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an admin sees of greylisting and does with it, in a whole ledger whose clock the test moves.
 *
 * link: ledger_lab.c ledger_lab_double.c ../fake_clock.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "ledger_lab.h"
#include "proc/ledger_grey_store.h"
#include "unit/fake_clock.h"

#define DELAY_S	   120
#define LIFETIME_S (36 * 86400)

static struct lab lab;

static int set_up(void **state)
{
	fake_clock_reset();
	return lab_set_up(state);
}

static enum grey_reason ask(const char *addr, const char *sender, const char *domain)
{
	const struct lab_mail mail = {.addr = addr,
				      .sender = sender,
				      .recipient = "b@example.org",
				      .domain = domain};

	return (enum grey_reason)lab_grey(&lab, &mail).reason;
}

static void prove(const char *addr, const char *sender)
{
	assert_int_equal(ask(addr, sender, NULL), GREY_NEW);
	fake_clock_advance(DELAY_S);
	assert_int_equal(ask(addr, sender, NULL), GREY_RETRY);
}

static size_t rows_of(const char *request)
{
	json_t *answer = lab_ask(&lab, request);
	const size_t count = json_array_size(json_object_get(answer, "rows"));

	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(answer, "done"), "code")),
			 0);
	json_decref(answer);
	return count;
}

static int64_t lab_number(const json_t *answer, size_t row, const char *member)
{
	return json_integer_value(json_object_get(
		json_array_get(json_object_get(answer, "rows"), row), member));
}

/* The row number i is of this sender, in this state. */
static void assert_triplet(const json_t *answer, size_t i, const char *sender,
			   const char *state)
{
	const int64_t life_s = strcmp(state, "passes") == 0 ? LIFETIME_S : 2 * 86400;

	assert_string_equal(lab_text(answer, i, "kind"), "triplet");
	assert_string_equal(lab_text(answer, i, "sender"), sender);
	assert_string_equal(lab_text(answer, i, "recipient"), "b@example.org");
	assert_string_equal(lab_text(answer, i, "state"), state);
	assert_int_equal(lab_number(answer, i, "ends") - lab_number(answer, i, "last"),
			 life_s);
}

static void the_list_shows_what_is_known_and_then_what_waits(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	assert_int_equal(rows_of("greylist-list"), 0);
	(void)ask("192.0.2.1", "pool@example.com", "example.com");
	prove("192.0.2.1", "known@example.com");
	(void)ask("192.0.2.1", "waits@example.com", NULL);
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"203.0.113.0/24\"]}"),
			 0);
	answer = lab_ask(&lab, "greylist-list");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 5);
	assert_string_equal(lab_text(answer, 0, "origin"), "192.0.2.0/24");
	assert_string_equal(lab_text(answer, 0, "kind"), "network");
	assert_string_equal(lab_text(answer, 0, "state"), "counted");
	assert_int_equal(lab_number(answer, 0, "successes"), 1);
	assert_triplet(answer, 1, "known@example.com", "passes");
	assert_string_equal(lab_text(answer, 2, "origin"), "203.0.113.0/24");
	assert_string_equal(lab_text(answer, 2, "kind"), "command");
	assert_triplet(answer, 3, "pool@example.com", "waits");
	assert_string_equal(lab_text(answer, 3, "origin"), "example.com");
	assert_triplet(answer, 4, "waits@example.com", "waits");
	json_decref(answer);
}

static void the_list_can_be_of_one_network_or_domain(void **state)
{
	(void)state;
	lab_start(&lab);
	(void)ask("192.0.2.1", "a@example.com", NULL);
	(void)ask("192.0.3.1", "a@example.com", NULL);
	(void)ask("2001:db8::1", "a@example.com", NULL);
	(void)ask("192.0.2.1", "c@example.com", "example.com");
	assert_int_equal(rows_of("greylist-list"), 4);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"192.0.2.77\"}"), 1);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"192.0.2.0/23\"}"), 2);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"2001:db8::ff\"}"), 1);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"Example.COM\"}"), 1);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"example.net\"}"), 0);
	assert_int_equal(lab_code(&lab, "greylist-list {\"addr\":\"192.0.2.300\"}"), 2);
	assert_int_equal(lab_code(&lab, "greylist-list {\"addr\":\"192.0.2.1/24\"}"), 2);
	assert_int_equal(lab_code(&lab, "greylist-list {\"addr\":7}"), 2);
}

static void a_long_list_comes_whole(void **state)
{
	char sender[32];

	(void)state;
	lab_start(&lab);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(sender, sizeof(sender), "x%dy@example.com", i);
		(void)ask("192.0.2.1", sender, i % 2 ? NULL : "example.com");
	}
	assert_int_equal(rows_of("greylist-list"), 1000);
	assert_int_equal(rows_of("greylist-list {\"addr\":\"192.0.2.1\"}"), 500);
}

static int64_t stored(const char *member)
{
	json_t *answer = lab_ask(&lab, "status");
	const int64_t count = json_integer_value(json_object_get(
		json_object_get(
			json_object_get(json_object_get(answer, "done"), "status"),
			"greylist"),
		member));

	json_decref(answer);
	return count;
}

static void what_has_expired_is_not_shown_and_goes(void **state)
{
	(void)state;
	lab_start(&lab);
	(void)ask("192.0.2.1", "a@example.com", NULL);
	prove("192.0.2.1", "b@example.com");
	assert_int_equal(stored("waiting"), 1);
	assert_int_equal(stored("proven"), 1);
	fake_clock_advance(LIFETIME_S + 1);
	assert_int_equal(rows_of("greylist-list"), 0);
	while (stored("waiting") + stored("proven") + stored("networks") > 0)
		; /* with the next tick */
}

/* ---- pass --------------------------------------------------------------------------------------- */

static void a_network_passes_by_command_until_the_end(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	answer =
		lab_ask(&lab, "greylist-pass {\"addrs\":[\"192.0.2.1\"],\"for_s\":1000}");
	assert_string_equal(lab_text(answer, 0, "addr"), "192.0.2.0/24");
	assert_string_equal(lab_text(answer, 0, "result"), "passes");
	json_decref(answer);
	assert_int_equal(ask("192.0.2.99", "a@example.com", NULL), GREY_COMMAND);
	assert_int_equal(ask("192.0.3.1", "a@example.com", NULL), GREY_NEW);
	fake_clock_advance(998);
	assert_int_equal(ask("192.0.2.99", "a@example.com", NULL), GREY_COMMAND);
	fake_clock_advance(3);
	assert_int_equal(ask("192.0.2.99", "a@example.com", NULL), GREY_NEW);
}

static void one_host_passes_with_its_length(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"192.0.2.1/32\"]}"),
			 0);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_COMMAND);
	assert_int_equal(ask("192.0.2.2", "a@example.com", NULL), GREY_NEW);
}

static void a_pass_lasts_over_kill_9_and_can_be_changed(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	assert_int_equal(
		lab_code(&lab,
			 "greylist-pass {\"addrs\":[\"192.0.2.0/24\"],\"forever\":true}"),
		0);
	lab_kill(&lab);
	fake_clock_advance(10LL * 365 * 86400);
	lab_start(&lab);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_COMMAND);
	answer = lab_ask(&lab,
			 "greylist-pass {\"addrs\":[\"192.0.2.0/24\"],\"for_s\":10}");
	assert_string_equal(lab_text(answer, 0, "result"), "changed");
	json_decref(answer);
	fake_clock_advance(11);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_NEW);
}

static void wrong_words_change_nothing(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_int_equal(lab_code(&lab, "greylist-pass"), 2);
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[]}"), 2);
	assert_int_equal(
		lab_code(&lab, "greylist-pass {\"addrs\":[\"192.0.2.1\",\"x\"]}"), 2);
	assert_int_equal(
		lab_code(&lab, "greylist-pass {\"addrs\":[\"192.0.2.1\"],\"for_s\":0}"),
		2);
	assert_int_equal(lab_code(&lab, "greylist-forget"), 2);
	assert_int_equal(
		lab_code(&lab, "greylist-forget {\"all\":true,\"addrs\":[\"::1\"]}"), 2);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_NEW);
}

static void no_more_pass_than_have_room(void **state)
{
	char request[64];

	(void)state;
	lab_start(&lab);
	for (unsigned int i = 0; i < GREY_COMMANDS_MAX; i++) {
		(void)snprintf(request, sizeof(request),
			       "greylist-pass {\"addrs\":[\"10.%u.%u.0/24\"]}", i / 256,
			       i % 256);
		assert_int_equal(lab_code(&lab, request), 0);
	}
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"192.0.2.0/24\"]}"),
			 1);
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"10.0.0.0/24\"]}"),
			 0);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_NEW);
	assert_int_equal(ask("10.3.255.1", "a@example.com", NULL), GREY_COMMAND);
}

/* ---- forget -------------------------------------------------------------------------------------- */

static void what_is_forgotten_is_new_again(void **state)
{
	json_t *answer;

	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", "a@example.com");
	prove("192.0.3.1", "a@example.com");
	(void)ask("192.0.2.1", "b@example.com", "example.com");
	answer = lab_ask(
		&lab,
		"greylist-forget {\"addrs\":[\"192.0.2.1\",\"198.51.100.0/24\",\"example.com\",\"x/y\"]}");
	assert_int_equal(json_integer_value(json_object_get(
				 json_object_get(answer, "done"), "code")),
			 1);
	assert_string_equal(lab_text(answer, 0, "addr"), "192.0.2.0/24");
	assert_string_equal(lab_text(answer, 0, "result"), "forgotten");
	assert_int_equal(lab_number(answer, 0, "rows"),
			 2); /* the triplet, and its success */
	assert_string_equal(lab_text(answer, 1, "result"), "not-found");
	assert_string_equal(lab_text(answer, 2, "addr"), "example.com");
	assert_string_equal(lab_text(answer, 2, "result"), "forgotten");
	assert_string_equal(lab_text(answer, 3, "result"), "not-found");
	assert_string_not_equal(lab_text(answer, 3, "why"), "");
	json_decref(answer);
	assert_int_equal(ask("192.0.2.1", "a@example.com", NULL), GREY_NEW);
	assert_int_equal(ask("192.0.3.1", "a@example.com", NULL), GREY_KNOWN);
	assert_int_equal(ask("192.0.2.1", "b@example.com", "example.com"), GREY_NEW);
}

static void all_is_forgotten_commands_included(void **state)
{
	char sender[32];

	(void)state;
	lab_start(&lab);
	for (int i = 0; i < 1000; i++) {
		(void)snprintf(sender, sizeof(sender), "x%dy@example.com", i);
		(void)ask("192.0.2.1", sender, NULL);
	}
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"203.0.113.0/24\"]}"),
			 0);
	assert_int_equal(ask("203.0.113.1", "a@example.com", NULL), GREY_COMMAND);
	assert_int_equal(lab_code(&lab, "greylist-forget {\"all\":true}"), 0);
	assert_int_equal(rows_of("greylist-list"), 0);
	assert_int_equal(ask("203.0.113.1", "a@example.com", NULL), GREY_NEW);
	lab_kill(&lab);
	lab_start(&lab);
	assert_int_not_equal(ask("203.0.113.1", "a@example.com", NULL), GREY_COMMAND);
}

/* ---- why, status, events -------------------------------------------------------------------------- */

static void why_and_status_tell_of_it(void **state)
{
	json_t *answer;
	const json_t *greylist;

	(void)state;
	lab_start(&lab);
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.9\"}");
	assert_true(json_is_null(json_object_get(
		json_object_get(json_object_get(answer, "done"), "why"), "greylist")));
	json_decref(answer);
	prove("192.0.2.1", "known@example.com");
	(void)ask("192.0.2.1", "waits@example.com", NULL);
	assert_int_equal(lab_code(&lab, "greylist-pass {\"addrs\":[\"192.0.0.0/16\"]}"),
			 0);
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.9\"}");
	greylist = json_object_get(
		json_object_get(json_object_get(answer, "done"), "why"), "greylist");
	assert_string_equal(json_string_value(json_object_get(greylist, "network")),
			    "192.0.2.0/24");
	assert_string_equal(json_string_value(json_object_get(greylist, "pass_addr")),
			    "192.0.0.0/16");
	assert_int_equal(json_integer_value(json_object_get(greylist, "proven")), 1);
	assert_int_equal(json_integer_value(json_object_get(greylist, "waiting")), 1);
	assert_int_equal(json_array_size(json_object_get(greylist, "rows")), 3);
	json_decref(answer);
	answer = lab_ask(&lab, "status");
	greylist = json_object_get(
		json_object_get(json_object_get(answer, "done"), "status"), "greylist");
	assert_string_equal(json_string_value(json_object_get(greylist, "state")), "ok");
	assert_string_equal(json_string_value(json_object_get(greylist, "path")),
			    "/state/grey.db");
	assert_int_equal(json_integer_value(json_object_get(greylist, "networks")), 1);
	json_decref(answer);
}

static void who_follows_hears_of_every_decision(void **state)
{
	(void)state;
	lab.conf.policies[0].mode[CHECK_GREYLIST] = MODE_OBSERVE;
	lab_start(&lab);
	/* The answer to the first line leaves when the second one has been read. */
	json_decref(lab_ask(&lab,
			    "{\"v\":1,\"cmd\":\"bans\"}\n{\"v\":1,\"cmd\":\"events\"}"));
	(void)ask("192.0.2.1", "a@example.com", NULL);
	lab_until_told(&lab, "\"would-defer\"");
	lab_until_told(&lab, "\"a@example.com\"");
	fake_clock_advance(DELAY_S);
	(void)ask("192.0.2.1", "a@example.com", NULL);
	lab_until_told(&lab, "\"retry\"");
	(void)ask("192.0.2.1", "a@example.com", NULL);
	lab_until_told(&lab, "\"known\"");
}

int main(void)
{
#define TEST(name) LAB_TEST(name, set_up)
	const struct CMUnitTest tests[] = {
		TEST(the_list_shows_what_is_known_and_then_what_waits),
		TEST(the_list_can_be_of_one_network_or_domain),
		TEST(a_long_list_comes_whole),
		TEST(what_has_expired_is_not_shown_and_goes),
		TEST(a_network_passes_by_command_until_the_end),
		TEST(one_host_passes_with_its_length),
		TEST(a_pass_lasts_over_kill_9_and_can_be_changed),
		TEST(wrong_words_change_nothing),
		TEST(no_more_pass_than_have_room),
		TEST(what_is_forgotten_is_new_again),
		TEST(all_is_forgotten_commands_included),
		TEST(why_and_status_tell_of_it),
		TEST(who_follows_hears_of_every_decision),
	};

	return cmocka_run_group_tests_name("proc/ledger_grey_ctl", tests, NULL, NULL);
}
