/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/prefix_spans.h"
#include "unit/seed.h"

#define WANTED 1u /* value of a row that is asked for */

#define ROUNDS	   60
#define ROWS_MAX   60
#define PROBES	   600
#define BANS_LARGE 65536u
#define LARGE_MAX_NS \
	(60 * NS_PER_S) /* it takes some 20 ms; sanitizers and a busy machine more */

static bool is_wanted(uint16_t value)
{
	return value == WANTED;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {.len = 0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

static const struct prefix_table *table_make(const struct prefix_row *rows, size_t count)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row first, second;
	void *memory;

	assert_non_null(builder);
	for (size_t i = 0; i < count; i++)
		assert_int_equal(prefix_builder_add(builder, &rows[i]), 0);
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	memory = malloc(prefix_table_size(builder));
	assert_non_null(memory);
	return prefix_table_write(builder, memory);
}

static void table_free(const struct prefix_table **table)
{
	free((void *)(uintptr_t)*table);
}

/* ---- rows that say how it is ------------------------------------------------------------------------ */

/* "FIRST-LAST=VALUE ..." */
static void spans_print(const struct prefix_spans *spans, char *out, size_t size)
{
	size_t at = 0;

	out[0] = '\0';
	for (size_t i = 0; i < spans->count; i++) {
		char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX];

		at += (size_t)snprintf(out + at, size - at, "%s%s-%s=%u", i ? " " : "",
				       addr_format(&spans->spans[i].first, first),
				       addr_format(&spans->spans[i].last, last),
				       (unsigned int)spans->spans[i].value);
		assert_true(at < size);
	}
}

static const struct {
	const char *why;
	struct {
		const char *prefix;
		unsigned int ends;
	} bans[4];
	const char *rows[4];
	const char *want;
} ban_rows[] = {
	{"nothing", {{NULL, 0}}, {NULL}, ""},
	{"the whole prefix, from the first address to the last",
	 {{"203.0.113.0/24", 5}},
	 {"0.0.0.0/0"},
	 "203.0.113.0-203.0.113.255=5"},
	{"everything there is", {{"0.0.0.0/0", 5}}, {NULL}, "0.0.0.0-255.255.255.255=5"},
	{"everything there is of IPv6",
	 {{"::/0", 5}},
	 {NULL},
	 "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff=5"},
	{"the last prefix of all",
	 {{"255.255.255.0/24", 5}},
	 {NULL},
	 "255.255.255.0-255.255.255.255=5"},
	{"a longer entry of the list wins",
	 {{"203.0.113.0/24", 5}},
	 {"203.0.113.9"},
	 "203.0.113.0-203.0.113.8=5 203.0.113.10-203.0.113.255=5"},
	{"a longer entry at either edge",
	 {{"203.0.113.0/24", 5}},
	 {"203.0.113.0", "203.0.113.255"},
	 "203.0.113.1-203.0.113.254=5"},
	{"of the same length the ban wins",
	 {{"203.0.113.0/24", 5}},
	 {"203.0.113.0/24"},
	 "203.0.113.0-203.0.113.255=5"},
	{"a shorter entry is of no matter",
	 {{"203.0.113.0/24", 5}},
	 {"203.0.112.0/23", "203.0.112.1"},
	 "203.0.113.0-203.0.113.255=5"},
	{"a ban inside a longer entry inside a ban",
	 {{"203.0.113.0/24", 5}, {"203.0.113.128/26", 3}},
	 {"203.0.113.128/25"},
	 "203.0.113.0-203.0.113.127=5 203.0.113.128-203.0.113.191=3"},
	{"a ban inside a ban that ends later says nothing",
	 {{"203.0.113.0/24", 5}, {"203.0.113.128/25", 3}},
	 {NULL},
	 "203.0.113.0-203.0.113.255=5"},
	{"a ban inside a ban that ends earlier goes on",
	 {{"203.0.113.0/24", 5}, {"203.0.113.128/25", 7}},
	 {NULL},
	 "203.0.113.0-203.0.113.127=5 203.0.113.128-203.0.113.255=7"},
	{"neighbours with one end are one span",
	 {{"203.0.112.0/24", 5}, {"203.0.113.0/24", 5}},
	 {NULL},
	 "203.0.112.0-203.0.113.255=5"},
	{"neighbours with two ends are two",
	 {{"203.0.112.0/24", 5}, {"203.0.113.0/24", 6}},
	 {NULL},
	 "203.0.112.0-203.0.112.255=5 203.0.113.0-203.0.113.255=6"},
	{"a /128 inside a banned /64",
	 {{"2001:db8::/64", 5}},
	 {"2001:db8::1"},
	 "2001:db8::-2001:db8::=5 2001:db8::2-2001:db8::ffff:ffff:ffff:ffff=5"},
};

static void bans_that_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ban_rows) / sizeof(ban_rows[0]); i++) {
		AUTO(prefix_spans_free) struct prefix_spans spans = {0};
		AUTO(table_free) const struct prefix_table *table = NULL;
		struct prefix_row rows[4] = {{.value = 0}};
		struct prefix_ends bans[4];
		size_t row_count = 0, count = 0;
		char text[512];

		for (; row_count < 4 && ban_rows[i].rows[row_count]; row_count++)
			rows[row_count].prefix = prefix_of(ban_rows[i].rows[row_count]);
		/* Given in the wrong order: it sorts. */
		for (size_t j = 4; j > 0; j--)
			if (ban_rows[i].bans[j - 1].prefix)
				bans[count++] = (struct prefix_ends){
					prefix_of(ban_rows[i].bans[j - 1].prefix),
					ban_rows[i].bans[j - 1].ends};
		table = table_make(rows, row_count);
		assert_int_equal(prefix_spans_of_bans(bans, count, table, &spans), 0);
		spans_print(&spans, text, sizeof(text));
		if (strcmp(text, ban_rows[i].want) != 0)
			fail_msg("%s: %s", ban_rows[i].why, text);
	}
}

/* ---- against a twin --------------------------------------------------------------------------------- */

/* Few different bytes, so that prefixes nest and addresses meet them. */
static struct addr random_addr(uint64_t *seed, enum addr_family family)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0x80, 0xfe, 0xff};
	struct addr addr = {.family = (uint8_t)family};

	for (unsigned int i = 0; i < addr_bits(family) / 8; i++)
		addr.bytes[i] = bytes[seed_below(seed, sizeof(bytes))];
	return addr;
}

static struct prefix random_prefix(uint64_t *seed, enum addr_family family)
{
	const struct addr addr = random_addr(seed, family);

	return prefix_make(&addr, (uint8_t)seed_below(seed, addr_bits(family) + 1u));
}

/* At an edge of a prefix, on either side of it; or anywhere. */
static struct addr probe_at(uint64_t *seed, const struct prefix *prefix)
{
	const unsigned int bits = addr_bits((enum addr_family)prefix->addr.family);
	struct addr addr = prefix->addr;

	if (seed_below(seed, 4) == 0)
		return random_addr(seed, (enum addr_family)addr.family);
	if (seed_below(seed, 2))
		for (unsigned int bit = prefix->len; bit < bits; bit++)
			addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (seed_below(seed, 2)) {
		const unsigned int bit = seed_below(seed, bits);

		addr.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	if (seed_below(seed, 4) == 0)
		(void)addr_after(&addr, &addr);
	return addr;
}

struct world {
	struct prefix_row rows[ROWS_MAX];
	struct prefix_ends bans[ROWS_MAX];
	size_t row_count, ban_count;
};

/* Each prefix once, as in a list and among the bans. */
static void world_make(struct world *world, uint64_t *seed, enum addr_family family)
{
	const size_t rows = seed_below(seed, ROWS_MAX), bans = seed_below(seed, ROWS_MAX);

	world->row_count = world->ban_count = 0;
	for (size_t i = 0; i < rows; i++) {
		const struct prefix prefix = random_prefix(seed, family);
		size_t j = 0;

		while (j < world->row_count &&
		       !prefix_equal(&world->rows[j].prefix, &prefix))
			j++;
		if (j == world->row_count)
			world->rows[world->row_count++] = (struct prefix_row){
				.prefix = prefix, .value = (uint16_t)seed_below(seed, 2)};
	}
	for (size_t i = 0; i < bans; i++) {
		const struct prefix prefix =
			world->row_count && seed_below(seed, 4) == 0
				? world->rows[seed_below(seed,
							 (uint32_t)world->row_count)]
					  .prefix
				: random_prefix(seed, family);
		size_t j = 0;

		while (j < world->ban_count &&
		       !prefix_equal(&world->bans[j].prefix, &prefix))
			j++;
		if (j == world->ban_count)
			world->bans[world->ban_count++] =
				(struct prefix_ends){prefix, 1u + seed_below(seed, 4)};
	}
}

static const struct prefix_row *twin_row(const struct world *world,
					 const struct addr *addr)
{
	const struct prefix_row *best = NULL;

	for (size_t i = 0; i < world->row_count; i++)
		if (prefix_contains(&world->rows[i].prefix, addr) &&
		    (!best || world->rows[i].prefix.len > best->prefix.len))
			best = &world->rows[i];
	return best;
}

/* At a time: does the longest ban that has not ended win over the list? */
static bool twin_banned(const struct world *world, const struct addr *addr, uint64_t now)
{
	const struct prefix_row *row = twin_row(world, addr);
	int longest = -1;

	for (size_t i = 0; i < world->ban_count; i++)
		if (world->bans[i].ends_ns > now &&
		    prefix_contains(&world->bans[i].prefix, addr) &&
		    world->bans[i].prefix.len > longest)
			longest = world->bans[i].prefix.len;
	return longest >= 0 && (!row || longest >= row->prefix.len);
}

static void check_order(const struct prefix_spans *spans)
{
	for (size_t i = 0; i < spans->count; i++) {
		const struct prefix_span *span = &spans->spans[i];
		struct addr next;

		assert_true(memcmp(span->first.bytes, span->last.bytes, 16) <= 0);
		assert_true(span->value > 0);
		if (i + 1 == spans->count)
			continue;
		assert_true(memcmp(span->last.bytes, span[1].first.bytes, 16) < 0);
		assert_true(addr_after(&span->last, &next));
		if (addr_equal(&next, &span[1].first))
			assert_true(span->value != span[1].value);
	}
}

static void check_world(const struct world *world, const struct prefix_table *table,
			uint64_t *seed)
{
	AUTO(prefix_spans_free) struct prefix_spans banned = {0};
	AUTO(prefix_spans_free) struct prefix_spans wanted = {0};
	const enum addr_family family =
		(enum addr_family)(world->ban_count ? world->bans[0].prefix.addr.family
						    : world->rows[0].prefix.addr.family);
	struct prefix_ends bans[ROWS_MAX];

	memcpy(bans, world->bans, sizeof(bans));
	assert_int_equal(prefix_spans_of_bans(bans, world->ban_count, table, &banned), 0);
	assert_int_equal(prefix_spans_of_table(table, family, is_wanted, &wanted), 0);
	check_order(&banned);
	check_order(&wanted);
	for (unsigned int i = 0; i < PROBES; i++) {
		const bool of_ban = world->ban_count && (i % 2 || world->row_count == 0);
		const struct prefix *near =
			of_ban ? &world->bans[i / 2 % world->ban_count].prefix
			       : &world->rows[i / 2 % world->row_count].prefix;
		const struct addr addr = probe_at(seed, near);
		const struct prefix_span *ban = prefix_spans_find(&banned, &addr);
		const struct prefix_row *row = twin_row(world, &addr);
		struct prefix_row found;
		char text[ADDR_TEXT_MAX];

		for (uint64_t now = 0; now <= 5; now++)
			if ((ban && ban->value > now) != twin_banned(world, &addr, now))
				fail_msg("%s at %u", addr_format(&addr, text),
					 (unsigned int)now);
		assert_int_equal(prefix_table_find(table, &addr, &found), row != NULL);
		if ((prefix_spans_find(&wanted, &addr) != NULL) !=
		    (row && is_wanted(found.value)))
			fail_msg("%s in the list", addr_format(&addr, text));
	}
}

static void spans_agree_with_the_longest_match(void **state)
{
	uint64_t seed = seed_start();

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		AUTO(table_free) const struct prefix_table *table = NULL;
		struct world world;

		world_make(&world, &seed, round % 2 ? ADDR_V4 : ADDR_V6);
		if (world.row_count + world.ban_count == 0)
			continue;
		table = table_make(world.rows, world.row_count);
		check_world(&world, table, &seed);
	}
}

/* ---- many -------------------------------------------------------------------------------------------- */

static void as_many_bans_as_there_may_be(void **state)
{
	AUTO(free_mem) struct prefix_ends *bans = calloc(BANS_LARGE, sizeof(*bans));
	AUTO(prefix_spans_free) struct prefix_spans spans = {0};
	AUTO(table_free)
	const struct prefix_table *table =
		table_make(&(const struct prefix_row){.prefix = {{{0}, ADDR_V4}, 0},
						      .value = WANTED},
			   1);
	uint64_t began_ns;

	(void)state;
	assert_non_null(bans);
	for (uint32_t i = 0; i < BANS_LARGE; i++)
		bans[i] = (struct prefix_ends){
			{{{(uint8_t)(i >> 8), (uint8_t)i}, ADDR_V4}, 24}, i + 1};
	began_ns = clock_mono_ns();
	assert_int_equal(prefix_spans_of_bans(bans, BANS_LARGE, table, &spans), 0);
	assert_true(clock_mono_ns() - began_ns < LARGE_MAX_NS);
	assert_int_equal(spans.count, BANS_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bans_that_hold),
		cmocka_unit_test(spans_agree_with_the_longest_match),
		cmocka_unit_test(as_many_bans_as_there_may_be),
	};

	return cmocka_run_group_tests_name("base/prefix_spans", tests, NULL, NULL);
}
