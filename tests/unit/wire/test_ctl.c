/* SPDX-License-Identifier: GPL-2.0-only */
/* wire/ctl: names there and back, and the end of a line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/ctl.h"

static void every_command_has_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < CTL_COMMAND_COUNT; i++)
		assert_int_equal(
			ctl_command_from_name(ctl_command_name((enum ctl_command)i)), i);
	assert_string_equal(ctl_command_name(CTL_UNBAN), "unban");
	assert_int_equal(ctl_command_from_name("Ban"), -1);
	assert_int_equal(ctl_command_from_name(""), -1);
	assert_int_equal(ctl_command_from_name("banx"), -1);
}

static void a_line_ends_at_its_newline(void **state)
{
	size_t len = 77;

	(void)state;
	assert_int_equal(ctl_line_end("", 0, &len), 0);
	assert_int_equal(ctl_line_end(NULL, 0, &len), 0);
	assert_int_equal(ctl_line_end("{}", 2, &len), 0);
	assert_int_equal(len, 77);
	assert_int_equal(ctl_line_end("{}\n{", 4, &len), 1);
	assert_int_equal(len, 2);
	assert_int_equal(ctl_line_end("\n", 1, &len), 1);
	assert_int_equal(len, 0);
}

static void a_line_has_its_limit(void **state)
{
	static char bytes[CTL_LINE_MAX_BYTES + 1];
	size_t len = 77;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	assert_int_equal(ctl_line_end(bytes, CTL_LINE_MAX_BYTES - 1, &len), 0);
	assert_int_equal(ctl_line_end(bytes, CTL_LINE_MAX_BYTES, &len), -EMSGSIZE);
	bytes[CTL_LINE_MAX_BYTES] = '\n';
	assert_int_equal(ctl_line_end(bytes, CTL_LINE_MAX_BYTES + 1, &len), -EMSGSIZE);
	assert_int_equal(len, 77);
	bytes[CTL_LINE_MAX_BYTES - 1] = '\n';
	assert_int_equal(ctl_line_end(bytes, CTL_LINE_MAX_BYTES, &len), 1);
	assert_int_equal(len, CTL_LINE_MAX_BYTES - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_command_has_its_name),
		cmocka_unit_test(a_line_ends_at_its_newline),
		cmocka_unit_test(a_line_has_its_limit),
	};

	return cmocka_run_group_tests_name("wire/ctl", tests, NULL, NULL);
}
