/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/base/test_line_problem - where a mistake is, and how the wrong word is shown.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/line_problem.h"

#define SIXTEEN "0123456789abcdef"

static const struct {
	const char *why;
	const char *word;
	size_t len, at;
	unsigned int column;
	const char *want;
} rows[] = {
	{"a word", "PX", 2, 13, 14, "'PX': write PA"},
	{"only its own bytes", "PX PA", 2, 0, 1, "'PX': write PA"},
	{"no word", NULL, 0, 5, 6, "write PA"},
	{"what a terminal would obey", "a\x1b[\0'", 5, 0, 1, "'a\\x1b[\\x00'': write PA"},
	{"64 bytes are shown", SIXTEEN SIXTEEN SIXTEEN SIXTEEN, 64, 0, 1,
	 "'" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "': write PA"},
	{"one more is cut", SIXTEEN SIXTEEN SIXTEEN SIXTEEN "x", 65, 0, 1,
	 "'" SIXTEEN SIXTEEN SIXTEEN SIXTEEN "...': write PA"},
};

static void the_word_is_shown_with_what_would_be_right(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct line_word word = {rows[i].word, rows[i].len, rows[i].at};
		struct line_problem problem;

		if (line_problem_set(&problem, &word, "write %s", "PA") != -EINVAL ||
		    problem.column != rows[i].column ||
		    strcmp(problem.text, rows[i].want) != 0)
			fail_msg("%s: %u, %s", rows[i].why, problem.column, problem.text);
	}
}

static void a_word_of_nothing_but_escapes_fits(void **state)
{
	char bytes[64];
	const struct line_word word = {bytes, sizeof(bytes), 0};
	struct line_problem problem;

	(void)state;
	memset(bytes, '\xff', sizeof(bytes));
	assert_int_equal(line_problem_set(&problem, &word, "no"), -EINVAL);
	assert_true(strlen(problem.text) < LINE_PROBLEM_MAX);
	assert_string_equal(problem.text + strlen(problem.text) - 5, "': no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_word_is_shown_with_what_would_be_right),
		cmocka_unit_test(a_word_of_nothing_but_escapes_fits),
	};

	return cmocka_run_group_tests_name("base/line_problem", tests, NULL, NULL);
}
