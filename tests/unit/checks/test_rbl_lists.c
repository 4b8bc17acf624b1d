/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl_lists: what the replies to its test mean for a list, when it is tested, and what a reload keeps.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "checks/rbl_lists.h"
#include "unit/fake_dns.h"

#define S	UINT64_C(1000000000)
#define LISTED4 "2.0.0.127.zen.example"
#define NOT4	"1.0.0.127.zen.example"
#define NIBBLES \
	"0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.zen.example"
#define NO    NULL	     /* no such name */
#define FAILS "the resolver" /* failed */

static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 100, .ttl_max_s = 3600};
static struct dns *dns;
static struct resolver *resolver;
static struct rbl_lists *lists;
static struct conf conf;
static unsigned int changes;

static void on_change(void *context, uint8_t list, enum rbl_family family,
		      const struct rbl_report *report)
{
	assert_ptr_equal(context, &changes);
	assert_ptr_equal(report, rbl_lists_report(lists, list, family));
	changes++;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	changes = 0;
	if (dns_open(NULL, NULL, &dns))
		return -1;
	resolver = resolver_new(dns, &limits, seed);
	lists = rbl_lists_new(resolver, on_change, &changes);
	resolver_turn(resolver, 1000 * S);
	conf_init(&conf);
	(void)text_copy(conf.rbls[0].name, CONF_NAME_MAX, "zen");
	(void)text_copy(conf.rbls[0].zone, CONF_HOST_MAX, "zen.example");
	conf.rbls[0].ipv6 = false;
	conf.rbl_count = 1;
	conf.policy_count = 1;
	conf.policies[0].rbls = 1;
	rbl_lists_configure(lists, &conf);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	rbl_lists_free(&lists);
	dns_close(&dns);
	resolver_free(&resolver);
	return 0;
}

static void tick_at(uint64_t at_s)
{
	resolver_turn(resolver, at_s * S);
	rbl_lists_tick(lists);
}

/* Replies to a question: an address, NO or FAILS. */
static void reply(size_t index, const char *text)
{
	struct dns_message message;

	message_begin_type(&message, fake_questions[index].name, MESSAGE_TYPE_A);
	if (text && strcmp(text, FAILS) != 0)
		message_addr(&message, text);
	fake_reply(index,
		   !text		      ? DNS_NO_NAME
		   : strcmp(text, FAILS) == 0 ? DNS_FAILED
					      : DNS_ANSWER,
		   &message);
}

static const struct rbl_report *report_of(enum rbl_family family)
{
	return rbl_lists_report(lists, 0, family);
}

static const struct {
	const char *why;
	const char *listed, *not_listed; /* replies for 127.0.0.2 and 127.0.0.1 */
	const char *says;		 /* NULL: it works */
	uint32_t next_s;
} rows[] = {
	{"as it has to be", "127.0.0.2", NO, NULL, RBL_TEST_EVERY_S},
	{"any reply will do", "127.0.0.10", NO, NULL, RBL_TEST_EVERY_S},
	{"it lists everybody", "127.0.0.2", "127.0.0.2", "lists everybody",
	 RBL_TEST_EVERY_S},
	{"it is empty", NO, NO, "does not list its test entry", RBL_TEST_EVERY_S},
	{"it refuses public resolvers", "127.255.255.254", "127.255.255.254",
	 "your resolver is public", RBL_TEST_EVERY_S},
	{"it refuses by the second question", "127.0.0.2", "127.255.255.255",
	 "ask too much", RBL_TEST_EVERY_S},
	{"its domain is parked", "192.0.2.1", "192.0.2.1", "outside of 127.0.0.0/8",
	 RBL_TEST_EVERY_S},
	{"it does not answer", FAILS, FAILS, "the resolver failed", RBL_TEST_AGAIN_S},
	{"half an answer is none", "127.0.0.2", FAILS, "the resolver failed",
	 RBL_TEST_AGAIN_S},
	{"the other half", FAILS, NO, "the resolver failed", RBL_TEST_AGAIN_S},
	{"half of one that lists everybody", FAILS, "127.0.0.2", "lists everybody",
	 RBL_TEST_EVERY_S},
};

static void rows_hold(void **state)
{
	uint64_t now_s = 1000;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct rbl_report *report = report_of(RBL_V4);
		const size_t asked = fake_asked;

		tick_at(now_s);
		assert_int_equal(fake_asked, asked + 2);
		assert_string_equal(fake_questions[asked].name, LISTED4);
		assert_string_equal(fake_questions[asked + 1].name, NOT4);
		reply(asked + i % 2, i % 2 ? rows[i].not_listed : rows[i].listed);
		reply(asked + (i + 1) % 2, i % 2 ? rows[i].listed : rows[i].not_listed);
		if (rows[i].says ? report->health != RBL_SUSPENDED ||
					   !strstr(report->why, rows[i].says)
				 : report->health != RBL_WORKS || report->why[0])
			fail_msg("%s: %s, %s", rows[i].why,
				 rbl_health_name(report->health), report->why);
		tick_at(now_s + rows[i].next_s - 1);
		if (fake_asked != asked + 2)
			fail_msg("%s: tested too soon", rows[i].why);
		now_s += rows[i].next_s;
	}
}

static void only_changes_are_told(void **state)
{
	(void)state;
	assert_int_equal(report_of(RBL_V4)->health, RBL_UNTESTED);
	tick_at(1000);
	reply(0, "127.0.0.2");
	assert_int_equal(changes, 0);
	reply(1, NO);
	assert_int_equal(changes, 1);
	tick_at(1000 + RBL_TEST_EVERY_S);
	reply(2, "127.0.0.2");
	reply(3, NO);
	assert_int_equal(changes, 1);
	tick_at(1000 + 2 * RBL_TEST_EVERY_S);
	reply(4, NO);
	reply(5, NO);
	assert_int_equal(changes, 2);
	tick_at(1000 + 3 * RBL_TEST_EVERY_S);
	reply(6, "127.255.255.254");
	reply(7, NO);
	assert_int_equal(changes, 3); /* another reason */
}

static void silence_ends_a_test(void **state)
{
	(void)state;
	tick_at(1000);
	reply(1, NO);
	tick_at(1000 + RBL_TEST_WAIT_S - 1);
	assert_int_equal(report_of(RBL_V4)->health, RBL_UNTESTED);
	tick_at(1000 + RBL_TEST_WAIT_S);
	assert_int_equal(report_of(RBL_V4)->health, RBL_SUSPENDED);
	assert_non_null(strstr(report_of(RBL_V4)->why, "do not answer"));
	reply(0, "127.0.0.2"); /* too late */
	assert_int_equal(report_of(RBL_V4)->health, RBL_SUSPENDED);
	tick_at(1000 + RBL_TEST_WAIT_S + RBL_TEST_AGAIN_S);
	assert_int_equal(fake_asked, 4);
}

static void the_families_are_tested_apart(void **state)
{
	(void)state;
	conf.rbls[0].ipv6 = true;
	rbl_lists_configure(lists, &conf);
	tick_at(1000);
	assert_int_equal(fake_asked, 4);
	assert_string_equal(fake_questions[2].name, "2." NIBBLES);
	assert_string_equal(fake_questions[3].name, "1." NIBBLES);
	reply(0, "127.0.0.2");
	reply(1, NO);
	reply(2, NO);
	reply(3, NO);
	assert_int_equal(report_of(RBL_V4)->health, RBL_WORKS);
	assert_int_equal(report_of(RBL_V6)->health, RBL_SUSPENDED);
	assert_non_null(strstr(report_of(RBL_V6)->why, "ipv6 = no"));
}

static void who_is_suspected_is_tested_soon_but_not_often(void **state)
{
	(void)state;
	tick_at(1000);
	reply(0, "127.0.0.2");
	reply(1, NO);
	resolver_turn(resolver, 1010 * S);
	rbl_lists_suspect(lists, 0, RBL_V4);
	tick_at(1000 + RBL_TEST_AGAIN_S - 1);
	assert_int_equal(fake_asked, 2);
	tick_at(1000 + RBL_TEST_AGAIN_S);
	assert_int_equal(fake_asked, 4);
	reply(2, "127.0.0.2");
	reply(3, NO);
	resolver_turn(resolver, 2000 * S);
	rbl_lists_suspect(lists, 0, RBL_V4);
	rbl_lists_tick(lists);
	assert_int_equal(fake_asked, 6);
	assert_int_equal(report_of(RBL_V4)->health, RBL_WORKS); /* until it has failed */
}

static void a_reload_keeps_what_is_known_of_a_list(void **state)
{
	(void)state;
	tick_at(1000);
	reply(0, NO);
	reply(1, NO);
	conf.rbls[1] = conf.rbls[0];
	(void)text_copy(conf.rbls[0].name, CONF_NAME_MAX, "first");
	(void)text_copy(conf.rbls[0].zone, CONF_HOST_MAX, "first.example");
	conf.rbl_count = 2;
	conf.policies[0].rbls = 3;
	rbl_lists_configure(lists, &conf);
	assert_int_equal(rbl_lists_report(lists, 0, RBL_V4)->health, RBL_UNTESTED);
	assert_int_equal(rbl_lists_report(lists, 1, RBL_V4)->health, RBL_SUSPENDED);
	rbl_lists_tick(lists);
	assert_int_equal(fake_asked, 4); /* only the new one */
	assert_string_equal(fake_questions[2].name, "2.0.0.127.first.example");

	/* Amid a test: it begins anew. Another zone: nothing is known. */
	(void)text_copy(conf.rbls[1].zone, CONF_HOST_MAX, "zen2.example");
	rbl_lists_configure(lists, &conf);
	assert_int_equal(rbl_lists_report(lists, 1, RBL_V4)->health, RBL_UNTESTED);
	reply(2, NO);
	reply(3, NO);
	assert_int_equal(rbl_lists_report(lists, 0, RBL_V4)->health, RBL_UNTESTED);
	rbl_lists_tick(lists);
	assert_int_equal(fake_asked, 8);
}

static void what_no_policy_asks_is_not_tested(void **state)
{
	(void)state;
	conf.policies[0].mode[CHECK_RBL] = MODE_OFF;
	rbl_lists_configure(lists, &conf);
	tick_at(1000);
	assert_int_equal(fake_asked, 0);
	assert_int_equal(report_of(RBL_V4)->health, RBL_UNUSED);
	conf.policies[0].mode[CHECK_RBL] = MODE_OBSERVE;
	rbl_lists_configure(lists, &conf);
	tick_at(1001);
	assert_int_equal(fake_asked, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_hold),
		TEST(only_changes_are_told),
		TEST(silence_ends_a_test),
		TEST(the_families_are_tested_apart),
		TEST(who_is_suspected_is_tested_soon_but_not_often),
		TEST(a_reload_keeps_what_is_known_of_a_list),
		TEST(what_no_policy_asks_is_not_tested),
	};

	return cmocka_run_group_tests_name("checks/rbl_lists", tests, NULL, NULL);
}
