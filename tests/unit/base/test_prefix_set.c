/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/prefix_set.h"
#include "unit/seed.h"

#define NOW_NS	      (1000 * NS_PER_S)
#define TWIN_CAPACITY 48
#define TWIN_STEPS    40000

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

static struct addr addr_of(const char *text)
{
	return prefix_of(text).addr;
}

static struct prefix_set_item item_of(const char *text, uint16_t group, uint64_t ends_ns)
{
	return (struct prefix_set_item){
		.prefix = prefix_of(text), .group = group, .ends_ns = ends_ns};
}

static void put(struct prefix_set *set, const char *text, uint16_t group,
		uint64_t ends_ns)
{
	const struct prefix_set_item item = item_of(text, group, ends_ns);

	assert_int_equal(prefix_set_put(set, &item), 0);
}

/* Memory of exactly the size, so that ASan sees a step beyond. */
static struct prefix_set *set_new(size_t capacity)
{
	const size_t size_bytes = prefix_set_size(capacity);
	void *memory = aligned_alloc(64, size_bytes);

	assert_non_null(memory);
	memset(memory, 0, size_bytes);
	assert_ptr_equal(prefix_set_init(memory, capacity), memory);
	return memory;
}

/* What find says, as text: "" for none. */
static const char *find(const struct prefix_set *set, uint16_t group, const char *text,
			uint64_t now_ns)
{
	static char found[PREFIX_TEXT_MAX];
	const struct addr addr = addr_of(text);
	struct prefix_set_item item;

	if (!prefix_set_find(set, group, &addr, now_ns, &item))
		return "";
	assert_int_equal(item.group, group);
	return prefix_format(&item.prefix, found);
}

static void a_million_items_cost_less_than_48_mb(void **state)
{
	(void)state;
	assert_int_equal(prefix_set_size(1), 4096 * (prefix_set_size(1) / 4096));
	assert_true(prefix_set_size(1048576) <= 48000000);
	assert_int_equal(prefix_set_size(1048576) % 4096, 0);
}

static void foreign_memory_is_no_set(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);
	const size_t size_bytes = prefix_set_size(100);
	uint32_t *words = (uint32_t *)set;
	uint64_t zero[1024] = {0};

	(void)state;
	assert_ptr_equal(prefix_set_attach(set, size_bytes), set);
	assert_ptr_equal(prefix_set_attach(set, size_bytes + 4096), set);
	assert_null(prefix_set_attach(set, size_bytes - 1));
	assert_null(prefix_set_attach(set, 0));
	assert_null(prefix_set_attach((const char *)set + 1, size_bytes - 1));
	assert_null(prefix_set_attach(zero, sizeof(zero)));
	for (size_t i = 0; i < 4; i++) { /* magic, version, capacity, slots */
		words[i] ^= 0x100;
		assert_null(prefix_set_attach(set, size_bytes));
		words[i] ^= 0x100;
	}
}

static void the_longest_item_wins(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);

	(void)state;
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS), "");
	put(set, "203.0.113.0/24", 1, NOW_NS + 1);
	put(set, "203.0.113.5", 1, NOW_NS + 1);
	put(set, "0.0.0.0/0", 1, NOW_NS + 1);
	put(set, "2001:db8::/64", 1, NOW_NS + 1);
	put(set, "2001:db8::1", 1, NOW_NS + 1);
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS), "203.0.113.5");
	assert_string_equal(find(set, 1, "203.0.113.4", NOW_NS), "203.0.113.0/24");
	assert_string_equal(find(set, 1, "203.0.113.255", NOW_NS), "203.0.113.0/24");
	assert_string_equal(find(set, 1, "203.0.114.0", NOW_NS), "0.0.0.0/0");
	assert_string_equal(find(set, 1, "2001:db8::1", NOW_NS), "2001:db8::1");
	assert_string_equal(find(set, 1, "2001:db8::2", NOW_NS), "2001:db8::/64");
	assert_string_equal(find(set, 1, "2001:db8:0:1::", NOW_NS), "");
	assert_int_equal(prefix_set_count(set), 5);
}

static void groups_do_not_see_each_other(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);
	const struct prefix prefix = prefix_of("203.0.113.5");

	(void)state;
	put(set, "203.0.113.5", 0, NOW_NS + 1);
	put(set, "203.0.113.0/24", PREFIX_SET_GROUPS_MAX - 1, NOW_NS + 1);
	assert_string_equal(find(set, 0, "203.0.113.5", NOW_NS), "203.0.113.5");
	assert_string_equal(find(set, 31, "203.0.113.5", NOW_NS), "203.0.113.0/24");
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS), "");
	assert_false(prefix_set_remove(set, 1, &prefix));
	assert_true(prefix_set_remove(set, 0, &prefix));
	assert_string_equal(find(set, 0, "203.0.113.5", NOW_NS), "");
	assert_string_equal(find(set, 31, "203.0.113.5", NOW_NS), "203.0.113.0/24");
}

static void an_item_ends_exactly_at_its_time(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);
	const struct prefix prefix = prefix_of("203.0.113.5");
	struct prefix_set_item item;

	(void)state;
	put(set, "203.0.113.5", 1, NOW_NS);
	put(set, "192.0.2.1", 1, CLOCK_FOREVER_NS);
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS - 1), "203.0.113.5");
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS), "");
	assert_string_equal(find(set, 1, "192.0.2.1", CLOCK_FOREVER_NS - 1), "192.0.2.1");
	/* The writer still sees it, to take it away. */
	assert_true(prefix_set_get(set, 1, &prefix, &item));
	assert_true(item.ends_ns == NOW_NS);
}

static void behind_an_ended_item_a_shorter_one_holds(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);

	(void)state;
	put(set, "203.0.113.5", 1, NOW_NS);
	put(set, "203.0.113.0/24", 1, NOW_NS + 1);
	assert_string_equal(find(set, 1, "203.0.113.5", NOW_NS), "203.0.113.0/24");
}

static void another_end_replaces_the_first(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(100);
	struct prefix_set_item item = item_of("203.0.113.5", 1, NOW_NS + 5), got;

	(void)state;
	assert_int_equal(prefix_set_put(set, &item), 0);
	item.ends_ns = NOW_NS + 3; /* shorter, too: the caller decides */
	assert_int_equal(prefix_set_put(set, &item), 1);
	assert_int_equal(prefix_set_count(set), 1);
	assert_true(prefix_set_get(set, 1, &item.prefix, &got));
	assert_true(got.ends_ns == NOW_NS + 3);
}

static struct prefix_set_item numbered(uint32_t number)
{
	struct prefix_set_item item = {.ends_ns = NOW_NS + number, .group = 3};

	item.prefix.addr =
		(struct addr){.bytes = {198, 51, (uint8_t)(number >> 8), (uint8_t)number},
			      .family = ADDR_V4};
	item.prefix.len = 32;
	return item;
}

static void a_full_set_says_so_and_changes_nothing(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(1000);
	struct prefix_set_item item;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++) {
		item = numbered(i);
		assert_int_equal(prefix_set_put(set, &item), 0);
	}
	item = numbered(1000);
	assert_int_equal(prefix_set_put(set, &item), -ENOSPC);
	assert_false(prefix_set_get(set, 3, &item.prefix, &item));
	assert_int_equal(prefix_set_count(set), 1000);
	item = numbered(0);
	item.ends_ns++;
	assert_int_equal(prefix_set_put(set, &item), 1); /* a change needs no room */
	assert_true(prefix_set_remove(set, 3, &item.prefix));
	assert_false(prefix_set_remove(set, 3, &item.prefix));
	item = numbered(1000);
	assert_int_equal(prefix_set_put(set, &item), 0);
	for (uint32_t i = 1; i <= 1000; i++) {
		struct prefix_set_item got;

		item = numbered(i);
		assert_true(prefix_set_find(set, 3, &item.prefix.addr, NOW_NS - 1, &got));
		assert_true(got.ends_ns == item.ends_ns);
	}
}

static void a_set_of_one_works(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(1);
	const struct prefix prefix = prefix_of("203.0.113.5");
	const struct prefix_set_item other = item_of("203.0.113.6", 0, NOW_NS + 1);

	(void)state;
	for (int i = 0; i < 10; i++) {
		put(set, "203.0.113.5", 0, NOW_NS + 1);
		assert_int_equal(prefix_set_put(set, &other), -ENOSPC);
		assert_string_equal(find(set, 0, "203.0.113.5", NOW_NS), "203.0.113.5");
		assert_string_equal(find(set, 0, "203.0.113.6", NOW_NS), "");
		assert_true(prefix_set_remove(set, 0, &prefix));
	}
}

static void a_walk_sees_each_item_once(void **state)
{
	static const size_t steps[] = {1, 7, 1000};
	AUTO(free_mem) struct prefix_set *set = set_new(300);

	(void)state;
	for (uint32_t i = 0; i < 200; i++) {
		const struct prefix_set_item item = numbered(i);

		assert_int_equal(prefix_set_put(set, &item), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		struct prefix_set_item items[1000];
		uint8_t seen[200] = {0};
		size_t cursor = 0, count, total = 0;

		do {
			cursor = prefix_set_walk(set, cursor, items, steps[i], &count);
			assert_true(count <= steps[i]);
			for (size_t j = 0; j < count; j++) {
				const uint32_t number =
					(uint32_t)(items[j].ends_ns - NOW_NS);

				assert_in_range(number, 0, 199);
				assert_int_equal(items[j].group, 3);
				assert_int_equal(seen[number]++, 0);
			}
			total += count;
		} while (cursor != 0);
		assert_int_equal(total, 200);
	}
}

static void a_walk_of_nothing_ends(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(10 * PREFIX_SET_WALK_SLOTS);
	struct prefix_set_item items[4];
	size_t cursor = 0, count, steps = 0;

	(void)state;
	do {
		cursor = prefix_set_walk(set, cursor, items, 4, &count);
		assert_int_equal(count, 0);
		steps++;
	} while (cursor != 0);
	/* 10 * 4/3 steps of PREFIX_SET_WALK_SLOTS, and one slot more than that. */
	assert_int_equal(steps, 14);
}

/* ---- the twin ---- */

struct twin {
	struct prefix_set_item items[TWIN_CAPACITY];
	size_t count;
};

static struct prefix_set_item *twin_get(struct twin *twin, uint16_t group,
					const struct prefix *prefix)
{
	for (size_t i = 0; i < twin->count; i++) {
		if (twin->items[i].group == group &&
		    prefix_equal(&twin->items[i].prefix, prefix))
			return &twin->items[i];
	}
	return NULL;
}

static int twin_put(struct twin *twin, const struct prefix_set_item *item)
{
	struct prefix_set_item *there = twin_get(twin, item->group, &item->prefix);

	if (there) {
		there->ends_ns = item->ends_ns;
		return 1;
	}
	if (twin->count == TWIN_CAPACITY)
		return -ENOSPC;
	twin->items[twin->count++] = *item;
	return 0;
}

static bool twin_remove(struct twin *twin, uint16_t group, const struct prefix *prefix)
{
	struct prefix_set_item *there = twin_get(twin, group, prefix);

	if (!there)
		return false;
	*there = twin->items[--twin->count];
	return true;
}

static const struct prefix_set_item *twin_find(const struct twin *twin, uint16_t group,
					       const struct addr *addr, uint64_t now_ns)
{
	const struct prefix_set_item *best = NULL;

	for (size_t i = 0; i < twin->count; i++) {
		const struct prefix_set_item *item = &twin->items[i];

		if (item->group == group && item->ends_ns > now_ns &&
		    prefix_contains(&item->prefix, addr) &&
		    (!best || item->prefix.len > best->prefix.len))
			best = item;
	}
	return best;
}

/* Few different ones, so that they are met again, nested in each other. */
static struct prefix_set_item random_item(uint64_t *random)
{
	static const uint8_t lens[2][4] = {{8, 24, 31, 32}, {32, 64, 65, 128}};
	const uint32_t six = seed_below(random, 2);
	struct addr addr = {.bytes = {10}, .family = six ? ADDR_V6 : ADDR_V4};

	addr.bytes[six ? 15 : 3] = (uint8_t)seed_below(random, 4);
	addr.bytes[six ? 8 : 2] = (uint8_t)(seed_below(random, 3) << 6);
	return (struct prefix_set_item){
		.prefix = prefix_make(&addr, lens[six][seed_below(random, 4)]),
		.group = (uint16_t)seed_below(random, 3),
		.ends_ns = NOW_NS - 1 + seed_below(random, 3),
	};
}

/* A value stays with its item, wherever the removal of others moves it. */
static void a_value_moves_with_its_item(void **state)
{
	uint64_t kept[TWIN_CAPACITY] = {0}, value[16] = {0};
	const size_t size_bytes = prefix_set_valued_size(TWIN_CAPACITY, sizeof(value));
	AUTO(free_mem) struct prefix_set *set = aligned_alloc(64, size_bytes);
	uint64_t random = seed_start();
	unsigned int checked = 0;

	(void)state;
	assert_non_null(set);
	memset(set, 0, size_bytes);
	set = prefix_set_valued_init(set, TWIN_CAPACITY, sizeof(value));
	assert_int_equal(prefix_set_value_bytes(set), sizeof(value));
	assert_ptr_equal(prefix_set_attach(set, size_bytes), set);
	assert_null(prefix_set_attach(set, prefix_set_size(TWIN_CAPACITY)));
	for (int i = 0; i < TWIN_STEPS; i++) {
		const uint32_t number = seed_below(&random, TWIN_CAPACITY);
		struct prefix_set_item item = {.ends_ns = NOW_NS + 1};
		bool found;

		item.prefix.addr = (struct addr){.bytes = {10, 0, 0, (uint8_t)number},
						 .family = ADDR_V4};
		item.prefix.len = 32;
		found = prefix_set_get_value(set, 0, &item.prefix, &item, value);
		assert_int_equal(found, kept[number] != 0);
		if (found)
			assert_true(value[0] == kept[number] && value[15] == ~value[0]);
		checked += found;
		if (found && seed_below(&random, 2)) {
			assert_true(prefix_set_remove(set, 0, &item.prefix));
			kept[number] = 0;
			continue;
		}
		kept[number] = value[0] = (uint64_t)i + 1;
		value[15] = ~value[0];
		assert_int_equal(prefix_set_put_value(set, &item, value), found);
	}
	assert_true(checked > 100);
}

static void the_set_agrees_with_a_linear_twin(void **state)
{
	AUTO(free_mem) struct prefix_set *set = set_new(TWIN_CAPACITY);
	struct twin twin = {.count = 0};
	uint64_t random = seed_start();
	unsigned int full = 0;

	(void)state;
	for (int i = 0; i < TWIN_STEPS; i++) {
		const struct prefix_set_item item = random_item(&random);
		const struct prefix_set_item probe = random_item(&random);
		const struct prefix_set_item *want;
		struct prefix_set_item got;
		bool found;

		if (seed_below(&random, 5) < 3) {
			int result = prefix_set_put(set, &item);

			full += result == -ENOSPC;
			assert_int_equal(result, twin_put(&twin, &item));
		} else {
			assert_int_equal(prefix_set_remove(set, item.group, &item.prefix),
					 twin_remove(&twin, item.group, &item.prefix));
		}
		assert_int_equal(prefix_set_count(set), twin.count);
		want = twin_get(&twin, probe.group, &probe.prefix);
		found = prefix_set_get(set, probe.group, &probe.prefix, &got);
		assert_int_equal(found, want != NULL);
		want = twin_find(&twin, probe.group, &probe.prefix.addr, NOW_NS);
		found = prefix_set_find(set, probe.group, &probe.prefix.addr, NOW_NS,
					&got);
		assert_int_equal(found, want != NULL);
		if (found) {
			assert_true(prefix_equal(&got.prefix, &want->prefix));
			assert_true(got.ends_ns == want->ends_ns);
		}
	}
	assert_true(full > 100); /* or the steps do not press hard enough */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_million_items_cost_less_than_48_mb),
		cmocka_unit_test(foreign_memory_is_no_set),
		cmocka_unit_test(the_longest_item_wins),
		cmocka_unit_test(groups_do_not_see_each_other),
		cmocka_unit_test(an_item_ends_exactly_at_its_time),
		cmocka_unit_test(behind_an_ended_item_a_shorter_one_holds),
		cmocka_unit_test(another_end_replaces_the_first),
		cmocka_unit_test(a_full_set_says_so_and_changes_nothing),
		cmocka_unit_test(a_set_of_one_works),
		cmocka_unit_test(a_walk_sees_each_item_once),
		cmocka_unit_test(a_walk_of_nothing_ends),
		cmocka_unit_test(a_value_moves_with_its_item),
		cmocka_unit_test(the_set_agrees_with_a_linear_twin),
	};

	return cmocka_run_group_tests_name("base/prefix_set", tests, NULL, NULL);
}
