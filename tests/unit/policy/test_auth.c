/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/clock.h"
#include "policy/auth.h"
#include "policy/flags.h"

#define NOW_NS	 (1000 * NS_PER_S)
#define OPEN	 CLOCK_FOREVER_NS
#define AGO(s)	 (NOW_NS - (s)*NS_PER_S)
#define NO_LOGIN UINT64_MAX - 1 /* there is no record */

static const struct {
	const char *why;
	uint16_t flags;
	uint64_t seen_ns;
	int64_t window_s;
	enum auth_by want;
} rows[] = {
	{"an entry without a flag for it", FLAG_PA | FLAG_AS, OPEN, 300, AUTH_BY_NONE},
	{"AA alone is enough", FLAG_AA, NO_LOGIN, 300, AUTH_BY_AA},
	{"AR is about what the authenticated may do", FLAG_AR, OPEN, 300, AUTH_BY_NONE},
	{"AA comes before AM", FLAG_AA | FLAG_AM, OPEN, 300, AUTH_BY_AA},
	{"AM without a login", FLAG_AM, NO_LOGIN, 300, AUTH_BY_NONE},
	{"AM while a session is open", FLAG_AM, OPEN, 300, AUTH_BY_AM},
	{"an open session needs no window", FLAG_AM, OPEN, 0, AUTH_BY_AM},
	{"the last second of the window", FLAG_AM, AGO(299), 300, AUTH_BY_AM},
	{"exactly at its end", FLAG_AM, AGO(300), 300, AUTH_BY_NONE},
	{"no window: with the session it is over", FLAG_AM, AGO(0), 0, AUTH_BY_NONE},
	{"a record that is being written", FLAG_AM, 0, 300, AUTH_BY_NONE},
	{"a window longer than time", FLAG_AM, AGO(1), INT64_MAX / (int64_t)NS_PER_S,
	 AUTH_BY_AM},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct auth_recent recent = {.seen_ns = rows[i].seen_ns};
		const bool is_known = rows[i].seen_ns != NO_LOGIN;

		if (auth_decide(rows[i].flags, is_known ? &recent : NULL,
				rows[i].window_s, NOW_NS) != rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

static void everyone_who_vouches_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(auth_by_name(AUTH_BY_NONE), "-");
	for (int by = AUTH_BY_NONE + 1; by < AUTH_BY_COUNT; by++)
		assert_string_not_equal(auth_by_name((enum auth_by)by), "-");
}

static const struct {
	const char *why, *user;
	uint32_t has_many;
	bool want;
} names[] = {
	{"a plain one", "anna", 0, true},
	{"a mail address", "anna.b+c@example.org", 0, true},
	{"with a space", "Anna Berg", 0, true},
	{"one of several users", "anna", 1, false},
	{"none", "", 0, false},
	{"one that was escaped", "ann\\xe4", 0, false},
	{"a backslash of its own", "DOMAIN\\\\anna", 0, false},
	{"one that could not be shown", "(not printable)", 0, false},
	{"the longest that is whole for sure",
	 "1234567890123456789012345678901234567890123456789012345", 0, true},
	{"one that may have been cut",
	 "12345678901234567890123456789012345678901234567890123456", 0, false},
	{"one that was cut",
	 "12345678901234567890123456789012345678901234567890123456...", 0, false},
};

static void only_a_whole_name_of_one_user_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct auth_recent recent = {.has_many = names[i].has_many};
		const char *name;

		assert_true(text_copy(recent.user, sizeof(recent.user), names[i].user));
		name = auth_recent_name(&recent);
		if ((name != NULL) != names[i].want)
			fail_msg("%s", names[i].why);
		if (name)
			assert_string_equal(name, names[i].user);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(everyone_who_vouches_has_a_name),
		cmocka_unit_test(only_a_whole_name_of_one_user_is_told),
	};

	return cmocka_run_group_tests_name("policy/auth", tests, NULL, NULL);
}
