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

/* ---- SYNs ---- */

#define REPORTS_MAX 4

/* A report of the kernel, and what the gate has accepted before it. */
struct report {
	uint64_t at_ms; /* 0 ends the list */
	uint32_t accepted;
	uint64_t passed, over;
};

static const struct {
	const char *why;
	struct report reports[REPORTS_MAX];
	bool want; /* of the last one */
} syn_rows[] = {
	{"the first report says nothing of the time before",
	 {{1000, 100, 100, 1}},
	 false},
	{"all that passed became connections",
	 {{1000, 0, 100, 1}, {2000, 20, 120, 401}},
	 true},
	{"half of them did", {{1000, 0, 100, 1}, {2000, 10, 120, 401}}, true},
	{"one less than half", {{1000, 0, 100, 1}, {2000, 9, 120, 401}}, false},
	{"half of an odd number is more than its half",
	 {{1000, 0, 100, 1}, {2000, 10, 121, 401}},
	 false},
	{"a forger completes nothing",
	 {{1000, 0, 100, 1}, {2000, 0, 120, 100001}},
	 false},
	{"what was accepted before the first report does not count",
	 {{1000, 5000, 100, 1}, {2000, 0, 120, 401}},
	 false},
	{"nor what was accepted before the last one",
	 {{1000, 0, 100, 1}, {2000, 20, 120, 401}, {3000, 9, 140, 801}},
	 false},
	{"each time anew",
	 {{1000, 0, 100, 1}, {2000, 0, 120, 401}, {3000, 20, 140, 801}},
	 true},
	{"none was over the rate", {{1000, 0, 100, 1}, {2000, 20, 120, 1}}, false},
	{"none was let through", {{1000, 0, 100, 1}, {2000, 0, 100, 401}}, false},
	{"just near enough to the last report",
	 {{1000, 0, 100, 1}, {11000, 200, 300, 401}},
	 true},
	{"too long after it", {{1000, 0, 100, 1}, {11001, 200, 300, 401}}, false},
	{"the next one after that gap",
	 {{1000, 0, 100, 1}, {21000, 200, 300, 401}, {22000, 20, 320, 801}},
	 true},
	{"the kernel had forgotten the client: nothing to compare with",
	 {{1000, 0, 100, 50}, {2000, 20, 40, 60}},
	 false},
	{"as the number over the rate shows, too",
	 {{1000, 0, 100, 50}, {2000, 20, 120, 1}},
	 false},
	{"a clock that steps back begins anew",
	 {{2000, 0, 100, 1}, {1000, 20, 120, 401}},
	 false},
	{"numbers of any size",
	 {{1000, 0, UINT64_MAX - 20, UINT64_MAX - 1},
	  {2000, UINT32_MAX, UINT64_MAX, UINT64_MAX}},
	 true},
};

static void syn_rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(syn_rows) / sizeof(syn_rows[0]); i++) {
		struct detect_syns record = {0};
		struct detect_syns_found found = {0};
		bool got = false;

		for (size_t j = 0; j < REPORTS_MAX && syn_rows[i].reports[j].at_ms; j++) {
			const struct report *report = &syn_rows[i].reports[j];

			record.accepted += report->accepted;
			got = detect_syns(&record, report->passed, report->over,
					  report->at_ms, &found);
			assert_int_equal(record.accepted, 0);
		}
		if (got != syn_rows[i].want)
			fail_msg("%s", syn_rows[i].why);
	}
}

static void what_was_found_is_the_difference(void **state)
{
	struct detect_syns record = {
		.passed = 100, .over = 1, .at_ms = 1000, .accepted = 17};
	struct detect_syns_found found = {0};

	(void)state;
	assert_true(detect_syns(&record, 120, 401, 2000, &found));
	assert_int_equal(found.passed, 20);
	assert_int_equal(found.over, 400);
	assert_int_equal(found.accepted, 17);
	/* And it is left alone when there is nothing. */
	assert_false(detect_syns(&record, 140, 801, 3000, &found));
	assert_int_equal(found.accepted, 17);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(detectors_count_apart),
		cmocka_unit_test(off_never_tells),
		cmocka_unit_test(syn_rows_hold),
		cmocka_unit_test(what_was_found_is_the_difference),
	};

	return cmocka_run_group_tests_name("policy/detect", tests, NULL, NULL);
}
