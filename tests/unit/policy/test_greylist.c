/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of greylisting against a clock that the test moves, and against a twin that keeps every
 * attempt and looks at all of them each time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/greylist.h"
#include "unit/seed.h"

#define STEPS_MAX 8
#define T0	  1000000 /* a first attempt */

static const struct conf_greylist conf = {
	.delay_s = 60, .window_s = 3600, .lifetime_s = 86400, .auto_pass = 0};

struct step {
	int64_t at_s; /* 0 ends the list */
	enum grey_reason want;
};

static const struct {
	const char *why;
	struct step steps[STEPS_MAX];
} rows[] = {
	{"the first attempt is deferred", {{T0, GREY_NEW}}},
	{"retry one second too early", {{T0, GREY_NEW}, {T0 + 59, GREY_EARLY}}},
	{"retry exactly at the delay", {{T0, GREY_NEW}, {T0 + 60, GREY_RETRY}}},
	{"retry exactly at the window", {{T0, GREY_NEW}, {T0 + 3600, GREY_RETRY}}},
	{"retry one second too late begins anew",
	 {{T0, GREY_NEW}, {T0 + 3601, GREY_NEW}, {T0 + 3661, GREY_RETRY}}},
	{"an early retry does not make the wait longer",
	 {{T0, GREY_NEW},
	  {T0 + 30, GREY_EARLY},
	  {T0 + 59, GREY_EARLY},
	  {T0 + 60, GREY_RETRY}}},
	{"in the same second", {{T0, GREY_NEW}, {T0, GREY_EARLY}}},
	{"who came back is known, at once and at the end of the lifetime",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {T0 + 60, GREY_KNOWN},
	  {T0 + 60 + 86400, GREY_KNOWN}}},
	{"one second after the lifetime it is forgotten",
	 {{T0, GREY_NEW}, {T0 + 60, GREY_RETRY}, {T0 + 60 + 86401, GREY_NEW}}},
	{"a use renews the lifetime",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {T0 + 60 + 86400, GREY_KNOWN},
	  {T0 + 60 + 2 * 86400, GREY_KNOWN},
	  {T0 + 60 + 3 * 86400 + 1, GREY_NEW}}},
	{"a use within a 32nd of the lifetime renews nothing",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {T0 + 60 + 86400 / 32, GREY_KNOWN},
	  {T0 + 60 + 86401, GREY_NEW}}},
	{"and one a second later does",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {T0 + 60 + 86400 / 32 + 1, GREY_KNOWN},
	  {T0 + 60 + 86401, GREY_KNOWN}}},
	{"the clock steps back behind the first attempt: it begins anew",
	 {{T0, GREY_NEW},
	  {T0 - 1, GREY_NEW},
	  {T0 + 58, GREY_EARLY},
	  {T0 + 59, GREY_RETRY}}},
	{"the clock steps back, not so far: the wait goes on",
	 {{T0, GREY_NEW},
	  {T0 + 50, GREY_EARLY},
	  {T0, GREY_EARLY},
	  {T0 + 60, GREY_RETRY}}},
	{"the clock steps back behind a proof: it stays proven",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {T0 - 90000, GREY_KNOWN},
	  {T0 - 89999, GREY_KNOWN}}},
	{"and when the clock is right again, as long as it would have been",
	 {{T0, GREY_NEW},
	  {T0 + 60, GREY_RETRY},
	  {1, GREY_KNOWN},
	  {T0 + 60 + 86400, GREY_KNOWN},
	  {T0 + 60 + 2 * 86400 + 1, GREY_NEW}}},
};

/* Whatever was to be remembered is what is known the next time. */
static enum grey_reason attempt(struct grey_record *record, bool *has_record,
				int64_t at_s, struct grey_decision *out)
{
	const struct grey_known known = {.triplet = *has_record ? record : NULL};

	greylist_decide(&conf, &known, at_s, out);
	if (out->has_triplet) {
		*record = out->triplet;
		*has_record = true;
	}
	return out->reason;
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct grey_record record = {.first_s = 0};
		bool has_record = false;

		for (size_t j = 0; j < STEPS_MAX && rows[i].steps[j].at_s != 0; j++) {
			struct grey_decision got;
			const enum grey_reason want = rows[i].steps[j].want;

			if (attempt(&record, &has_record, rows[i].steps[j].at_s, &got) !=
			    want)
				fail_msg("%s: attempt %zu: %s", rows[i].why, j,
					 grey_reason_name(got.reason));
			assert_int_equal(got.verdict,
					 want == GREY_NEW || want == GREY_EARLY
						 ? GREY_DEFER
						 : GREY_PASS);
		}
	}
}

static void the_wait_is_what_is_left_of_the_delay(void **state)
{
	struct grey_record record = {.first_s = 0};
	struct grey_decision got;
	bool has_record = false;

	(void)state;
	(void)attempt(&record, &has_record, T0, &got);
	assert_int_equal(got.wait_s, 60);
	(void)attempt(&record, &has_record, T0 + 1, &got);
	assert_int_equal(got.wait_s, 59);
	(void)attempt(&record, &has_record, T0 + 59, &got);
	assert_int_equal(got.wait_s, 1);
	(void)attempt(&record, &has_record, T0 + 60, &got);
	assert_int_equal(got.wait_s, 0);
}

/* Wall clocks of a damaged store. */
static void no_number_overflows(void **state)
{
	static const int64_t times[] = {INT64_MIN, INT64_MIN + 1, -1,	    0, 1,
					T0,	   INT64_MAX - 1, INT64_MAX};
	const size_t count = sizeof(times) / sizeof(times[0]);

	(void)state;
	for (size_t i = 0; i < count * count * count * 2; i++) {
		const struct grey_record record = {.first_s = times[i % count],
						   .used_s = times[i / count % count],
						   .is_proven = i % 2};
		const struct grey_network network = {.successes = UINT32_MAX,
						     .counted_s = record.first_s,
						     .used_s = record.used_s};
		const struct grey_known known = {.triplet = &record, .network = &network};
		struct grey_decision got;

		greylist_decide(&conf, &known, times[i / count / count % count], &got);
		assert_true(got.wait_s <= conf.delay_s);
	}
}

/* ---- networks ---------------------------------------------------------------------------------- */

static struct conf_greylist conf_auto(uint32_t auto_pass)
{
	struct conf_greylist with = conf;

	with.auto_pass = auto_pass;
	return with;
}

/* A triplet of the network that comes back now, when the network is known like this. */
static struct grey_decision succeed(const struct conf_greylist *with,
				    const struct grey_network *network, int64_t now_s)
{
	const struct grey_record record = {.first_s = now_s - with->delay_s};
	const struct grey_known known = {.triplet = &record, .network = network};
	struct grey_decision got;

	greylist_decide(with, &known, now_s, &got);
	return got;
}

static void a_network_passes_after_its_successes(void **state)
{
	const struct conf_greylist with = conf_auto(3);
	struct grey_network network = {.successes = 0};
	const struct grey_known fresh = {.network = &network};
	struct grey_decision got;

	(void)state;
	for (uint32_t n = 1; n <= 3; n++) {
		const int64_t now_s = T0 + n * GREY_SUCCESS_GAP_S;

		greylist_decide(&with, &fresh, now_s, &got);
		assert_int_equal(got.reason, GREY_NEW);
		got = succeed(&with, &network, now_s);
		assert_int_equal(got.reason, GREY_RETRY);
		assert_true(got.has_network);
		network = got.network;
		assert_int_equal(network.successes, n);
	}
	greylist_decide(&with, &fresh, network.used_s, &got);
	assert_int_equal(got.reason, GREY_NETWORK);
	assert_false(got.has_triplet || got.has_network); /* nothing new to remember */
	greylist_decide(&with, &fresh, network.used_s + with.lifetime_s, &got);
	assert_int_equal(got.reason, GREY_NETWORK);
	assert_int_equal(got.network.used_s, network.used_s + with.lifetime_s);
	greylist_decide(&with, &fresh, network.used_s + with.lifetime_s + 1, &got);
	assert_int_equal(got.reason, GREY_NEW);
}

static void successes_of_one_hour_are_one(void **state)
{
	const struct conf_greylist with = conf_auto(2);
	struct grey_network network = succeed(&with, NULL, T0).network;

	(void)state;
	assert_int_equal(network.successes, 1);
	network = succeed(&with, &network, T0 + GREY_SUCCESS_GAP_S - 1).network;
	assert_int_equal(network.successes, 1);
	network = succeed(&with, &network, T0 + GREY_SUCCESS_GAP_S).network;
	assert_int_equal(network.successes, 2);
	/* The clock steps back: an hour that has not begun is no reason to wait. */
	network.successes = 1;
	assert_int_equal(succeed(&with, &network, T0 - 10).network.successes, 2);
}

static void a_network_is_forgotten_after_its_lifetime(void **state)
{
	const struct conf_greylist with = conf_auto(3);
	const struct grey_network network = {
		.successes = 2, .counted_s = T0, .used_s = T0};

	(void)state;
	assert_int_equal(succeed(&with, &network, T0 + with.lifetime_s).network.successes,
			 3);
	assert_int_equal(
		succeed(&with, &network, T0 + with.lifetime_s + 1).network.successes, 1);
}

static void without_auto_pass_no_network_ever_passes(void **state)
{
	const struct grey_network network = {
		.successes = 1000, .counted_s = T0, .used_s = T0};
	const struct grey_known known = {.network = &network};
	struct grey_decision got;

	(void)state;
	greylist_decide(&conf, &known, T0, &got);
	assert_int_equal(got.reason, GREY_NEW);
	/* But they are counted, should the setting change. */
	assert_int_equal(succeed(&conf, NULL, T0).network.successes, 1);
}

static void the_command_outweighs_everything(void **state)
{
	const struct grey_known known = {.is_passed_by_command = true};
	struct grey_decision got;

	(void)state;
	greylist_decide(&conf, &known, T0, &got);
	assert_int_equal(got.verdict, GREY_PASS);
	assert_int_equal(got.reason, GREY_COMMAND);
	assert_false(got.has_triplet || got.has_network);
}

/* ---- the twin ------------------------------------------------------------------------------------ */

#define ATTEMPTS_MAX 400u

/* Goes through all attempts from the first on, as the manual tells it; the clock only runs forward. */
static enum grey_verdict twin(const int64_t *at_s, size_t count)
{
	int64_t begun_s = 0, used_s = 0;
	bool is_begun = false, is_proven = false;
	enum grey_verdict verdict = GREY_DEFER;

	for (size_t i = 0; i < count; i++) {
		if (is_proven && at_s[i] > used_s + conf.lifetime_s)
			is_proven = is_begun = false;
		if (!is_proven && (!is_begun || at_s[i] > begun_s + conf.window_s)) {
			is_begun = true;
			begun_s = at_s[i];
		}
		if (!is_proven && at_s[i] >= begun_s + conf.delay_s) {
			is_proven = true;
			used_s = at_s[i];
		}
		if (is_proven &&
		    (at_s[i] - used_s) * GREY_USES_OF_LIFETIME > conf.lifetime_s)
			used_s = at_s[i];
		verdict = is_proven ? GREY_PASS : GREY_DEFER;
	}
	return verdict;
}

static int64_t random_pause(uint64_t *seed)
{
	static const int64_t around[] = {0, 60, 3600, 86400,
					 86400 / GREY_USES_OF_LIFETIME};
	const int64_t pause_s =
		around[seed_below(seed, 5)] + (int64_t)seed_below(seed, 5) - 2;

	return pause_s < 0 ? 0 : pause_s;
}

static void it_decides_as_its_twin(void **state)
{
	uint64_t seed = seed_start();
	unsigned int passed = 0, deferred = 0;

	(void)state;
	for (unsigned int run = 0; run < 50; run++) {
		int64_t at_s[ATTEMPTS_MAX];
		struct grey_record record = {.first_s = 0};
		bool has_record = false;

		for (size_t i = 0; i < ATTEMPTS_MAX; i++) {
			struct grey_decision got;

			at_s[i] = (i > 0 ? at_s[i - 1] : T0) + random_pause(&seed);
			(void)attempt(&record, &has_record, at_s[i], &got);
			if (got.verdict != twin(at_s, i + 1))
				fail_msg("run %u, attempt %zu", run, i);
			passed += got.verdict == GREY_PASS;
			deferred += got.verdict == GREY_DEFER;
		}
	}
	assert_true(passed > 1000 && deferred > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(the_wait_is_what_is_left_of_the_delay),
		cmocka_unit_test(no_number_overflows),
		cmocka_unit_test(a_network_passes_after_its_successes),
		cmocka_unit_test(successes_of_one_hour_are_one),
		cmocka_unit_test(a_network_is_forgotten_after_its_lifetime),
		cmocka_unit_test(without_auto_pass_no_network_ever_passes),
		cmocka_unit_test(the_command_outweighs_everything),
		cmocka_unit_test(it_decides_as_its_twin),
	};

	return cmocka_run_group_tests_name("policy/greylist", tests, NULL, NULL);
}
