/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>

#include "base/cleanup.h"

static void a_descriptor_closes_with_its_scope(void **state)
{
	int seen;

	(void)state;
	{
		AUTO(close_fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		assert_true(fd >= 0);
		seen = fd;
	}
	assert_int_equal(fcntl(seen, F_GETFD), -1);
	assert_int_equal(errno, EBADF);
}

static void a_descriptor_handed_over_stays_open(void **state)
{
	int taken;

	(void)state;
	{
		AUTO(close_fd) int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

		taken = TAKE_FD(fd);
		assert_int_equal(fd, -1);
	}
	assert_true(fcntl(taken, F_GETFD) >= 0);
	close_fd(&taken);
	assert_int_equal(taken, -1);
	close_fd(&taken); /* -1 is left alone */
}

static void memory_handed_over_is_not_freed(void **state)
{
	char *taken;

	(void)state;
	{
		AUTO(free_mem) char *memory = malloc(8);

		assert_non_null(memory);
		memory[0] = 'p';
		taken = TAKE_PTR(memory);
		assert_null(memory);
	}
	assert_int_equal(taken[0], 'p');
	free_mem(&taken);
	assert_null(taken);
	free_mem(&taken);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_descriptor_closes_with_its_scope),
		cmocka_unit_test(a_descriptor_handed_over_stays_open),
		cmocka_unit_test(memory_handed_over_is_not_freed),
	};

	return cmocka_run_group_tests_name("base/cleanup", tests, NULL, NULL);
}
