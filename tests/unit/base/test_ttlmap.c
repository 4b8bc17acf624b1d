/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/ttlmap.h"
#include "unit/seed.h"

#define NOW	      1000u
#define TWIN_CAPACITY 40u
#define TWIN_KEYS     60u
#define TWIN_STEPS    60000

static const uint8_t seed[16] = {1, 2, 3};

static uint64_t *put(struct ttlmap *map, uint32_t key, uint64_t now_ns,
		     uint64_t expires_ns)
{
	uint64_t *value = ttlmap_put(map, &key, now_ns, expires_ns, NULL);

	assert_non_null(value);
	return value;
}

static uint64_t *get(struct ttlmap *map, uint32_t key, uint64_t now_ns)
{
	return ttlmap_get(map, &key, now_ns);
}

static struct ttlmap *map_new(size_t capacity)
{
	struct ttlmap *map =
		ttlmap_new(capacity, sizeof(uint32_t), sizeof(uint64_t), seed);

	assert_non_null(map);
	return map;
}

static void a_new_value_is_zero_and_stays(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);
	uint64_t *value;

	(void)state;
	assert_null(get(map, 5, NOW));
	value = put(map, 5, NOW, NOW + 1);
	assert_true(*value == 0);
	*value = 17;
	assert_ptr_equal(get(map, 5, NOW), value);
	assert_true(*put(map, 5, NOW, NOW + 9) == 17);
	assert_int_equal(ttlmap_count(map), 1);
	assert_null(get(map, 6, NOW));
}

static void a_value_goes_exactly_at_its_time(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);

	(void)state;
	*put(map, 5, NOW, NOW + 10) = 17;
	assert_non_null(get(map, 5, NOW + 9));
	assert_null(get(map, 5, NOW + 10));
	/* Put just before the time finds the old value; at the time a new one. */
	assert_true(*put(map, 5, NOW + 9, NOW + 10) == 17);
	assert_true(*put(map, 5, NOW + 10, NOW + 20) == 0);
	assert_int_equal(ttlmap_count(map), 1);
}

static void a_put_moves_the_end_in_both_directions(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);

	(void)state;
	put(map, 5, NOW, NOW + 10);
	put(map, 5, NOW, NOW + 20);
	assert_non_null(get(map, 5, NOW + 19));
	put(map, 5, NOW, NOW + 5);
	assert_null(get(map, 5, NOW + 5));
}

static void what_was_removed_is_gone(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);
	uint32_t key = 5;

	(void)state;
	assert_false(ttlmap_remove(map, &key));
	*put(map, 5, NOW, NOW + 10) = 17;
	assert_true(ttlmap_remove(map, &key));
	assert_false(ttlmap_remove(map, &key));
	assert_null(get(map, 5, NOW));
	assert_true(*put(map, 5, NOW, NOW + 10) == 0);
}

static void expiry_drops_what_has_ended_and_nothing_else(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);

	(void)state;
	for (uint32_t key = 0; key < 10; key++)
		put(map, key, NOW, NOW + key);
	assert_int_equal(ttlmap_expire(map, NOW + 4, 100), 5); /* 0, 1, 2, 3 and 4 */
	assert_int_equal(ttlmap_count(map), 5);
	assert_null(get(map, 4, NOW));
	assert_non_null(get(map, 5, NOW));
	assert_int_equal(ttlmap_expire(map, NOW + 4, 100), 0);
}

static void expiry_works_in_steps(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(100);
	size_t dropped = 0;

	(void)state;
	for (uint32_t key = 0; key < 100; key++)
		put(map, key, NOW, NOW + 1);
	for (int i = 0; i < 10; i++) {
		const size_t now = ttlmap_expire(map, NOW + 1, 10);

		assert_int_equal(now, 10);
		dropped += now;
	}
	assert_int_equal(dropped, 100);
	assert_int_equal(ttlmap_count(map), 0);
	assert_int_equal(ttlmap_expire(map, NOW + 1, 10), 0);
}

static void the_last_free_entry_evicts_no_one_and_the_next_one_does(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);
	bool evicted = true;

	(void)state;
	for (uint32_t key = 0; key < 10; key++) {
		assert_non_null(ttlmap_put(map, &key, NOW, NOW + 100 - key, &evicted));
		assert_false(evicted);
	}
	/* Ten are fewer than the sample: the one that ends soonest of all has to go. */
	assert_non_null(ttlmap_put(map, &(uint32_t){10}, NOW, NOW + 200, &evicted));
	assert_true(evicted);
	assert_null(get(map, 9, NOW));
	for (uint32_t key = 0; key < 9; key++)
		assert_non_null(get(map, key, NOW));
	assert_non_null(get(map, 10, NOW));
	assert_int_equal(ttlmap_count(map), 10);
}

static void an_ended_entry_makes_room_without_an_eviction(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(10);
	bool evicted = true;

	(void)state;
	for (uint32_t key = 0; key < 10; key++)
		put(map, key, NOW, key == 3 ? NOW + 5 : NOW + 100);
	assert_non_null(ttlmap_put(map, &(uint32_t){10}, NOW + 5, NOW + 100, &evicted));
	assert_false(evicted);
	assert_null(get(map, 3, NOW));
}

static void a_change_of_a_full_map_evicts_no_one(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(2);
	bool evicted = true;

	(void)state;
	put(map, 1, NOW, NOW + 5);
	put(map, 2, NOW, NOW + 5);
	assert_non_null(ttlmap_put(map, &(uint32_t){1}, NOW, NOW + 9, &evicted));
	assert_false(evicted);
	assert_non_null(get(map, 2, NOW));
}

static void keys_and_values_of_odd_sizes_do_not_touch(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = ttlmap_new(50, 17, 13, seed);
	uint8_t key[17] = {0}, want[13];

	(void)state;
	assert_non_null(map);
	for (uint8_t i = 0; i < 50; i++) {
		key[16] = i;
		memset(ttlmap_put(map, key, NOW, NOW + 1, NULL), i, 13);
	}
	for (uint8_t i = 0; i < 50; i++) {
		key[16] = i;
		memset(want, i, sizeof(want));
		assert_memory_equal(ttlmap_get(map, key, NOW), want, sizeof(want));
	}
}

static void a_map_of_one_works(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(1);

	(void)state;
	for (uint32_t key = 0; key < 20; key++) {
		*put(map, key, NOW, NOW + 1) = key;
		assert_int_equal(ttlmap_count(map), 1);
		assert_true(*get(map, key, NOW) == key);
		if (key > 0)
			assert_null(get(map, key - 1, NOW));
	}
}

/* ---- the twin: an array over all keys ---- */

struct twin {
	uint64_t expires[TWIN_KEYS]; /* 0: not there */
	uint64_t values[TWIN_KEYS];
};

static size_t twin_count(const struct twin *twin)
{
	size_t count = 0;

	for (uint32_t key = 0; key < TWIN_KEYS; key++)
		count += twin->expires[key] != 0;
	return count;
}

/* The map may choose whom to evict: the twin looks who it was. */
static void twin_evict(struct twin *twin, struct ttlmap *map, uint64_t now)
{
	uint32_t gone = TWIN_KEYS;

	for (uint32_t key = 0; key < TWIN_KEYS; key++) {
		if (twin->expires[key] > now && !get(map, key, now)) {
			assert_int_equal(gone, TWIN_KEYS);
			gone = key;
		}
	}
	if (gone < TWIN_KEYS) {
		twin->expires[gone] = 0;
		return;
	}
	for (uint32_t key = 0; key < TWIN_KEYS; key++) { /* an ended one: any will do */
		if (twin->expires[key] != 0 && twin->expires[key] <= now &&
		    !get(map, key, twin->expires[key] - 1)) {
			twin->expires[key] = 0;
			return;
		}
	}
	fail_msg("no one was evicted");
}

static void twin_put(struct twin *twin, struct ttlmap *map, uint32_t key, uint64_t now,
		     uint64_t expires)
{
	const bool is_new = twin->expires[key] == 0;
	const bool is_full = is_new && twin_count(twin) == TWIN_CAPACITY;
	bool evicted = false;
	uint64_t *value = ttlmap_put(map, &key, now, expires, &evicted);

	if (is_full)
		twin_evict(twin, map, now);
	else
		assert_false(evicted);
	assert_true(*value == (twin->expires[key] > now ? twin->values[key] : 0));
	*value = twin->values[key] = now ^ key;
	twin->expires[key] = expires;
}

static void the_map_agrees_with_a_twin(void **state)
{
	AUTO(ttlmap_free) struct ttlmap *map = map_new(TWIN_CAPACITY);
	static struct twin twin;
	uint64_t random = seed_start(), now = NOW;

	(void)state;
	for (int i = 0; i < TWIN_STEPS; i++) {
		const uint32_t key = seed_below(&random, TWIN_KEYS);
		const uint32_t what = seed_below(&random, 10);

		now += seed_below(&random, 3);
		if (what < 6) {
			twin_put(&twin, map, key, now,
				 now + 1 + seed_below(&random, 120));
		} else if (what < 8) {
			assert_int_equal(ttlmap_remove(map, &key),
					 twin.expires[key] != 0);
			twin.expires[key] = 0;
		} else if (what == 9) {
			for (uint32_t k = 0; k < TWIN_KEYS; k++)
				twin.expires[k] =
					twin.expires[k] > now ? twin.expires[k] : 0;
			(void)ttlmap_expire(map, now, TWIN_CAPACITY);
		}
		assert_int_equal(ttlmap_count(map), twin_count(&twin));
		for (uint32_t k = 0; k < TWIN_KEYS; k++) {
			const uint64_t *value = get(map, k, now);

			assert_int_equal(value != NULL, twin.expires[k] > now);
			assert_true(!value || *value == twin.values[k]);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_new_value_is_zero_and_stays),
		cmocka_unit_test(a_value_goes_exactly_at_its_time),
		cmocka_unit_test(a_put_moves_the_end_in_both_directions),
		cmocka_unit_test(what_was_removed_is_gone),
		cmocka_unit_test(expiry_drops_what_has_ended_and_nothing_else),
		cmocka_unit_test(expiry_works_in_steps),
		cmocka_unit_test(the_last_free_entry_evicts_no_one_and_the_next_one_does),
		cmocka_unit_test(an_ended_entry_makes_room_without_an_eviction),
		cmocka_unit_test(a_change_of_a_full_map_evicts_no_one),
		cmocka_unit_test(keys_and_values_of_odd_sizes_do_not_touch),
		cmocka_unit_test(a_map_of_one_works),
		cmocka_unit_test(the_map_agrees_with_a_twin),
	};

	return cmocka_run_group_tests_name("base/ttlmap", tests, NULL, NULL);
}
