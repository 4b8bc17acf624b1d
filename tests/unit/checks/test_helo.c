/* SPDX-License-Identifier: GPL-2.0-only */
/* checks/helo: which names a client may give. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "checks/helo.h"

static const struct {
	const char *name;
	enum check_result want;
	const char *evidence; /* words in it */
} rows[] = {
	{"mail.example.org", CHECK_CLEAN, "mail.example.org"},
	{"mail.example.org.", CHECK_CLEAN, "mail.example.org."},
	{"a.b", CHECK_CLEAN, "a.b"},
	{"localhost", CHECK_HIT, "a single label: localhost"},
	{"192.0.2.7", CHECK_HIT, "an address: 192.0.2.7"},
	{"[192.0.2.7]", CHECK_HIT, "an address: [192.0.2.7]"},
	{"[IPv6:2001:db8::1]", CHECK_HIT, "an address: [IPv6:2001:db8::1]"},
	{"2001:db8::1", CHECK_HIT, "an address: 2001:db8::1"},
	{"", CHECK_HIT, "empty"},
	{"win_box.example", CHECK_HIT, "win_box.example"},
	{"a\r\nb.example", CHECK_HIT, "a\\x0d\\x0ab.example"},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct check_answer answer;
		enum check_result got;

		got = check_helo(rows[i].name, strlen(rows[i].name), &answer);
		if (got != rows[i].want || got != answer.result ||
		    !strstr(answer.evidence, rows[i].evidence))
			fail_msg("'%s': %s, %s", rows[i].name, check_result_name(got),
				 answer.evidence);
	}
}

static void the_evidence_of_any_bytes_is_printable_and_bounded(void **state)
{
	char name[1000];
	struct check_answer answer;

	(void)state;
	for (int byte = 0; byte < 256; byte++) {
		memset(name, byte, sizeof(name));
		(void)check_helo(name, sizeof(name), &answer);
		assert_int_equal(answer.result, CHECK_HIT);
		assert_true(strlen(answer.evidence) < CHECK_EVIDENCE_MAX);
		for (const char *p = answer.evidence; *p; p++)
			assert_true(*p >= ' ' && *p <= '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(the_evidence_of_any_bytes_is_printable_and_bounded),
	};

	return cmocka_run_group_tests_name("checks/helo", tests, NULL, NULL);
}
