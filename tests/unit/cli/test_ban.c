/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern ban and unban: what is asked, what is shown, and lists of a hundred thousand.
 *
 * link: cli_run.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/addr_list.h"
#include "unit/cli/cli_run.h"
#include "wire/ctl.h"

#define ROW(addr, result) \
	"{\"row\":{\"addr\":\"" addr "\",\"policy\":\"global\",\"result\":\"" result "\""
#define END(code) "{\"done\":{\"code\":" #code "}}\n"

static void a_ban_asks_for_what_was_said(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"ban\"", "\"addrs\":[\"192.0.2.1\",\"2001:db8::/64\"]",
		  "\"for_s\":3600", "\"reason\":\"it \\\"was\\\" him\""},
		 ROW("192.0.2.1", "banned") ",\"ends\":1700003600}}\n" ROW(
			 "2001:db8::/64", "changed") ",\"ends\":null}}\n" END(0)},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "ban", "192.0.2.1", "2001:DB8::/64",
				       "--for", "1h", "--reason", "it \"was\" him");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_int_equal(result.status, CTL_OK);
	assert_string_equal(result.out, "ADDRESS        POLICY  RESULT   ENDS     WHY\n"
					"192.0.2.1      global  banned   in 1h    -\n"
					"2001:db8::/64  global  changed  forever  -\n");
	run_free(&result);
}

static void the_switches_are_passed_on(void **state)
{
	static const struct exchange script[] = {
		{{"\"forever\":true", "\"force\":true", "\"dry_run\":true",
		  "\"policy\":\"lan\""},
		 END(0)},
		{{NULL}, NULL}};
	static const struct exchange caller[] = {
		{{"\"caller\":\"198.51.100.9\""}, END(0)}, {{NULL}, NULL}};
	struct run_result result;

	(void)state;
	result = RUN(script, NULL, "ban", "192.0.2.1", "--forever", "--force",
		     "--dry-run", "--policy", "lan");
	assert_int_equal(result.unexpected, 0);
	run_free(&result);
	result = RUN(script, NULL, "ban", "192.0.2.1", "--for", "forever", "--force",
		     "--dry-run", "--policy", "lan");
	assert_int_equal(result.unexpected, 0);
	run_free(&result);
	result = RUN(caller, NULL, "ban", "192.0.2.1", "--caller", "198.51.100.9");
	assert_int_equal(result.unexpected, 0);
	run_free(&result);
}

static void a_refusal_is_shown_and_is_no(void **state)
{
	static const struct exchange script[] = {
		{{"ban"},
		 ROW("192.0.2.1",
		     "refused") ",\"ends\":null,\"why\":\"own address\"}}\n"
				"{\"done\":{\"code\":1,\"message\":\"1 of 1 refused\"}}\n"},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "ban", "192.0.2.1");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	assert_non_null(
		strstr(result.out, "192.0.2.1  global  refused  -     own address\n"));
	assert_string_equal(result.err, "postern ban: 1 of 1 refused\n");
	run_free(&result);
}

static void rows_come_as_tsv_and_json(void **state)
{
	static const struct exchange script[] = {
		{{"unban"},
		 ROW("192.0.2.1", "unbanned") ",\"ends\":1700000050}}\n" ROW(
			 "192.0.2.2", "not-found") "}}\n" END(1)},
		{{NULL}, NULL}};
	struct run_result result;

	(void)state;
	result = RUN(script, NULL, "unban", "192.0.2.1", "192.0.2.2", "--tsv");
	assert_int_equal(result.status, CTL_NO);
	assert_string_equal(result.out, "192.0.2.1\tglobal\tunbanned\t1700000050\t-\n"
					"192.0.2.2\tglobal\tnot-found\t-\t-\n");
	run_free(&result);
	result = RUN(script, NULL, "unban", "192.0.2.1", "192.0.2.2", "--json");
	assert_string_equal(
		result.out,
		"[{\"addr\":\"192.0.2.1\",\"policy\":\"global\",\"result\":\"unbanned\",\"ends\":1700000050},\n"
		"{\"addr\":\"192.0.2.2\",\"policy\":\"global\",\"result\":\"not-found\"}]\n");
	run_free(&result);
}

static void unban_all_names_no_address(void **state)
{
	static const struct exchange script[] = {
		{{"\"args\":{\"all\":true}"}, ROW("192.0.2.1", "unbanned") "}}\n" END(0)},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "unban", "--all");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "1 unbanned\n");
	run_free(&result);
}

static void a_list_takes_comments_and_space(void **state)
{
	static const struct exchange script[] = {
		{{"\"addrs\":[\"192.0.2.1\",\"192.0.2.2\",\"2001:db8::/32\",\"192.0.2.3\"]"},
		 ROW("192.0.2.1", "banned") "}}\n" ROW("192.0.2.2",
						       "refused") "}}\n" END(1)},
		{{NULL}, NULL}};
	struct run_result result =
		RUN(script,
		    "# head\n192.0.2.1\n\n  192.0.2.2\t# why\r\n2001:db8::/32#x\n"
		    "192.0.2.3",
		    "ban", "-");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_int_equal(result.status, CTL_NO);
	assert_null(strstr(result.out, "192.0.2.1"));
	assert_non_null(strstr(result.out, "192.0.2.2  global  refused"));
	assert_non_null(strstr(result.out, "\n1 banned, 1 refused\n"));
	run_free(&result);
}

static void a_mistake_in_a_list_is_told_with_its_line(void **state)
{
	struct run_result result =
		RUN(NULL, "192.0.2.1\n\n10.0.0.0/33\n192.0.2.2 192.0.2.3\n", "ban", "-");

	(void)state;
	assert_int_equal(result.status, CTL_USAGE);
	assert_non_null(
		strstr(result.err,
		       "postern ban: line 3: '10.0.0.0/33': prefix length is 0..32\n"));
	assert_non_null(strstr(result.err,
			       "postern ban: line 4: '192.0.2.2 192.0.2.3': no address"));
	assert_non_null(strstr(result.err, "nothing was changed\n"));
	run_free(&result);
}

static void an_empty_list_is_a_mistake(void **state)
{
	struct run_result result = RUN(NULL, "# nothing\n", "unban", "-");

	(void)state;
	assert_int_equal(result.status, CTL_USAGE);
	run_free(&result);
}

static void an_endless_line_is_a_mistake(void **state)
{
	char line[ADDR_LIST_LINE_MAX + 2];
	struct run_result result;

	(void)state;
	memset(line, '#', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	result = RUN(NULL, line, "ban", "-");
	assert_int_equal(result.status, CTL_USAGE);
	assert_non_null(strstr(result.err, "line 1: longer than"));
	run_free(&result);
}

#define MANY	 100000u
#define OPEN_MAX 4u /* requests on their way */

/* Answers a request only when OPEN_MAX are there, as a client that waits for each would never send. */
static int answer_slowly(int fd)
{
	char *line = NULL;
	size_t cap = 0, addresses = 0, counts[OPEN_MAX], open = 0;
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	int wrong = 0;

	while (addresses < MANY || open > 0) {
		while (addresses < MANY && open < OPEN_MAX) {
			json_t *request;

			if (getline(&line, &cap, in) < 0)
				return 100;
			request = json_loads(line, 0, NULL);
			counts[open] = json_array_size(json_object_get(
				json_object_get(request, "args"), "addrs"));
			json_decref(request);
			addresses += counts[open];
			if (counts[open] == 0 || counts[open] > CTL_ADDRS_MAX)
				wrong++;
			open++;
		}
		for (size_t i = 0; i < counts[0]; i++)
			(void)fputs(ROW("192.0.2.1", "banned") "}}\n", out);
		(void)fputs(END(0), out);
		(void)fflush(out);
		open--;
		memmove(counts, counts + 1, open * sizeof(counts[0]));
	}
	free(line);
	return fclose(out) != 0 || fclose(in) != 0 ? 101 : wrong;
}

static void a_hundred_thousand_go_in_pipelined_requests(void **state)
{
	struct run_result result;
	char *list = malloc(MANY * 20), *at = list;

	(void)state;
	assert_non_null(list);
	for (unsigned int i = 0; i < MANY; i++)
		at += snprintf(at, 20, "10.%u.%u.%u\n", i >> 16, i >> 8 & 255, i & 255);
	result = run_cli_with(answer_slowly, list,
			      (const char *const[]){"ban", "-", NULL});
	assert_int_equal(result.unexpected, 0);
	assert_int_equal(result.status, CTL_OK);
	assert_string_equal(result.out, "100000 banned\n");
	run_free(&result);
	free(list);
}

/* Says no to the first request and reads no other. */
static int refuse_the_first(int fd)
{
	char *line = NULL;
	size_t cap = 0;
	static const char no[] =
		"{\"done\":{\"code\":2,\"message\":\"no policy 'x'\"}}\n";
	FILE *stream = fdopen(fd, "r");

	if (getline(&line, &cap, stream) < 0 || send(fd, no, strlen(no), 0) < 0)
		return 1;
	free(line);
	return 0;
}

static void a_request_without_sense_ends_the_list(void **state)
{
	struct run_result result;
	char *list = malloc(10 * CTL_ADDRS_MAX * 64), *at = list;

	(void)state;
	assert_non_null(list);
	/* Long ones, so that a part is still unsent when the daemon leaves. */
	for (unsigned int i = 0; i < 10 * CTL_ADDRS_MAX; i++)
		at += snprintf(at, 64, "2001:db8:1111:2222:3333:4444:5555:%x\n", i);
	result = run_cli_with(refuse_the_first, list,
			      (const char *const[]){"ban", "-", "--policy", "x", NULL});
	assert_string_equal(result.err, "postern ban: no policy 'x'\n");
	assert_int_equal(result.status, CTL_USAGE);
	assert_string_equal(result.out, "");
	run_free(&result);
	free(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_ban_asks_for_what_was_said),
		cmocka_unit_test(the_switches_are_passed_on),
		cmocka_unit_test(a_refusal_is_shown_and_is_no),
		cmocka_unit_test(rows_come_as_tsv_and_json),
		cmocka_unit_test(unban_all_names_no_address),
		cmocka_unit_test(a_list_takes_comments_and_space),
		cmocka_unit_test(a_mistake_in_a_list_is_told_with_its_line),
		cmocka_unit_test(an_empty_list_is_a_mistake),
		cmocka_unit_test(an_endless_line_is_a_mistake),
		cmocka_unit_test(a_hundred_thousand_go_in_pipelined_requests),
		cmocka_unit_test(a_request_without_sense_ends_the_list),
	};

	return cmocka_run_group_tests_name("cli/ban", tests, NULL, NULL);
}
