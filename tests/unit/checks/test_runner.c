/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/runner and checks/ptr: what each reply of the DNS means, and that every question has its
 * answer in time.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checks/runner.h"
#include "unit/fake_dns.h"

#define QUESTION "7.2.0.192.in-addr.arpa"
#define TASKS	 3u
#define POLICY	 7u

struct answered {
	struct check_request request;
	struct check_answer answer;
};

static struct answered answers[16];
static size_t answer_count;
static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 100, .ttl_max_s = 3600};
static struct dns *dns;
static struct conf conf;
static struct task_world world;
static struct runner *runner;

static void on_answer(void *context, const struct check_request *request,
		      const struct check_answer *answer)
{
	assert_ptr_equal(context, answers);
	assert_true(answer_count < 16);
	answers[answer_count++] = (struct answered){*request, *answer};
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	answer_count = 0;
	assert_int_equal(dns_open(NULL, NULL, &dns), 0);
	conf_init(&conf);
	conf.policy_count = 1;
	conf.policies[0].id = POLICY;
	world.conf = &conf;
	world.resolver = resolver_new(dns, &limits, seed);
	runner = runner_new(&world, TASKS, on_answer, answers);
	return world.resolver && runner ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	runner_free(&runner);
	dns_close(&dns);
	resolver_free(&world.resolver);
	return 0;
}

/* The client's last number, so that each has a question of its own. */
static int start(uint64_t host, uint64_t deadline_ns)
{
	struct check_request request = {.check = CHECK_PTR,
					.policy_id = POLICY,
					.session_id = host,
					.deadline_ns = deadline_ns};

	assert_int_equal(addr_parse("192.0.2.0", &request.client), 0);
	request.client.bytes[3] = (uint8_t)host;
	return runner_start(runner, &request);
}

static const struct {
	const char *why;
	enum dns_status status;
	const char *target; /* of the PTR record; NULL: none */
	enum check_result want;
	const char *evidence;
} rows[] = {
	{"a good name", DNS_ANSWER, "mail.example.org", CHECK_CLEAN, "mail.example.org"},
	{"a single label", DNS_ANSWER, "localhost", CHECK_HIT,
	 "no name of a host: localhost"},
	{"an address", DNS_ANSWER, "192.0.2.7", CHECK_HIT, "192.0.2.7"},
	{"an answer without the record", DNS_ANSWER, NULL, CHECK_HIT, "no PTR record"},
	{"no such name", DNS_NO_NAME, NULL, CHECK_HIT, "no PTR record"},
	{"no such record", DNS_NO_RECORD, NULL, CHECK_HIT, "no PTR record"},
	{"the resolver failed", DNS_FAILED, NULL, CHECK_UNKNOWN, "the resolver failed"},
	{"nobody answered", DNS_TIMED_OUT, NULL, CHECK_UNKNOWN, "no resolver answered"},
};

static void reply_ptr(size_t index, enum dns_status status, const char *target)
{
	struct dns_message message;

	message_begin(&message, fake_questions[index].name);
	if (target)
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 300, target);
	else
		message_soa(&message, "2.0.192.in-addr.arpa", 3600, 900);
	fake_reply(index, status, &message);
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct check_answer *got = &answers[i].answer;

		assert_int_equal(start(i, 1000), 0);
		assert_int_equal(fake_questions[i].type, MESSAGE_TYPE_PTR);
		reply_ptr(i, rows[i].status, rows[i].target);
		assert_int_equal(answer_count, i + 1);
		if (got->result != rows[i].want ||
		    !strstr(got->evidence, rows[i].evidence))
			fail_msg("%s: %s, %s", rows[i].why,
				 check_result_name(got->result), got->evidence);
		assert_int_equal(answers[i].request.session_id, i);
	}
	assert_string_equal(fake_questions[7].name, QUESTION);
	assert_int_equal(runner_waiting(runner), 0);
}

static void a_malformed_message_is_unknown(void **state)
{
	struct dns_message message = {.len = 11};

	(void)state;
	assert_int_equal(start(1, 1000), 0);
	fake_reply(0, DNS_ANSWER, &message);
	assert_int_equal(answers[0].answer.result, CHECK_UNKNOWN);
}

static void at_the_deadline_it_is_unknown_and_the_cache_learns_it_later(void **state)
{
	(void)state;
	assert_int_equal(start(7, 1000), 0);
	runner_expire(runner, 999);
	assert_int_equal(answer_count, 0);
	runner_expire(runner, 1000);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answers[0].answer.result, CHECK_UNKNOWN);
	assert_int_equal(runner_waiting(runner), 0);
	runner_expire(runner, 2000);
	assert_int_equal(answer_count, 1);

	reply_ptr(0, DNS_ANSWER, "mail.example.org");
	assert_int_equal(answer_count, 1);
	assert_int_equal(start(7, 3000), 0);
	assert_int_equal(answer_count, 2);
	assert_int_equal(answers[1].answer.result, CHECK_CLEAN);
	assert_int_equal(fake_asked, 1);
}

static void over_the_limit_nothing_is_begun(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < TASKS; i++)
		assert_int_equal(start(i, 1000), 0);
	assert_int_equal(start(9, 1000), -ENOSPC);
	assert_int_equal(fake_asked, TASKS);
	fake_reply(1, DNS_TIMED_OUT, NULL);
	assert_int_equal(start(9, 2000), 0);
}

static const struct {
	const char *why;
	enum dns_status first, second; /* of the addresses of the two names */
	const char *addr;	       /* of the second one, if it has any */
	enum check_result want;
} confirm_rows[] = {
	{"the second name leads back", DNS_NO_NAME, DNS_ANSWER, "192.0.2.7", CHECK_CLEAN},
	{"it leads elsewhere", DNS_NO_NAME, DNS_ANSWER, "192.0.2.8", CHECK_HIT},
	{"neither has an address", DNS_NO_NAME, DNS_NO_RECORD, NULL, CHECK_HIT},
	{"one cannot be looked up", DNS_FAILED, DNS_ANSWER, "192.0.2.8", CHECK_UNKNOWN},
	{"but the other leads back", DNS_TIMED_OUT, DNS_ANSWER, "192.0.2.7", CHECK_CLEAN},
};

static void the_way_back_rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(confirm_rows) / sizeof(confirm_rows[0]); i++) {
		struct dns_message message;

		conf.policies[0].ptr_forward_confirmed = true;
		fake_reset();
		answer_count = 0;
		assert_int_equal(start(7, 1000), 0);
		message_begin(&message, QUESTION);
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 0, "localhost");
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 0, "a.example");
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 0, "b.example");
		fake_reply(0, DNS_ANSWER, &message);
		assert_int_equal(fake_asked, 3);
		assert_string_equal(fake_questions[1].name, "a.example");
		assert_string_equal(fake_questions[2].name, "b.example");
		assert_int_equal(fake_questions[1].type, MESSAGE_TYPE_A);
		fake_reply(1, confirm_rows[i].first, NULL);
		message_begin_type(&message, "b.example", MESSAGE_TYPE_A);
		if (confirm_rows[i].addr)
			message_addr(&message, confirm_rows[i].addr);
		assert_int_equal(answer_count, 0);
		fake_reply(2, confirm_rows[i].second, &message);
		if (answer_count != 1 || answers[0].answer.result != confirm_rows[i].want)
			fail_msg("%s: %s", confirm_rows[i].why,
				 answers[0].answer.evidence);
		resolver_turn(world.resolver, (i + 1) * 4000 * UINT64_C(1000000000));
	}
}

static void so_many_names_are_looked_up_and_no_more(void **state)
{
	struct dns_message message;

	(void)state;
	conf.policies[0].ptr_forward_confirmed = true;
	assert_int_equal(start(7, 1000), 0);
	message_begin(&message, QUESTION);
	for (unsigned int i = 0; i < 12; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "n%u.example", i);
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 300, name);
	}
	fake_reply(0, DNS_ANSWER, &message);
	assert_int_equal(fake_asked, 1 + 10);
	for (size_t i = 1; i < 10; i++)
		fake_reply(i, DNS_NO_NAME, NULL);
	assert_int_equal(answer_count, 0);
	fake_reply(10, DNS_NO_NAME, NULL);
	assert_int_equal(answers[0].answer.result, CHECK_HIT);
}

static void another_configuration_begins_anew_what_runs(void **state)
{
	static struct conf next;

	(void)state;
	assert_int_equal(start(7, 1000), 0);
	assert_int_equal(start(8, 1000), 0);
	reply_ptr(1, DNS_NO_NAME, NULL);
	assert_int_equal(answer_count, 1);
	next = conf;
	next.policies[0].ptr_forward_confirmed = true;
	world.conf = &next;
	runner_restart(runner);
	assert_int_equal(answer_count, 1);
	reply_ptr(0, DNS_ANSWER, "mail.example.org");
	assert_int_equal(answer_count, 1); /* it is asked for the way back now */
	assert_string_equal(fake_questions[2].name, "mail.example.org");

	next.policy_count = 0;
	runner_restart(runner);
	assert_int_equal(answer_count, 2);
	assert_int_equal(answers[1].answer.result, CHECK_UNKNOWN);
	assert_int_equal(start(9, 1000), -ESTALE);
	assert_int_equal(runner_waiting(runner), 0);
}

static bool reply_at_once(const char *name, dns_reply_fn reply, void *context)
{
	(void)name;
	reply(context, DNS_NO_NAME, NULL, 0);
	return true;
}

static void a_reply_before_ask_returns_is_taken(void **state)
{
	(void)state;
	fake_hook = reply_at_once;
	for (uint64_t i = 0; i < 3 * TASKS; i++)
		assert_int_equal(start(i, 1000), 0);
	assert_int_equal(answer_count, 3 * TASKS);
	assert_int_equal(answers[0].answer.result, CHECK_HIT);
	assert_int_equal(runner_waiting(runner), 0);
}

static void a_check_of_others_is_not_begun(void **state)
{
	struct check_request request = {.check = CHECK_HELO, .policy_id = POLICY};

	(void)state;
	assert_int_equal(runner_start(runner, &request), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_malformed_message_is_unknown, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			at_the_deadline_it_is_unknown_and_the_cache_learns_it_later,
			set_up, tear_down),
		cmocka_unit_test_setup_teardown(over_the_limit_nothing_is_begun, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_reply_before_ask_returns_is_taken,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_check_of_others_is_not_begun, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(the_way_back_rows_hold, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(so_many_names_are_looked_up_and_no_more,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			another_configuration_begins_anew_what_runs, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("checks/runner", tests, NULL, NULL);
}
