/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What bpf/ban_cache.h remembers says in the middle of a flood what `bans` says, and counts what it counts.
 *
 * In a flood there are soon no turns left, and what is found in the cache is not looked up in `bans`. Here the turns are
 * taken away, so that a few packets are a flood.
 *
 * link: world.c frame.c
 */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

#define FLOOD	   1000u /* packets */
#define SOME	   100u
#define ALL_TURNS  ABI_CACHE_TURN_BURST
#define BUCKETS	   1024u /* of the world's 1000 bans */
#define CROWD	   8u	 /* bans in one bucket */
#define OTHER_PORT 26	 /* policy 1 */

static const char source[] = "192.0.2.7";

static const struct world_entry anybody[] = {
	{"0.0.0.0/0", FLAG_PA}, {"::/0", FLAG_PA}, {0}};

/* The verdict on the last of so many. */
static uint32_t flood(struct xdp *xdp, const char *from, uint16_t port, uint32_t packets)
{
	struct frame frame;
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame.bytes,
		    .repeat = (int)packets);

	frame_knock(&frame, from, port);
	opts.data_size_in = (__u32)frame.len;
	assert_int_equal(bpf_prog_test_run_opts(xdp_program_fd(xdp), &opts), 0);
	return opts.retval;
}

static uint64_t packets_of(struct xdp *xdp, const char *who, uint16_t policy)
{
	const struct prefix prefix = world_prefix(who);
	struct xdp_ban ban;

	assert_int_equal(xdp_ban_get(xdp, &prefix, policy, &ban), 0);
	return ban.packets;
}

/* What the map itself says. */
static uint64_t packets_in_map(const char *who)
{
	const struct prefix prefix = world_prefix(who);
	struct ban_key key = {.family = ABI_FAMILY_V4};
	struct ban_value value = {0};
	AUTO(close_fd) int fd = bpf_obj_get(WORLD_PINS "/bans");

	memcpy(key.addr, prefix.addr.bytes, 4);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), 0);
	return value.packets;
}

static uint64_t dropped(struct xdp *xdp, uint16_t policy)
{
	struct xdp_counters counters;

	assert_int_equal(xdp_counters(xdp, policy, &counters), 0);
	return counters.dropped_ban;
}

/* When each CPU has all its turns again: 0, now. */
static void turns_back_at(uint64_t ns)
{
	const int cpus = libbpf_num_possible_cpus();
	AUTO(close_fd) int fd = bpf_obj_get(WORLD_PINS "/ban_cache_turns");
	AUTO(free_mem) uint64_t *values = calloc((size_t)cpus, sizeof(*values));
	const __u32 zero = 0;

	assert_non_null(values);
	for (int i = 0; i < cpus; i++)
		values[i] = ns;
	assert_int_equal(bpf_map_update_elem(fd, &zero, values, BPF_ANY), 0);
}

static int open_for_anybody(void **state)
{
	(void)world_open(state);
	world_list(*state, 0, anybody);
	turns_back_at(clock_mono_ns() + 10 * WORLD_HOUR_NS);
	return 0;
}

static void each_packet_is_counted(void **state)
{
	struct xdp *xdp = *state;
	struct xdp_ban ban;
	size_t count = 0;

	world_ban(xdp, source, 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(packets_of(xdp, source, 0), FLOOD);
	assert_int_equal(dropped(xdp, 0), FLOOD);
	assert_int_equal(packets_in_map(source), 1); /* or else this tests nothing */
	assert_int_equal(xdp_ban_walk(xdp, true, &ban, 1, &count), 0);
	assert_int_equal(ban.packets, FLOOD);

	world_ban(xdp, source, 0, ABI_FOREVER_NS); /* set once more: all is in the map */
	assert_int_equal(packets_in_map(source), FLOOD);
	assert_int_equal(packets_of(xdp, source, 0), FLOOD);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(packets_of(xdp, source, 0), 2 * FLOOD);
}

/* Without a flood the map alone says all, and at once; and whoever gets a turn brings what has added up. */
static void with_turns_they_are_counted_in_the_map(void **state)
{
	struct xdp *xdp = *state;

	world_ban(xdp, source, 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(packets_in_map(source), 1);
	turns_back_at(0);
	assert_int_equal(flood(xdp, source, WORLD_PORT, 1), XDP_DROP);
	assert_int_equal(packets_in_map(source), FLOOD + 1);
	for (unsigned int i = 0; i < ALL_TURNS - 1; i += 1000)
		assert_int_equal(flood(xdp, source, WORLD_PORT, 999), XDP_DROP);
	assert_int_equal(packets_in_map(source), packets_of(xdp, source, 0));
}

/* With real turns. On a machine that stands still in between, some are back. */
static void turns_run_out(void **state)
{
	struct xdp *xdp = *state;
	unsigned int tries = 0;

	turns_back_at(0);
	world_ban(xdp, source, 0, ABI_FOREVER_NS);
	do {
		assert_int_equal(flood(xdp, source, WORLD_PORT, 4 * ALL_TURNS), XDP_DROP);
		assert_true(++tries < 100);
	} while (packets_in_map(source) == packets_of(xdp, source, 0));
	assert_int_equal(packets_of(xdp, source, 0), tries * 4 * ALL_TURNS);
}

static void who_is_removed_passes(void **state)
{
	const struct prefix prefix = world_prefix(source);
	struct xdp *xdp = *state;

	world_ban(xdp, source, 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(xdp_ban_remove(xdp, &prefix, 0), 0);
	assert_int_equal(flood(xdp, source, WORLD_PORT, SOME), XDP_PASS);
	assert_int_equal(dropped(xdp, 0), FLOOD);

	world_ban(xdp, source, 0, ABI_FOREVER_NS); /* a new one, that begins at 0 */
	assert_int_equal(flood(xdp, source, WORLD_PORT, SOME), XDP_DROP);
	assert_int_equal(packets_of(xdp, source, 0), SOME);
}

static void a_new_end_holds_at_once(void **state)
{
	struct xdp *xdp = *state;
	struct xdp_ban ban = {.prefix = world_prefix(source)};

	world_ban(xdp, source, 0, clock_boot_ns() + WORLD_HOUR_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	world_ban(xdp, source, 0, clock_boot_ns());
	assert_int_equal(flood(xdp, source, WORLD_PORT, SOME), XDP_PASS);

	world_ban(xdp, source, 0, clock_boot_ns() + WORLD_HOUR_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	ban.ends_ns = clock_boot_ns();
	assert_int_equal(xdp_ban_load(xdp, &ban, 1), 0);
	assert_int_equal(flood(xdp, source, WORLD_PORT, SOME), XDP_PASS);
}

/* In one flood over the end: to the moment, neither before nor after it. */
static void a_ban_ends_on_time(void **state)
{
	const uint64_t ends_ns = clock_boot_ns() + 5 * NS_PER_S / 2;
	struct xdp *xdp = *state;
	uint64_t before_ns, drops = 0;

	world_ban(xdp, source, 0, ends_ns);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	do {
		uint32_t verdict;

		before_ns = clock_boot_ns();
		verdict = flood(xdp, source, WORLD_PORT, SOME);
		drops += verdict == XDP_DROP;
		if (clock_boot_ns() < ends_ns)
			assert_int_equal(verdict, XDP_DROP);
		if (before_ns >= ends_ns)
			assert_int_equal(verdict, XDP_PASS);
	} while (before_ns < ends_ns);
	assert_true(drops > 1);
}

static void policies_are_told_apart(void **state)
{
	struct xdp *xdp = *state;

	world_list(xdp, 1, anybody);
	assert_int_equal(xdp_service_set(xdp, OTHER_PORT, 1, false), 0);
	world_ban(xdp, source, 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(flood(xdp, source, OTHER_PORT, SOME), XDP_PASS);
	world_ban(xdp, source, 1, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, source, OTHER_PORT, SOME), XDP_DROP);
	assert_int_equal(packets_of(xdp, source, 0), FLOOD);
	assert_int_equal(packets_of(xdp, source, 1), SOME);
}

/* An IPv4 address and a /64 with the same bytes. */
static void families_are_told_apart(void **state)
{
	struct xdp *xdp = *state;

	world_ban(xdp, "32.1.13.184", 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, "32.1.13.184", WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(flood(xdp, "2001:db8::7", WORLD_PORT, SOME), XDP_PASS);
	world_ban(xdp, "2001:db8::/64", 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, "2001:db8::7", WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(packets_of(xdp, "2001:db8::/64", 0), FLOOD);
	assert_int_equal(packets_of(xdp, "32.1.13.184", 0), FLOOD);
}

static void a_longer_entry_wins_over_what_is_remembered(void **state)
{
	static const struct world_entry list[] = {
		{"2001:db8::/32", FLAG_PA}, {"2001:db8::7/128", FLAG_PA}, {0}};
	struct xdp *xdp = *state;

	world_ban(xdp, "2001:db8::/64", 0, ABI_FOREVER_NS);
	assert_int_equal(flood(xdp, "2001:db8::7", WORLD_PORT, FLOOD), XDP_DROP);
	world_list(xdp, 0, list);
	assert_int_equal(xdp_service_set(xdp, WORLD_PORT, 0, true), 0);
	assert_int_equal(flood(xdp, "2001:db8::7", WORLD_PORT, SOME), XDP_PASS);
	assert_int_equal(flood(xdp, "2001:db8::8", WORLD_PORT, SOME), XDP_DROP);
	assert_int_equal(packets_of(xdp, "2001:db8::/64", 0), FLOOD + SOME);
}

/* Addresses of one bucket. */
static void crowd_find(char (*out_crowd)[16])
{
	uint32_t wanted = 0, found = 0;

	for (uint32_t i = 0; i < 65536 && found < CROWD; i++) {
		const struct ban_key key = {
			.addr = {10, 0, (uint8_t)(i >> 8), (uint8_t)i},
			.family = ABI_FAMILY_V4,
		};
		const uint32_t bucket = ban_cache_hash(&key) & (BUCKETS - 1);

		if (found == 0)
			wanted = bucket;
		if (bucket == wanted)
			(void)snprintf(out_crowd[found++], 16, "10.0.%u.%u", key.addr[2],
				       key.addr[3]);
	}
	assert_int_equal(found, CROWD);
}

/* Eight in a bucket for three: they take each other's place all the time. */
static void a_crowded_bucket_loses_nobody(void **state)
{
	uint64_t seed = world_seed(), sent[CROWD] = {0}, all = 0, in_map = 0;
	struct xdp *xdp = *state;
	char crowd[CROWD][16];
	struct prefix first;

	crowd_find(crowd);
	first = world_prefix(crowd[0]);
	for (size_t i = 0; i < CROWD; i++)
		world_ban(xdp, crowd[i], 0, ABI_FOREVER_NS);
	for (size_t round = 0; round < 200; round++) {
		const size_t i = world_random(&seed) % CROWD;
		const uint32_t packets = 1 + (uint32_t)(world_random(&seed) % 300);

		assert_int_equal(flood(xdp, crowd[i], WORLD_PORT, packets), XDP_DROP);
		sent[i] += packets;
		all += packets;
	}
	for (size_t i = 0; i < CROWD; i++) {
		assert_int_equal(packets_of(xdp, crowd[i], 0), sent[i]);
		in_map += packets_in_map(crowd[i]);
	}
	assert_int_equal(dropped(xdp, 0), all);
	assert_true(in_map < all);
	assert_int_equal(xdp_ban_remove(xdp, &first, 0), 0);
	for (size_t i = 0; i < CROWD; i++)
		assert_int_equal(flood(xdp, crowd[i], WORLD_PORT, SOME),
				 i == 0 ? XDP_PASS : XDP_DROP);
	for (size_t i = 1; i < CROWD; i++)
		assert_int_equal(packets_of(xdp, crowd[i], 0), sent[i] + SOME);
}

/* From the opening of a new daemon until it attaches, the old program runs on. */
static void two_programs_agree(void **state)
{
	const struct prefix prefix = world_prefix(source);
	struct xdp *old = *state, *new = NULL;

	world_ban(old, source, 0, ABI_FOREVER_NS);
	assert_int_equal(flood(old, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(xdp_open(WORLD_PINS, 1000, &new), 0);
	assert_int_equal(xdp_ban_remove(new, &prefix, 0), 0);
	assert_int_equal(flood(old, source, WORLD_PORT, SOME), XDP_PASS);
	assert_int_equal(flood(new, source, WORLD_PORT, SOME), XDP_PASS);
	xdp_close(&new);
}

/* With another capacity there are two maps of bans: what the old program remembers is not to be found by the new one. */
static void another_capacity_is_another_cache(void **state)
{
	const struct prefix prefix = world_prefix(source);
	struct xdp *old = *state, *new = NULL;

	world_ban(old, source, 0, ABI_FOREVER_NS);
	assert_int_equal(xdp_open(WORLD_PINS, 1001, &new), 0); /* as many buckets */
	assert_int_equal(xdp_ban_remove(new, &prefix, 0), 0);
	assert_int_equal(flood(old, source, WORLD_PORT, FLOOD), XDP_DROP);
	assert_int_equal(flood(new, source, WORLD_PORT, FLOOD), XDP_PASS);
	xdp_close(&new);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, open_for_anybody, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_packet_is_counted),
		TEST(with_turns_they_are_counted_in_the_map),
		TEST(turns_run_out),
		TEST(who_is_removed_passes),
		TEST(a_new_end_holds_at_once),
		TEST(a_ban_ends_on_time),
		TEST(policies_are_told_apart),
		TEST(families_are_told_apart),
		TEST(a_longer_entry_wins_over_what_is_remembered),
		TEST(a_crowded_bucket_loses_nobody),
		TEST(two_programs_agree),
		TEST(another_capacity_is_another_cache),
	};

	return cmocka_run_group_tests_name("bpf/ban_cache", tests, world_enter, NULL);
}
