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

	(void)state;
	table_clear();
	golden_open(&golden, "spf.tsv");
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

/* As a stranger could make them: what counts is that it ends, with few questions and a result. */
static void records_of_any_size_end(void **state)
{
	(void)state;
	table_clear();
	table_add_long("includes.example", "v=spf1 -all", " include:i.example", 3000);
	table_add_long("networks.example", "v=spf1", " ip4:198.51.100.1", 400);
	table_add_long("large.example", "v=spf1", " ip4:198.51.100.1", 3000);
	table_add_long("spaces.example", "v=spf1", " ", SPF_RECORD_MAX - 6);
	table_add_long("space.example", "v=spf1", " ", SPF_RECORD_MAX - 5);
	table_add_long("macros.example", "v=spf1 exists:", "%{S}", 2000);
	table_add_long("parts.example", "v=spf1 exists:x", "%{s99r.-+,/_=}", 500);
	table_add_long("other.example", "v=DKIM1; p=", "x", 50000);
	table_add("other.example", "TXT", "\"v=spf1 +all\"");

	check_host("192.0.2.1", "h.example", "a@includes.example");
	assert_int_equal(eval.result, SPF_PERMERROR); /* too long */
	check_host("192.0.2.1", "h.example", "a@networks.example");
	assert_int_equal(eval.result, SPF_NEUTRAL);
	check_host("192.0.2.1", "h.example", "a@large.example");
	assert_int_equal(eval.result, SPF_PERMERROR);
	check_host("192.0.2.1", "h.example", "a@spaces.example");
	assert_int_equal(eval.result, SPF_NEUTRAL);
	check_host("192.0.2.1", "h.example", "a@space.example");
	assert_int_equal(eval.result, SPF_PERMERROR);
	check_host("192.0.2.1", "h.example", "a@macros.example");
	assert_int_equal(eval.result,
			 SPF_NEUTRAL); /* it ends with a macro, and stands for no name */
	check_host("192.0.2.1", "h.example", "a-b+c=d@parts.example");
	assert_true(eval.result == SPF_NEUTRAL || eval.result == SPF_PERMERROR);
	check_host("192.0.2.1", "h.example", "a@other.example");
	assert_int_equal(eval.result, SPF_PASS); /* what is not SPF may be of any size */
	table_clear();
}

/* Open records share their memory; a redirect gives back what the one before it had. */
static void records_that_include_each_other_share_their_room(void **state)
{
	(void)state;
	table_clear();
	table_add_long("a.example", "v=spf1 include:b.example", " ip4:198.51.100.1", 450);
	table_add_long("b.example", "v=spf1 include:c.example", " ip4:198.51.100.1", 450);
	table_add_long("c.example", "v=spf1", " ip4:192.0.2.1", 450);
	table_add_long("r1.example", "v=spf1 redirect=r2.example", " ip4:198.51.100.1",
		       450);
	table_add_long("r2.example", "v=spf1 redirect=r3.example", " ip4:198.51.100.1",
		       450);
	table_add_long("r3.example", "v=spf1", " ip4:192.0.2.1", 450);

	check_host("192.0.2.1", "h.example", "x@b.example");
	assert_int_equal(eval.result, SPF_PASS);
	check_host("192.0.2.1", "h.example", "x@a.example");
	assert_int_equal(eval.result, SPF_PERMERROR);
	check_host("192.0.2.1", "h.example", "x@r1.example");
	assert_int_equal(eval.result, SPF_PASS);
	table_clear();
}

static void a_result_is_known_while_its_words_are_awaited(void **state)
{
	struct spf_sender sender = {
		.local = {"a", 1},
		.domain = {"t.example", 9},
		.client = {.family = ADDR_V4, .bytes = {192, 0, 2, 1}}};

	(void)state;
	table_clear();
	table_add("t.example", "TXT", "\"v=spf1 -all exp=%{p}.e.example\"");
	assert_true(spf_eval_begin(&eval, &sender));
	assert_false(eval.has_result);
	/* The record; then, for the name of the explanation, those of the client. */
	assert_true(spf_eval_go_on(&eval, table_answer(eval.question, eval.type)));
	assert_true(eval.has_result);
	assert_int_equal(eval.result, SPF_FAIL);
	assert_int_equal(eval.type, DNSMSG_PTR);
	assert_true(spf_eval_go_on(&eval, table_answer(eval.question, eval.type)));
	assert_string_equal(eval.question, "unknown.e.example");
	assert_false(spf_eval_go_on(&eval, table_answer(eval.question, eval.type)));
	assert_string_equal(eval.explanation, "");
	table_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_suite_holds),
		cmocka_unit_test(records_of_any_size_end),
		cmocka_unit_test(records_that_include_each_other_share_their_room),
		cmocka_unit_test(a_result_is_known_while_its_words_are_awaited),
	};

	return cmocka_run_group_tests_name("checks/spf_eval", tests, NULL, NULL);
}
