/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/detect.h"

static const struct conf_detector conf = {.max = 3, .window_s = 10};

#define NEVER 0

static const struct {
	const char *why;
	uint64_t at_ms[6]; /* events; 0 ends the list */
	uint64_t tells_ms; /* the only one that makes an attempt */
} rows[] = {
	{"one less than the limit is none", {1000, 1001}, NEVER},
	{"the limit is one", {1000, 1001, 1002}, 1002},
	{"the last lies just inside the window", {1000, 2000, 10999}, 10999},
	{"the last lies just behind it", {1000, 2000, 11000}, NEVER},
	{"a window begins with the event behind the last one",
	 {1000, 11000, 12000, 13000},
	 13000},
	{"the next attempt needs as many again", {1000, 1001, 1002, 1003, 1004}, 1002},
	{"a clock that steps back begins anew", {20000, 20001, 19000, 19001}, NEVER},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct detect_record record = {0};

		for (size_t j = 0; j < 6 && rows[i].at_ms[j]; j++) {
			const uint64_t now_ms = rows[i].at_ms[j];
			const bool tells =
				detect_count(&conf, &record, DETECT_JUNK, now_ms);

			if (tells != (now_ms == rows[i].tells_ms))
				fail_msg("%s: event %zu", rows[i].why, j);
		}
	}
}

static void detectors_count_apart(void **state)
{
	struct detect_record record = {0};

	(void)state;
	for (int detector = 0; detector < DETECT_COUNT; detector++)
		for (int i = 0; i < 2; i++)
			assert_false(detect_count(&conf, &record, (enum detector)detector,
						  1000));
	for (int detector = 0; detector < DETECT_COUNT; detector++)
		assert_true(detect_count(&conf, &record, (enum detector)detector, 1000));
}

static void off_never_tells(void **state)
{
	const struct conf_detector off = {.max = 0, .window_s = 1};
	struct detect_record record = {0};

	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_false(detect_count(&off, &record, DETECT_SLOW, 1000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(detectors_count_apart),
		cmocka_unit_test(off_never_tells),
	};

	return cmocka_run_group_tests_name("policy/detect", tests, NULL, NULL);
}
