/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Greylisting in a whole ledger, between a keeper and a gate that the test plays, by a clock that it moves.
 *
 * link: ledger_lab.c ledger_lab_double.c ../fake_clock.c
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
#include <unistd.h>

#include "base/clock.h"
#include "ledger_lab.h"
#include "unit/fake_clock.h"

#define DELAY_S	   120
#define WINDOW_S   (2 * 86400)
#define LIFETIME_S (36 * 86400)

static struct lab lab;

static int set_up(void **state)
{
	fake_clock_reset();
	return lab_set_up(state);
}

static const struct lab_mail usual = {
	.addr = "192.0.2.1", .sender = "a@example.com", .recipient = "b@example.org"};

static void assert_asked(const struct lab_mail *mail, enum grey_reason want)
{
	const struct msg_grey_answer got = lab_grey(&lab, mail);

	if (got.reason != (uint32_t)want)
		fail_msg("%s from %s: %s", mail->sender, mail->addr,
			 grey_reason_name((enum grey_reason)got.reason));
	assert_int_equal(got.verdict, want == GREY_UNSURE ? GREY_UNKNOWN
				      : want == GREY_NEW || want == GREY_EARLY
					      ? GREY_DEFER
					      : GREY_PASS);
}

/* From an address, otherwise as usual. */
static void assert_from(const char *addr, enum grey_reason want)
{
	struct lab_mail mail = usual;

	mail.addr = addr;
	assert_asked(&mail, want);
}

static void assert_of(const char *sender, enum grey_reason want)
{
	struct lab_mail mail = usual;

	mail.sender = sender;
	assert_asked(&mail, want);
}

/* Comes back in time. */
static void prove(const char *addr, const char *sender)
{
	struct lab_mail mail = usual;

	mail.addr = addr;
	mail.sender = sender;
	assert_asked(&mail, GREY_NEW);
	fake_clock_advance(DELAY_S);
	assert_asked(&mail, GREY_RETRY);
}

static bool file_exists(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", lab.dir, name);
	return access(path, F_OK) == 0;
}

/* ---- the rules, end to end -------------------------------------------------------------------- */

static void who_comes_back_passes(void **state)
{
	struct msg_grey_answer got;

	(void)state;
	lab_start(&lab);
	got = lab_grey(&lab, &usual);
	assert_int_equal(got.verdict, GREY_DEFER);
	assert_int_equal(got.wait_s, DELAY_S);
	fake_clock_advance(DELAY_S - 2);
	got = lab_grey(&lab, &usual);
	assert_int_equal(got.reason, GREY_EARLY);
	assert_in_range(got.wait_s, 1, 2);
	fake_clock_advance(2);
	assert_asked(&usual, GREY_RETRY);
	assert_asked(&usual, GREY_KNOWN);
	fake_clock_advance(LIFETIME_S - 5);
	assert_asked(&usual, GREY_KNOWN);
	fake_clock_advance(LIFETIME_S + 5);
	assert_asked(&usual, GREY_NEW);
	fake_clock_advance(WINDOW_S + 5);
	assert_asked(&usual, GREY_NEW);
}

static void a_triplet_has_three_parts(void **state)
{
	struct lab_mail other = usual;

	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", usual.sender);
	assert_from("192.0.2.254", GREY_KNOWN);
	assert_from("192.0.3.1", GREY_NEW);
	assert_from("2001:db8::1", GREY_NEW);
	assert_of("c@example.com", GREY_NEW);
	other.recipient = "c@example.org";
	assert_asked(&other, GREY_NEW);
	other.recipient = "B@Example.ORG";
	assert_asked(&other, GREY_KNOWN);
	other.service = LAB_SUBMISSION;
	assert_asked(&other, GREY_KNOWN);
}

static void all_policies_know_the_same(void **state)
{
	struct lab_mail other = usual;

	(void)state;
	lab.conf.policies[1].greylist.delay_s = 1000;
	lab_start(&lab);
	assert_asked(&usual, GREY_NEW);
	fake_clock_advance(DELAY_S);
	other.service = LAB_IMAP; /* policy lan */
	assert_asked(&other, GREY_EARLY);
	assert_asked(&usual, GREY_RETRY);
	assert_asked(&other, GREY_KNOWN);
}

static void a_network_passes_when_enough_came_back(void **state)
{
	(void)state;
	lab.conf.policies[0].greylist.auto_pass = 2;
	lab_start(&lab);
	prove("192.0.2.1", "a@example.com");
	prove("192.0.2.2", "b@example.com"); /* within the hour: one success */
	assert_of("c@example.com", GREY_NEW);
	fake_clock_advance(GREY_SUCCESS_GAP_S);
	prove("192.0.2.3", "d@example.com");
	assert_of("e@example.com", GREY_NETWORK);
	assert_from("192.0.3.1", GREY_NEW);
	lab_kill(&lab);
	lab_start(&lab);
	assert_of("f@example.com", GREY_NETWORK);
}

static void an_spf_domain_takes_the_place_of_the_network(void **state)
{
	struct lab_mail mail = usual;

	(void)state;
	lab_start(&lab);
	mail.domain = "example.com";
	assert_asked(&mail, GREY_NEW);
	fake_clock_advance(DELAY_S);
	mail.addr = "2001:db8:77::1"; /* another of the pool */
	assert_asked(&mail, GREY_RETRY);
	mail.addr = "198.51.100.9";
	assert_asked(&mail, GREY_KNOWN);
	mail.domain = "example.net";
	assert_asked(&mail, GREY_NEW);
	mail.domain = NULL;
	assert_asked(&mail, GREY_NEW);
}

static void what_a_network_showed_before_spf_could_be_asked_counts(void **state)
{
	struct lab_mail mail = usual;

	(void)state;
	lab_start(&lab);
	assert_asked(&mail, GREY_NEW);
	fake_clock_advance(DELAY_S);
	mail.domain = "example.com";
	assert_asked(&mail, GREY_RETRY);
	mail.addr = "198.51.100.9";
	assert_asked(&mail, GREY_KNOWN); /* it was proven for the domain */
}

static void a_clock_that_is_wrong_for_a_while_costs_no_proof(void **state)
{
	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", usual.sender);
	fake_clock_set_wall(-20LL * 365 * 86400);
	assert_asked(&usual, GREY_KNOWN);
	assert_of("new@example.com", GREY_NEW);
	fake_clock_advance(DELAY_S);
	assert_of("new@example.com", GREY_RETRY);
	fake_clock_set_wall(0);
	assert_asked(&usual, GREY_KNOWN);
}

static void a_reload_changes_the_delay_of_who_waits(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_asked(&usual, GREY_NEW);
	fake_clock_advance(10);
	assert_asked(&usual, GREY_EARLY);
	lab.conf.policies[0].greylist.delay_s = 5;
	lab_reload(&lab);
	while (lab_grey(&lab, &usual).reason == GREY_EARLY)
		; /* the two messages take different ways */
	assert_int_equal(lab.grey.reason, GREY_RETRY);
}

/* ---- what lasts ---------------------------------------------------------------------------------- */

static void what_was_passed_stays_passed_after_kill_9(void **state)
{
	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", usual.sender);
	lab_kill(&lab); /* at once: the answer came behind the commit */
	lab_start(&lab);
	assert_asked(&usual, GREY_KNOWN);
}

static void who_waits_goes_on_waiting_after_a_restart(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_asked(&usual, GREY_NEW);
	lab_drain(&lab);
	fake_clock_advance(DELAY_S);
	lab_start(&lab);
	assert_asked(&usual, GREY_RETRY);
}

static void without_a_question_there_is_no_file(void **state)
{
	(void)state;
	lab_start(&lab);
	lab_settle(&lab);
	assert_false(file_exists("grey.db"));
	assert_asked(&usual, GREY_NEW);
	assert_true(file_exists("grey.db"));
}

static void more_than_the_limit_forgets_those_that_wait(void **state)
{
	char sender[32];

	(void)state;
	lab.conf.limits.triplets_max = 3;
	lab_start(&lab);
	prove("192.0.2.1",
	      "known@example.com"); /* two rows: the triplet, and its network's success */
	for (int i = 0; i < 50; i++) {
		(void)snprintf(sender, sizeof(sender), "sender-%c%c@example.com",
			       'a' + i / 26, 'a' + i % 26);
		assert_of(sender, GREY_NEW);
	}
	assert_of("sender-bx@example.com", GREY_EARLY); /* the last one is there, alone */
	assert_of("sender-bw@example.com", GREY_NEW);
	assert_of("known@example.com", GREY_KNOWN);
}

/* ---- failures --------------------------------------------------------------------------------------- */

static void a_full_disk_lets_newcomers_through(void **state)
{
	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", usual.sender);
	lab_limit_files(&lab, true);
	/* The first ones may still be told to wait: that they are not on the disk shows within a second. */
	while (lab_grey(&lab, &(struct lab_mail){.addr = "192.0.2.1",
						 .sender = "x@example.com",
						 .recipient = "b@example.org"})
		       .verdict != GREY_UNKNOWN)
		;
	assert_asked(&usual, GREY_KNOWN);
	assert_of("y@example.com", GREY_UNSURE);
	lab_limit_files(&lab, false);
	while (lab_grey(&lab, &(struct lab_mail){.addr = "192.0.2.1",
						 .sender = "z@example.com",
						 .recipient = "b@example.org"})
		       .verdict == GREY_UNKNOWN)
		;
	assert_of("z@example.com", GREY_EARLY);
	assert_asked(&usual, GREY_KNOWN);
}

/* Overwrite the pages that hold a text; NULL: all. Returns how many. */
static unsigned int spoil(const char *name, const char *text)
{
	char path[128];
	char page[4096];
	unsigned int spoiled = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", lab.dir, name);
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	for (off_t at = 0; pread(fd, page, sizeof(page), at) == sizeof(page);
	     at += (off_t)sizeof(page)) {
		if (text && !memmem(page, sizeof(page), text, strlen(text)))
			continue;
		memset(page, 0xa5, sizeof(page));
		assert_int_equal(pwrite(fd, page, sizeof(page), at), sizeof(page));
		spoiled++;
	}
	(void)close(fd);
	return spoiled;
}

static void a_file_that_is_no_database_is_set_aside_at_the_start(void **state)
{
	(void)state;
	lab_start(&lab);
	prove("192.0.2.1", usual.sender);
	lab_drain(&lab);
	assert_true(spoil("grey.db", NULL) > 0);
	lab_start(&lab);
	assert_asked(&usual, GREY_NEW);
	fake_clock_advance(DELAY_S);
	assert_asked(&usual, GREY_RETRY);
}

/* Asks for 2000 networks; returns how many were answered so. */
static unsigned int ask_many(enum grey_reason reason)
{
	struct lab_mail mail = usual;
	unsigned int count = 0;
	char addr[32];

	for (int i = 0; i < 2000; i++) {
		(void)snprintf(addr, sizeof(addr), "10.%d.%d.1", i / 256, i % 256);
		mail.addr = addr;
		count += lab_grey(&lab, &mail).reason == (uint32_t)reason;
	}
	return count;
}

static void damage_that_is_met_later_lets_through_and_begins_anew(void **state)
{
	(void)state;
	lab_start(&lab);
	assert_int_equal(ask_many(GREY_NEW), 2000);
	fake_clock_advance(DELAY_S);
	assert_int_equal(ask_many(GREY_RETRY), 2000);
	lab_drain(&lab);
	assert_true(spoil("grey.db", usual.sender) > 10);
	lab_start(&lab);
	assert_int_equal(ask_many(GREY_UNSURE), 1); /* the one that met it */
	assert_int_equal(ask_many(GREY_EARLY), 1999);
}

static void a_service_that_has_gone_is_not_greylisted(void **state)
{
	struct lab_mail mail = usual;

	(void)state;
	lab_start(&lab);
	mail.service = 17;
	assert_asked(&mail, GREY_UNSURE);
}

/* ---- side by side ------------------------------------------------------------------------------------ */

static bool all_answered(struct lab *l, const void *context)
{
	return l->grey_count >= *(const size_t *)context;
}

static void every_question_is_answered_however_many_come(void **state)
{
	struct lab_mail mail = usual;
	char sender[32];
	size_t wanted;

	(void)state;
	lab_start(&lab);
	wanted = lab.grey_count + 5000;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2500; i++) {
			(void)snprintf(sender, sizeof(sender), "x%dy@example.com", i);
			mail.sender = sender;
			lab_grey_ask(&lab, &mail);
			if (i % 100 == 99)
				lab_settle(&lab);
		}
		fake_clock_advance(DELAY_S);
	}
	lab_until(&lab, all_answered, &wanted);
	assert_int_equal(lab.grey.verdict, GREY_PASS);
	assert_of("x17y@example.com", GREY_KNOWN);
}

static bool ban_is_there(struct lab *l, const void *context)
{
	return lab_kernel_find(l, context, LAB_GLOBAL) != NULL;
}

static void bans_come_through_in_between(void **state)
{
	struct lab_mail mail = usual;
	char sender[32];

	(void)state;
	lab_start(&lab);
	for (int i = 0; i < 500; i++) {
		(void)snprintf(sender, sizeof(sender), "x%dy@example.com", i);
		mail.sender = sender;
		lab_grey_ask(&lab, &mail);
		if (i % 100 == 50)
			lab_strike(&lab, "198.51.100.77", LAB_SMTP, "bob");
	}
	lab_until(&lab, ban_is_there, "198.51.100.77");
}

int main(void)
{
#define TEST(name) LAB_TEST(name, set_up)
	const struct CMUnitTest tests[] = {
		TEST(who_comes_back_passes),
		TEST(a_triplet_has_three_parts),
		TEST(all_policies_know_the_same),
		TEST(a_network_passes_when_enough_came_back),
		TEST(an_spf_domain_takes_the_place_of_the_network),
		TEST(what_a_network_showed_before_spf_could_be_asked_counts),
		TEST(a_clock_that_is_wrong_for_a_while_costs_no_proof),
		TEST(a_reload_changes_the_delay_of_who_waits),
		TEST(what_was_passed_stays_passed_after_kill_9),
		TEST(who_waits_goes_on_waiting_after_a_restart),
		TEST(without_a_question_there_is_no_file),
		TEST(more_than_the_limit_forgets_those_that_wait),
		TEST(a_full_disk_lets_newcomers_through),
		TEST(a_file_that_is_no_database_is_set_aside_at_the_start),
		TEST(damage_that_is_met_later_lets_through_and_begins_anew),
		TEST(a_service_that_has_gone_is_not_greylisted),
		TEST(every_question_is_answered_however_many_come),
		TEST(bans_come_through_in_between),
	};

	return cmocka_run_group_tests_name("proc/ledger_grey", tests, NULL, NULL);
}
