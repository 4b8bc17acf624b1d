/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/num.h"
#include "policy/strikes.h"
#include "unit/seed.h"

#define STEPS_MAX 8
#define NO_MORE	  0

static const struct conf_strikes conf = {
	.max = 3,
	.window_s = 600,
	.ban_time_s = 3600,
	.ban_time_max_s = 604800,
	.ban_memory_s = 604800,
};

static const struct {
	const char *why;
	int64_t at_s[STEPS_MAX]; /* NO_MORE ends the list */
	enum strike_result want[STEPS_MAX];
} rows[] = {
	{"the third one bans",
	 {1000, 1001, 1002},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"all at the same second",
	 {1000, 1000, 1000},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"the last second of the window",
	 {1000, 1001, 1599},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"the window has passed: the first one leaves",
	 {1000, 1001, 1600},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED}},
	{"and the next one counts with the second",
	 {1000, 1001, 1600, 1600},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"the second one leaves exactly a second later",
	 {1000, 1001, 1600, 1601},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED}},
	{"one every 300 s never bans: two are in the window",
	 {1000, 1300, 1600, 1900, 2200, 2500},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED,
	  STRIKE_COUNTED}},
	{"one every 299 s does",
	 {1000, 1299, 1598},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"after the ban it begins anew",
	 {1000, 1000, 1000, 1001, 1001, 1001},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT, STRIKE_COUNTED, STRIKE_COUNTED,
	  STRIKE_LIMIT}},
	{"a clock that steps back loses no strike",
	 {5000, 5001, 1000},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
	{"they leave when the window has passed from their time on",
	 {5000, 1000, 5599, 5600},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_COUNTED}},
	{"one from after the step is in the window",
	 {5000, 4999, 5598},
	 {STRIKE_COUNTED, STRIKE_COUNTED, STRIKE_LIMIT}},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct strikes_record record = {.count = 0};

		for (size_t j = 0; j < STEPS_MAX && rows[i].at_s[j] != NO_MORE; j++) {
			const struct strike strike = {.at_s = rows[i].at_s[j]};
			uint32_t policies;

			if (strikes_add(&conf, &record, &strike, &policies) !=
			    rows[i].want[j])
				fail_msg("%s: strike %zu", rows[i].why, j);
		}
	}
}

static enum strike_result add(const struct conf_strikes *settings,
			      struct strikes_record *record, int64_t at_s, uint8_t digest,
			      uint8_t policy)
{
	const struct strike strike = {
		.at_s = at_s, .policy_id = policy, .digest = {[7] = digest}};
	uint32_t policies = 0;

	return strikes_add(settings, record, &strike, &policies);
}

static void a_limit_of_one_bans_at_once(void **state)
{
	struct conf_strikes one = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	one.max = 1;
	assert_int_equal(add(&one, &record, 1000, 0, 0), STRIKE_LIMIT);
	assert_int_equal(record.count, 0);
}

static void the_highest_limit_fits_the_record(void **state)
{
	struct conf_strikes most = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	most.max = STRIKES_KEPT_MAX;
	for (uint32_t i = 1; i < STRIKES_KEPT_MAX; i++)
		assert_int_equal(add(&most, &record, 1000, 0, 0), STRIKE_COUNTED);
	assert_int_equal(record.count, STRIKES_KEPT_MAX - 1);
	assert_int_equal(add(&most, &record, 1000, 0, 0), STRIKE_LIMIT);
}

static void a_policy_with_a_lower_limit_counts_the_others(void **state)
{
	struct conf_strikes most = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	most.max = STRIKES_KEPT_MAX;
	for (uint32_t i = 0; i < 10; i++)
		assert_int_equal(add(&most, &record, 1000, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&conf, &record, 1000, 0, 1), STRIKE_LIMIT);
}

static void kept_strikes_are_in_order_and_inside_the_window(void **state)
{
	struct conf_strikes most = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	most.max = 10;
	for (int64_t at_s = 1000; at_s < 1004; at_s++)
		assert_int_equal(add(&most, &record, at_s, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&most, &record, 1601, 0, 0), STRIKE_COUNTED);
	assert_int_equal(record.count, 3);
	assert_int_equal(record.kept[0].at_s, 1002);
	assert_int_equal(record.kept[1].at_s, 1003);
	assert_int_equal(record.kept[2].at_s, 1601);
	assert_int_equal(record.kept[3].at_s, 0);
}

static void the_ban_is_for_the_policies_with_strikes_in_the_window(void **state)
{
	const struct strike last = {.at_s = 1600, .policy_id = 31};
	struct strikes_record record = {.count = 0};
	uint32_t policies = 0xdead;

	(void)state;
	assert_int_equal(add(&conf, &record, 1000, 0, 7), STRIKE_COUNTED); /* leaves */
	assert_int_equal(add(&conf, &record, 1001, 0, 2), STRIKE_COUNTED);
	assert_int_equal(add(&conf, &record, 1600, 0, 0), STRIKE_COUNTED);
	assert_int_equal(strikes_add(&conf, &record, &last, &policies), STRIKE_LIMIT);
	assert_true(policies == (1u << 2 | 1u << 0 | 1u << 31));
}

static void the_policies_are_untouched_below_the_limit(void **state)
{
	const struct strike strike = {.at_s = 1000};
	struct strikes_record record = {.count = 0};
	uint32_t policies = 0xdead;

	(void)state;
	assert_int_equal(strikes_add(&conf, &record, &strike, &policies), STRIKE_COUNTED);
	assert_int_equal(policies, 0xdead);
}

static void a_repeat_counts_only_where_it_is_set_to(void **state)
{
	struct conf_strikes ignore = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	ignore.repeat_credentials_ignore = true;
	assert_int_equal(add(&ignore, &record, 1000, 5, 0), STRIKE_COUNTED);
	assert_int_equal(add(&ignore, &record, 1001, 5, 0), STRIKE_REPEATED);
	assert_int_equal(add(&ignore, &record, 1002, 6, 0), STRIKE_COUNTED);
	assert_int_equal(add(&ignore, &record, 1003, 5, 0), STRIKE_REPEATED);
	assert_int_equal(record.count, 2);
	assert_int_equal(add(&conf, &record, 1004, 5, 0), STRIKE_LIMIT);
}

static void a_repeat_is_forgotten_with_its_window(void **state)
{
	struct conf_strikes ignore = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	ignore.repeat_credentials_ignore = true;
	assert_int_equal(add(&ignore, &record, 1000, 5, 0), STRIKE_COUNTED);
	assert_int_equal(add(&ignore, &record, 1599, 5, 0), STRIKE_REPEATED);
	assert_int_equal(add(&ignore, &record, 1600, 5, 0), STRIKE_COUNTED);
	assert_int_equal(record.count, 1);
}

static void unknown_credentials_are_never_a_repeat(void **state)
{
	struct conf_strikes ignore = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	ignore.repeat_credentials_ignore = true;
	assert_int_equal(add(&ignore, &record, 1000, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&ignore, &record, 1000, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&ignore, &record, 1000, 0, 0), STRIKE_LIMIT);
}

static void another_kind_with_the_same_digest_is_no_repeat(void **state)
{
	const struct strike recipient = {
		.at_s = 1000, .kind = STRIKE_RECIPIENT, .digest = {[7] = 5}};
	struct conf_strikes ignore = conf;
	struct strikes_record record = {.count = 0};
	uint32_t policies;

	(void)state;
	ignore.repeat_credentials_ignore = true;
	assert_int_equal(add(&ignore, &record, 1000, 5, 0), STRIKE_COUNTED);
	assert_int_equal(strikes_add(&ignore, &record, &recipient, &policies),
			 STRIKE_COUNTED);
}

static void a_success_clears_and_gives_credit(void **state)
{
	struct conf_strikes credit = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	credit.success_credit_s = 100;
	assert_int_equal(add(&credit, &record, 1000, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&credit, &record, 1000, 0, 0), STRIKE_COUNTED);
	strikes_succeed(&credit, &record, 1001);
	assert_int_equal(record.count, 0);
	assert_int_equal(add(&credit, &record, 1001, 0, 0), STRIKE_CREDITED);
	assert_int_equal(add(&credit, &record, 1100, 0, 0), STRIKE_CREDITED);
	assert_int_equal(record.count, 0);
	assert_int_equal(add(&credit, &record, 1101, 0, 0), STRIKE_COUNTED);
}

static void without_credit_a_success_changes_nothing(void **state)
{
	struct strikes_record record = {.count = 0};

	(void)state;
	assert_int_equal(add(&conf, &record, 1000, 0, 0), STRIKE_COUNTED);
	strikes_succeed(&conf, &record, 1001);
	assert_int_equal(record.count, 1);
	assert_int_equal(add(&conf, &record, 1002, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&conf, &record, 1003, 0, 0), STRIKE_LIMIT);
}

static void a_clock_that_steps_back_gives_no_longer_credit(void **state)
{
	struct conf_strikes credit = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	credit.success_credit_s = 100;
	strikes_succeed(&credit, &record, 5000);
	assert_int_equal(add(&credit, &record, 5000, 0, 0), STRIKE_CREDITED);
	assert_int_equal(add(&credit, &record, 4999, 0, 0), STRIKE_COUNTED);
	assert_int_equal(add(&credit, &record, 1000, 0, 0), STRIKE_COUNTED);
}

static void credit_without_end_is_credit(void **state)
{
	struct conf_strikes credit = conf;
	struct strikes_record record = {.count = 0};

	(void)state;
	credit.success_credit_s = DURATION_FOREVER_S;
	strikes_succeed(&credit, &record, 5000);
	assert_int_equal(add(&credit, &record, INT64_C(1) << 40, 0, 0), STRIKE_CREDITED);
	credit.success_credit_s = 0; /* switched off by a reload */
	assert_int_equal(add(&credit, &record, 5001, 0, 0), STRIKE_COUNTED);
}

static void a_damaged_record_does_no_harm(void **state)
{
	uint64_t random = seed_start();

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct strikes_record record;
		uint64_t *words = (uint64_t *)(void *)&record;
		enum strike_result got;

		for (size_t word = 0; word < sizeof(record) / 8; word++)
			words[word] = seed_next(&random);
		got = add(&conf, &record, (int64_t)seed_next(&random), 1, 200);
		assert_true(got == STRIKE_COUNTED || got == STRIKE_LIMIT);
		assert_true(record.count < conf.max);
	}
}

static const struct {
	int64_t ban_time_s, max_s;
	uint32_t earlier;
	int64_t want_s;
} bans[] = {
	{3600, 604800, 0, 3600},
	{3600, 604800, 1, 7200},
	{3600, 604800, 7, 460800},
	{3600, 604800, 8, 604800},
	{3600, 604800, UINT32_MAX, 604800},
	{3600, 3600, 5, 3600},
	{3600, 7200, 1, 7200},
	{3600, 7199, 1, 7199},
	{DURATION_FOREVER_S, DURATION_FOREVER_S, 0, DURATION_FOREVER_S},
	{DURATION_FOREVER_S, DURATION_FOREVER_S, 3, DURATION_FOREVER_S},
	{1, DURATION_FOREVER_S, 62, INT64_C(1) << 62},
	{1, DURATION_FOREVER_S, 63, DURATION_FOREVER_S},
	{3600, DURATION_FOREVER_S, UINT32_MAX, DURATION_FOREVER_S},
};

static void a_ban_doubles_up_to_its_limit(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bans) / sizeof(bans[0]); i++) {
		struct conf_strikes settings = conf;

		settings.ban_time_s = bans[i].ban_time_s;
		settings.ban_time_max_s = bans[i].max_s;
		if (ban_length_s(&settings, bans[i].earlier) != bans[i].want_s)
			fail_msg("row %zu: %jd", i,
				 (intmax_t)ban_length_s(&settings, bans[i].earlier));
	}
}

static void kinds_have_names(void **state)
{
	(void)state;
	assert_string_equal(strike_kind_name(STRIKE_LOGIN), "login");
	assert_string_equal(strike_kind_name(STRIKE_RECIPIENT), "recipient");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(a_limit_of_one_bans_at_once),
		cmocka_unit_test(the_highest_limit_fits_the_record),
		cmocka_unit_test(a_policy_with_a_lower_limit_counts_the_others),
		cmocka_unit_test(kept_strikes_are_in_order_and_inside_the_window),
		cmocka_unit_test(the_ban_is_for_the_policies_with_strikes_in_the_window),
		cmocka_unit_test(the_policies_are_untouched_below_the_limit),
		cmocka_unit_test(a_repeat_counts_only_where_it_is_set_to),
		cmocka_unit_test(a_repeat_is_forgotten_with_its_window),
		cmocka_unit_test(unknown_credentials_are_never_a_repeat),
		cmocka_unit_test(another_kind_with_the_same_digest_is_no_repeat),
		cmocka_unit_test(a_success_clears_and_gives_credit),
		cmocka_unit_test(without_credit_a_success_changes_nothing),
		cmocka_unit_test(a_clock_that_steps_back_gives_no_longer_credit),
		cmocka_unit_test(credit_without_end_is_credit),
		cmocka_unit_test(a_damaged_record_does_no_harm),
		cmocka_unit_test(a_ban_doubles_up_to_its_limit),
		cmocka_unit_test(kinds_have_names),
	};

	return cmocka_run_group_tests_name("policy/strikes", tests, NULL, NULL);
}
