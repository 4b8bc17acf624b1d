/* SPDX-License-Identifier: GPL-2.0-only */
/* checks/breaker: when nobody answers, and when only one client's zone is dead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "checks/breaker.h"

#define START_NS UINT64_C(1000000000000)

static void it_opens_after_a_run_of_timeouts_and_closes_again(void **state)
{
	struct breaker breaker = {0};

	(void)state;
	for (unsigned int i = 1; i < BREAKER_TIMEOUTS; i++) {
		assert_false(breaker_timed_out(&breaker, START_NS));
		assert_true(breaker_allows(&breaker, START_NS));
	}
	assert_true(breaker_timed_out(&breaker, START_NS));
	assert_false(breaker_allows(&breaker, START_NS));
	assert_false(breaker_allows(&breaker, START_NS + BREAKER_OPEN_NS - 1));
	assert_true(breaker_allows(&breaker, START_NS + BREAKER_OPEN_NS));
}

static void a_timeout_after_the_pause_opens_it_at_once(void **state)
{
	struct breaker breaker = {.timeouts = BREAKER_TIMEOUTS,
				  .open_until_ns = START_NS};

	(void)state;
	assert_true(breaker_timed_out(&breaker, START_NS));
	assert_false(breaker_allows(&breaker, START_NS));
}

static void what_was_asked_before_it_opened_does_not_prolong_it(void **state)
{
	struct breaker breaker = {.timeouts = BREAKER_TIMEOUTS,
				  .open_until_ns = START_NS + BREAKER_OPEN_NS};

	(void)state;
	assert_false(breaker_timed_out(&breaker, START_NS + 1));
	assert_int_equal(breaker.open_until_ns, START_NS + BREAKER_OPEN_NS);
}

static void a_reply_among_the_timeouts_keeps_it_closed(void **state)
{
	struct breaker breaker = {0};

	(void)state;
	for (unsigned int i = 0; i < 10 * BREAKER_TIMEOUTS; i++) {
		breaker_replied(&breaker, START_NS);
		for (unsigned int j = 0; j + 1 < BREAKER_TIMEOUTS; j++)
			assert_false(
				breaker_timed_out(&breaker, START_NS + BREAKER_OPEN_NS));
	}
	assert_true(breaker_allows(&breaker, START_NS));
}

static void a_reply_a_moment_ago_keeps_it_closed(void **state)
{
	struct breaker breaker = {0};

	(void)state;
	breaker_replied(&breaker, START_NS);
	for (unsigned int i = 0; i < 10 * BREAKER_TIMEOUTS; i++)
		assert_false(
			breaker_timed_out(&breaker, START_NS + BREAKER_SILENCE_NS - 1));
	assert_true(breaker_timed_out(&breaker, START_NS + BREAKER_SILENCE_NS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_after_a_run_of_timeouts_and_closes_again),
		cmocka_unit_test(a_timeout_after_the_pause_opens_it_at_once),
		cmocka_unit_test(what_was_asked_before_it_opened_does_not_prolong_it),
		cmocka_unit_test(a_reply_among_the_timeouts_keeps_it_closed),
		cmocka_unit_test(a_reply_a_moment_ago_keeps_it_closed),
	};

	return cmocka_run_group_tests_name("checks/breaker", tests, NULL, NULL);
}
