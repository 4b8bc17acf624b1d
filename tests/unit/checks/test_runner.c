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
#include <string.h>

#include <cmocka.h>

#include "checks/runner.h"
#include "unit/fake_dns.h"

#define QUESTION "7.2.0.192.in-addr.arpa"
#define TASKS	 3u

struct answered {
	struct runner_request request;
	struct check_answer answer;
	bool is_late;
};

static struct answered answers[16];
static size_t answer_count;
static struct dns *dns;
static struct runner *runner;

static void on_answer(void *context, const struct runner_request *request,
		      const struct check_answer *answer, bool is_late)
{
	assert_ptr_equal(context, answers);
	assert_true(answer_count < 16);
	answers[answer_count++] = (struct answered){*request, *answer, is_late};
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	answer_count = 0;
	assert_int_equal(dns_open(NULL, NULL, &dns), 0);
	runner = runner_new(dns, TASKS, on_answer, answers);
	return runner ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	dns_close(&dns);
	runner_free(&runner);
	return 0;
}

static int start(uint64_t session_id, uint64_t deadline_ns)
{
	struct runner_request request = {
		.check = CHECK_PTR, .session_id = session_id, .deadline_ns = deadline_ns};

	assert_int_equal(addr_parse("192.0.2.7", &request.client), 0);
	return runner_start(runner, &request);
}

static const struct {
	const char *why;
	enum dns_status status;
	const char *target; /* of the PTR record; NULL: none */
	enum check_result want;
	const char *evidence;
	uint32_t ttl_s;
	bool timed_out;
} rows[] = {
	{"a good name", DNS_ANSWER, "mail.example.org", CHECK_CLEAN, "mail.example.org",
	 300, false},
	{"a single label", DNS_ANSWER, "localhost", CHECK_HIT,
	 "no name of a host: localhost", 300, false},
	{"an address", DNS_ANSWER, "192.0.2.7", CHECK_HIT, "192.0.2.7", 300, false},
	{"an answer without the record", DNS_ANSWER, NULL, CHECK_HIT, "no PTR record",
	 900, false},
	{"no such name", DNS_NO_NAME, NULL, CHECK_HIT, "no PTR record", 900, false},
	{"no such record", DNS_NO_RECORD, NULL, CHECK_HIT, "no PTR record", 900, false},
	{"the resolver failed", DNS_FAILED, NULL, CHECK_UNKNOWN, QUESTION, 0, false},
	{"nobody answered", DNS_TIMED_OUT, NULL, CHECK_UNKNOWN, QUESTION, 0, true},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct check_answer *got = &answers[i].answer;
		struct dns_message message;

		message_begin(&message, QUESTION);
		if (rows[i].target)
			message_record(&message, "@12", MESSAGE_TYPE_PTR, 300,
				       rows[i].target);
		else
			message_soa(&message, "2.0.192.in-addr.arpa", 3600, 900);
		assert_int_equal(start(i, 1000), 0);
		assert_string_equal(fake_questions[i].name, QUESTION);
		assert_int_equal(fake_questions[i].type, MESSAGE_TYPE_PTR);
		fake_reply(i, rows[i].status, &message);
		assert_int_equal(answer_count, i + 1);
		if (got->result != rows[i].want ||
		    !strstr(got->evidence, rows[i].evidence) ||
		    got->ttl_s != rows[i].ttl_s || got->timed_out != rows[i].timed_out)
			fail_msg("%s: %s, %s, ttl %u", rows[i].why,
				 check_result_name(got->result), got->evidence,
				 got->ttl_s);
		assert_int_equal(answers[i].request.session_id, i);
		assert_false(answers[i].is_late);
	}
	assert_int_equal(runner_waiting(runner), 0);
}

static void a_malformed_message_is_unknown(void **state)
{
	struct dns_message message = {.len = 11};

	(void)state;
	assert_int_equal(start(1, 1000), 0);
	fake_reply(0, DNS_ANSWER, &message);
	assert_int_equal(answers[0].answer.result, CHECK_UNKNOWN);
	assert_false(answers[0].answer.timed_out);
}

static void at_the_deadline_it_is_unknown_and_later_still_told(void **state)
{
	struct dns_message message;

	(void)state;
	assert_int_equal(start(1, 1000), 0);
	runner_expire(runner, 999);
	assert_int_equal(answer_count, 0);
	runner_expire(runner, 1000);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answers[0].answer.result, CHECK_UNKNOWN);
	assert_true(answers[0].answer.timed_out);
	assert_false(answers[0].is_late);
	assert_int_equal(runner_waiting(runner), 0);
	runner_expire(runner, 2000);
	assert_int_equal(answer_count, 1);

	message_begin(&message, QUESTION);
	message_record(&message, "@12", MESSAGE_TYPE_PTR, 300, "mail.example.org");
	fake_reply(0, DNS_ANSWER, &message);
	assert_int_equal(answer_count, 2);
	assert_true(answers[1].is_late);
	assert_int_equal(answers[1].answer.result, CHECK_CLEAN);
	assert_int_equal(runner_waiting(runner), 0);
}

static void over_the_limit_nothing_is_begun(void **state)
{
	(void)state;
	for (uint64_t i = 0; i < TASKS; i++)
		assert_int_equal(start(i, 1000), 0);
	assert_int_equal(start(9, 1000), -ENOSPC);
	assert_int_equal(fake_asked, TASKS);
	/* What is late still has its question open, and so its place. */
	runner_expire(runner, 1000);
	assert_int_equal(start(9, 2000), -ENOSPC);
	fake_reply(1, DNS_TIMED_OUT, NULL);
	assert_int_equal(start(9, 2000), 0);
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
	assert_int_equal(answers[0].answer.ttl_s, 0);
	assert_int_equal(runner_waiting(runner), 0);
}

static void a_check_of_others_is_not_begun(void **state)
{
	struct runner_request request = {.check = CHECK_HELO};

	(void)state;
	assert_int_equal(runner_start(runner, &request), -ENOENT);
}

static void closing_the_dns_answers_what_is_open(void **state)
{
	(void)state;
	assert_int_equal(start(1, 1000), 0);
	dns_close(&dns);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answers[0].answer.result, CHECK_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_hold, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_malformed_message_is_unknown, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			at_the_deadline_it_is_unknown_and_later_still_told, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(over_the_limit_nothing_is_begun, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(a_reply_before_ask_returns_is_taken,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_check_of_others_is_not_begun, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(closing_the_dns_answers_what_is_open,
						set_up, tear_down),
	};

	return cmocka_run_group_tests_name("checks/runner", tests, NULL, NULL);
}
