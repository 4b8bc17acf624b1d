/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern(8): what `postern test` asks and shows.
 *
 * link: cli_run.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/cli/cli_run.h"
#include "wire/ctl.h"

#define ROWS                                                                                              \
	"{\"row\":{\"step\":\"entry\",\"result\":\"permit\",\"mode\":\"\",\"text\":\"0.0.0.0/0: PA\"}}\n" \
	"{\"row\":{\"step\":\"relay\",\"result\":\"hit\",\"mode\":\"enforce\",\"text\":\"d: not local\"}}\n"

static const struct exchange refused[] = {
	{{"\"cmd\":\"test\"", "\"service\":\"smtp\"", "\"addr\":\"192.0.2.1\"",
	  "\"to\":\"c@d\""},
	 ROWS
	 "{\"done\":{\"code\":1,\"test\":{\"passes\":false,\"reply\":\"550 5.7.1 \\u001b[31mno\"}}}\n"},
	{{NULL}, NULL}};

static const struct exchange passes[] = {
	{{"\"helo\":\"x\"", "\"from\":\"a@b\"", "\"auth\":\"anna\"", "\"tls\":true"},
	 "{\"done\":{\"code\":0,\"test\":{\"passes\":true,\"reply\":\"354 go\"}}}\n"},
	{{NULL}, NULL}};

static const struct exchange unknown[] = {
	{{"\"cmd\":\"test\""},
	 ROWS "{\"done\":{\"code\":3,\"message\":\"no reply in time\"}}\n"},
	{{NULL}, NULL}};

static void steps_are_a_table_with_the_reply_below(void **state)
{
	struct run_result result =
		RUN(refused, NULL, "test", "smtp", "192.0.2.1", "--to", "c@d");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "STEP   RESULT  MODE     WHAT\n"
					"entry  permit  -        0.0.0.0/0: PA\n"
					"relay  hit     enforce  d: not local\n"
					"\nwould not pass: 550 5.7.1 \\x1b[31mno\n");
	run_free(&result);
}

static void steps_are_tsv(void **state)
{
	struct run_result result =
		RUN(refused, NULL, "test", "smtp", "192.0.2.1", "--to", "c@d", "--tsv");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	assert_string_equal(result.out, "entry\tpermit\t-\t0.0.0.0/0: PA\n"
					"relay\thit\tenforce\td: not local\n");
	run_free(&result);
}

static void steps_are_json(void **state)
{
	struct run_result result =
		RUN(refused, NULL, "test", "smtp", "192.0.2.1", "--to", "c@d", "--json");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	assert_non_null(strstr(result.out, "\"passes\":false"));
	assert_non_null(strstr(result.out, "\"steps\":[{\"step\":\"entry\""));
	run_free(&result);
}

static void everything_that_was_said_is_asked(void **state)
{
	struct run_result result =
		RUN(passes, NULL, "test", "smtp", "192.0.2.1", "--helo", "x", "--from",
		    "a@b", "--auth", "anna", "--tls");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	assert_int_equal(result.unexpected, 0);
	assert_non_null(strstr(result.out, "\nwould pass: 354 go\n"));
	run_free(&result);
}

static void what_could_not_be_found_out_is_neither(void **state)
{
	struct run_result result = RUN(unknown, NULL, "test", "smtp", "192.0.2.1");

	(void)state;
	assert_int_equal(result.status, CTL_UNREACHABLE);
	assert_non_null(strstr(result.err, "no reply in time"));
	assert_null(strstr(result.out, "would"));
	run_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(steps_are_a_table_with_the_reply_below),
		cmocka_unit_test(steps_are_tsv),
		cmocka_unit_test(steps_are_json),
		cmocka_unit_test(everything_that_was_said_is_asked),
		cmocka_unit_test(what_could_not_be_found_out_is_neither),
	};

	return cmocka_run_group_tests_name("cli/test", tests, NULL, NULL);
}
