/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_session_detect - whose end of a session counts against the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/ttlmap.h"
#include "policy/flags.h"
#include "proc/gate_state.h"
#include "proc/session.h"
#include "proc/session_detect.h"

static void only_what_a_client_did_counts_against_it(void **state)
{
	static const struct {
		const char *why;
		const char *reason;
		uint16_t flags;
		enum check_mode mode;
		bool is_test;
		size_t want;
	} rows[] = {
		{"junk", "not-smtp", FLAG_PA | FLAG_BAN, MODE_ENFORCE, false, 1},
		{"seen only", "not-smtp", FLAG_PA | FLAG_BAN, MODE_OBSERVE, false, 1},
		{"no flag", "not-smtp", FLAG_PA, MODE_ENFORCE, false, 0},
		{"off", "not-smtp", FLAG_PA | FLAG_BAN, MODE_OFF, false, 0},
		{"a clean end", "quit", FLAG_PA | FLAG_BAN, MODE_ENFORCE, false, 0},
		{"postern test", "not-smtp", FLAG_PA | FLAG_BAN, MODE_ENFORCE, true, 0},
		{"and its errors", "errors", FLAG_PA | FLAG_BAN, MODE_ENFORCE, true, 0},
	};
	AUTO(free_mem) struct conf *conf = calloc(1, sizeof(*conf));
	AUTO(free_mem) struct gate *gate = calloc(1, sizeof(*gate));
	AUTO(free_mem) struct session *s = calloc(1, sizeof(*s));

	(void)state;
	assert_true(conf && gate && s);
	conf_init(conf);
	conf->policy_count = conf->service_count = 1;
	for (size_t i = 0; i < DETECT_COUNT; i++)
		conf->policies[0].detectors[i] = (struct conf_detector){3, 60};
	gate->conf = conf;
	s->gate = gate;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(detect_init(gate), 0);
		conf->policies[0].mode[CHECK_DOS] = (uint8_t)rows[i].mode;
		s->reason = rows[i].reason;
		s->flags = rows[i].flags;
		s->is_test = rows[i].is_test;
		detect_session(s);
		if (ttlmap_count(gate->detected) != rows[i].want)
			fail_msg("%s", rows[i].why);
		detect_done(gate);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_a_client_did_counts_against_it),
	};

	return cmocka_run_group_tests_name("proc/session_detect", tests, NULL, NULL);
}
