/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern(8): what status, bans, why, policy, sessions, verify, reload and events show.
 *
 * link: cli_run.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <jansson.h>

#include "cli/output.h"
#include "unit/cli/cli_run.h"
#include "wire/ctl.h"

#define END "{\"done\":{\"code\":0}}\n"

static void expect_out(const struct run_result *result, const char *const *want)
{
	assert_int_equal(result->unexpected, 0);
	for (; *want; want++)
		if (!strstr(result->out, *want))
			fail_msg("not in the output: %s\n%s%s", *want, result->out,
				 result->err);
}
#define EXPECT(result, ...) expect_out(result, (const char *const[]){__VA_ARGS__, NULL})

static const struct exchange bans[] = {
	{{"\"cmd\":\"bans\""},
	 "{\"row\":{\"addr\":\"192.0.2.1\",\"policy\":\"global\",\"began\":1699999800,\"ends\":1700003540,"
	 "\"source\":\"strikes\",\"why\":\"5 logins\\t\\u001b[31m\\u00fc \\\\x41\",\"packets\":12,\"last_seen\":null}}\n"
	 "{\"row\":{\"addr\":\"2001:db8::/64\",\"policy\":\"global\",\"began\":1699990000,\"ends\":null,"
	 "\"source\":\"command\",\"why\":\"\",\"packets\":123456,\"last_seen\":1699999997}}\n" END},
	{{NULL}, NULL}};

static void bans_are_a_table(void **state)
{
	struct run_result result = RUN(bans, NULL, "bans");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	assert_string_equal(
		result.out,
		"ADDRESS        POLICY  BEGAN      ENDS     DROPPED  LAST SEEN  SOURCE   WHY\n"
		"192.0.2.1      global  3m ago     in 59m        12  never      strikes  5 logins\\x09\\x1b[31m\\xc3\\xbc \\x41\n"
		"2001:db8::/64  global  2h46m ago  forever   123456  3s ago     command  -\n");
	run_free(&result);
}

static void bans_are_tsv(void **state)
{
	struct run_result result = RUN(bans, NULL, "bans", "--tsv");

	(void)state;
	assert_string_equal(
		result.out,
		"192.0.2.1\tglobal\t1699999800\t1700003540\t12\t-\tstrikes\t5 logins\\x09\\x1b[31m\xc3\xbc \\\\x41\n"
		"2001:db8::/64\tglobal\t1699990000\tforever\t123456\t1699999997\tcommand\t-\n");
	run_free(&result);
}

static void an_empty_list_says_so(void **state)
{
	static const struct exchange script[] = {{{"bans"}, END}, {{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "bans");

	(void)state;
	assert_string_equal(result.out, "no bans\n");
	run_free(&result);
	result = RUN(script, NULL, "bans", "--json");
	assert_string_equal(result.out, "[]\n");
	run_free(&result);
	result = RUN(script, NULL, "bans", "--tsv");
	assert_string_equal(result.out, "");
	run_free(&result);
}

/* More rows than a table looks at for its widths. */
static int answer_many(int fd)
{
	FILE *stream = fdopen(fd, "r+");
	char *line = NULL;
	size_t cap = 0;

	if (getline(&line, &cap, stream) < 0)
		return 1;
	free(line);
	for (unsigned int i = 0; i < 3 * OUTPUT_PEEK_ROWS; i++)
		(void)fprintf(stream,
			      "{\"row\":{\"addr\":\"10.0.%u.%u\",\"policy\":\"p\"}}\n",
			      i >> 8, i & 255);
	(void)fputs(END, stream);
	return fclose(stream);
}

static void a_long_table_loses_no_row(void **state)
{
	static const char *const formats[] = {"--tsv", "--socket=", "--json"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const char *const words[] = {"bans", i == 1 ? NULL : formats[i], NULL};
		struct run_result result = run_cli_with(answer_many, NULL, words);
		size_t lines = 0;

		for (const char *p = result.out; (p = strchr(p, '\n')); p++)
			lines++;
		assert_int_equal(lines, 3 * OUTPUT_PEEK_ROWS + (i == 1));
		assert_non_null(strstr(result.out, "10.0.11.183"));
		run_free(&result);
	}
}

static const struct exchange status[] = {
	{{"\"cmd\":\"status\""},
	 "{\"done\":{\"code\":0,\"status\":{\"version\":\"1.2.3\",\"hostname\":\"mail.example.org\",\"generation\":3,"
	 "\"started\":1699996000,\"bans\":2,\"bans_max\":1048576,\"strikes\":1,\"sessions\":5,\"logins\":12,\"logins_open\":3,"
	 "\"store\":{\"state\":\"ok\",\"path\":\"/var/lib/postern/postern.db\",\"bytes\":1536},"
	 "\"interfaces\":[{\"name\":\"eth0\",\"mode\":\"generic\",\"wanted\":\"auto\",\"bridge\":\"br0\"}],"
	 "\"processes\":[{\"role\":\"gate\",\"index\":1,\"pid\":77,\"started\":1699996000,\"restarts\":2}],"
	 "\"policies\":[{\"name\":\"global\",\"id\":0,\"enabled\":true,\"entries\":3,\"counters\":{\"passed\":4,\"dropped_ban\":9},"
	 "\"checks\":{\"ptr_hit\":1,\"ptr_would\":0,\"ptr_unknown\":7,\"helo-names_hit\":2,\"helo-names_would\":5,\"helo-names_unknown\":0}}],"
	 "\"services\":[{\"name\":\"in\",\"type\":\"smtp\",\"policy\":\"global\",\"on\":true,\"listen\":[\"192.0.2.1:25\",\"[::]:25\"],"
	 "\"ports\":[25],\"backend\":[]}],"
	 "\"certificates\":[{\"name\":\"mx\",\"names\":[\"mx.example.org\",\"*.example.org\"],\"key\":\"EC 256\",\"issuer\":\"R3\","
	 "\"not_before\":1699990000,\"not_after\":1699996000,\"services\":[\"in\"],\"problem\":\"expired since 2023-11-14\"}],"
	 "\"warnings\":[\"eth0: XDP runs in generic mode\"]}}}\n"},
	{{NULL}, NULL}};

static void status_is_what_one_asks_without_a_command(void **state)
{
	static const char *const words[] = {NULL};
	struct run_result result = run_cli(status, NULL, words);

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	EXPECT(&result, "postern 1.2.3 on mail.example.org, up 1h6m since ",
	       "bans           2 of at most 1048576\n",
	       "logins         12 clients, 3 sessions open (POP3, IMAP)\n",
	       "store          ok, /var/lib/postern/postern.db, 1.5 KiB\n",
	       "\neth0       generic   auto    br0\n",
	       "\nin       smtp  global  yes  25     192.0.2.1:25 [::]:25  -\n",
	       "\nmx           mx.example.org *.example.org  EC 256  ",
	       "  in        expired since 2023-11-14\n",
	       "\ngate      1   77  1h6m ago         2\n",
	       "\nglobal  ptr           1             0        7\n",
	       "\nglobal  helo-names    2             5        0\n",
	       "\nwarning: eth0: XDP runs in generic mode\n");
	run_free(&result);
}

static void status_is_facts_in_tsv_and_the_object_in_json(void **state)
{
	struct run_result result = RUN(status, NULL, "status", "--tsv");

	(void)state;
	EXPECT(&result, "interface\teth0\tmode\tgeneric\n",
	       "service\tin\tlisten\t192.0.2.1:25 [::]:25\n", "service\tin\tbackend\t-\n",
	       "certificate\tmx\tnames\tmx.example.org *.example.org\n",
	       "certificate\tmx\tnot_after\t1699996000\n",
	       "policy\tglobal\tdropped_ban\t9\n", "policy\tglobal\tptr_unknown\t7\n",
	       "process\tgate1\trestarts\t2\n", "daemon\t-\tbans\t2\n",
	       "store\t-\tpath\t/var/lib/postern/postern.db\n");
	run_free(&result);
	result = RUN(status, NULL, "status", "--json");
	assert_memory_equal(result.out, "{\"version\":\"1.2.3\",", 19);
	run_free(&result);
}

static const struct exchange why[] = {
	{{"\"addr\":\"2001:db8::7\""},
	 "{\"done\":{\"code\":1,\"why\":{\"addr\":\"2001:db8::7\",\"client\":\"2001:db8::/64\",\"protected\":null,\"services\":["
	 "{\"service\":\"in\",\"type\":\"smtp\",\"policy\":\"global\",\"on\":true,\"ports\":[25],\"verdict\":\"banned\","
	 "\"entry\":{\"prefix\":\"::/0\",\"file\":\"global.list\",\"line\":3,\"flags\":[{\"flag\":\"PA\",\"meaning\":\"permit access\"}]},"
	 "\"ban_addr\":\"2001:db8::/64\",\"checks\":[{\"check\":\"ptr\",\"mode\":\"observe\"}]},"
	 "{\"service\":\"web\",\"type\":\"tcp\",\"policy\":\"lan\",\"on\":true,\"ports\":[80,443],\"verdict\":\"no-entry\",\"entry\":null,"
	 "\"ban_addr\":null,\"checks\":[]},"
	 "{\"service\":\"out\",\"type\":\"submission\",\"policy\":\"global2\",\"on\":true,\"ports\":[587],\"verdict\":\"permit\",\"auth_by\":\"am\",\"auth_until\":1700000240,"
	 "\"entry\":{\"prefix\":\"2001:db8::/32\",\"file\":\"g.list\",\"line\":9,\"flags\":[{\"flag\":\"PA\",\"meaning\":\"permit access\"},{\"flag\":\"LL\",\"meaning\":\"strikes are counted\"}]},"
	 "\"checks\":[{\"check\":\"strikes\",\"mode\":\"enforce\"},{\"check\":\"helo\",\"mode\":\"enforce\"},{\"check\":\"ptr\",\"mode\":\"off\"}]},"
	 "{\"service\":\"out2\",\"type\":\"submissions\",\"policy\":\"global2\",\"on\":true,\"ports\":[465],\"verdict\":\"permit\",\"auth_by\":\"am\",\"auth_until\":1700000240,"
	 "\"entry\":{\"prefix\":\"2001:db8::/32\",\"file\":\"g.list\",\"line\":9,\"flags\":[{\"flag\":\"PA\",\"meaning\":\"permit access\"},{\"flag\":\"LL\",\"meaning\":\"strikes are counted\"}]},"
	 "\"checks\":[{\"check\":\"strikes\",\"mode\":\"enforce\"},{\"check\":\"helo\",\"mode\":\"enforce\"},{\"check\":\"ptr\",\"mode\":\"off\"}]},"
	 "{\"service\":\"alone\",\"type\":\"tcp\",\"policy\":\"global2\",\"on\":true,\"ports\":[8443],\"verdict\":\"permit\",\"auth_by\":\"-\",\"auth_until\":null,"
	 "\"entry\":{\"prefix\":\"2001:db8::/32\",\"file\":\"g.list\",\"line\":9,\"flags\":[{\"flag\":\"PA\",\"meaning\":\"permit access\"},{\"flag\":\"LL\",\"meaning\":\"strikes are counted\"}]},"
	 "\"checks\":[{\"check\":\"strikes\",\"mode\":\"enforce\"},{\"check\":\"helo\",\"mode\":\"enforce\"},{\"check\":\"ptr\",\"mode\":\"off\"}]}],"
	 "\"bans\":[{\"addr\":\"2001:db8::/64\",\"policy\":\"global\",\"began\":1699999990,\"ends\":1700003590,\"source\":\"strikes\","
	 "\"why\":\"5 refused logins\",\"packets\":7,\"last_seen\":1699999999}],"
	 "\"strikes\":[{\"time\":1699999940,\"kind\":\"login\",\"user\":\"alice\\u001b\",\"service\":\"in\",\"policy\":\"global\",\"reply\":\"535 no\"}],"
	 "\"strikes_max\":5,\"strikes_window_s\":600,"
	 "\"login\":{\"user\":\"anna\",\"service\":\"imap\",\"time\":1699999940,\"open\":2,\"many_users\":true},"
	 "\"findings\":[{\"check\":\"ptr\",\"service\":\"in\",\"policy\":\"global\",\"result\":\"would-refuse\",\"why\":\"no PTR record\",\"time\":1699999940}],"
	 "\"history\":[{\"addr\":\"2001:db8::/64\",\"policy\":\"global\",\"began\":1699000000,\"ends\":1699003600,\"ended\":1699003600,"
	 "\"source\":\"command\",\"why\":\"noise\"}]}}}\n"},
	{{NULL}, NULL}};

static void why_is_told_in_plain_words(void **state)
{
	struct run_result result = RUN(why, NULL, "why", "2001:DB8::7");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	EXPECT(&result, "2001:db8::7, counted as 2001:db8::/64\n",
	       "  in port 25, policy global: dropped: banned\n",
	       "    ban of 2001:db8::/64, ends in 59m (",
	       "by strikes: 5 refused logins\n",
	       " ptr would have refused it (observe) at in: no PTR record\n",
	       "      packets dropped since: 7, the last 1s ago\n",
	       "    entry ::/0, global.list line 3\n", "      PA   permit access\n",
	       "  web port 80,443, policy lan: dropped: no entry of the list contains it\n",
	       "  out port 587, out2 port 465, policy global2: may connect\n"
	       "    entry 2001:db8::/32, g.list line 9\n"
	       "      PA   permit access\n"
	       "      LL   strikes are counted\n"
	       "    counts as authenticated (AM): by its last login, for 4m\n"
	       "    checks: strikes (enforce)\n"
	       "  alone port 8443, policy global2: may connect\n"
	       "    entry 2001:db8::/32, g.list line 9\n"
	       "      PA   permit access\n"
	       "      LL   strikes are counted\n"
	       "\n",
	       "strikes: 1; 5 within 10m ban\n",
	       "  1m ago     login alice\\x1b at in: 535 no\n"
	       "\nlast login: 1m ago, anna at imap; 2 sessions open; others logged in from there, too\n",
	       "by command: noise\n");
	assert_null(strstr(result.out, "helo"));
	run_free(&result);
}

static void why_is_a_line_a_service_in_tsv(void **state)
{
	struct run_result result = RUN(why, NULL, "why", "2001:db8::7", "--tsv");

	(void)state;
	assert_int_equal(result.status, CTL_NO);
	assert_string_equal(
		result.out,
		"in\t25\tglobal\tbanned\t::/0\tPA\tglobal.list\t3\t2001:db8::/64\t1700003590\t5 refused logins\t-\n"
		"web\t80 443\tlan\tno-entry\t-\t-\t-\t-\t-\t-\t-\t-\n"
		"out\t587\tglobal2\tpermit\t2001:db8::/32\tPA LL\tg.list\t9\t-\t-\t-\tam\n"
		"out2\t465\tglobal2\tpermit\t2001:db8::/32\tPA LL\tg.list\t9\t-\t-\t-\tam\n"
		"alone\t8443\tglobal2\tpermit\t2001:db8::/32\tPA LL\tg.list\t9\t-\t-\t-\t-\n");
	run_free(&result);
}

#define POLICIES                                                                                                \
	"{\"done\":{\"code\":0,\"policies\":[{\"name\":\"global\",\"id\":0,\"enabled\":true,\"entries\":2,"     \
	"\"types_off\":[\"imap\"],\"services\":[\"in\"],\"checks\":[{\"check\":\"ptr\",\"mode\":\"observe\"}]," \
	"\"strikes\":{\"max\":5,\"window_s\":600,\"ban_time_s\":3600,\"ban_time_max_s\":null,\"ban_memory_s\":604800}}]}}\n"

static void a_policy_is_shown_with_its_entries(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"policy\",\"args\":{}"}, POLICIES},
		{{"\"args\":{\"name\":\"global\"}"},
		 "{\"row\":{\"policy\":\"global\",\"prefix\":\"0.0.0.0/0\",\"flags\":\"PA LL\",\"file\":\"g.list\",\"line\":12}}\n" END},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "policy", "show", "global");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	EXPECT(&result, "policy   global, enabled, 2 entries\n", "checks   ptr observe\n",
	       "strikes  5 within 10m ban for 1h, doubled for each ban of the last 7d, at most forever\n",
	       "\n0.0.0.0/0  PA LL  g.list    12\n");
	run_free(&result);
	result = RUN(script, NULL, "policy", "show", "global", "--json");
	json_t *json = json_loads(result.out, 0, NULL);
	assert_string_equal(
		member_text(json_array_get(json_object_get(json, "entries"), 0), "flags"),
		"PA LL");
	assert_string_equal(member_text(json_object_get(json, "policy"), "name"),
			    "global");
	json_decref(json);
	run_free(&result);
}

static void policies_are_listed(void **state)
{
	static const struct exchange script[] = {
		{{"\"cmd\":\"policy\",\"args\":{}"}, POLICIES}, {{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "policy", "show", "--tsv");

	(void)state;
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "global\t0\t1\t2\tin\timap\n");
	run_free(&result);
}

static void reload_and_verify_say_what_the_daemon_says(void **state)
{
	static const struct exchange good[] = {
		{{"\"force\":true", "\"caller\":\"192.0.2.9\""},
		 "{\"done\":{\"code\":0,\"message\":\"3 entries added\\nwarning: \\u001b\"}}\n"},
		{{NULL}, NULL}};
	static const struct exchange bad[] = {
		{{"reload"},
		 "{\"done\":{\"code\":1,\"message\":\"postern.conf:3:7: no such key 'x'\"}}\n"},
		{{NULL}, NULL}};
	static const struct exchange differs[] = {
		{{"verify"},
		 "{\"row\":{\"where\":\"kernel\",\"addr\":\"192.0.2.1\",\"policy\":\"global\",\"problem\":\"missing\"}}\n"
		 "{\"done\":{\"code\":1,\"message\":\"1 difference\"}}\n"},
		{{NULL}, NULL}};
	struct run_result result;

	(void)state;
	result = RUN(good, NULL, "reload", "--force", "--caller", "192.0.2.9");
	assert_int_equal(result.unexpected, 0);
	assert_string_equal(result.out, "3 entries added\nwarning: \\x1b\n");
	run_free(&result);
	result = RUN(bad, NULL, "reload");
	assert_int_equal(result.status, CTL_NO);
	assert_string_equal(result.err,
			    "postern reload: postern.conf:3:7: no such key 'x'\n");
	assert_string_equal(result.out, "");
	run_free(&result);
	result = RUN(differs, NULL, "verify");
	assert_int_equal(result.status, CTL_NO);
	EXPECT(&result, "kernel  192.0.2.1  global  missing\n");
	run_free(&result);
}

static void sessions_are_listed(void **state)
{
	static const struct exchange script[] = {
		{{"sessions"},
		 "{\"row\":{\"id\":\"0-12\",\"addr\":\"192.0.2.1\",\"port\":4711,\"service\":\"in\",\"user\":\"\",\"state\":\"data\","
		 "\"started\":1699999990,\"bytes_in\":1048576,\"bytes_out\":100,\"auth_by\":\"aa\"}}\n" END},
		{{NULL}, NULL}};
	struct run_result result = RUN(script, NULL, "sessions");

	(void)state;
	EXPECT(&result,
	       "0-12  192.0.2.1  4711  in       data   10s ago  1.0 MiB  100 B  -     aa\n");
	run_free(&result);
}

/* One event, then the daemon goes. */
static int tell_and_go(int fd)
{
	FILE *stream = fdopen(fd, "r+");
	char *line = NULL;
	size_t cap = 0;
	bool asked =
		getline(&line, &cap, stream) > 0 && strstr(line, "\"cmd\":\"events\"");

	free(line);
	(void)fputs(
		"{\"row\":{\"event\":\"ban\",\"time\":1700000000,\"addr\":\"192.0.2.1\",\"policy\":\"global\",\"ends\":null,\"why\":\"5 logins\"}}\n",
		stream);
	return fclose(stream) != 0 || !asked;
}

static void events_are_lines_until_the_daemon_goes(void **state)
{
	static const char *const words[] = {"events", "--follow", NULL};
	static const char *const tsv_words[] = {"events", "--follow", "--tsv", NULL};
	struct run_result result;

	(void)state;
	assert_int_equal(setenv("TZ", "UTC", 1), 0);
	tzset();
	result = run_cli_with(tell_and_go, NULL, words);
	assert_int_equal(result.unexpected, 0);
	assert_int_equal(result.status, CTL_UNREACHABLE);
	assert_string_equal(
		result.out,
		"2023-11-14 22:13:20 ban addr=192.0.2.1 policy=global ends=forever why=\"5 logins\"\n");
	run_free(&result);
	result = run_cli_with(tell_and_go, NULL, tsv_words);
	assert_string_equal(
		result.out,
		"1700000000\tban\t192.0.2.1\tglobal\t-\t-\t-\tforever\t5 logins\t-\t-\t-\t-\t-\t-\n");
	run_free(&result);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bans_are_a_table),
		cmocka_unit_test(bans_are_tsv),
		cmocka_unit_test(an_empty_list_says_so),
		cmocka_unit_test(a_long_table_loses_no_row),
		cmocka_unit_test(status_is_what_one_asks_without_a_command),
		cmocka_unit_test(status_is_facts_in_tsv_and_the_object_in_json),
		cmocka_unit_test(why_is_told_in_plain_words),
		cmocka_unit_test(why_is_a_line_a_service_in_tsv),
		cmocka_unit_test(a_policy_is_shown_with_its_entries),
		cmocka_unit_test(policies_are_listed),
		cmocka_unit_test(reload_and_verify_say_what_the_daemon_says),
		cmocka_unit_test(sessions_are_listed),
		cmocka_unit_test(events_are_lines_until_the_daemon_goes),
	};

	return cmocka_run_group_tests_name("cli/show", tests, NULL, NULL);
}
