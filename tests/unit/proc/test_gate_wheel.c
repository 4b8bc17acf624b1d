/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers of sessions: never early, at most two ticks late, and the same as a list that is
 * searched from end to end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proc/gate_wheel.h"

#define NODES	   200u
#define HORIZON_MS (WHEEL_SLOTS * WHEEL_TICK_MS)
#define LATE_MS	   (2 * WHEEL_TICK_MS)

static struct wheel wheel;

/* The time at which a node comes out, tick by tick; 0 if it has not by until_ms. */
static uint64_t comes_out_at(const struct wheel_node *node, uint64_t from_ms,
			     uint64_t until_ms)
{
	for (uint64_t now_ms = from_ms; now_ms <= until_ms; now_ms += WHEEL_TICK_MS)
		if (wheel_next(&wheel, now_ms) == node)
			return now_ms;
	return 0;
}

static const struct {
	const char *why;
	uint64_t due_ms; /* from the start */
} rows[] = {
	{"at once", 0},
	{"within the first tick", 1},
	{"at the end of a tick", WHEEL_TICK_MS},
	{"some seconds away", 30000},
	{"in the last slot", HORIZON_MS - WHEEL_TICK_MS},
	{"one round away", HORIZON_MS},
	{"many rounds away", 10 * HORIZON_MS + 777},
};

static void a_node_is_never_early_and_hardly_late(void **state)
{
	const uint64_t start_ms = 123456789;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct wheel_node node = {0};
		uint64_t due_ms = start_ms + rows[i].due_ms;
		uint64_t at_ms;

		wheel_init(&wheel, start_ms);
		wheel_set(&wheel, &node, due_ms);
		at_ms = comes_out_at(&node, start_ms, due_ms + 10 * WHEEL_TICK_MS);
		if (at_ms < due_ms || at_ms > due_ms + LATE_MS)
			fail_msg("%s: due %llu, came at %llu", rows[i].why,
				 (unsigned long long)due_ms, (unsigned long long)at_ms);
		assert_null(node.next);
	}
}

static void a_deadline_can_be_pushed_away_and_drawn_near(void **state)
{
	struct wheel_node node = {0};

	(void)state;
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &node, 10000);
	wheel_set(&wheel, &node, 60000);
	assert_int_equal(comes_out_at(&node, 0, 59000), 0);
	assert_in_range(comes_out_at(&node, 59000, 70000), 60000, 60000 + LATE_MS);

	wheel_set(&wheel, &node, 200000);
	wheel_set(&wheel, &node, 90000);
	assert_in_range(comes_out_at(&node, 70000, 199000), 90000, 90000 + LATE_MS);
}

static void a_removed_node_stays_out(void **state)
{
	struct wheel_node node = {0};

	(void)state;
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &node, 5000);
	wheel_remove(&node);
	wheel_remove(&node); /* once more does no harm */
	assert_int_equal(comes_out_at(&node, 0, 20000), 0);
}

static void a_clock_that_jumps_far_finds_everything_due(void **state)
{
	struct wheel_node nodes[3] = {0};

	(void)state;
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &nodes[0], 1000);
	wheel_set(&wheel, &nodes[1], 2 * HORIZON_MS);
	wheel_set(&wheel, &nodes[2], 90 * HORIZON_MS);
	for (int i = 0; i < 2; i++) {
		const struct wheel_node *got = wheel_next(&wheel, 50 * HORIZON_MS);

		assert_true(got == &nodes[0] || got == &nodes[1]);
	}
	assert_null(wheel_next(&wheel, 50 * HORIZON_MS));
}

/* The twin: an array of times, and a search through all of it. */
static void random_timers_agree_with_a_plain_list(void **state)
{
	static struct wheel_node nodes[NODES];
	static uint64_t due_ms[NODES]; /* 0: not set */
	uint64_t seed = 42;
	uint64_t now_ms = 1000000;

	(void)state;
	wheel_init(&wheel, now_ms);
	for (unsigned int step = 0; step < 20000; step++) {
		struct wheel_node *node;
		unsigned int i;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		i = (unsigned int)(seed >> 33) % NODES;
		if (seed >> 62) {
			due_ms[i] = now_ms + (seed >> 20) % (3 * HORIZON_MS);
			wheel_set(&wheel, &nodes[i], due_ms[i]);
		} else {
			due_ms[i] = 0;
			wheel_remove(&nodes[i]);
		}
		now_ms += (seed >> 40) % 2000;
		while ((node = wheel_next(&wheel, now_ms))) {
			assert_in_range(due_ms[node - nodes], 1, now_ms);
			due_ms[node - nodes] = 0;
		}
		for (i = 0; i < NODES; i++)
			if (due_ms[i] && due_ms[i] + LATE_MS <= now_ms)
				fail_msg("step %u: node %u is late", step, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_node_is_never_early_and_hardly_late),
		cmocka_unit_test(a_deadline_can_be_pushed_away_and_drawn_near),
		cmocka_unit_test(a_removed_node_stays_out),
		cmocka_unit_test(a_clock_that_jumps_far_finds_everything_due),
		cmocka_unit_test(random_timers_agree_with_a_plain_list),
	};

	return cmocka_run_group_tests_name("proc/gate_wheel", tests, NULL, NULL);
}
