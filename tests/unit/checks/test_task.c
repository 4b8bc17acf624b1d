/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task: several questions of one check, replied to at once, late, or after it has finished.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checks/task.h"
#include "unit/fake_dns.h"

static struct task task;
static unsigned int replies, failures, finished, idle;
static bool in_start;

static void on_finished(void *context, struct task *finished_task,
			const struct check_answer *answer)
{
	(void)context;
	assert_ptr_equal(finished_task, &task);
	assert_int_equal(answer->result, CHECK_UNKNOWN);
	finished++;
}

static void on_idle(void *context, struct task *idle_task)
{
	(void)context;
	assert_ptr_equal(idle_task, &task);
	assert_false(in_start); /* its memory is still looked at */
	idle++;
}

/* Finishes at the first reply. */
static void on_reply(struct task *replied, enum dns_status status, const uint8_t *bytes,
		     size_t len)
{
	(void)bytes;
	(void)len;
	replies++;
	failures += status == DNS_FAILED;
	task_finish_unknown(replied, status, "name");
}

static void ask_two(struct task *started)
{
	in_start = true;
	task_ask(started, "a", 1, on_reply);
	task_ask(started, "b", 1, on_reply);
	in_start = false;
}

static void ask_too_many(struct task *started)
{
	in_start = true;
	for (unsigned int i = 0; i <= TASK_QUESTIONS_MAX; i++)
		task_ask(started, "a", 1, on_reply);
	in_start = false;
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
	replies = failures = finished = idle = 0;
	task = (struct task){.on_finished = on_finished, .on_idle = on_idle};
	return 0;
}

static void it_is_idle_when_the_last_question_is_replied_to(void **state)
{
	(void)state;
	task_run(&task, ask_two);
	fake_reply(1, DNS_TIMED_OUT, NULL);
	assert_int_equal(finished, 1);
	assert_int_equal(idle, 0);
	fake_reply(0, DNS_TIMED_OUT, NULL);
	assert_int_equal(replies, 1); /* the second one is not told any more */
	assert_int_equal(finished, 1);
	assert_int_equal(idle, 1);
}

static void replies_at_once_leave_it_its_memory(void **state)
{
	(void)state;
	fake_hook = reply_at_once;
	task_run(&task, ask_two);
	assert_int_equal(finished, 1);
	assert_int_equal(idle, 1);
}

static void one_question_too_many_fails_at_once(void **state)
{
	(void)state;
	task_run(&task, ask_too_many);
	assert_int_equal(fake_asked, TASK_QUESTIONS_MAX);
	assert_int_equal(failures, 1);
	assert_int_equal(finished, 1);
	assert_int_equal(idle, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(it_is_idle_when_the_last_question_is_replied_to,
				       set_up),
		cmocka_unit_test_setup(replies_at_once_leave_it_its_memory, set_up),
		cmocka_unit_test_setup(one_question_too_many_fails_at_once, set_up),
	};

	return cmocka_run_group_tests_name("checks/task", tests, NULL, NULL);
}
