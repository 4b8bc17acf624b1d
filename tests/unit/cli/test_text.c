/* SPDX-License-Identifier: GPL-2.0-only */
/* cli/text and cli/caller: times and texts as people read them; where the admin is connected from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/caller.h"
#include "cli/text.h"

static const struct {
	int64_t s;
	const char *want;
} durations[] = {
	{-5, "0s"},
	{0, "0s"},
	{59, "59s"},
	{60, "1m"},
	{119, "1m"},
	{3599, "59m"},
	{3600, "1h"},
	{3660, "1h1m"},
	{86399, "23h59m"},
	{86400, "1d"},
	{90000, "1d1h"},
	{100 * 86400 - 1, "99d23h"},
	{100 * 86400, "100d"},
	{INT64_MAX, "106751991167300d"},
};

static void durations_are_cut_to_two_units(void **state)
{
	char text[TEXT_TIME_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++)
		assert_string_equal(text_duration(durations[i].s, text),
				    durations[i].want);
}

static void a_time_is_told_from_now(void **state)
{
	char text[TEXT_TIME_MAX];

	(void)state;
	assert_string_equal(text_relative(1000, 1000, text), "now");
	assert_string_equal(text_relative(1060, 1000, text), "in 1m");
	assert_string_equal(text_relative(999, 1000, text), "1s ago");
	assert_string_equal(text_relative(INT64_MIN, 1000, text), "106751991167300d ago");
	assert_string_equal(text_relative(INT64_MAX, -1000, text), "in 106751991167300d");
}

static void sizes_are_cut_to_three_figures_or_so(void **state)
{
	char text[TEXT_TIME_MAX];

	(void)state;
	assert_string_equal(text_bytes(0, text), "0 B");
	assert_string_equal(text_bytes(1023, text), "1023 B");
	assert_string_equal(text_bytes(1024, text), "1.0 KiB");
	assert_string_equal(text_bytes(25 * 1024 * 1024, text), "25.0 MiB");
	assert_string_equal(text_bytes(INT64_MAX, text), "8388608.0 TiB");
}

static const struct {
	const char *why;
	const char *block;
	size_t len;
	const char *want; /* NULL: none */
} environs[] = {
	{"nothing", "", 0, NULL},
	{"another variable", "HOME=/root", 11, NULL},
	{"IPv4", "A=b\0SSH_CONNECTION=192.0.2.7 50000 198.51.100.1 22", 52, "192.0.2.7"},
	{"IPv6", "SSH_CONNECTION=2001:db8::7 5 ::1 22", 36, "2001:db8::7"},
	{"a zone", "SSH_CONNECTION=fe80::1%eth0 5 fe80::2 22", 41, "fe80::1"},
	{"mapped", "SSH_CONNECTION=::ffff:192.0.2.7 5 ::1 22", 41, "192.0.2.7"},
	{"the older name", "SSH_CLIENT=192.0.2.8 50000 22", 30, "192.0.2.8"},
	{"the newer name counts first",
	 "SSH_CLIENT=192.0.2.8 1 2\0SSH_CONNECTION=192.0.2.7 1 2 3", 56, "192.0.2.7"},
	{"a host", "SSH_CONNECTION=home 5 ::1 22", 29, NULL},
	{"empty", "SSH_CONNECTION=", 16, NULL},
	{"a longer name", "XSSH_CONNECTION=192.0.2.7 1 2 3", 32, NULL},
	{"cut off before its end", "SSH_CONNECTION=192.0.2.7 50000", 24, NULL},
};

static void the_caller_is_in_the_environment_of_ssh(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(environs) / sizeof(environs[0]); i++) {
		char text[ADDR_TEXT_MAX] = "none";
		struct addr addr;
		bool found;

		found = caller_from_environ(environs[i].block, environs[i].len, &addr);
		if (found)
			(void)addr_format(&addr, text);
		if (strcmp(text, environs[i].want ? environs[i].want : "none") != 0)
			fail_msg("%s: %s", environs[i].why, text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_cut_to_two_units),
		cmocka_unit_test(a_time_is_told_from_now),
		cmocka_unit_test(sizes_are_cut_to_three_figures_or_so),
		cmocka_unit_test(the_caller_is_in_the_environment_of_ssh),
	};

	return cmocka_run_group_tests_name("cli/text", tests, NULL, NULL);
}
