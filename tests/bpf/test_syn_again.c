/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A SYN that was dropped and comes again, as an honest stack sends it: how the owner of an address gets through while
 * others flood in its name.
 *
 * link: world.c frame.c syn_world.c
 */
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "syn_world.h"

#define FLOOD 2621u /* the hundredth part of what syn_seen holds */

/* For the SYNs that were dropped: it was so many milliseconds ago, or so many more than it was. */
static void seen_set(uint32_t ms, bool more)
{
	AUTO(close_fd) int fd = syn_pin("syn_seen");
	static struct syn_seen all[ABI_SYN_SEEN_MAX];
	static __u32 slots[ABI_SYN_SEEN_MAX];
	__u32 batch = 0, count = ABI_SYN_SEEN_MAX;
	int err = bpf_map_lookup_batch(fd, NULL, &batch, slots, all, &count, NULL);

	assert_true(err == 0 || err == -ENOENT);
	for (__u32 i = 0; i < count; i++) {
		if (all[i].mark == 0)
			continue;
		if (!more)
			all[i].at_ms = (uint32_t)(clock_boot_ns() / 1000000);
		all[i].at_ms -= ms;
		assert_int_equal(bpf_map_update_elem(fd, &slots[i], &all[i], BPF_EXIST),
				 0);
	}
}

static void seen_ages(uint32_t ms)
{
	seen_set(ms, true);
}

/* A SYN that can be told from others. */
static struct frame syn_frame(const char *source, uint16_t from, uint32_t number)
{
	struct frame frame;
	uint8_t *tcp;

	frame_knock(&frame, source, WORLD_PORT);
	tcp = frame.bytes + frame.len - FRAME_TCP;
	tcp[0] = (uint8_t)(from >> 8);
	tcp[1] = (uint8_t)from;
	tcp[4] = (uint8_t)(number >> 24);
	tcp[7] = (uint8_t)number;
	return frame;
}

static uint32_t syn_verdict(struct xdp *xdp, const char *source, uint16_t from,
			    uint32_t number)
{
	const struct frame frame = syn_frame(source, from, number);

	return world_verdict(xdp, &frame);
}

/* The same, when there is no token for new ones. */
static uint32_t syn_over(struct xdp *xdp, const char *source, uint16_t from,
			 uint32_t number)
{
	syn_drain(source, false);
	return syn_verdict(xdp, source, from, number);
}

/* A limit whose second bucket holds one: the fourth part of four. */
static void without_tokens(struct xdp *xdp)
{
	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 4);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(syn_verdict(xdp, SOURCE, i, 0), XDP_PASS);
}

static void what_comes_again_after_a_second_passes(void **state)
{
	struct xdp *xdp = *state;

	without_tokens(xdp);
	assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_DROP);
	seen_ages(1000);
	assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_PASS);
	assert_int_equal(syn_source_get(SOURCE, 0).again, 1);
	assert_int_equal(syn_source_get(SOURCE, 0).passed, 5);
	assert_int_equal(syn_source_get(SOURCE, 0).over, 1);
}

static void what_is_another_syn_does_not(void **state)
{
	static const struct {
		const char *why, *source;
		uint16_t from;
		uint32_t number;
	} rows[] = {
		{"from another port", SOURCE, 1001, 7},
		{"with another number", SOURCE, 1000, 8},
		{"with another number, far off", SOURCE, 1000, 7u | 1u << 24},
		{"of another of its /64", "2001:db8:1:2::8", 1000, 7},
	};
	struct xdp *xdp = *state;

	without_tokens(xdp);
	for (uint16_t i = 0; i < 4; i++)
		assert_int_equal(syn_verdict(xdp, "2001:db8:1:2::7", i, 0), XDP_PASS);
	assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_DROP);
	assert_int_equal(syn_over(xdp, "2001:db8:1:2::7", 1000, 7), XDP_DROP);
	seen_ages(1000);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (syn_over(xdp, rows[i].source, rows[i].from, rows[i].number) !=
		    XDP_DROP)
			fail_msg("%s", rows[i].why);
	assert_int_equal(syn_over(xdp, "2001:db8:1:2::7", 1000, 7), XDP_PASS);
}

/* Copies that come too soon do not put the time off. */
static void it_waits_as_long_as_a_stack_does(void **state)
{
	struct syn_source value;
	struct xdp *xdp = *state;

	without_tokens(xdp);
	for (int i = 0; i < 3; i++)
		assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_DROP);
	seen_set(ABI_SYN_AGAIN_MIN_MS - ABI_SYN_AGAIN_MIN_MS / 4, false);
	assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_DROP);
	seen_ages(ABI_SYN_AGAIN_MIN_MS / 4);
	assert_int_equal(syn_over(xdp, SOURCE, 1000, 7), XDP_PASS);

	assert_int_equal(syn_over(xdp, SOURCE, 1001, 7), XDP_DROP);
	seen_ages(ABI_SYN_AGAIN_MAX_MS + 1);
	value = syn_source_get(SOURCE, 0);
	value.again_full_ns = 0; /* there is a token for it, were it not too late */
	syn_source_put(SOURCE, &value);
	assert_int_equal(syn_over(xdp, SOURCE, 1001, 7), XDP_DROP);
}

/* Who sends the same SYNs over and over gets the second bucket, and no more. */
static void what_comes_again_has_a_limit_too(void **state)
{
	struct syn_source value;
	struct xdp *xdp = *state;
	unsigned int passed = 0;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 20);
	for (uint16_t i = 0; i < 20; i++)
		assert_int_equal(syn_verdict(xdp, SOURCE, i, 0), XDP_PASS);
	for (uint16_t i = 0; i < 100; i++)
		assert_int_equal(syn_over(xdp, SOURCE, (uint16_t)(1000 + i), 0),
				 XDP_DROP);
	seen_ages(1000);
	for (uint16_t i = 0; i < 100; i++)
		passed += syn_over(xdp, SOURCE, (uint16_t)(1000 + i), 0) == XDP_PASS;
	assert_int_equal(passed, 20 / ABI_SYN_AGAIN_SHARE);
	/* One comes back in four seconds: after two there is none yet, after six there is. */
	for (unsigned int turn = 0; turn < 2; turn++) {
		seen_ages(1000);
		value = syn_source_get(SOURCE, 0);
		value.again_full_ns = clock_boot_ns() + (20 - 2 - 4 * turn) * SECOND_NS;
		syn_source_put(SOURCE, &value);
		passed = 0;
		for (uint16_t i = 0; i < 100; i++)
			passed += syn_over(xdp, SOURCE, (uint16_t)(1000 + i), 0) ==
				  XDP_PASS;
		assert_int_equal(passed, turn);
	}
}

/* No token for new ones, for some seconds. */
static void empty_bucket(void)
{
	struct syn_source value = syn_source_get(SOURCE, 0);

	value.full_ns = clock_boot_ns() + 4 * SECOND_NS;
	value.again_full_ns = 0;
	syn_source_put(SOURCE, &value);
}

/* Thousands in its name a second, and the owner of the address gets through all the same. */
static void a_flood_does_not_drown_what_comes_again(void **state)
{
	struct xdp *xdp = *state;
	uint64_t seed = world_seed();
	unsigned int passed = 0;

	without_tokens(xdp);
	for (uint16_t owner = 60000; owner < 60010; owner++) {
		empty_bucket();
		assert_int_equal(syn_verdict(xdp, SOURCE, owner, 9), XDP_DROP);
		for (unsigned int i = 0; i < FLOOD; i++) {
			const uint64_t random = world_random(&seed);
			struct frame frame =
				syn_frame(SOURCE, (uint16_t)(random % 50000), 0);

			memcpy(frame.bytes + frame.len - FRAME_TCP + 4, &random, 4);
			(void)world_verdict(xdp, &frame);
		}
		seen_ages(1000);
		empty_bucket();
		passed += syn_verdict(xdp, SOURCE, owner, 9) == XDP_PASS;
	}
	/* Each finds its place taken once in a hundred times. */
	assert_in_range(passed, 8, 10);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, syn_world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_again_after_a_second_passes),
		TEST(what_is_another_syn_does_not),
		TEST(it_waits_as_long_as_a_stack_does),
		TEST(what_comes_again_has_a_limit_too),
		TEST(a_flood_does_not_drown_what_comes_again),
	};

	return cmocka_run_group_tests_name("bpf/syn, again", tests, world_enter, NULL);
}
