/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl: several lists at once, the text of the one that counts, and lists that do not answer.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "checks/rbl.h"
#include "checks/rbl_lists.h"
#include "checks/runner.h"
#include "unit/fake_dns.h"

#define S	 UINT64_C(1000000000)
#define MS	 UINT64_C(1000000)
#define BEGIN_NS (1000 * S)
#define CLIENT	 "66.2.0.192."
#define CHECK_S	 10u
#define ZEN	 0u /* lists: weight 3, 1 and -2 */
#define OTHER	 1u
#define GOOD	 2u
#define LISTS	 3u

static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 100, .ttl_max_s = 3600};
static const char *const zones[LISTS] = {"zen.example", "other.example", "good.example"};
static struct dns *dns;
static struct conf conf;
static struct task_world world;
static struct runner *runner;
static unsigned int answers;
static struct check_answer last;

static void on_answer(void *context, const struct check_request *request,
		      const struct check_answer *answer)
{
	(void)context;
	assert_int_equal(request->check, CHECK_RBL);
	answers++;
	last = *answer;
}

static void on_change(void *context, uint8_t list, enum rbl_family family,
		      const struct rbl_report *report)
{
	(void)context;
	(void)list;
	(void)family;
	(void)report;
}

/* The number of the open question for a name; the test fails if there is none. */
static size_t find(const char *prefix, const char *zone, uint16_t type)
{
	char name[256];
	struct buf buf = BUF_OVER(name);

	buf_printf(&buf, "%s%s", prefix, zone);
	for (size_t i = 0; i < fake_asked; i++)
		if (fake_questions[i].reply && fake_questions[i].type == type &&
		    strcmp(fake_questions[i].name, name) == 0)
			return i;
	fail_msg("nobody asked for %s", name);
	return 0;
}

static void reply_addr(const char *prefix, const char *zone, const char *addr)
{
	const size_t index = find(prefix, zone, MESSAGE_TYPE_A);
	struct dns_message message;

	message_begin_type(&message, fake_questions[index].name, MESSAGE_TYPE_A);
	if (addr)
		message_addr(&message, addr);
	else
		message_soa(&message, zone, 300, 300);
	fake_reply(index, addr ? DNS_ANSWER : DNS_NO_NAME, &message);
}

static void list_says(unsigned int list, const char *addr)
{
	reply_addr(CLIENT, zones[list], addr);
}

static void text_says(unsigned int list, const char *text)
{
	const size_t index = find(CLIENT, zones[list], MESSAGE_TYPE_TXT);
	struct dns_message message;

	message_begin_type(&message, fake_questions[index].name, MESSAGE_TYPE_TXT);
	if (text)
		message_text(&message, text);
	fake_reply(index, text ? DNS_ANSWER : DNS_NO_RECORD, &message);
}

static void add_list(unsigned int list, const char *name, uint32_t weight)
{
	struct conf_rbl *rbl = &conf.rbls[list];

	(void)text_copy(rbl->name, CONF_NAME_MAX, name);
	(void)text_copy(rbl->zone, CONF_HOST_MAX, zones[list]);
	rbl->weight = weight;
	rbl->ipv6 = false;
}

static void pass_tests(void)
{
	rbl_lists_tick(world.lists);
	for (size_t i = 0; i < LISTS; i++) {
		reply_addr("2.0.0.127.", zones[i], "127.0.0.2");
		reply_addr("1.0.0.127.", zones[i], NULL);
	}
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	answers = 0;
	if (dns_open(NULL, NULL, &dns))
		return -1;
	conf_init(&conf);
	add_list(ZEN, "zen", 3);
	add_list(OTHER, "other", 1);
	add_list(GOOD, "good", 2);
	conf.rbls[GOOD].type = RBL_ALLOW;
	conf.rbl_count = LISTS;
	conf.policy_count = 1;
	conf.policies[0].rbls = 7;
	conf.policies[0].rbl_threshold = 2;
	world.conf = &conf;
	world.resolver = resolver_new(dns, &limits, seed);
	world.lists = rbl_lists_new(world.resolver, on_change, NULL);
	runner = runner_new(&world, 4, on_answer, NULL);
	resolver_turn(world.resolver, BEGIN_NS);
	rbl_lists_configure(world.lists, &conf);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	runner_free(&runner);
	rbl_lists_free(&world.lists);
	dns_close(&dns);
	resolver_free(&world.resolver);
	return 0;
}

static void start(void)
{
	struct check_request request = {.check = CHECK_RBL,
					.deadline_ns = BEGIN_NS + CHECK_S * S};

	assert_int_equal(addr_parse("192.0.2.66", &request.client), 0);
	assert_int_equal(runner_start(runner, &request), 0);
}

static void expire_at(uint64_t ms)
{
	resolver_turn(world.resolver, BEGIN_NS + ms * MS);
	runner_expire(runner, BEGIN_NS + ms * MS);
}

static void expect(enum check_result result, const char *evidence)
{
	if (answers != 1 || last.result != result || strcmp(last.evidence, evidence) != 0)
		fail_msg("%u answers: %s, '%s'", answers, check_result_name(last.result),
			 last.evidence);
}

static void all_are_asked_at_once(void **state)
{
	(void)state;
	pass_tests();
	fake_asked = 0;
	start();
	assert_int_equal(fake_asked, LISTS);
	for (unsigned int i = 0; i < LISTS; i++)
		(void)find(CLIENT, zones[i], MESSAGE_TYPE_A);
}

static void it_ends_when_the_rest_cannot_matter(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(ZEN, "127.0.0.4");
	assert_int_equal(answers, 0); /* 3, and the allowlist may take 2 away */
	list_says(GOOD, NULL);
	text_says(ZEN, "see https://zen.example");
	expect(CHECK_HIT, "listed by zen: see https://zen.example");
}

static void an_allowlist_may_save_it(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(GOOD, "127.0.9.3");
	list_says(ZEN, "127.0.0.4");
	assert_int_equal(answers, 0); /* 1 of 2, and the other list may add 1 */
	list_says(OTHER, NULL);
	expect(CHECK_CLEAN, "listed by zen, 1 of 2");
}

static void clean_is_clean(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(ZEN, NULL);
	expect(CHECK_CLEAN, ""); /* the other list alone is not enough */
}

static void the_text_is_the_weightiest_ones(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(OTHER, "127.0.0.2");
	list_says(GOOD, NULL);
	list_says(ZEN, "127.0.0.2");
	text_says(ZEN, "a \"quoted\" text\r\n250 ok");
	expect(CHECK_HIT, "listed by zen, other: a \\\"quoted\\\" text\\x0d\\x0a250 ok");
}

static void without_a_text_it_is_a_hit_all_the_same(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(GOOD, NULL);
	list_says(ZEN, "127.0.0.2");
	text_says(ZEN, NULL);
	expect(CHECK_HIT, "listed by zen");
}

static void a_text_that_does_not_come_is_not_waited_for(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(GOOD, NULL);
	list_says(ZEN, "127.0.0.2");
	expire_at(RBL_TEXT_WAIT_MS - 1);
	assert_int_equal(answers, 0);
	expire_at(RBL_TEXT_WAIT_MS);
	expect(CHECK_HIT, "listed by zen");
}

static void a_text_near_the_deadline_does_not_cost_the_verdict(void **state)
{
	(void)state;
	conf.rbls[ZEN].timeout_s = 60;
	conf.rbls[GOOD].timeout_s = 60;
	pass_tests();
	start();
	list_says(GOOD, NULL);
	expire_at(CHECK_S * 1000 - 300);
	list_says(ZEN, "127.0.0.2");
	expire_at(CHECK_S * 1000 - 50);
	expect(CHECK_HIT, "listed by zen");
}

static void a_list_has_its_time_and_then_is_unknown(void **state)
{
	(void)state;
	conf.rbls[ZEN].timeout_s = 2;
	pass_tests();
	start();
	list_says(OTHER, "127.0.0.2");
	list_says(GOOD, NULL);
	expire_at(1999);
	assert_int_equal(answers, 0);
	expire_at(2000);
	expect(CHECK_UNKNOWN, "no usable reply of zen");
}

static void what_is_unknown_may_not_matter(void **state)
{
	(void)state;
	pass_tests();
	start();
	list_says(ZEN, NULL);
	expect(CHECK_CLEAN, "");
	expire_at(60000);
	assert_int_equal(answers, 1);
}

static void before_the_deadline_the_rest_is_unknown(void **state)
{
	(void)state;
	conf.rbls[GOOD].timeout_s = 60;
	conf.policies[0].rbl_threshold = 3;
	pass_tests();
	start();
	list_says(ZEN, "127.0.0.2");
	list_says(OTHER, "127.0.0.2");
	expire_at(CHECK_S * 1000 - 150);
	assert_int_equal(answers, 0);
	expire_at(CHECK_S * 1000 - 50);
	expect(CHECK_UNKNOWN, "no usable reply of good");
}

static const struct {
	const char *why, *reply;
	enum check_result want;
} reply_rows[] = {
	{"an error code is no hit", "127.255.255.254", CHECK_UNKNOWN},
	{"an address outside of 127/8 is no hit", "192.0.2.1", CHECK_UNKNOWN},
	{"another reason is not listed", "127.0.0.12", CHECK_CLEAN},
	{"one that counts", "127.0.0.11", CHECK_HIT},
};

static void replies_count_as_their_patterns_say(void **state)
{
	(void)state;
	assert_int_equal(rbl_pattern_parse("127.0.0.[2..11]", &conf.rbls[ZEN].replies[0]),
			 0);
	conf.rbls[ZEN].reply_count = 1;
	conf.policies[0].rbls = 1;
	rbl_lists_configure(world.lists, &conf);
	rbl_lists_tick(world.lists);
	reply_addr("2.0.0.127.", zones[ZEN],
		   "127.0.0.99"); /* a test entry may give any */
	reply_addr("1.0.0.127.", zones[ZEN], NULL);
	for (size_t i = 0; i < sizeof(reply_rows) / sizeof(reply_rows[0]); i++) {
		resolver_turn(world.resolver, BEGIN_NS + i * 400 * S);
		answers = 0;
		start();
		list_says(ZEN, reply_rows[i].reply);
		if (reply_rows[i].want == CHECK_HIT)
			text_says(ZEN, NULL);
		if (answers != 1 || last.result != reply_rows[i].want)
			fail_msg("%s: %s", reply_rows[i].why, last.evidence);
	}
}

static void lists_without_a_test_are_unknown_and_failed_ones_nothing(void **state)
{
	(void)state;
	start();
	expect(CHECK_UNKNOWN, "no usable reply of zen, other, good");
	rbl_lists_tick(world.lists);
	for (size_t i = 0; i < LISTS; i++) {
		reply_addr("2.0.0.127.", zones[i], i == ZEN ? NULL : "127.0.0.2");
		reply_addr("1.0.0.127.", zones[i], NULL);
	}
	fake_asked = 0;
	answers = 0;
	start();
	/* Without zen the lists cannot reach the threshold: nobody is asked in vain. */
	expect(CHECK_CLEAN, "");
	assert_int_equal(fake_asked, 0);
}

static void an_ipv6_client_meets_the_lists_that_have_some(void **state)
{
	struct check_request request = {.check = CHECK_RBL,
					.deadline_ns = BEGIN_NS + CHECK_S * S};

	(void)state;
	pass_tests();
	conf.rbls[ZEN].ipv6 = true;
	rbl_lists_configure(world.lists, &conf);
	rbl_lists_tick(world.lists);
	reply_addr("2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.",
		   zones[ZEN], "127.0.0.2");
	reply_addr("1.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.",
		   zones[ZEN], NULL);
	fake_asked = 0;
	assert_int_equal(addr_parse("2001:db8::66", &request.client), 0);
	assert_int_equal(runner_start(runner, &request), 0);
	assert_int_equal(fake_asked, 1);
	assert_string_equal(
		fake_questions[0].name,
		"6.6.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.zen.example");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_are_asked_at_once),
		TEST(it_ends_when_the_rest_cannot_matter),
		TEST(an_allowlist_may_save_it),
		TEST(clean_is_clean),
		TEST(the_text_is_the_weightiest_ones),
		TEST(without_a_text_it_is_a_hit_all_the_same),
		TEST(a_text_that_does_not_come_is_not_waited_for),
		TEST(a_text_near_the_deadline_does_not_cost_the_verdict),
		TEST(a_list_has_its_time_and_then_is_unknown),
		TEST(what_is_unknown_may_not_matter),
		TEST(before_the_deadline_the_rest_is_unknown),
		TEST(replies_count_as_their_patterns_say),
		TEST(lists_without_a_test_are_unknown_and_failed_ones_nothing),
		TEST(an_ipv6_client_meets_the_lists_that_have_some),
	};

	return cmocka_run_group_tests_name("checks/rbl", tests, NULL, NULL);
}
