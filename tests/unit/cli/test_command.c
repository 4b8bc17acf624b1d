/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern(8): command lines, mistakes in them, help; and a daemon that is not there.
 *
 * link: cli_run.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "unit/cli/cli_run.h"
#include "wire/ctl.h"

static const struct {
	const char *words[8];
	const char *want; /* in the message, from its beginning */
} mistakes[] = {
	{{"frob"}, "postern: 'frob': no such command"},
	{{"--frob"}, "postern: '--frob': no such option"},
	{{"bans", "--force"}, "postern bans: '--force': not an option of this command"},
	{{"bans", "x"}, "postern bans: 'x': "},
	{{"bans", "--tsv", "--json"}, "postern bans: --tsv and --json"},
	{{"bans", "--tsv=1"}, "postern: '--tsv=1': --tsv takes no value"},
	{{"bans", "--policy"}, "postern: --policy needs a value: --policy NAME"},
	{{"bans", "--policy", "\xff"},
	 "postern bans: policy: the text is not valid UTF-8"},
	{{"ban"}, "postern ban: which address?"},
	{{"ban", "10.0.0.0/33"}, "postern ban: '10.0.0.0/33': prefix length is 0..32\n"},
	{{"ban", "2001:db8::/129"},
	 "postern ban: '2001:db8::/129': prefix length is 0..128\n"},
	{{"ban", "10.0.0.1/8"},
	 "postern ban: '10.0.0.1/8': bits are set behind the prefix length; meant is 10.0.0.0/8"},
	{{"ban", "mail.example"}, "postern ban: 'mail.example': no address"},
	{{"ban", "\x1b[31m"}, "postern ban: '\\x1b[31m': no address"},
	{{"ban", "192.0.2.1", "-"},
	 "postern ban: '-': a list from standard input stands alone"},
	{{"ban", "192.0.2.1", "--for", "1x"}, "postern ban: '1x': a time is written 90s"},
	{{"ban", "192.0.2.1", "--for", "0"}, "postern ban: '0': at least 1s"},
	{{"ban", "192.0.2.1", "--for", "1000000d"},
	 "postern ban: '1000000d': at most 100 years"},
	{{"ban", "192.0.2.1", "--for", "1h", "--forever"},
	 "postern ban: --for and --forever"},
	{{"ban", "192.0.2.1", "--caller", "home"},
	 "postern ban: 'home': --caller takes an address"},
	{{"unban"}, "postern unban: which address?"},
	{{"unban", "--all", "192.0.2.1"},
	 "postern unban: '192.0.2.1': --all takes no address"},
	{{"why"}, "postern why: which address?"},
	{{"why", "192.0.2.1", "192.0.2.2"},
	 "postern why: '192.0.2.2': one address at a time"},
	{{"why", "192.0.2.0/24"}, "postern why: '192.0.2.0/24': no address"},
	{{"test"}, "postern test: say: postern test SERVICE ADDR"},
	{{"test", "smtp"}, "postern test: say: postern test SERVICE ADDR"},
	{{"test", "smtp", "mx"}, "postern test: 'mx': no address"},
	{{"test", "smtp", "192.0.2.1", "x"}, "postern test: 'x': one service"},
	{{"test", "smtp", "192.0.2.1", "--force"},
	 "postern test: '--force': not an option of this command"},
	{{"test", "smtp", "192.0.2.1", "--from", "\xff"},
	 "postern test: from: the text is not valid UTF-8"},
	{{"bans", "--helo", "x"},
	 "postern bans: '--helo': not an option of this command"},
	{{"policy"}, "postern policy: say: postern policy show"},
	{{"policy", "hide"}, "postern policy: say: postern policy show"},
	{{"events"}, "postern events: there is no stored list"},
	{{"completion"}, "postern completion: say for which shell"},
	{{"help", "frob"}, "postern help: 'frob': no such command"},
	{{"greylist"}, "postern greylist: say: postern greylist list, pass or forget"},
	{{"greylist", "hide"}, "postern greylist: say: postern greylist list"},
	{{"greylist", "list", "192.0.2.1", "192.0.2.2"},
	 "postern greylist: '192.0.2.2': one address or domain at a time"},
	{{"greylist", "list", "--for", "1h"},
	 "postern greylist: --for and --forever are for 'greylist pass'"},
	{{"greylist", "pass", "192.0.2.1", "--all"},
	 "postern greylist: --all is for 'greylist forget'"},
	{{"greylist", "pass"}, "postern greylist: which address?"},
	{{"greylist", "pass", "192.0.2.1/24"},
	 "postern greylist: '192.0.2.1/24': bits are set behind the prefix length"},
	{{"greylist", "pass", "192.0.2.1", "--for", "0s"},
	 "postern greylist: '0s': at least 1s"},
	{{"greylist", "forget"}, "postern greylist: what? postern greylist forget"},
	{{"greylist", "forget", "--all", "192.0.2.1"}, "postern greylist: what?"},
	{{"reload", "now"}, "postern reload: 'now': "},
	{{"reload", "--confirm", "0s"},
	 "postern reload: --confirm '0s': a time from 1s to 1d"},
	{{"reload", "--confirm", "25h"},
	 "postern reload: --confirm '25h': a time from 1s"},
	{{"confirm", "now"}, "postern confirm: 'now': "},
};

static void mistakes_are_told_without_a_daemon(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		struct run_result result = run_cli(NULL, NULL, mistakes[i].words);

		if (result.status != CTL_USAGE || result.out[0] ||
		    strncmp(result.err, mistakes[i].want, strlen(mistakes[i].want)) != 0)
			fail_msg("%s %s: %d\n%s%s", mistakes[i].words[0],
				 mistakes[i].words[1] ? mistakes[i].words[1] : "",
				 result.status, result.err, result.out);
		run_free(&result);
	}
}

static void a_reason_has_its_length(void **state)
{
	static const struct exchange script[] = {
		{{"\"reason\":\"rrr"}, "{\"done\":{\"code\":0}}\n"}, {{NULL}, NULL}};
	char reason[CTL_REASON_MAX + 1];
	struct run_result result;

	(void)state;
	memset(reason, 'r', sizeof(reason));
	reason[CTL_REASON_MAX] = '\0';
	result = RUN(NULL, NULL, "ban", "192.0.2.1", "--reason", reason);
	assert_int_equal(result.status, CTL_USAGE);
	run_free(&result);
	reason[CTL_REASON_MAX - 1] = '\0';
	result = RUN(script, NULL, "ban", "192.0.2.1", "--reason", reason);
	assert_int_equal(result.status, CTL_OK);
	assert_int_equal(result.unexpected, 0);
	run_free(&result);
}

static void help_lists_every_command(void **state)
{
	struct run_result result = RUN(NULL, NULL, "help");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	for (size_t i = 0; i < command_count; i++) {
		struct run_result one = RUN(NULL, NULL, "help", command_table[i].name);

		if (!strstr(result.out, command_table[i].help))
			fail_msg("%s is not in help", command_table[i].name);
		assert_int_equal(one.status, CTL_OK);
		assert_non_null(strstr(one.out, command_table[i].help));
		for (size_t j = 0; j < option_count; j++)
			if (option_table[j].bit & command_table[i].options)
				assert_non_null(strstr(one.out, option_table[j].name));
		run_free(&one);
	}
	run_free(&result);
	result = RUN(NULL, NULL, "--version");
	assert_string_equal(result.out, "postern " POSTERN_VERSION "\n");
	run_free(&result);
}

static void completion_knows_commands_and_their_options(void **state)
{
	struct run_result result = RUN(NULL, NULL, "completion", "bash");

	(void)state;
	assert_int_equal(result.status, CTL_OK);
	for (size_t i = 0; i < command_count; i++)
		assert_non_null(strstr(result.out, command_table[i].name));
	for (size_t i = 0; i < option_count; i++)
		assert_non_null(strstr(result.out, option_table[i].name));
	run_free(&result);
}

static void a_daemon_that_is_not_there_has_its_status_and_remedy(void **state)
{
	static const char *const words[][4] = {
		{"status"},	      {"bans"},
		{"ban", "192.0.2.1"}, {"why", "192.0.2.1"},
		{"reload"},	      {"verify"},
		{"sessions"},	      {"policy", "show"},
		{"unban", "--all"},   {"events", "--follow"},
		{"greylist", "list"}, {"greylist", "forget", "--all"}};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct run_result result = run_cli(NULL, NULL, words[i]);

		assert_int_equal(result.status, CTL_UNREACHABLE);
		assert_non_null(strstr(result.err,
				       "posternd does not listen at /tmp/postern-test-"));
		assert_non_null(strstr(result.err, "systemctl status posternd"));
		assert_non_null(strstr(result.err, "still hold in the kernel"));
		assert_non_null(strstr(result.err, "posternd --detach"));
		run_free(&result);
	}
}

static const struct {
	const char *why, *reply, *want;
} breaks[] = {
	{"it goes away", NULL, "closed the connection"},
	{"it says no JSON", "hello\n", "does not speak version"},
	{"it says no row", "{\"frob\":{}}\n", "does not speak version"},
	{"its code is none", "{\"done\":{\"code\":7}}\n", "does not speak version"},
	{"its code is text", "{\"done\":{\"code\":\"0\"}}\n", "does not speak version"},
	{"an array", "[]\n", "does not speak version"},
};

static void a_daemon_that_breaks_off_is_unreachable(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		const struct exchange script[] = {
			{{"\"v\":1", "\"bans\""}, breaks[i].reply}, {{NULL}, NULL}};
		struct run_result result = RUN(script, NULL, "bans");

		if (result.status != CTL_UNREACHABLE ||
		    !strstr(result.err, breaks[i].want))
			fail_msg("%s: %d, %s", breaks[i].why, result.status, result.err);
		run_free(&result);
	}
}

static void a_line_without_end_is_refused(void **state)
{
	static char endless[CTL_LINE_MAX_BYTES + 2];
	const struct exchange script[] = {{{"bans"}, endless}, {{NULL}, NULL}};
	struct run_result result;

	(void)state;
	memset(endless, 'x', CTL_LINE_MAX_BYTES + 1);
	result = RUN(script, NULL, "bans");
	assert_int_equal(result.status, CTL_UNREACHABLE);
	assert_non_null(strstr(result.err, "does not speak version"));
	run_free(&result);
}

static void options_stand_anywhere(void **state)
{
	static const struct exchange script[] = {
		{{"\"policy\":\"lan\""},
		 "{\"row\":{\"addr\":\"192.0.2.1\",\"ends\":null}}\n{\"done\":{\"code\":0}}\n"},
		{{NULL}, NULL}};
	static const char *const words[][5] = {
		{"bans", "--policy", "lan", "--tsv"},
		{"--tsv", "--policy=lan", "bans"},
		{"--policy", "lan", "--tsv", "--", "bans"}};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const char *const line[] = {words[i][0], words[i][1], words[i][2],
					    words[i][3], words[i][4], NULL};
		struct run_result result = run_cli(script, NULL, line);

		assert_int_equal(result.status, CTL_OK);
		assert_int_equal(result.unexpected, 0);
		assert_string_equal(result.out, "192.0.2.1\t-\t-\tforever\t-\t-\t-\t-\n");
		run_free(&result);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mistakes_are_told_without_a_daemon),
		cmocka_unit_test(a_reason_has_its_length),
		cmocka_unit_test(help_lists_every_command),
		cmocka_unit_test(completion_knows_commands_and_their_options),
		cmocka_unit_test(a_daemon_that_is_not_there_has_its_status_and_remedy),
		cmocka_unit_test(a_daemon_that_breaks_off_is_unreachable),
		cmocka_unit_test(a_line_without_end_is_refused),
		cmocka_unit_test(options_stand_anywhere),
	};

	return cmocka_run_group_tests_name("cli/command", tests, NULL, NULL);
}
