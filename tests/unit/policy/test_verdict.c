/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "policy/flags.h"
#include "policy/verdict.h"
#include "unit/seed.h"

#define NOW_NS	  (1000 * NS_PER_S)
#define POLICY	  3
#define WORLD_MAX 40

/* A list and some bans, and the same as plain arrays for the twin. */
struct world {
	struct prefix_row rows[WORLD_MAX];
	struct prefix_set_item bans[WORLD_MAX];
	size_t row_count, ban_count;
	void *table_memory;
	const struct prefix_table *table;
	struct prefix_set *set;
};

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

static void world_add_row(struct world *world, const struct prefix *prefix,
			  uint16_t flags)
{
	for (size_t i = 0; i < world->row_count; i++) {
		if (prefix_equal(&world->rows[i].prefix, prefix))
			return;
	}
	world->rows[world->row_count] =
		(struct prefix_row){.prefix = *prefix,
				    .value = flags,
				    .line = (uint32_t)world->row_count + 1};
	world->row_count++;
}

static void world_add_ban(struct world *world, const struct prefix_set_item *ban)
{
	for (size_t i = 0; i < world->ban_count; i++) {
		if (world->bans[i].group == ban->group &&
		    prefix_equal(&world->bans[i].prefix, &ban->prefix))
			return;
	}
	world->bans[world->ban_count++] = *ban;
}

static void world_build(struct world *world)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	const size_t set_bytes = prefix_set_size(WORLD_MAX);
	struct prefix_row first, second;
	void *set_memory = aligned_alloc(64, set_bytes);

	assert_non_null(builder);
	for (size_t i = 0; i < world->row_count; i++)
		assert_int_equal(prefix_builder_add(builder, &world->rows[i]), 0);
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	world->table_memory = malloc(prefix_table_size(builder));
	assert_non_null(world->table_memory);
	world->table = prefix_table_write(builder, world->table_memory);

	assert_non_null(set_memory);
	memset(set_memory, 0, set_bytes);
	world->set = prefix_set_init(set_memory, WORLD_MAX);
	for (size_t i = 0; i < world->ban_count; i++)
		assert_int_equal(prefix_set_put(world->set, &world->bans[i]), 0);
}

static void world_free(struct world *world)
{
	free(world->table_memory);
	free(world->set);
}

static const struct {
	const char *why;
	const char *entry; /* NULL: none */
	uint16_t flags;
	const char *ban; /* NULL: none */
	uint64_t ban_ends_ns;
	enum verdict_kind want;
} rows[] = {
	{"no entry", NULL, 0, NULL, 0, VERDICT_NO_ENTRY},
	{"an entry elsewhere", "203.0.114.0/24", FLAG_PA, NULL, 0, VERDICT_NO_ENTRY},
	{"permitted", "203.0.113.0/24", FLAG_PA, NULL, 0, VERDICT_PERMIT},
	{"permitted, other flags too", "203.0.113.0/24", FLAG_PA | FLAG_LL, NULL, 0,
	 VERDICT_PERMIT},
	{"an entry without PA", "203.0.113.0/24", FLAG_LL, NULL, 0,
	 VERDICT_NOT_PERMITTED},
	{"an entry without any flag", "203.0.113.0/24", 0, NULL, 0,
	 VERDICT_NOT_PERMITTED},
	{"blacklisted", "203.0.113.0/24", FLAG_BL, NULL, 0, VERDICT_BLACKLISTED},
	{"blacklisted, though PA is set", "203.0.113.0/24", FLAG_BL | FLAG_PA, NULL, 0,
	 VERDICT_BLACKLISTED},
	{"a live ban", "203.0.113.0/24", FLAG_PA, "203.0.113.5", NOW_NS + 1,
	 VERDICT_BANNED},
	{"a ban that ends now", "203.0.113.0/24", FLAG_PA, "203.0.113.5", NOW_NS,
	 VERDICT_PERMIT},
	{"a ban as long as the entry", "203.0.113.0/24", FLAG_PA, "203.0.113.0/24",
	 NOW_NS + 1, VERDICT_BANNED},
	{"a ban one bit shorter than the entry", "203.0.113.0/24", FLAG_PA,
	 "203.0.112.0/23", NOW_NS + 1, VERDICT_PERMIT},
	{"a ban one bit longer than the entry", "203.0.113.0/24", FLAG_PA,
	 "203.0.113.0/25", NOW_NS + 1, VERDICT_BANNED},
	{"a ban, and no entry", NULL, 0, "203.0.113.0/24", NOW_NS + 1, VERDICT_BANNED},
	{"a ban for everyone else", "203.0.113.5", FLAG_PA, "203.0.113.0/24", NOW_NS + 1,
	 VERDICT_PERMIT},
	{"a shorter ban, and the entry is blacklisted", "203.0.113.0/24", FLAG_BL,
	 "203.0.0.0/16", NOW_NS + 1, VERDICT_BLACKLISTED},
	{"a ban of a neighbour", "203.0.113.0/24", FLAG_PA, "203.0.113.4", NOW_NS + 1,
	 VERDICT_PERMIT},
	{"a ban without end", "203.0.113.0/24", FLAG_PA, "203.0.113.5", CLOCK_FOREVER_NS,
	 VERDICT_BANNED},
};

static void rows_hold(void **state)
{
	const struct addr addr = prefix_of("203.0.113.5").addr;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world = {.row_count = 0};
		struct verdict got;

		if (rows[i].entry) {
			const struct prefix prefix = prefix_of(rows[i].entry);

			world_add_row(&world, &prefix, rows[i].flags);
		}
		if (rows[i].ban) {
			const struct prefix_set_item ban = {
				.prefix = prefix_of(rows[i].ban),
				.group = POLICY,
				.ends_ns = rows[i].ban_ends_ns};

			world_add_ban(&world, &ban);
		}
		world_build(&world);
		got = verdict_decide(world.table, world.set, POLICY, &addr, NOW_NS);
		if (got.kind != rows[i].want)
			fail_msg("%s: %s", rows[i].why, verdict_name(got.kind));
		if (got.kind == VERDICT_BANNED)
			assert_true(got.ban.ends_ns == rows[i].ban_ends_ns);
		if (got.has_entry)
			assert_int_equal(got.entry.value, rows[i].flags);
		/* Another policy's ban is none of ours. */
		got = verdict_decide(world.table, world.set, POLICY + 1, &addr, NOW_NS);
		assert_int_not_equal(got.kind, VERDICT_BANNED);
		world_free(&world);
	}
}

static void without_list_and_bans_there_is_no_entry(void **state)
{
	const struct addr addr = prefix_of("203.0.113.5").addr;

	(void)state;
	assert_int_equal(verdict_decide(NULL, NULL, 0, &addr, NOW_NS).kind,
			 VERDICT_NO_ENTRY);
}

static void a_permitted_host_in_a_banned_64_gets_in(void **state)
{
	const struct prefix host = prefix_of("2001:db8::25");
	const struct prefix all = prefix_of("::/0");
	const struct prefix_set_item ban = {.prefix = prefix_of("2001:db8::/64"),
					    .group = POLICY,
					    .ends_ns = NOW_NS + 1};
	const struct addr other = prefix_of("2001:db8::26").addr;
	struct world world = {.row_count = 0};

	(void)state;
	world_add_row(&world, &all, FLAG_PA);
	world_add_row(&world, &host, FLAG_PA);
	world_add_ban(&world, &ban);
	world_build(&world);
	assert_int_equal(
		verdict_decide(world.table, world.set, POLICY, &host.addr, NOW_NS).kind,
		VERDICT_PERMIT);
	assert_int_equal(
		verdict_decide(world.table, world.set, POLICY, &other, NOW_NS).kind,
		VERDICT_BANNED);
	world_free(&world);
}

/* ---- the twin ---- */

/* The rule as it is told: one list, a live ban is an entry with BL; the longest wins. */
static enum verdict_kind twin_decide(const struct world *world, const struct addr *addr)
{
	enum verdict_kind kind = VERDICT_NO_ENTRY;
	int longest = -1;

	for (size_t i = 0; i < world->row_count; i++) {
		const struct prefix_row *row = &world->rows[i];

		if (!prefix_contains(&row->prefix, addr) || row->prefix.len <= longest)
			continue;
		longest = row->prefix.len;
		kind = row->value & FLAG_BL   ? VERDICT_BLACKLISTED
		       : row->value & FLAG_PA ? VERDICT_PERMIT
					      : VERDICT_NOT_PERMITTED;
	}
	for (size_t i = 0; i < world->ban_count; i++) {
		const struct prefix_set_item *ban = &world->bans[i];

		if (ban->group != POLICY || ban->ends_ns <= NOW_NS ||
		    !prefix_contains(&ban->prefix, addr) || ban->prefix.len < longest)
			continue;
		longest = ban->prefix.len;
		kind = VERDICT_BANNED;
	}
	return kind;
}

static struct prefix random_prefix(uint64_t *random)
{
	const bool is_v4 = seed_below(random, 2);
	const uint8_t last = is_v4 ? 3 : 15;
	struct addr addr = {.bytes = {203, 0}, .family = is_v4 ? ADDR_V4 : ADDR_V6};

	addr.bytes[last] = (uint8_t)seed_below(random, 16);
	return prefix_make(&addr, (uint8_t)(8 * last + 8 - seed_below(random, 6)));
}

static void the_verdict_agrees_with_a_linear_twin(void **state)
{
	uint64_t random = seed_start();
	unsigned int seen[VERDICT_KIND_COUNT] = {0};

	(void)state;
	for (int round = 0; round < 300; round++) {
		struct world world = {.row_count = 0};

		for (uint32_t i = seed_below(&random, 12); i > 0; i--) {
			const struct prefix prefix = random_prefix(&random);

			world_add_row(&world, &prefix,
				      (uint16_t)(seed_below(&random, 4) ? FLAG_PA : 0) |
					      (seed_below(&random, 4) ? 0 : FLAG_BL));
		}
		for (uint32_t i = seed_below(&random, 12); i > 0; i--) {
			const struct prefix_set_item ban = {
				.prefix = random_prefix(&random),
				.group = (uint16_t)(POLICY + seed_below(&random, 2)),
				.ends_ns = NOW_NS + seed_below(&random, 3) - 1};

			world_add_ban(&world, &ban);
		}
		world_build(&world);
		for (int probe = 0; probe < 64; probe++) {
			const struct addr addr = random_prefix(&random).addr;
			const struct verdict got = verdict_decide(world.table, world.set,
								  POLICY, &addr, NOW_NS);
			char text[ADDR_TEXT_MAX];

			if (got.kind != twin_decide(&world, &addr))
				fail_msg("%s: %s, twin: %s", addr_format(&addr, text),
					 verdict_name(got.kind),
					 verdict_name(twin_decide(&world, &addr)));
			seen[got.kind]++;
		}
		world_free(&world);
	}
	for (int kind = 0; kind < VERDICT_KIND_COUNT; kind++)
		assert_true(seen[kind] > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(without_list_and_bans_there_is_no_entry),
		cmocka_unit_test(a_permitted_host_in_a_banned_64_gets_in),
		cmocka_unit_test(the_verdict_agrees_with_a_linear_twin),
	};

	return cmocka_run_group_tests_name("policy/verdict", tests, NULL, NULL);
}
