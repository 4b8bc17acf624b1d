/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf_eval against tests/golden/spf.tsv: each case of RFC 7208, with a table for a DNS.
 *
 * link: ../dns_table.c ../wire/golden.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "checks/spf_eval.h"
#include "unit/dns_table.h"
#include "unit/wire/golden.h"

#define QUESTIONS_MAX \
	150u /* of any evaluation: 10 terms of one MX and ten hosts each, and some */
#define NOW_S 1700000000

static struct spf_eval eval;

static struct spf_text text_of(const char *text)
{
	return (struct spf_text){text, strlen(text)};
}

/* One evaluation to its end. @sender: "local@domain", or "" for the name in HELO. */
static void check_host(const char *client, const char *helo, const char *mail_from)
{
	const char *at = strrchr(mail_from, '@');
	struct spf_sender sender = {
		.local = {mail_from, at ? (size_t)(at - mail_from) : 0},
		.domain = text_of(at		 ? at + 1
				  : mail_from[0] ? mail_from
						 : helo),
		.helo = text_of(helo),
		.receiver = text_of("gate.example.net"),
		.now_s = NOW_S,
	};
	bool wants;

	assert_int_equal(addr_parse(client, &sender.client), 0);
	table_asked = 0;
	wants = spf_eval_begin(&eval, &sender);
	while (wants) {
		assert_true(table_asked < QUESTIONS_MAX);
		wants = spf_eval_go_on(&eval, table_answer(eval.question, eval.type));
	}
	assert_true(eval.has_result && eval.result < SPF_RESULT_COUNT);
}

/* @want: "fail", or "fail/permerror" where the RFC leaves it open. */
static bool is_wanted(const char *want)
{
	const char *got = spf_result_name((enum spf_result)eval.result);
	const char *found = strstr(want, got);

	return found && (found == want || found[-1] == '/') &&
	       (found[strlen(got)] == '\0' || found[strlen(got)] == '/');
}

enum {
	COL_KIND,
	COL_CLIENT,
	COL_HELO,
	COL_SENDER,
	COL_WANT,
	COL_SAYS,
	COL_WHY,
	COL_COUNT
};

static bool test_row(const struct golden *golden)
{
	char *const *field = golden->field;
	const char *says = field[COL_SAYS];

	/* "-": whatever; "(none)": no explanation. */
	if (strcmp(says, "-") == 0)
		says = NULL;
	else if (strcmp(says, "(none)") == 0)
		says = "";

	check_host(field[COL_CLIENT], field[COL_HELO],
		   strcmp(field[COL_SENDER], "<>") == 0 ? "" : field[COL_SENDER]);
	if (is_wanted(field[COL_WANT]) &&
	    (!says || strcasecmp(eval.explanation, says) == 0))
		return true;
	print_error(
		"line %u: %s: %s, not %s; mechanism \"%s\", problem \"%s\", explanation \"%s\"\n",
		golden->line, field[COL_WHY],
		spf_result_name((enum spf_result)eval.result), field[COL_WANT],
		eval.mechanism, eval.problem, eval.explanation);
	return false;
}

static void every_row_of_the_suite_holds(void **state)
{
	unsigned int tests = 0, wrong = 0;
	struct golden golden;
	const char *name = getenv("SPF_SUITE");

	(void)state;
	table_clear();
	golden_open(&golden, name ? name : "spf.tsv");
	while (golden_next(&golden)) {
		if (strcmp(golden.field[COL_KIND], "begin") == 0) {
			table_clear();
		} else if (strcmp(golden.field[COL_KIND], "zone") == 0) {
			assert_int_equal(golden.fields, 4);
			table_add(golden.field[1], golden.field[2], golden.field[3]);
		} else {
			if (golden.fields != COL_COUNT)
				fail_msg("line %u: %zu fields", golden.line,
					 golden.fields);
			tests++;
			wrong += !test_row(&golden);
		}
	}
	table_clear();
	if (wrong > 0)
		fail_msg("%u of %u", wrong, tests);
	assert_true(tests >= 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_suite_holds),
	};

	return cmocka_run_group_tests_name("checks/spf_eval", tests, NULL, NULL);
}
