/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What policies, lists and bans make of a source: each verdict with the one counter that it moves.
 *
 * link: world.c frame.c
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

#define PA FLAG_PA
#define BL FLAG_BL

#define BAN_STEPS_MAX 8

struct row {
	const char *why;
	struct world_entry list[5];
	const char *bans[BAN_STEPS_MAX]; /* "!" in front: ended */
	const char *source;
	const char *want;
};

static const struct row rows[] = {
	{"no entry", {{"192.0.2.0/24", PA}}, {0}, "198.51.100.1", "dropped_no_entry"},
	{"permitted", {{"192.0.2.0/24", PA}}, {0}, "192.0.2.255", "passed"},
	{"one before the entry",
	 {{"192.0.2.0/24", PA}},
	 {0},
	 "192.0.1.255",
	 "dropped_no_entry"},
	{"one behind the entry",
	 {{"192.0.2.0/24", PA}},
	 {0},
	 "192.0.3.0",
	 "dropped_no_entry"},
	{"entry without PA",
	 {{"192.0.2.0/24", FLAG_LL}},
	 {0},
	 "192.0.2.1",
	 "dropped_not_permitted"},
	{"entry without any flag",
	 {{"192.0.2.0/24", 0}},
	 {0},
	 "192.0.2.1",
	 "dropped_not_permitted"},
	{"BL", {{"192.0.2.0/24", BL}}, {0}, "192.0.2.1", "dropped_blacklisted"},
	{"BL wins over PA",
	 {{"192.0.2.0/24", PA | BL}},
	 {0},
	 "192.0.2.1",
	 "dropped_blacklisted"},
	{"the default entry", {{"0.0.0.0/0", PA}}, {0}, "203.0.113.9", "passed"},
	{"the longer entry permits",
	 {{"192.0.2.0/24", BL}, {"192.0.2.128/25", PA}},
	 {0},
	 "192.0.2.128",
	 "passed"},
	{"beside the longer entry",
	 {{"192.0.2.0/24", BL}, {"192.0.2.128/25", PA}},
	 {0},
	 "192.0.2.127",
	 "dropped_blacklisted"},
	{"the longer entry refuses",
	 {{"0.0.0.0/0", PA}, {"192.0.2.7/32", 0}},
	 {0},
	 "192.0.2.7",
	 "dropped_not_permitted"},
	{"IPv6 default", {{"::/0", PA}}, {0}, "2001:db8::1", "passed"},
	{"IPv6 has no entry",
	 {{"0.0.0.0/0", PA}},
	 {0},
	 "2001:db8::1",
	 "dropped_no_entry"},
	{"IPv4 has no entry", {{"::/0", PA}}, {0}, "192.0.2.1", "dropped_no_entry"},
	{"a mapped source is IPv6",
	 {{"0.0.0.0/0", PA}},
	 {0},
	 "::ffff:192.0.2.1",
	 "dropped_no_entry"},
	{"IPv6 /128 in a refused /32",
	 {{"2001:db8::/32", 0}, {"2001:db8::7/128", PA}},
	 {0},
	 "2001:db8::7",
	 "passed"},

	{"exact ban", {{"0.0.0.0/0", PA}}, {"192.0.2.7"}, "192.0.2.7", "dropped_ban"},
	{"one below the ban", {{"0.0.0.0/0", PA}}, {"192.0.2.7"}, "192.0.2.6", "passed"},
	{"one above the ban", {{"0.0.0.0/0", PA}}, {"192.0.2.7"}, "192.0.2.8", "passed"},
	{"a ban as long as its entry wins",
	 {{"192.0.2.7/32", PA}},
	 {"192.0.2.7"},
	 "192.0.2.7",
	 "dropped_ban"},
	{"a ban without any entry",
	 {{"::/0", PA}},
	 {"192.0.2.7"},
	 "192.0.2.7",
	 "dropped_ban"},
	{"ended ban", {{"0.0.0.0/0", PA}}, {"!192.0.2.7"}, "192.0.2.7", "passed"},
	{"an ended ban permits nothing",
	 {{"0.0.0.0/0", 0}},
	 {"!192.0.2.7"},
	 "192.0.2.7",
	 "dropped_not_permitted"},
	{"first of a banned /64",
	 {{"::/0", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:2::",
	 "dropped_ban"},
	{"last of a banned /64",
	 {{"::/0", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:2:ffff:ffff:ffff:ffff",
	 "dropped_ban"},
	{"one behind a banned /64",
	 {{"::/0", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:3::",
	 "passed"},
	{"one before a banned /64",
	 {{"::/0", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:1:ffff:ffff:ffff:ffff",
	 "passed"},
	{"ended /64",
	 {{"::/0", PA}},
	 {"!2001:db8:1:2::/64"},
	 "2001:db8:1:2::1",
	 "passed"},
	{"an IPv4 ban is none of IPv6",
	 {{"::/0", PA}},
	 {"192.0.2.7"},
	 "c000:207::1",
	 "passed"},
	{"a permitted /128 in a banned /64 wins",
	 {{"::/0", PA}, {"2001:db8:1:2::7/128", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:2::7",
	 "passed"},
	{"beside the /128 the ban holds",
	 {{"::/0", PA}, {"2001:db8:1:2::7/128", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:2::8",
	 "dropped_ban"},
	{"in another banned /64 it holds, too",
	 {{"::/0", PA}, {"2001:db8:1:2::7/128", PA}},
	 {"2001:db8:1:3::/64"},
	 "2001:db8:1:3::7",
	 "dropped_ban"},
	{"an entry of just this /64 does not win",
	 {{"2001:db8:1:2::/64", PA}, {"2001:db8:9::7/128", PA}},
	 {"2001:db8:1:2::/64"},
	 "2001:db8:1:2::7",
	 "dropped_ban"},
	{"a /128 ban inside the permitted /128",
	 {{"2001:db8:1:2::7/128", PA}},
	 {"2001:db8:1:2::7/128", "2001:db8:1:2::/64"},
	 "2001:db8:1:2::7",
	 "dropped_ban_prefix"},
	{"the /64 counts when the wider ban holds, too",
	 {{"2001:db8:9::7/128", PA}},
	 {"2001:db8::/32", "2001:db8:1:2::/64"},
	 "2001:db8:1:2::7",
	 "dropped_ban"},
	{"a long entry wins over /64 and wider bans",
	 {{"2001:db8:1:2::/65", PA}},
	 {"2001:db8::/32", "2001:db8:1:2::/64"},
	 "2001:db8:1:2::7",
	 "passed"},

	{"first of a banned /24",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.2.0/24"},
	 "192.0.2.0",
	 "dropped_ban_prefix"},
	{"last of a banned /24",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.2.0/24"},
	 "192.0.2.255",
	 "dropped_ban_prefix"},
	{"behind a banned /24",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.2.0/24"},
	 "192.0.3.0",
	 "passed"},
	{"last of a banned /20",
	 {{"0.0.0.0/0", PA}},
	 {"198.51.96.0/20"},
	 "198.51.111.255",
	 "dropped_ban_prefix"},
	{"last of a banned /31",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.2.6/31"},
	 "192.0.2.7",
	 "dropped_ban_prefix"},
	{"last of a banned /1",
	 {{"0.0.0.0/0", PA}},
	 {"128.0.0.0/1"},
	 "255.255.255.255",
	 "dropped_ban_prefix"},
	{"everything is banned",
	 {{"0.0.0.0/0", PA}},
	 {"0.0.0.0/0"},
	 "203.0.113.1",
	 "dropped_ban_prefix"},
	{"last of a banned /32 of IPv6",
	 {{"::/0", PA}},
	 {"2001:db8::/32"},
	 "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
	 "dropped_ban_prefix"},
	{"last of a banned /127",
	 {{"::/0", PA}},
	 {"2001:db8::6/127"},
	 "2001:db8::7",
	 "dropped_ban_prefix"},
	{"all of IPv6 is banned",
	 {{"::/0", PA}},
	 {"::/0"},
	 "2001:db8::1",
	 "dropped_ban_prefix"},
	{"a longer entry wins over a prefix ban",
	 {{"192.0.2.128/25", PA}},
	 {"192.0.2.0/24"},
	 "192.0.2.128",
	 "passed"},
	{"an entry as long does not",
	 {{"192.0.2.0/24", PA}},
	 {"192.0.2.0/24"},
	 "192.0.2.128",
	 "dropped_ban_prefix"},
	{"a shorter one does not",
	 {{"192.0.0.0/16", PA}},
	 {"192.0.2.0/24"},
	 "192.0.2.128",
	 "dropped_ban_prefix"},
	{"a longer entry without PA still drops",
	 {{"192.0.2.128/25", 0}},
	 {"192.0.2.0/24"},
	 "192.0.2.128",
	 "dropped_not_permitted"},
	{"an exact ban in a longer entry in a banned prefix",
	 {{"192.0.2.128/25", PA}},
	 {"192.0.2.0/24", "192.0.2.200"},
	 "192.0.2.200",
	 "dropped_ban"},
	{"ended prefix ban",
	 {{"0.0.0.0/0", PA}},
	 {"!192.0.2.0/24"},
	 "192.0.2.1",
	 "passed"},
	{"a live ban around an ended one",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.0.0/16", "!192.0.2.0/24"},
	 "192.0.2.1",
	 "dropped_ban_prefix"},
	{"a live ban inside an ended one",
	 {{"0.0.0.0/0", PA}},
	 {"!192.0.0.0/16", "192.0.2.0/24"},
	 "192.0.2.1",
	 "dropped_ban_prefix"},
	{"an entry between a live and an ended ban wins",
	 {{"192.0.0.0/20", PA}},
	 {"192.0.0.0/16", "!192.0.2.0/24"},
	 "192.0.2.1",
	 "passed"},
	{"four ended bans are looked through",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.0.0/16", "!192.0.0.0/20", "!192.0.0.0/21", "!192.0.2.0/24",
	  "!192.0.2.0/31"},
	 "192.0.2.1",
	 "dropped_ban_prefix"},
	{"five are not: user space has not tidied up for long",
	 {{"0.0.0.0/0", PA}},
	 {"192.0.0.0/16", "!192.0.0.0/20", "!192.0.0.0/21", "!192.0.0.0/22",
	  "!192.0.2.0/24", "!192.0.2.0/31"},
	 "192.0.2.1",
	 "passed"},
	{"an ended ban of everything ends the search",
	 {{"0.0.0.0/0", PA}},
	 {"!0.0.0.0/0", "!192.0.2.0/24"},
	 "192.0.2.1",
	 "passed"},
	{"an ended exact ban in a banned prefix",
	 {{"0.0.0.0/0", PA}},
	 {"!192.0.2.7", "192.0.2.0/24"},
	 "192.0.2.7",
	 "dropped_ban_prefix"},
	{"an ended /64 in a live /32, IPv6",
	 {{"::/0", PA}},
	 {"2001:db8::/32", "!2001:db8:1:2::/64", "!2001:db8:1::/48"},
	 "2001:db8:1:2::7",
	 "dropped_ban_prefix"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

/* What the keeper tells the kernel of a list: are there IPv6 entries inside a /64? */
static bool is_longer_than_64(const struct world_entry *list)
{
	for (; list->prefix; list++) {
		const struct prefix prefix = world_prefix(list->prefix);

		if (prefix.addr.family == ADDR_V6 && prefix.len > 64)
			return true;
	}
	return false;
}

static void row_unban(struct xdp *xdp, const struct row *row)
{
	for (size_t i = 0; i < BAN_STEPS_MAX && row->bans[i]; i++) {
		const struct prefix prefix =
			world_prefix(row->bans[i] + (row->bans[i][0] == '!'));

		assert_int_equal(xdp_ban_remove(xdp, &prefix, 0), 0);
	}
}

static void rows_hold(void **state)
{
	struct xdp *xdp = *state;

	for (size_t i = 0; i < ROWS; i++) {
		const struct row *row = &rows[i];
		const char *got;

		world_list(xdp, 0, row->list);
		assert_int_equal(
			xdp_service_set(xdp, WORLD_PORT, 0, is_longer_than_64(row->list)),
			0);
		for (size_t j = 0; j < BAN_STEPS_MAX && row->bans[j]; j++) {
			if (row->bans[j][0] == '!')
				world_ban(xdp, row->bans[j] + 1, 0, clock_boot_ns() - 1);
			else
				world_ban(xdp, row->bans[j], 0,
					  clock_boot_ns() + WORLD_HOUR_NS);
		}
		got = world_reason(xdp, row->source, WORLD_PORT, 0);
		if (strcmp(got, row->want) != 0)
			fail_msg("%s: %s instead of %s", row->why, got, row->want);
		row_unban(xdp, row);
	}
}

/* With v6_longer_than_64 clear, the kernel does not look: the flag is worth a trie lookup. */
static void flag_says_whether_to_look(void **state)
{
	static const struct world_entry list[] = {
		{"::/0", PA}, {"2001:db8:1:2::7/128", PA}, {0}};
	struct xdp *xdp = *state;

	world_list(xdp, 0, list);
	world_ban(xdp, "2001:db8:1:2::/64", 0, ABI_FOREVER_NS);
	assert_string_equal(world_reason(xdp, "2001:db8:1:2::7", WORLD_PORT, 0),
			    "dropped_ban");
	assert_int_equal(xdp_service_set(xdp, WORLD_PORT, 0, true), 0);
	assert_string_equal(world_reason(xdp, "2001:db8:1:2::7", WORLD_PORT, 0),
			    "passed");
}

/* Every prefix length, the last address inside and the first behind: CrowdSec's lost mask. */
static void last_address_of_every_length(void **state)
{
	static const struct world_entry all[] = {{"0.0.0.0/0", PA}, {"::/0", PA}, {0}};
	struct xdp *xdp = *state;

	world_list(xdp, 0, all);
	for (int family = 0; family < 2; family++) {
		const struct prefix whole =
			world_prefix(family ? "2001:db8:5555::/128" : "85.85.85.85");

		for (uint8_t len = 1; len <= whole.len; len++) {
			struct xdp_ban ban = {.prefix = prefix_make(&whole.addr, len),
					      .ends_ns = ABI_FOREVER_NS};
			struct addr last = ban.prefix.addr, outside = ban.prefix.addr;
			char text[ADDR_TEXT_MAX];
			size_t done;

			for (unsigned int bit = len; bit < whole.len; bit++)
				last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
			outside = last;
			outside.bytes[(len - 1) / 8] ^= (uint8_t)(0x80 >> (len - 1) % 8);
			assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), 0);
			if (world_knock(xdp, addr_format(&last, text), WORLD_PORT) !=
			    XDP_DROP)
				fail_msg("/%u: the last address %s passes", len, text);
			if (world_knock(xdp, addr_format(&outside, text), WORLD_PORT) !=
			    XDP_PASS)
				fail_msg("/%u: the neighbour %s is dropped", len, text);
			assert_int_equal(xdp_ban_remove(xdp, &ban.prefix, 0), 0);
			if (world_knock(xdp, addr_format(&last, text), WORLD_PORT) !=
			    XDP_PASS)
				fail_msg("/%u: %s is dropped after the unban", len, text);
		}
	}
}

/* A ban holds up to its end and not longer. Waits on the clock, at most a second. */
static void ban_ends_on_time(void **state)
{
	static const struct world_entry all[] = {{"0.0.0.0/0", PA}, {0}};
	static const char *const bans[] = {"192.0.2.7", "198.51.100.0/24"};
	static const char *const sources[] = {"192.0.2.7", "198.51.100.255"};
	struct xdp *xdp = *state;

	world_list(xdp, 0, all);
	for (size_t i = 0; i < 2; i++) {
		const uint64_t ends_ns = clock_boot_ns() + 100 * NS_PER_MS;
		uint64_t before_ns, after_ns;
		uint32_t verdict;

		world_ban(xdp, bans[i], 0, ends_ns);
		do {
			before_ns = clock_boot_ns();
			verdict = world_knock(xdp, sources[i], WORLD_PORT);
			after_ns = clock_boot_ns();
			if (after_ns < ends_ns)
				assert_int_equal(verdict, XDP_DROP);
		} while (before_ns < ends_ns);
		assert_int_equal(verdict, XDP_PASS);
		assert_int_equal(world_knock(xdp, sources[i], WORLD_PORT), XDP_PASS);
	}
}

static void longer_ban_takes_over(void **state)
{
	static const struct world_entry all[] = {{"0.0.0.0/0", PA}, {0}};
	struct xdp *xdp = *state;
	const struct prefix host = world_prefix("192.0.2.7");
	struct xdp_ban ban;

	world_list(xdp, 0, all);
	world_ban(xdp, "192.0.2.7", 0, clock_boot_ns() + WORLD_HOUR_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	world_ban(xdp, "192.0.2.7", 0, clock_boot_ns() - 1);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_PASS);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(xdp_ban_get(xdp, &host, 0, &ban), 0);
	assert_int_equal(ban.packets, 2); /* the counters stay */
	assert_true(ban.ends_ns == ABI_FOREVER_NS);
}

static void bans_count(void **state)
{
	static const char *const bans[] = {"192.0.2.7", "2001:db8:1:2::/64",
					   "198.51.100.0/24", "2001:db8:f000::/36"};
	static const char *const sources[] = {"192.0.2.7", "2001:db8:1:2::ffff",
					      "198.51.100.4", "2001:db8:f123::1"};
	struct xdp *xdp = *state;
	struct xdp_counters counters;

	for (size_t i = 0; i < 4; i++)
		world_ban(xdp, bans[i], 0, ABI_FOREVER_NS);
	for (size_t i = 0; i < 4; i++) {
		const struct prefix prefix = world_prefix(bans[i]);
		const uint64_t before_ns = clock_boot_ns();
		struct xdp_ban ban;

		assert_int_equal(xdp_ban_get(xdp, &prefix, 0, &ban), 0);
		assert_int_equal(ban.packets, 0);
		assert_int_equal(ban.last_seen_ns, 0);
		for (size_t j = 0; j <= i; j++)
			assert_int_equal(world_knock(xdp, sources[i], WORLD_PORT),
					 XDP_DROP);
		assert_int_equal(xdp_ban_get(xdp, &prefix, 0, &ban), 0);
		assert_int_equal(ban.packets, i + 1);
		assert_in_range(ban.last_seen_ns, before_ns, clock_boot_ns());
	}
	assert_int_equal(xdp_counters(xdp, 0, &counters), 0);
	assert_int_equal(counters.dropped_ban, 1 + 2);
	assert_int_equal(counters.dropped_ban_prefix, 3 + 4);
}

static void each_service_its_policy(void **state)
{
	static const struct world_entry first[] = {{"192.0.2.0/24", PA}, {0}};
	static const struct world_entry second[] = {{"198.51.100.0/24", PA}, {0}};
	struct xdp *xdp = *state;

	world_list(xdp, 0, first);
	world_list(xdp, 1, second);
	assert_int_equal(xdp_service_set(xdp, 143, 1, false), 0);
	assert_int_equal(xdp_service_set(xdp, 587, 0, false), 0);
	assert_string_equal(world_reason(xdp, "192.0.2.1", 25, 0), "passed");
	assert_string_equal(world_reason(xdp, "192.0.2.1", 587, 0), "passed");
	assert_string_equal(world_reason(xdp, "192.0.2.1", 143, 1), "dropped_no_entry");
	assert_string_equal(world_reason(xdp, "198.51.100.1", 143, 1), "passed");
	assert_string_equal(world_reason(xdp, "198.51.100.1", 25, 0), "dropped_no_entry");
	assert_string_equal(world_reason(xdp, "198.51.100.1", 993, 0), "none");

	world_ban(xdp, "192.0.2.1", 0, ABI_FOREVER_NS);
	world_ban(xdp, "198.51.100.0/25", 0, ABI_FOREVER_NS);
	assert_string_equal(world_reason(xdp, "192.0.2.1", 25, 0), "dropped_ban");
	assert_string_equal(world_reason(xdp, "192.0.2.1", 587, 0), "dropped_ban");
	assert_string_equal(world_reason(xdp, "198.51.100.1", 143, 1), "passed");
	assert_string_equal(world_reason(xdp, "198.51.100.1", 25, 0),
			    "dropped_ban_prefix");

	assert_int_equal(xdp_service_remove(xdp, 25), 0);
	assert_string_equal(world_reason(xdp, "192.0.2.1", 25, 0), "none");
}

/* The lowest and the highest policy id, the whole key of it. */
static void policies_do_not_touch(void **state)
{
	static const struct world_entry all[] = {{"0.0.0.0/0", PA}, {"::/0", PA}, {0}};
	struct xdp *xdp = *state;

	for (uint16_t policy = 0; policy < XDP_POLICY_MAX; policy++) {
		world_list(xdp, policy, all);
		assert_int_equal(
			xdp_service_set(xdp, (uint16_t)(1000 + policy), policy, false),
			0);
	}
	for (uint16_t banned = 0; banned < XDP_POLICY_MAX; banned += 31) {
		world_ban(xdp, "0.0.0.0/0", banned, ABI_FOREVER_NS);
		world_ban(xdp, "2001:db8::/64", banned, ABI_FOREVER_NS);
		for (uint16_t policy = 0; policy < XDP_POLICY_MAX; policy++) {
			const uint16_t port = (uint16_t)(1000 + policy);
			const uint32_t want = policy == banned || (banned && !policy)
						      ? XDP_DROP
						      : XDP_PASS;

			assert_int_equal(world_knock(xdp, "192.0.2.1", port), want);
			assert_int_equal(world_knock(xdp, "2001:db8::1", port), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(rows_hold, world_open, world_close),
		cmocka_unit_test_setup_teardown(flag_says_whether_to_look, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(last_address_of_every_length, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(ban_ends_on_time, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(longer_ban_takes_over, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(bans_count, world_open, world_close),
		cmocka_unit_test_setup_teardown(each_service_its_policy, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(policies_do_not_touch, world_open,
						world_close),
	};

	return cmocka_run_group_tests_name("bpf/verdict", tests, world_enter, NULL);
}
