/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/resolver: one question for many, the cache and its clock, and silence.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checks/breaker.h"
#include "checks/resolver.h"
#include "unit/fake_dns.h"

#define S UINT64_C(1000000000)

static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 100, .ttl_max_s = 3600};
static struct dns *dns;
static struct resolver *resolver;
static unsigned int silent;

/* One who asks, and what it was told. */
struct asker {
	struct resolver_wait wait;
	unsigned int replies;
	enum dns_status status;
	uint32_t ttl_s, count;
	bool has_why;
	struct addr addr;
	struct asker *cancels;	/* another, while being told */
	const char *asks_again; /* a name, while being told */
};

/* They outlive the test: closing the DNS replies to whoever still waits. */
static struct asker pool[16];
static size_t pool_used;

static struct asker *asker_new(void)
{
	assert_true(pool_used < 16);
	return &pool[pool_used++];
}

static void on_reply(void *context, const struct dns_answer *answer)
{
	struct asker *asker = context;
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	const char *again = asker->asks_again;

	asker->replies++;
	asker->status = answer->status;
	asker->ttl_s = answer->ttl_s;
	asker->has_why = answer->why != NULL;
	asker->count = answer->message.count;
	dnsmsg_walk_init(&walk, &answer->message);
	if (dnsmsg_walk_next(&walk, &record))
		asker->addr = record.addr;
	if (asker->cancels)
		resolver_cancel(&asker->cancels->wait);
	asker->asks_again = NULL;
	if (again)
		resolver_ask(resolver, &asker->wait, again, DNSMSG_A);
}

static void ask(struct asker *asker, const char *name)
{
	asker->wait.reply = on_reply;
	asker->wait.context = asker;
	resolver_ask(resolver, &asker->wait, name, DNSMSG_A);
}

static void on_silent(void *context)
{
	(void)context;
	silent++;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	silent = 0;
	memset(pool, 0, sizeof(pool));
	pool_used = 0;
	if (dns_open(NULL, NULL, &dns))
		return -1;
	resolver = resolver_new(dns, &limits, seed);
	if (!resolver)
		return -1;
	resolver_on_silent(resolver, on_silent, NULL);
	resolver_turn(resolver, 100 * S);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	dns_close(&dns);
	resolver_free(&resolver);
	return 0;
}

/* Replies to question number @index with one A record. */
static void reply_addr(size_t index, const char *addr, uint32_t ttl_s)
{
	struct dns_message message;
	struct addr parsed;

	assert_int_equal(addr_parse(addr, &parsed), 0);
	message_begin_type(&message, fake_questions[index].name, MESSAGE_TYPE_A);
	message.ttl_s = ttl_s;
	message_data(&message, "@12", MESSAGE_TYPE_A, parsed.bytes, 4);
	fake_reply(index, DNS_ANSWER, &message);
}

static void reply_no(size_t index, enum dns_status status, uint32_t ttl_s)
{
	struct dns_message message;

	message_begin_type(&message, fake_questions[index].name, MESSAGE_TYPE_A);
	message_soa(&message, "example", ttl_s, ttl_s);
	fake_reply(index, status, &message);
}

static void the_same_question_is_sent_once(void **state)
{
	struct asker *a = asker_new(), *b = asker_new(), *other = asker_new();
	struct resolver_counts counts;

	(void)state;
	ask(a, "list.example");
	ask(b, "LIST.Example.");
	ask(other, "other.example");
	assert_int_equal(fake_asked, 2);
	assert_string_equal(fake_questions[0].name, "list.example");
	reply_addr(0, "127.0.0.2", 60);
	assert_int_equal(a->replies, 1);
	assert_int_equal(b->replies, 1);
	assert_int_equal(other->replies, 0);
	assert_int_equal(b->addr.bytes[3], 2);
	resolver_count(resolver, &counts);
	assert_int_equal(counts.asked, 2);
	assert_int_equal(counts.shared, 1);
}

static void an_answer_is_kept_for_its_ttl(void **state)
{
	struct asker *a = asker_new();

	(void)state;
	ask(a, "a.example");
	reply_addr(0, "127.0.0.2", 60);
	resolver_turn(resolver, 160 * S - 1);
	ask(a, "a.example");
	assert_int_equal(a->replies, 2);
	assert_int_equal(a->addr.bytes[0], 127);
	assert_int_equal(fake_asked, 1);
	resolver_turn(resolver, 160 * S);
	ask(a, "a.example");
	assert_int_equal(a->replies, 2);
	assert_int_equal(fake_asked, 2);
}

static const struct {
	const char *why;
	enum dns_status status;
	uint32_t ttl_s;
	uint64_t kept_s;
} no_rows[] = {
	{"no such name, for what the SOA says", DNS_NO_NAME, 90, 90},
	{"no such record, likewise", DNS_NO_RECORD, 90, 90},
	{"an answer without the record is none", DNS_ANSWER, 90, 90},
	{"longer than the limit", DNS_NO_NAME, 4000, 3600},
	{"0: not at all", DNS_NO_NAME, 0, 0},
};

static void no_is_kept_as_the_zone_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(no_rows) / sizeof(no_rows[0]); i++) {
		struct asker *a = asker_new();
		char name[32];
		size_t asked = fake_asked;

		(void)snprintf(name, sizeof(name), "n%zu.example", i);
		resolver_turn(resolver, 1000 * S);
		ask(a, name);
		reply_no(asked, no_rows[i].status, no_rows[i].ttl_s);
		assert_int_equal(a->status, no_rows[i].status == DNS_NO_NAME
						    ? DNS_NO_NAME
						    : DNS_NO_RECORD);
		assert_false(a->has_why);
		if (no_rows[i].kept_s > 0) {
			resolver_turn(resolver, (1000 + no_rows[i].kept_s) * S - 1);
			ask(a, name);
			if (a->replies != 2 || fake_asked != asked + 1)
				fail_msg("%s: not kept", no_rows[i].why);
		}
		resolver_turn(resolver, (1000 + no_rows[i].kept_s) * S);
		ask(a, name);
		if (fake_asked != asked + 2)
			fail_msg("%s: kept too long", no_rows[i].why);
		reply_no(asked + 1, DNS_NO_NAME, 0);
	}
}

static void a_short_ttl_may_be_stretched_but_not_none(void **state)
{
	const struct resolver_limits stretch = {
		.cache_entries = 100, .ttl_min_s = 30, .ttl_max_s = 3600};
	struct asker *a = asker_new();

	(void)state;
	resolver_set_limits(resolver, &stretch);
	ask(a, "a.example");
	reply_addr(0, "127.0.0.2", 1);
	resolver_turn(resolver, 130 * S - 1);
	ask(a, "a.example");
	assert_int_equal(fake_asked, 1);
	ask(a, "zero.example");
	reply_addr(1, "127.0.0.2", 0);
	ask(a, "zero.example");
	assert_int_equal(fake_asked, 3);
}

static void failures_are_told_and_not_kept(void **state)
{
	struct dns_message message = {.len = 11};
	struct asker *a = asker_new();

	(void)state;
	ask(a, "a.example");
	reply_no(0, DNS_FAILED, 60);
	assert_int_equal(a->status, DNS_FAILED);
	assert_true(a->has_why);
	ask(a, "a.example");
	fake_reply(1, DNS_ANSWER, &message); /* malformed */
	assert_int_equal(a->status, DNS_FAILED);
	ask(a, "a.example");
	fake_reply(2, DNS_TIMED_OUT, NULL);
	assert_int_equal(a->status, DNS_TIMED_OUT);
	ask(a, "a.example");
	assert_int_equal(fake_asked, 4);
}

/* After TCP there is nothing larger: what is missing may be what was asked for. */
static void what_is_cut_short_is_no_answer(void **state)
{
	static const enum dns_status statuses[] = {DNS_ANSWER, DNS_NO_RECORD,
						   DNS_NO_NAME};
	struct asker *a = asker_new();

	(void)state;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		struct dns_message message;

		ask(a, "a.example");
		message_begin_type(&message, "a.example", MESSAGE_TYPE_A);
		if (statuses[i] == DNS_ANSWER)
			message_addr(&message, "192.0.2.1");
		else
			message_soa(&message, "example", 60, 60);
		message.bytes[2] |= 0x02;
		fake_reply(i, statuses[i], &message);
		assert_int_equal(a->status, DNS_FAILED);
		assert_true(a->has_why);
		assert_int_equal(a->count, 0);
	}
	assert_int_equal(fake_asked, 3);
}

static void a_name_that_cannot_be_is_not_there(void **state)
{
	struct asker *a = asker_new();
	char name[400];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[399] = '\0';
	ask(a, name);
	assert_int_equal(a->status, DNS_NO_NAME);
	assert_int_equal(fake_asked, 0);
}

static void who_wants_it_fresh_gets_it_fresh(void **state)
{
	struct asker *a = asker_new(), *fresh = asker_new();

	(void)state;
	fresh->wait.want_fresh = true;
	ask(a, "a.example");
	reply_addr(0, "127.0.0.2", 60);
	ask(fresh, "a.example");
	assert_int_equal(fresh->replies, 0);
	reply_addr(1, "127.0.0.9", 60);
	assert_int_equal(fresh->addr.bytes[3], 9);
	ask(a, "a.example");
	assert_int_equal(a->addr.bytes[3], 9);
	assert_int_equal(fake_asked, 2);
}

static void who_cancels_hears_nothing_and_the_cache_does(void **state)
{
	struct asker *a = asker_new(), *b = asker_new();

	(void)state;
	ask(a, "a.example");
	resolver_cancel(&a->wait);
	resolver_cancel(&a->wait);
	reply_addr(0, "127.0.0.2", 60);
	assert_int_equal(a->replies, 0);
	ask(b, "a.example");
	assert_int_equal(b->replies, 1);
}

static void a_reply_may_cancel_another_and_ask_again(void **state)
{
	struct asker *a = asker_new(), *b = asker_new(), *c = asker_new();

	(void)state;
	a->cancels = b;
	a->asks_again = "a.example"; /* from the cache, within the reply */
	c->asks_again = "c.example";
	ask(a, "a.example");
	ask(b, "a.example");
	ask(c, "a.example");
	reply_addr(0, "127.0.0.2", 60);
	assert_int_equal(a->replies, 2);
	assert_int_equal(b->replies, 0);
	assert_int_equal(c->replies, 1);
	assert_int_equal(fake_asked, 2);
	reply_addr(1, "127.0.0.3", 0);
	assert_int_equal(c->replies, 2);
}

/* A TTL of 0 and a question within its own reply: a new one, not the one that is ending. */
static void a_question_within_its_reply_is_a_new_one(void **state)
{
	struct asker *a = asker_new();

	(void)state;
	a->asks_again = "a.example";
	ask(a, "a.example");
	reply_addr(0, "127.0.0.2", 0);
	assert_int_equal(a->replies, 1);
	assert_int_equal(fake_asked, 2);
	reply_addr(1, "127.0.0.2", 0);
	assert_int_equal(a->replies, 2);
}

static void after_a_run_of_silence_it_does_not_ask(void **state)
{
	static struct asker askers[BREAKER_TIMEOUTS + 2];
	struct asker *last = &askers[BREAKER_TIMEOUTS];
	struct resolver_counts counts;

	(void)state;
	memset(askers, 0, sizeof(askers));
	for (unsigned int i = 0; i < BREAKER_TIMEOUTS; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "n%u.example", i);
		ask(&askers[i], name);
	}
	/* Given up by the one who waited, then timed out as well: counted once. */
	resolver_give_up(resolver, &askers[0].wait);
	fake_reply(0, DNS_TIMED_OUT, NULL);
	for (size_t i = 1; i + 1 < BREAKER_TIMEOUTS; i++)
		fake_reply(i, DNS_TIMED_OUT, NULL);
	assert_int_equal(silent, 0);
	fake_reply(BREAKER_TIMEOUTS - 1, DNS_TIMED_OUT, NULL);
	assert_int_equal(silent, 1);

	ask(last, "last.example");
	assert_int_equal(last->status, DNS_FAILED);
	assert_true(last->has_why);
	assert_int_equal(fake_asked, BREAKER_TIMEOUTS);
	resolver_count(resolver, &counts);
	assert_true(counts.is_silent);

	resolver_turn(resolver, 100 * S + BREAKER_OPEN_NS);
	ask(last, "last.example");
	assert_int_equal(fake_asked, BREAKER_TIMEOUTS + 1);
	reply_addr(BREAKER_TIMEOUTS, "127.0.0.2", 60);
	assert_int_equal(last->status, DNS_ANSWER);
	resolver_count(resolver, &counts);
	assert_false(counts.is_silent);
}

static bool never_reply(const char *name, dns_reply_fn reply, void *context)
{
	(void)name;
	(void)reply;
	(void)context;
	return true;
}

static void questions_under_way_are_bounded(void **state)
{
	static struct asker askers[RESOLVER_OPEN_MAX + 1];
	struct asker *last = &askers[RESOLVER_OPEN_MAX];
	char name[32];

	(void)state;
	fake_hook = never_reply;
	for (unsigned int i = 0; i <= RESOLVER_OPEN_MAX; i++) {
		(void)snprintf(name, sizeof(name), "n%u.example", i);
		ask(&askers[i], name);
	}
	assert_int_equal(askers[0].replies, 0);
	assert_int_equal(askers[RESOLVER_OPEN_MAX - 1].replies, 0);
	assert_int_equal(last->replies, 1);
	assert_int_equal(last->status, DNS_FAILED);
	/* It may still join one. */
	ask(last, "n7.example");
	assert_int_equal(last->replies, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_question_is_sent_once),
		TEST(an_answer_is_kept_for_its_ttl),
		TEST(no_is_kept_as_the_zone_says),
		TEST(a_short_ttl_may_be_stretched_but_not_none),
		TEST(failures_are_told_and_not_kept),
		TEST(what_is_cut_short_is_no_answer),
		TEST(a_name_that_cannot_be_is_not_there),
		TEST(who_wants_it_fresh_gets_it_fresh),
		TEST(who_cancels_hears_nothing_and_the_cache_does),
		TEST(a_reply_may_cancel_another_and_ask_again),
		TEST(a_question_within_its_reply_is_a_new_one),
		TEST(after_a_run_of_silence_it_does_not_ask),
		TEST(questions_under_way_are_bounded),
	};

	return cmocka_run_group_tests_name("checks/resolver", tests, NULL, NULL);
}
