/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "policy/flags.h"
#include "policy/list_parse.h"
#include "unit/seed.h"

#define UNTOUCHED 0x4711

static const struct {
	const char *line;
	const char *prefix; /* NULL: no entry */
	uint16_t flags;
} good[] = {
	{"", NULL, 0},
	{" \t ", NULL, 0},
	{"# comment", NULL, 0},
	{"\t # 203.0.113.0/24 PA", NULL, 0},
	{"\r", NULL, 0},
	{"203.0.113.0/24 PA", "203.0.113.0/24", FLAG_PA},
	{"203.0.113.0/24  PA AS LL  # comment", "203.0.113.0/24",
	 FLAG_PA | FLAG_AS | FLAG_LL},
	{"203.0.113.0/24 PA#comment", "203.0.113.0/24", FLAG_PA},
	{"203.0.113.0/24\tPA\tLL", "203.0.113.0/24", FLAG_PA | FLAG_LL},
	{"  203.0.113.0/24 PA  ", "203.0.113.0/24", FLAG_PA},
	{"203.0.113.0/24 pa Ll", "203.0.113.0/24", FLAG_PA | FLAG_LL},
	{"203.0.113.0/24 PA\r", "203.0.113.0/24", FLAG_PA},
	{"203.0.113.0/24 PA # note\r", "203.0.113.0/24", FLAG_PA},
	{"203.0.113.0/24 -", "203.0.113.0/24", 0},
	{"203.0.113.0/24 - # rejected", "203.0.113.0/24", 0},
	{"203.0.113.9 BL", "203.0.113.9", FLAG_BL},
	{"2001:db8::/32 PA AA AS AM AR RBL BAN LL BL PTR HE GL SPF DR", "2001:db8::/32",
	 FLAGS_ALL},
	{"::ffff:203.0.113.0/120 PA", "203.0.113.0/24", FLAG_PA},
	{"0.0.0.0/0 BL", "0.0.0.0/0", FLAG_BL},
	{"2001:0db8:0000:0000:0000:ffff:203.0.113.100/128 PA", "2001:db8::ffff:cb00:7164",
	 FLAG_PA},
};

static void good_lines_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct list_entry entry = {.flags = UNTOUCHED};
		struct line_problem problem = {.text = ""};
		char text[PREFIX_TEXT_MAX];
		int got = list_parse_line(good[i].line, strlen(good[i].line), &entry,
					  &problem);

		if (got != (good[i].prefix ? 1 : 0))
			fail_msg("'%s': %d, %s", good[i].line, got, problem.text);
		assert_int_equal(entry.flags, good[i].prefix ? good[i].flags : UNTOUCHED);
		if (good[i].prefix)
			assert_string_equal(prefix_format(&entry.prefix, text),
					    good[i].prefix);
	}
}

#define FLAGS_TEXT "PA AA AS AM AR RBL BAN LL BL PTR HE GL SPF DR"

static const struct {
	const char *line;
	unsigned int column;
	const char *want;
} bad[] = {
	{"203.0.113.1/24 PA", 1,
	 "'203.0.113.1/24': bits are set behind the prefix length; did you mean 203.0.113.0/24?"},
	{"  2001:db8::1/64 PA", 3,
	 "'2001:db8::1/64': bits are set behind the prefix length; did you mean 2001:db8::/64?"},
	{"203.0.113.0/33 PA", 1, "'203.0.113.0/33': prefix length is 0..32"},
	{"2001:db8::/129 PA", 1, "'2001:db8::/129': prefix length is 0..128"},
	{"mx.example.org PA", 1,
	 "'mx.example.org': not an address or prefix; write 203.0.113.0/24 or 2001:db8::/32"},
	{"PA 203.0.113.0/24", 1,
	 "'PA': not an address or prefix; write 203.0.113.0/24 or 2001:db8::/32"},
	{"203.0.113.0/24PA", 1,
	 "'203.0.113.0/24PA': not an address or prefix; write 203.0.113.0/24 or 2001:db8::/32"},
	{"203.0.113.0/255.255.255.0 PA", 1,
	 "'203.0.113.0/255.255.255.0': not an address or prefix; write 203.0.113.0/24 or "
	 "2001:db8::/32"},
	{"203.0.113.0/24 XX", 16, "'XX': unknown flag; flags are " FLAGS_TEXT},
	{"203.0.113.0/24 PA  LLL", 20, "'LLL': unknown flag; flags are " FLAGS_TEXT},
	{"203.0.113.0/24\tPA\tXX # why", 19, "'XX': unknown flag; flags are " FLAGS_TEXT},
	{"203.0.113.0/24 PA,AS", 16,
	 "'PA,AS': unknown flag; flags are separated by spaces, as in PA AS LL"},
	{"203.0.113.0/24 PA pa", 19, "'pa': the flag stands here twice"},
	{"203.0.113.0/24 PA -", 19,
	 "'-': means no flag at all, and stands alone behind the prefix"},
	{"203.0.113.0/24 - PA", 18,
	 "'PA': nothing may follow -, which means no flag at all"},
	{"203.0.113.0/24", 15,
	 "no flag follows; write flags, as in PA AS LL, or - for none"},
	{"203.0.113.0/24  # PA", 15,
	 "no flag follows; write flags, as in PA AS LL, or - for none"},
	{"203.0.113.0/24 \"\x1b[2J", 16,
	 "'\\\"\\x1b[2J': unknown flag; flags are " FLAGS_TEXT},
	{"\xef\xbb\xbf"
	 "203.0.113.0/24 PA",
	 1,
	 "'\\xef\\xbb\\xbf203.0.113.0/24': not an address or prefix; write 203.0.113.0/24 or "
	 "2001:db8::/32"},
	{"203.0.113.0/24 P\rA", 16, "'P\\x0dA': unknown flag; flags are " FLAGS_TEXT},
	{"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx PA", 1,
	 "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...': not an address "
	 "or prefix; write 203.0.113.0/24 or 2001:db8::/32"},
};

static void bad_lines_say_where_and_what_would_be_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct list_entry entry = {.flags = UNTOUCHED};
		struct line_problem problem = {.text = ""};

		assert_int_equal(list_parse_line(bad[i].line, strlen(bad[i].line), &entry,
						 &problem),
				 -EINVAL);
		assert_string_equal(problem.text, bad[i].want);
		if (problem.column != bad[i].column)
			fail_msg("'%s': column %u", bad[i].line, problem.column);
		assert_int_equal(entry.flags, UNTOUCHED);
	}
}

static void a_nul_is_part_of_a_wrong_word(void **state)
{
	static const char line[] = "203.0.113.9\0/24 PA";
	struct line_problem problem;
	struct list_entry entry;

	(void)state;
	assert_int_equal(list_parse_line(line, sizeof(line) - 1, &entry, &problem),
			 -EINVAL);
	assert_int_equal(problem.column, 1);
	assert_non_null(strstr(problem.text, "'203.0.113.9\\x00/24'"));
}

static void the_longest_line_and_one_byte_more(void **state)
{
	char line[LIST_LINE_MAX_BYTES + 1] = "203.0.113.0/24 PA #";
	struct line_problem problem = {.column = 0};
	struct list_entry entry;

	(void)state;
	memset(line + strlen(line), 'x', sizeof(line) - strlen(line));
	assert_int_equal(list_parse_line(line, LIST_LINE_MAX_BYTES, &entry, &problem), 1);
	assert_int_equal(list_parse_line(line, LIST_LINE_MAX_BYTES + 1, &entry, &problem),
			 -EINVAL);
	assert_int_equal(problem.column, LIST_LINE_MAX_BYTES + 1);
	assert_string_equal(problem.text, "the line is longer than 1024 bytes");
}

/* Exactly as large as the line, so that ASan sees a step beyond it; each length of it. */
static void nothing_is_read_behind_the_line(void **state)
{
	static const char line[] = "2001:db8::/32  PA AS # x";

	(void)state;
	for (size_t len = 0; len < sizeof(line); len++) {
		struct line_problem problem;
		struct list_entry entry;
		char *exact = malloc(len ? len : 1);

		assert_non_null(exact);
		memcpy(exact, line, len);
		(void)!list_parse_line(exact, len, &entry, &problem);
		free(exact);
	}
}

/* What is read is written, and read again. */
static void an_entry_survives_being_written(void **state)
{
	uint64_t random = seed_start();

	(void)state;
	for (int i = 0; i < 20000; i++) {
		const bool is_v4 = seed_below(&random, 2);
		struct addr addr = {.family = is_v4 ? ADDR_V4 : ADDR_V6};
		struct list_entry want, got;
		struct line_problem problem;
		char prefix[PREFIX_TEXT_MAX], flags[FLAGS_TEXT_MAX], line[160];
		int len;

		for (int byte = 0; byte < (is_v4 ? 4 : 16); byte++)
			addr.bytes[byte] = (uint8_t)seed_next(&random);
		want.prefix = prefix_make(&addr,
					  (uint8_t)seed_below(&random, is_v4 ? 33 : 129));
		want.flags = seed_next(&random) & FLAGS_ALL;
		len = snprintf(line, sizeof(line), "%s %s",
			       prefix_format(&want.prefix, prefix),
			       flags_format(want.flags, flags));
		if (list_parse_line(line, (size_t)len, &got, &problem) != 1)
			fail_msg("'%s': %s", line, problem.text);
		assert_true(prefix_equal(&got.prefix, &want.prefix));
		assert_int_equal(got.flags, want.flags);
	}
}

static void a_million_lines_are_read_at_once(void **state)
{
	const uint64_t start_ns = clock_mono_ns();
	unsigned int ms;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		struct line_problem problem;
		struct list_entry entry;
		char line[64] = "203.000.113.0/24 PA AS LL # comment";

		line[4] = (char)('1' + i % 2);
		line[5] = (char)('0' + i / 2 % 6);
		line[6] = (char)('0' + i / 16 % 6);
		assert_int_equal(list_parse_line(line, 35, &entry, &problem), 1);
	}
	ms = (unsigned int)((clock_mono_ns() - start_ns) / NS_PER_MS);
	printf("# a million lines: %u ms\n", ms);
	assert_in_range(ms, 0,
			60000); /* 0.2 s; sanitizers on a busy machine take longer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_lines_are_read),
		cmocka_unit_test(bad_lines_say_where_and_what_would_be_right),
		cmocka_unit_test(a_nul_is_part_of_a_wrong_word),
		cmocka_unit_test(the_longest_line_and_one_byte_more),
		cmocka_unit_test(nothing_is_read_behind_the_line),
		cmocka_unit_test(an_entry_survives_being_written),
		cmocka_unit_test(a_million_lines_are_read_at_once),
	};

	return cmocka_run_group_tests_name("policy/list_parse", tests, NULL, NULL);
}
