/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static uint64_t read_ns(clockid_t id)
{
	struct timespec now;

	assert_int_equal(clock_gettime(id, &now), 0);
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static void each_is_the_clock_it_says(void **state)
{
	uint64_t before;

	(void)state;
	before = read_ns(CLOCK_BOOTTIME);
	assert_in_range(clock_boot_ns(), before, read_ns(CLOCK_BOOTTIME) + NS_PER_S);
	before = read_ns(CLOCK_MONOTONIC);
	assert_in_range(clock_mono_ns(), before, read_ns(CLOCK_MONOTONIC) + NS_PER_S);
	assert_in_range(clock_wall_s(), time(NULL) - 1, time(NULL) + 1);
}

static void the_boot_clock_does_not_run_backwards(void **state)
{
	uint64_t before = clock_boot_ns();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		const uint64_t now = clock_boot_ns();

		assert_true(now >= before);
		before = now;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_is_the_clock_it_says),
		cmocka_unit_test(the_boot_clock_does_not_run_backwards),
	};

	return cmocka_run_group_tests_name("base/clock", tests, NULL, NULL);
}
