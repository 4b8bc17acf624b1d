/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern greylist: what is asked, what is shown; and its part in status and why.
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

#define TRIPLET                                                                              \
	"{\"row\":{\"origin\":\"192.0.2.0/24\",\"kind\":\"triplet\",\"state\":\"waits\","    \
	"\"sender\":\"a@example.com\",\"recipient\":\"b@example.org\",\"first\":1699999940," \
	"\"last\":1699999940,\"ends\":1700172740,\"successes\":null}}\n"
#define COMMAND                                                                            \
	"{\"row\":{\"origin\":\"192.0.2.0/24\",\"kind\":\"command\",\"state\":\"passes\"," \
	"\"sender\":null,\"recipient\":null,\"first\":1699999940,\"last\":null,"           \
	"\"ends\":null,\"successes\":null}}\n"
#define END(code) "{\"done\":{\"code\":" #code "}}\n"

static void the_list_has_three_faces(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"greylist-list\"", "\"args\":{}"}, COMMAND TRIPLET END(0)},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "greylist", "list");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(
		result.out,
		"FROM          KIND     STATE   SENDER         RECIPIENT      FIRST   LAST    ENDS      SUCCESSES\n"
		"192.0.2.0/24  command  passes  -              -              1m ago  never   forever           -\n"
		"192.0.2.0/24  triplet  waits   a@example.com  b@example.org  1m ago  1m ago  in 1d23h          -\n");
	run_free(&result);
	result = RUN(script, NULL, "greylist", "list", "--tsv");
	assert_string_equal(
		result.out,
		"192.0.2.0/24\tcommand\tpasses\t-\t-\t1699999940\t-\tforever\t-\n"
		"192.0.2.0/24\ttriplet\twaits\ta@example.com\tb@example.org\t1699999940\t1699999940\t1700172740\t-\n");
	run_free(&result);
	result = RUN(script, NULL, "greylist", "list", "--json");
	assert_non_null(strstr(result.out, "\"sender\":\"a@example.com\""));
	run_free(&result);
}

static void one_network_can_be_asked_for(void **state)
{
	static const struct exchange script[] = {{{"\"addr\":\"example.com\""}, END(0)},
						 {{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "greylist", "list", "example.com");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "nothing is remembered\n");
	run_free(&result);
}

static void a_pass_says_what_passes_and_how_long(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"greylist-pass\"",
		  "\"addrs\":[\"192.0.2.1\",\"2001:db8::1\"]", "\"for_s\":3600"},
		 "{\"row\":{\"addr\":\"192.0.2.0/24\",\"result\":\"passes\",\"ends\":1700003600}}\n" END(
			 0)},
		{{NULL}, NULL}};
	static const struct exchange forever[] = {{{"\"forever\":true"}, END(0)},
						  {{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "greylist", "pass", "192.0.2.1",
				       "2001:db8::1", "--for", "1h");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "ADDRESS       RESULT  ENDS\n"
					"192.0.2.0/24  passes  in 1h\n");
	run_free(&result);
	result = RUN(forever, NULL, "greylist", "pass", "192.0.2.1", "--forever");
	assert_int_equal(result.unexpected, 0);
	run_free(&result);
}

static void what_was_not_there_cannot_be_forgotten(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"greylist-forget\"",
		  "\"addrs\":[\"192.0.2.1\",\"example.com\"]"},
		 "{\"row\":{\"addr\":\"192.0.2.0/24\",\"result\":\"forgotten\",\"rows\":7,\"why\":\"\"}}\n"
		 "{\"row\":{\"addr\":\"example.com\",\"result\":\"not-found\",\"rows\":0,\"why\":\"\"}}\n" END(
			 1)},
		{{NULL}, NULL}};
	static const struct exchange all[] = {{{"\"args\":{\"all\":true}"}, END(0)},
					      {{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "greylist", "forget", "192.0.2.1",
				       "example.com", "--tsv");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_int_equal(result.status, CTL_NO);
	assert_string_equal(result.out, "192.0.2.0/24\tforgotten\t7\t-\n"
					"example.com\tnot-found\t0\t-\n");
	run_free(&result);
	result = RUN(all, NULL, "greylist", "forget", "--all");
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "all is forgotten\n");
	run_free(&result);
}

static void why_tells_of_the_network(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"why\""},
		 "{\"done\":{\"code\":0,\"why\":{\"addr\":\"192.0.2.1\",\"greylist\":{"
		 "\"network\":\"192.0.2.0/24\",\"waiting\":1,\"proven\":2,"
		 "\"pass_addr\":\"192.0.0.0/16\",\"pass_ends\":1700003600,\"rows\":["
		 "{\"kind\":\"network\",\"state\":\"counted\",\"first\":1699999940,\"successes\":2},"
		 "{\"kind\":\"triplet\",\"state\":\"waits\",\"sender\":\"a@example.com\","
		 "\"recipient\":\"b@example.org\",\"first\":1699999940}]}}}}\n"},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "why", "192.0.2.1");

	(void)state;
	assert_non_null(
		strstr(result.out,
		       "greylist of 192.0.2.0/24: 2 senders known, 1 wait\n"
		       "  all of 192.0.0.0/16 passes by command, ends in 1h\n"
		       "  1m ago     counted the network: 2 of its senders came back\n"
		       "  1m ago     waits a@example.com to b@example.org\n"));
	run_free(&result);
}

static void status_tells_once_there_is_something(void **state)
{
	static const struct exchange absent[] = {
		{{"status"},
		 "{\"done\":{\"code\":0,\"status\":{\"greylist\":{\"state\":\"absent\"}}}}\n"},
		{{NULL}, NULL}};
	static const struct exchange script[] = {
		{{"status"},
		 "{\"done\":{\"code\":0,\"status\":{\"greylist\":{\"state\":\"ok\",\"waiting\":12,"
		 "\"proven\":3,\"networks\":1,\"bytes\":2048}}}}\n"},
		{{NULL}, NULL}};
	struct run_result result = RUN(absent, NULL, "status");

	(void)state;
	assert_null(strstr(result.out, "greylist"));
	run_free(&result);
	result = RUN(script, NULL, "status");
	assert_non_null(
		strstr(result.out,
		       "greylist       ok, 12 wait, 3 known, 1 networks, 2.0 KiB\n"));
	run_free(&result);
	result = RUN(script, NULL, "status", "--tsv");
	assert_non_null(strstr(result.out, "greylist\t-\twaiting\t12\n"));
	run_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_list_has_three_faces),
		cmocka_unit_test(one_network_can_be_asked_for),
		cmocka_unit_test(a_pass_says_what_passes_and_how_long),
		cmocka_unit_test(what_was_not_there_cannot_be_forgotten),
		cmocka_unit_test(why_tells_of_the_network),
		cmocka_unit_test(status_tells_once_there_is_something),
	};

	return cmocka_run_group_tests_name("cli/greylist", tests, NULL, NULL);
}
