/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task: several questions of one check, replied to at once, late, or not at all.
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

#include "checks/task.h"
#include "unit/fake_dns.h"

static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 10, .ttl_max_s = 60};
static struct dns *dns;
static struct task_world world;
static struct task task;
static unsigned int replies, failures, finished;
static uint32_t last_tag;
static bool in_code;

static void on_finished(void *context, const struct check_answer *answer)
{
	(void)context;
	assert_false(in_code); /* its memory is still looked at */
	assert_int_equal(answer->result, CHECK_UNKNOWN);
	finished++;
}

/* Finishes at the first reply. */
static void on_reply(struct task *replied, uint32_t tag, const struct dns_answer *answer)
{
	in_code = true;
	replies++;
	last_tag = tag;
	failures += answer->status == DNS_FAILED;
	task_finish_unknown(replied, answer, "name");
	in_code = false;
}

static void ask_three(struct task *started)
{
	in_code = true;
	task_ask(started, "a", 1, on_reply, 1);
	task_ask(started, "b", 1, on_reply, 2);
	task_ask(started, "c", 1, on_reply, 3);
	in_code = false;
}

static void ask_too_many(struct task *started)
{
	for (unsigned int i = 0; i <= TASK_QUESTIONS_MAX; i++) {
		char name[8];

		(void)snprintf(name, sizeof(name), "n%u", i);
		task_ask(started, name, 1, on_reply, i);
	}
}

static bool reply_at_once(const char *name, dns_reply_fn reply, void *context)
{
	(void)name;
	reply(context, DNS_TIMED_OUT, NULL, 0);
	return true;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	replies = failures = finished = 0;
	if (dns_open(NULL, NULL, &dns))
		return -1;
	world.resolver = resolver_new(dns, &limits, seed);
	task = (struct task){.world = &world, .on_finished = on_finished};
	return world.resolver ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	task_forget(&task);
	dns_close(&dns);
	resolver_free(&world.resolver);
	return 0;
}

static void it_ends_with_the_first_reply_that_is_enough(void **state)
{
	(void)state;
	task_run(&task, ask_three);
	fake_reply(1, DNS_TIMED_OUT, NULL);
	assert_int_equal(last_tag, 2);
	assert_int_equal(finished, 1);
	/* What is replied to later is no business of a task whose memory may be another's. */
	memset(&task, 0x5a, sizeof(task));
	fake_reply(0, DNS_TIMED_OUT, NULL);
	fake_reply(2, DNS_TIMED_OUT, NULL);
	assert_int_equal(replies, 1);
	memset(&task, 0, sizeof(task));
}

static void replies_at_once_leave_it_its_memory(void **state)
{
	(void)state;
	fake_hook = reply_at_once;
	task_run(&task, ask_three);
	assert_int_equal(replies, 1);
	assert_int_equal(finished, 1);
}

static void one_question_too_many_fails_at_once(void **state)
{
	(void)state;
	task_run(&task, ask_too_many);
	assert_int_equal(fake_asked, TASK_QUESTIONS_MAX);
	assert_int_equal(failures, 1);
	assert_int_equal(last_tag, TASK_QUESTIONS_MAX);
	assert_int_equal(finished, 1);
}

static void a_question_may_be_dropped(void **state)
{
	(void)state;
	task_run(&task, ask_three);
	task_give_up(&task, 2);
	fake_reply(1, DNS_TIMED_OUT, NULL);
	assert_int_equal(replies, 0);
	fake_reply(0, DNS_TIMED_OUT, NULL);
	assert_int_equal(replies, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			it_ends_with_the_first_reply_that_is_enough, set_up, tear_down),
		cmocka_unit_test_setup_teardown(replies_at_once_leave_it_its_memory,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_question_too_many_fails_at_once,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_question_may_be_dropped, set_up,
						tear_down),
	};

	return cmocka_run_group_tests_name("checks/task", tests, NULL, NULL);
}
