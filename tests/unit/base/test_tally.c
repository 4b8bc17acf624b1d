/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/tally.h"
#include "unit/seed.h"

#define WRITERS 3u
#define NAMES	200u /* in each part, at most */
#define STEPS	200000

static void *memory_new(size_t *out_size)
{
	void *memory;

	*out_size = tally_size(WRITERS, NAMES);
	memory = aligned_alloc(64, *out_size);
	assert_non_null(memory);
	memset(memory, 0, *out_size);
	tally_init(memory);
	return memory;
}

static void join(struct tally *tally, void *memory, size_t size, uint32_t own)
{
	assert_int_equal(tally_join(tally, memory, size, WRITERS, own), 0);
}

static uint64_t number_hash(const struct tally *tally, uint32_t number)
{
	return tally_hash(tally, &number, sizeof(number));
}

/* Every writer counts on its own, in a plain array. */
static void it_agrees_with_arrays_of_numbers(void **state)
{
	size_t size;
	AUTO(free_mem) void *memory = memory_new(&size);
	static uint32_t twin[WRITERS][NAMES];
	struct tally tallies[WRITERS];
	uint64_t random = seed_start();

	(void)state;
	memset(twin, 0, sizeof(twin));
	for (uint32_t i = 0; i < WRITERS; i++)
		join(&tallies[i], memory, size, i);
	for (int step = 0; step < STEPS; step++) {
		const uint32_t writer = seed_below(&random, WRITERS);
		const uint32_t number = seed_below(&random, NAMES);
		const uint64_t hash = number_hash(&tallies[0], number);
		uint32_t want = 0;

		if (seed_below(&random, 100) < 55) {
			tally_add(&tallies[writer], hash);
			twin[writer][number]++;
		} else if (twin[writer][number] > 0) {
			tally_remove(&tallies[writer], hash);
			twin[writer][number]--;
		}
		if (step % 10000 == 0) { /* one dies, and another comes in its place */
			join(&tallies[writer], memory, size, writer);
			memset(twin[writer], 0, sizeof(twin[writer]));
		}
		for (uint32_t i = 0; i < WRITERS; i++)
			want += twin[i][number];
		assert_int_equal(tally_count(&tallies[step % (int)WRITERS], hash), want);
	}
}

static void what_is_not_there_is_not_removed(void **state)
{
	size_t size;
	AUTO(free_mem) void *memory = memory_new(&size);
	struct tally mine, other;
	uint64_t hash;

	(void)state;
	join(&mine, memory, size, 0);
	join(&other, memory, size, 1);
	hash = number_hash(&mine, 1);
	tally_add(&other, hash);
	tally_remove(&mine, hash);
	assert_int_equal(tally_count(&mine, hash), 1);
	tally_remove(&other, hash);
	tally_remove(&other, hash);
	assert_int_equal(tally_count(&mine, hash), 0);
}

static void a_count_stays_at_its_most(void **state)
{
	size_t size;
	AUTO(free_mem) void *memory = memory_new(&size);
	struct tally tally;
	uint64_t hash;

	(void)state;
	join(&tally, memory, size, 2);
	hash = number_hash(&tally, 1);
	for (uint32_t i = 0; i < TALLY_COUNT_MAX + 5; i++)
		tally_add(&tally, hash);
	assert_int_equal(tally_count(&tally, hash), TALLY_COUNT_MAX);
}

/* More names than there is room for: what is counted is right, the rest is 0. */
static void a_full_bucket_counts_no_more_and_no_wrong(void **state)
{
	const size_t size = tally_size(1, 1);
	AUTO(free_mem) void *memory = aligned_alloc(64, size);
	struct tally tally = {0};
	unsigned int counted = 0;

	(void)state;
	assert_non_null(memory);
	memset(memory, 0, size);
	assert_int_equal(tally_join(&tally, memory, size, 1, 0), 0);
	assert_int_equal(tally.buckets, 1);
	for (uint32_t i = 0; i < 20; i++) {
		tally_add(&tally, number_hash(&tally, i));
		tally_add(&tally, number_hash(&tally, i));
	}
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t count = tally_count(&tally, number_hash(&tally, i));

		assert_true(count == 0 || count == 2);
		counted += count == 2;
	}
	assert_int_equal(counted, TALLY_BUCKET_SLOTS);
}

static void without_memory_nothing_is_counted(void **state)
{
	struct tally tally = {0};
	uint64_t none[16] = {0};

	(void)state;
	tally_add(&tally, 1);
	tally_remove(&tally, 1);
	assert_int_equal(tally_count(&tally, 1), 0);
	assert_int_equal(tally_join(&tally, none, 63, 1, 0), -EINVAL);
	assert_int_equal(tally_join(&tally, none, 127, 1, 0), -EINVAL);
	assert_int_equal(tally_join(&tally, none, 128, 2, 0), -EINVAL);
	assert_null(tally.slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_agrees_with_arrays_of_numbers),
		cmocka_unit_test(what_is_not_there_is_not_removed),
		cmocka_unit_test(a_count_stays_at_its_most),
		cmocka_unit_test(a_full_bucket_counts_no_more_and_no_wrong),
		cmocka_unit_test(without_memory_nothing_is_counted),
	};

	return cmocka_run_group_tests_name("base/tally", tests, NULL, NULL);
}
