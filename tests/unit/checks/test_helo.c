/* SPDX-License-Identifier: GPL-2.0-only */
/* checks/helo: which names a client may give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "checks/helo.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static struct conf_policy strict, loose;

/* loose: literals, and two names without a dot. */
static int set_up(void **state)
{
	(void)state;
	conf_policy_init(&strict);
	conf_policy_init(&loose);
	loose.helo_literals_allow = true;
	loose.helo_undotted_count = 2;
	(void)text_copy(loose.helo_undotted[0], CONF_UNDOTTED_BYTES, "localhost");
	(void)text_copy(loose.helo_undotted[1], CONF_UNDOTTED_BYTES, "Exchange1");
	return 0;
}

static const struct {
	const char *name;
	enum check_result want, want_loose;
	const char *evidence; /* words in it, of the strict policy */
} rows[] = {
	{"mail.example.org", CHECK_CLEAN, CHECK_CLEAN, "mail.example.org"},
	{"mail.example.org.", CHECK_CLEAN, CHECK_CLEAN, "mail.example.org."},
	{"a.b", CHECK_CLEAN, CHECK_CLEAN, "a.b"},
	{L63 ".example", CHECK_CLEAN, CHECK_CLEAN, "aaaa..."},
	{"a" L63 ".example", CHECK_HIT, CHECK_HIT, "longer than 63 octets"},
	{"localhost", CHECK_HIT, CHECK_CLEAN, "a single label: localhost"},
	{"LOCALHOST", CHECK_HIT, CHECK_CLEAN, "a single label: LOCALHOST"},
	{"exchange1", CHECK_HIT, CHECK_CLEAN, "a single label: exchange1"},
	{"exchange", CHECK_HIT, CHECK_HIT, "a single label: exchange"},
	{"exchange12", CHECK_HIT, CHECK_HIT, "a single label: exchange12"},
	{"localhost.", CHECK_HIT, CHECK_HIT, "a single label: localhost."},
	{"192.0.2.7", CHECK_HIT, CHECK_HIT, "an address: 192.0.2.7"},
	{"[192.0.2.7]", CHECK_HIT, CHECK_CLEAN, "an address: [192.0.2.7]"},
	{"[IPv6:2001:db8::1]", CHECK_HIT, CHECK_CLEAN, "an address: [IPv6:2001:db8::1]"},
	{"[192.0.2.256]", CHECK_HIT, CHECK_HIT, "an address: [192.0.2.256]"},
	{"[192.0.2.7", CHECK_HIT, CHECK_HIT, "an address: [192.0.2.7"},
	{"[192.0.2.7]x", CHECK_HIT, CHECK_HIT, "an address: [192.0.2.7]x"},
	{"[2001:db8::1]", CHECK_HIT, CHECK_HIT, "an address: [2001:db8::1]"},
	{"[tag:content]", CHECK_HIT, CHECK_HIT, "an address: [tag:content]"},
	{"2001:db8::1", CHECK_HIT, CHECK_HIT, "an address: 2001:db8::1"},
	{"", CHECK_HIT, CHECK_HIT, "empty"},
	{"win_box.example", CHECK_HIT, CHECK_HIT, "win_box.example"},
	{"a\r\nb.example", CHECK_HIT, CHECK_HIT, "a\\x0d\\x0ab.example"},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t len = strlen(rows[i].name);
		struct check_answer answer, other;
		enum check_result got;

		got = check_helo(rows[i].name, len, &strict, &answer);
		if (got != rows[i].want || got != answer.result ||
		    !strstr(answer.evidence, rows[i].evidence))
			fail_msg("'%s': %s, %s", rows[i].name, check_result_name(got),
				 answer.evidence);
		got = check_helo(rows[i].name, len, &loose, &other);
		if (got != rows[i].want_loose || got != other.result)
			fail_msg("'%s', loose: %s", rows[i].name, other.evidence);
	}
}

static void the_evidence_of_any_bytes_is_printable_and_bounded(void **state)
{
	char name[1000];
	struct check_answer answer;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		memset(name, byte, sizeof(name));
		(void)check_helo(name, sizeof(name), &loose, &answer);
		assert_int_equal(answer.result, CHECK_HIT);
		assert_true(strlen(answer.evidence) < CHECK_EVIDENCE_MAX);
		for (const char *p = answer.evidence; *p; p++)
			assert_true(*p >= ' ' && *p <= '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(rows_hold, set_up),
		cmocka_unit_test_setup(the_evidence_of_any_bytes_is_printable_and_bounded,
				       set_up),
	};

	return cmocka_run_group_tests_name("checks/helo", tests, NULL, NULL);
}
