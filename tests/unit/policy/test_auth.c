/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/auth.h"
#include "policy/flags.h"

static const struct {
	const char *why;
	uint16_t flags;
	enum auth_by want;
} rows[] = {
	{"an entry without a flag for it", FLAG_PA | FLAG_AS, AUTH_BY_NONE},
	{"AA alone is enough", FLAG_AA, AUTH_BY_AA},
	{"AR is about what the authenticated may do", FLAG_AR, AUTH_BY_NONE},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (auth_decide(rows[i].flags) != rows[i].want)
			fail_msg("%s", rows[i].why);
}

static void everyone_who_vouches_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(auth_by_name(AUTH_BY_NONE), "-");
	for (int by = AUTH_BY_NONE + 1; by < AUTH_BY_COUNT; by++)
		assert_string_not_equal(auth_by_name((enum auth_by)by), "-");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(everyone_who_vouches_has_a_name),
	};

	return cmocka_run_group_tests_name("policy/auth", tests, NULL, NULL);
}
