/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "base/num.h"

#define UNTOUCHED 4711

static const struct {
	const char *text;
	uint64_t max;
	int err;
	uint64_t want;
} numbers[] = {
	{"0", 10, 0, 0},
	{"10", 10, 0, 10},
	{"11", 10, -ERANGE, 0},
	{"010", 10, 0, 10},
	{"18446744073709551615", UINT64_MAX, 0, UINT64_MAX},
	{"18446744073709551616", UINT64_MAX, -ERANGE, 0},
	{"99999999999999999999999999999", UINT64_MAX, -ERANGE, 0},
	{"", 10, -EINVAL, 0},
	{"-1", 10, -EINVAL, 0},
	{"+1", 10, -EINVAL, 0},
	{" 1", 10, -EINVAL, 0},
	{"1 ", 10, -EINVAL, 0},
	{"0x1", 10, -EINVAL, 0},
	{"99x", 10, -EINVAL, 0},
};

static void numbers_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		uint64_t got = UNTOUCHED;
		int err = num_parse_u64(numbers[i].text, numbers[i].max, &got);

		if (err != numbers[i].err || got != (err ? UNTOUCHED : numbers[i].want))
			fail_msg("'%s': %d", numbers[i].text, err);
	}
}

static const struct {
	const char *text;
	int err;
	int64_t want_s;
} durations[] = {
	{"0", 0, 0},
	{"90", 0, 90},
	{"90s", 0, 90},
	{"10m", 0, 600},
	{"1h", 0, 3600},
	{"7d", 0, 604800},
	{"2w", 0, 1209600},
	{"1h30m", 0, 5400},
	{"1w2d3h4m5s", 0, 604800 + 2 * 86400 + 3 * 3600 + 4 * 60 + 5},
	{"forever", 0, DURATION_FOREVER_S},
	{"36525d", 0, INT64_C(36525) * 86400},
	{"36525d1s", -ERANGE, 0},
	{"36526d", -ERANGE, 0},
	{"99999999999999999999w", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"m", -EINVAL, 0},
	{"10x", -EINVAL, 0},
	{"10M", -EINVAL, 0},
	{"10 m", -EINVAL, 0},
	{"-10m", -EINVAL, 0},
	{"1h30", -EINVAL, 0},
	{"30m1h", -EINVAL, 0},
	{"1h1h", -EINVAL, 0},
	{"1.5h", -EINVAL, 0},
	{"forever1s", -EINVAL, 0},
	{"Forever", -EINVAL, 0},
};

static void durations_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(durations) / sizeof(durations[0]); i++) {
		int64_t got = UNTOUCHED;
		int err = num_parse_duration(durations[i].text, &got);

		if (err != durations[i].err ||
		    got != (err ? UNTOUCHED : durations[i].want_s))
			fail_msg("'%s': %d", durations[i].text, err);
	}
}

static const struct {
	const char *text;
	int err;
	uint64_t want;
} sizes[] = {
	{"512", 0, 512},
	{"0", 0, 0},
	{"512B", 0, 512},
	{"64K", 0, 65536},
	{"64k", 0, 65536},
	{"64KB", 0, 65536},
	{"64kb", 0, 65536},
	{"25MB", 0, 26214400},
	{"1GB", 0, 1073741824},
	{"1T", 0, UINT64_C(1099511627776)},
	{"16777215T", 0, UINT64_C(16777215) << 40},
	{"16777216T", -ERANGE, 0},
	{"18446744073709551616", -ERANGE, 0},
	{"", -EINVAL, 0},
	{"K", -EINVAL, 0},
	{"1KK", -EINVAL, 0},
	{"1KBB", -EINVAL, 0},
	{"1X", -EINVAL, 0},
	{"1 K", -EINVAL, 0},
	{"-1K", -EINVAL, 0},
};

static void sizes_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t got = UNTOUCHED;
		int err = num_parse_size(sizes[i].text, &got);

		if (err != sizes[i].err || got != (err ? UNTOUCHED : sizes[i].want))
			fail_msg("'%s': %d", sizes[i].text, err);
	}
}

static const struct {
	int64_t seconds;
	const char *want;
} formats[] = {
	{0, "0s"},
	{-5, "0s"},
	{59, "59s"},
	{60, "1m"},
	{5400, "1h30m"},
	{604800, "7d"},
	{86401, "1d1s"},
	{INT64_C(36525) * 86400 - 1, "36524d23h59m59s"},
	{DURATION_FOREVER_S, "forever"},
	{DURATION_FOREVER_S - 1, "106751991167300d"},
};

static void formats_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		char text[DURATION_TEXT_MAX];

		assert_string_equal(num_format_duration(formats[i].seconds, text),
				    formats[i].want);
	}
}

static void what_is_written_reads_back(void **state)
{
	(void)state;
	for (int64_t s = 1; s < INT64_C(36525) * 86400; s = s * 3 / 2 + 7) {
		char text[DURATION_TEXT_MAX];
		int64_t back = 0;

		assert_int_equal(num_parse_duration(num_format_duration(s, text), &back),
				 0);
		assert_true(back == s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_hold),
		cmocka_unit_test(durations_hold),
		cmocka_unit_test(sizes_hold),
		cmocka_unit_test(formats_hold),
		cmocka_unit_test(what_is_written_reads_back),
	};

	return cmocka_run_group_tests_name("base/num", tests, NULL, NULL);
}
