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
#include "base/prefix_table.h"
#include "unit/seed.h"

#define ROWS_TWIN   400 /* of the twin, which looks at all of them for each probe */
#define ROUNDS_TWIN 12
#define ROWS_LARGE  1000000u
/* A million rows take 0.2 s; sanitizers and a busy machine may take ten times that. */
#define LARGE_BUILD_MAX_NS (60 * NS_PER_S)

static struct prefix_row row_of(const char *text, uint32_t line)
{
	struct prefix_row row = {
		.value = (uint16_t)(line * 3), .origin = 7, .line = line};

	if (prefix_parse(text, &row.prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return row;
}

static struct addr addr_of(const char *text)
{
	struct addr addr = {.family = ADDR_NONE};

	if (addr_parse(text, &addr) != 0)
		fail_msg("'%s' is no address", text);
	return addr;
}

/* The finished block, on the heap, moved once: nothing in it may be a pointer. */
static const struct prefix_table *table_finish(struct prefix_builder **builder,
					       void **out_memory)
{
	struct prefix_row first, second;
	size_t size_bytes;
	void *memory;

	AUTO(prefix_builder_free) struct prefix_builder *owned = *builder;
	AUTO(free_mem) void *written = NULL;

	*builder = NULL;
	assert_int_equal(prefix_builder_sort(owned, &first, &second), 0);
	size_bytes = prefix_table_size(owned);
	assert_int_equal(size_bytes % 8, 0);
	written = malloc(size_bytes);
	memory = malloc(size_bytes);
	assert_non_null(written);
	assert_non_null(memory);
	assert_ptr_equal(prefix_table_write(owned, written), written);
	memcpy(memory, written, size_bytes);
	*out_memory = memory;
	assert_ptr_equal(prefix_table_attach(memory, size_bytes), memory);
	return memory;
}

static const struct prefix_table *table_of(const char *const *texts, size_t count,
					   void **out_memory)
{
	struct prefix_builder *builder = prefix_builder_new();

	assert_non_null(builder);
	for (size_t i = 0; i < count; i++) {
		const struct prefix_row row = row_of(texts[i], (uint32_t)i + 1);

		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	assert_int_equal(prefix_builder_count(builder), count);
	return table_finish(&builder, out_memory);
}

static const char *const nested[] = {
	"10.0.0.0/8",	   "203.0.113.0/24", "203.0.113.128/25", "203.0.113.200",
	"10.1.0.0/16",	   "2001:db8::/32",  "2001:db8::/64",	 "2001:db8::1",
	"2001:db8:1::/48", "192.0.2.0/24",
};

static const struct {
	const char *addr;
	const char *want; /* NULL: none */
} lookups[] = {
	{"203.0.113.200", "203.0.113.200"},
	{"203.0.113.201", "203.0.113.128/25"},
	{"203.0.113.199", "203.0.113.128/25"},
	{"203.0.113.127", "203.0.113.0/24"},
	{"203.0.113.255", "203.0.113.128/25"},
	{"203.0.114.0", NULL},
	{"203.0.112.255", NULL},
	{"10.0.255.255", "10.0.0.0/8"},
	{"10.1.0.0", "10.1.0.0/16"},
	{"10.2.0.0", "10.0.0.0/8"},
	{"9.255.255.255", NULL},
	{"11.0.0.0", NULL},
	{"0.0.0.0", NULL},
	{"255.255.255.255", NULL},
	{"2001:db8::1", "2001:db8::1"},
	{"2001:db8::2", "2001:db8::/64"},
	{"2001:db8:0:1::", "2001:db8::/32"},
	{"2001:db8:1:ffff:ffff:ffff:ffff:ffff", "2001:db8:1::/48"},
	{"2001:db9::", NULL},
	{"::", NULL},
	{"::cb00:71c8", NULL},
};

static void the_longest_prefix_wins(void **state)
{
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(nested, 10, &memory);

	(void)state;
	for (size_t i = 0; i < sizeof(lookups) / sizeof(lookups[0]); i++) {
		const struct addr addr = addr_of(lookups[i].addr);
		struct prefix_row row = {.line = 4711};
		char text[PREFIX_TEXT_MAX];
		bool found = prefix_table_find(table, &addr, &row);

		if (found != (lookups[i].want != NULL))
			fail_msg("%s", lookups[i].addr);
		if (found)
			assert_string_equal(prefix_format(&row.prefix, text),
					    lookups[i].want);
		else
			assert_int_equal(row.line, 4711);
	}
}

static void a_row_comes_back_as_it_was_added(void **state)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	AUTO(free_mem) void *memory = NULL;
	struct prefix_row row = row_of("2001:db8::/33", 0), got;
	const struct addr addr = row.prefix.addr;
	const struct prefix_table *table;

	(void)state;
	row.value = 0xfffe;
	row.origin = 0xfffd;
	row.line = 0xfffffffc;
	assert_int_equal(prefix_builder_add(builder, &row), 0);
	table = table_finish(&builder, &memory);
	assert_true(prefix_table_find(table, &addr, &got));
	assert_true(prefix_equal(&row.prefix, &got.prefix));
	assert_int_equal(got.value, 0xfffe);
	assert_int_equal(got.origin, 0xfffd);
	assert_int_equal(got.line, 0xfffffffc);
}

static void rows_are_numbered_in_order(void **state)
{
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(nested, 10, &memory);
	struct prefix_row before, row;
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_int_equal(prefix_table_count(table), 10);
	assert_int_equal(prefix_table_count_family(table, ADDR_V4), 6);
	assert_int_equal(prefix_table_count_family(table, ADDR_V6), 4);
	prefix_table_row(table, 0, &before);
	for (size_t i = 1; i < 10; i++) {
		prefix_table_row(table, i, &row);
		assert_true(prefix_compare(&before.prefix, &row.prefix) < 0);
		assert_string_equal(prefix_format(&row.prefix, text),
				    nested[row.line - 1]);
		assert_int_equal(row.value, row.line * 3);
		before = row;
	}
}

static void an_empty_table_knows_nothing(void **state)
{
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(NULL, 0, &memory);
	const struct addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
	const struct addr none = {.family = ADDR_NONE};
	const struct prefix all = {.addr = {.family = ADDR_V4}};
	struct prefix_row row;

	(void)state;
	assert_int_equal(prefix_table_count(table), 0);
	assert_false(prefix_table_find(table, &v4, &row));
	assert_false(prefix_table_find(table, &v6, &row));
	assert_false(prefix_table_find(table, &none, &row));
	assert_false(prefix_table_has_inside(table, &all));
}

static void the_duplicate_added_first_is_reported(void **state)
{
	static const char *const texts[] = {"203.0.113.0/24", "2001:db8::/32",
					    "10.0.0.0/8",     "2001:db8::/32",
					    "10.0.0.0/8",     "2001:db8::/32"};
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row first, second;
	char text[PREFIX_TEXT_MAX];

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		const struct prefix_row row = row_of(texts[i], i + 1);

		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	assert_int_equal(prefix_builder_sort(builder, &first, &second), -EEXIST);
	assert_string_equal(prefix_format(&first.prefix, text), "2001:db8::/32");
	assert_int_equal(first.line, 2);
	assert_int_equal(second.line, 4);
	assert_true(prefix_equal(&first.prefix, &second.prefix));
}

static void equal_addresses_of_other_lengths_are_no_duplicates(void **state)
{
	static const char *const texts[] = {"0.0.0.0/0", "0.0.0.0/1", "0.0.0.0",
					    "::/0",	 "::/64",     "::"};
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(texts, 6, &memory);

	(void)state;
	assert_int_equal(prefix_table_count(table), 6);
}

static const struct {
	const char *prefix;
	bool want;
} insides[] = {
	{"203.0.113.200/32", false},
	{"203.0.113.200/31", true},
	{"203.0.113.128/25", true}, /* the host in it; not itself */
	{"203.0.113.0/25", false},
	{"192.0.2.0/24", false},
	{"192.0.2.0/23", true},
	{"0.0.0.0/0", true},
	{"11.0.0.0/8", false},
	{"255.0.0.0/8", false},
	{"2001:db8::/64", true},
	{"2001:db8:1::/48", false},
	{"2001:db8::1/128", false},
	{"2001:db8:0:1::/64", false},
	{"::/0", true},
};

static void has_inside_means_strictly_inside(void **state)
{
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(nested, 10, &memory);

	(void)state;
	for (size_t i = 0; i < sizeof(insides) / sizeof(insides[0]); i++) {
		const struct prefix prefix = row_of(insides[i].prefix, 0).prefix;

		if (prefix_table_has_inside(table, &prefix) != insides[i].want)
			fail_msg("%s", insides[i].prefix);
	}
}

static void foreign_memory_is_no_table(void **state)
{
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table = table_of(nested, 10, &memory);
	uint64_t zero[16] = {0};
	uint32_t *words = memory;
	size_t size_bytes = 32 + 6 * 16 + 4 * 32;

	(void)state;
	assert_null(prefix_table_attach(zero, sizeof(zero)));
	assert_null(prefix_table_attach(table, 0));
	assert_null(prefix_table_attach((const char *)table + 1, size_bytes - 1));
	assert_null(prefix_table_attach(table, size_bytes - 1));
	assert_ptr_equal(prefix_table_attach(table, size_bytes), memory);
	for (size_t i = 0; i < 6; i++) {
		words[i] ^= 1;
		assert_null(prefix_table_attach(table, size_bytes));
		words[i] ^= 1;
	}
}

/* ---- the twin ---- */

struct twin {
	struct prefix_row rows[ROWS_TWIN];
	size_t count;
};

static const struct prefix_row *twin_find(const struct twin *twin,
					  const struct addr *addr)
{
	const struct prefix_row *best = NULL;

	for (size_t i = 0; i < twin->count; i++) {
		if (prefix_contains(&twin->rows[i].prefix, addr) &&
		    (!best || twin->rows[i].prefix.len > best->prefix.len))
			best = &twin->rows[i];
	}
	return best;
}

static bool twin_has(const struct twin *twin, const struct prefix *prefix)
{
	for (size_t i = 0; i < twin->count; i++) {
		if (prefix_equal(&twin->rows[i].prefix, prefix))
			return true;
	}
	return false;
}

static bool twin_has_inside(const struct twin *twin, const struct prefix *prefix)
{
	for (size_t i = 0; i < twin->count; i++) {
		if (twin->rows[i].prefix.len > prefix->len &&
		    prefix_covers(prefix, &twin->rows[i].prefix))
			return true;
	}
	return false;
}

/* Half of them inside of earlier ones, so that the nesting goes deep. */
static struct prefix random_prefix(uint64_t *random, const struct twin *twin)
{
	struct addr addr = {.family = seed_below(random, 2) ? ADDR_V4 : ADDR_V6};
	uint8_t keep = 0;

	if (twin->count > 0 && seed_below(random, 2)) {
		const struct prefix *near =
			&twin->rows[seed_below(random, (uint32_t)twin->count)].prefix;

		addr = near->addr;
		keep = near->len;
	}
	for (unsigned int bit = keep; bit < addr_bits(addr.family); bit++) {
		if (seed_below(random, 2))
			addr.bytes[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
	}
	return prefix_make(&addr,
			   (uint8_t)seed_below(random, addr_bits(addr.family) + 1u));
}

static void compare(const struct twin *twin, const struct prefix_table *table,
		    const struct addr *addr)
{
	const struct prefix_row *want = twin_find(twin, addr);
	struct prefix_row got;
	bool found = prefix_table_find(table, addr, &got);

	if (found != (want != NULL) || (found && got.line != want->line)) {
		char text[ADDR_TEXT_MAX];

		fail_msg("%s: line %u, twin: line %u", addr_format(addr, text),
			 found ? got.line : 0, want ? want->line : 0);
	}
}

static void compare_around(const struct twin *twin, const struct prefix_table *table,
			   const struct prefix *prefix)
{
	const unsigned int bits = addr_bits(prefix->addr.family);
	struct prefix around;
	struct addr probe;

	compare(twin, table, &prefix->addr);
	for (unsigned int bit = prefix->len > 0 ? prefix->len - 1u : 0u;
	     bit <= prefix->len && bit < bits; bit++) {
		probe = prefix->addr; /* the first address; one bit inside or outside of it */
		probe.bytes[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
		compare(twin, table, &probe);
		for (unsigned int host = bit + 1; host < bits; host++) /* and the last */
			probe.bytes[host / 8] |= (uint8_t)(0x80u >> (host % 8));
		compare(twin, table, &probe);
	}
	for (int change = -1; change <= 1; change++) {
		if (prefix->len + change < 0 || prefix->len + change > (int)bits)
			continue;
		around = prefix_make(&prefix->addr, (uint8_t)(prefix->len + change));
		assert_int_equal(prefix_table_has_inside(table, &around),
				 twin_has_inside(twin, &around));
	}
}

static void the_table_agrees_with_a_linear_twin(void **state)
{
	uint64_t random = seed_start();

	(void)state;
	for (int round = 0; round < ROUNDS_TWIN; round++) {
		static struct twin twin;
		struct prefix_builder *builder = prefix_builder_new();
		AUTO(free_mem) void *memory = NULL;
		const struct prefix_table *table;

		twin.count = 0;
		for (uint32_t i = 0; i < ROWS_TWIN; i++) {
			struct prefix_row row = {.line = i + 1};

			row.prefix = random_prefix(&random, &twin);
			if (twin_has(&twin, &row.prefix))
				continue;
			twin.rows[twin.count++] = row;
			assert_int_equal(prefix_builder_add(builder, &row), 0);
		}
		table = table_finish(&builder, &memory);
		for (size_t i = 0; i < twin.count; i++)
			compare_around(&twin, table, &twin.rows[i].prefix);
		for (int i = 0; i < 2000; i++) {
			const struct prefix prefix = random_prefix(&random, &twin);

			compare(&twin, table, &prefix.addr);
		}
	}
}

static void the_deepest_nesting_is_walked(void **state)
{
	struct prefix_builder *builder = prefix_builder_new();
	AUTO(free_mem) void *memory = NULL;
	const struct addr addr = addr_of("2001:db8::1");
	const struct prefix_table *table;
	struct prefix_row got;

	(void)state;
	for (uint32_t len = 0; len < 128; len++) {
		const struct prefix_row row = {.prefix = prefix_make(&addr, (uint8_t)len),
					       .line = len};

		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	table = table_finish(&builder, &memory);
	for (uint32_t len = 0; len < 128; len++) {
		struct addr probe = addr;

		probe.bytes[len / 8] ^= (uint8_t)(0x80u >> (len % 8));
		assert_true(prefix_table_find(table, &probe, &got));
		assert_int_equal(got.line, len);
	}
}

static void a_million_rows_are_sorted_and_found(void **state)
{
	struct prefix_builder *builder = prefix_builder_new();
	AUTO(free_mem) void *memory = NULL;
	const uint64_t start_ns = clock_mono_ns();
	uint64_t random = seed_start(), built_ns, found_ns;
	const uint64_t random_again = random;
	const struct prefix_table *table;
	struct prefix_row got;

	(void)state;
	/* An odd factor: no two products are equal modulo 2^32. */
	for (uint32_t i = 0; i < ROWS_LARGE; i++) {
		const uint32_t word = i * UINT32_C(2654435761);
		struct prefix_row row = {.line = i, .prefix.addr.family = ADDR_V4};

		row.prefix.addr.bytes[0] = (uint8_t)(word >> 24);
		row.prefix.addr.bytes[1] = (uint8_t)(word >> 16);
		row.prefix.addr.bytes[2] = (uint8_t)(word >> 8);
		row.prefix.addr.bytes[3] = (uint8_t)word;
		row.prefix.len = 32;
		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	table = table_finish(&builder, &memory);
	built_ns = clock_mono_ns() - start_ns;
	random = random_again;
	for (int i = 0; i < 200000; i++) {
		const uint32_t line = seed_below(&random, ROWS_LARGE);
		const uint32_t word = line * UINT32_C(2654435761);
		const struct addr addr = {.bytes = {(uint8_t)(word >> 24),
						    (uint8_t)(word >> 16),
						    (uint8_t)(word >> 8), (uint8_t)word},
					  .family = ADDR_V4};

		assert_true(prefix_table_find(table, &addr, &got));
		assert_int_equal(got.line, line);
	}
	found_ns = clock_mono_ns() - start_ns - built_ns;
	printf("# a million rows: built in %u ms, a lookup takes %u ns\n",
	       (unsigned int)(built_ns / NS_PER_MS), (unsigned int)(found_ns / 200000));
	assert_true(built_ns < LARGE_BUILD_MAX_NS);
}

static void a_builder_is_full_at_its_limit(void **state)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row row = row_of("192.0.2.1", 1);

	(void)state;
	for (uint32_t i = 0; i < PREFIX_TABLE_ROWS_MAX; i++) {
		if (prefix_builder_add(builder, &row) != 0)
			fail_msg("row %u", i);
	}
	assert_int_equal(prefix_builder_add(builder, &row), -ENOSPC);
	row = row_of("2001:db8::1", 1);
	assert_int_equal(prefix_builder_add(builder, &row), -ENOSPC);
	assert_int_equal(prefix_builder_count(builder), PREFIX_TABLE_ROWS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_longest_prefix_wins),
		cmocka_unit_test(a_row_comes_back_as_it_was_added),
		cmocka_unit_test(rows_are_numbered_in_order),
		cmocka_unit_test(an_empty_table_knows_nothing),
		cmocka_unit_test(the_duplicate_added_first_is_reported),
		cmocka_unit_test(equal_addresses_of_other_lengths_are_no_duplicates),
		cmocka_unit_test(has_inside_means_strictly_inside),
		cmocka_unit_test(foreign_memory_is_no_table),
		cmocka_unit_test(the_table_agrees_with_a_linear_twin),
		cmocka_unit_test(the_deepest_nesting_is_walked),
		cmocka_unit_test(a_million_rows_are_sorted_and_found),
		cmocka_unit_test(a_builder_is_full_at_its_limit),
	};

	return cmocka_run_group_tests_name("base/prefix_table", tests, NULL, NULL);
}
