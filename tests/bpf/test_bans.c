/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bans one by one and all together, full maps and wrong ones; and what bpftool shows of the maps.
 *
 * link: world.c frame.c
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

#define MAP_BYTES_MAX 65536u

static void full_map_says_so(void **state)
{
	struct xdp_ban bans[60] = {0};
	struct xdp *xdp = world_reopen(state, 50);
	size_t done = 0;

	for (uint8_t i = 0; i < 60; i++) {
		bans[i].prefix = world_prefix("192.0.2.0/32");
		bans[i].prefix.addr.bytes[3] = i;
		bans[i].ends_ns = ABI_FOREVER_NS;
	}
	assert_int_equal(xdp_ban_set(xdp, bans, 60, &done), -E2BIG);
	assert_int_equal(done, 50);
	assert_int_equal(world_walk_count(xdp), 50);
	assert_int_equal(xdp_ban_set(xdp, bans, 50, &done),
			 0); /* again: the same ones fit */
	assert_int_equal(done, 50);
	assert_int_equal(xdp_ban_remove(xdp, &bans[0].prefix, 0), 0);
	assert_int_equal(xdp_ban_remove(xdp, &bans[0].prefix, 0), -ENOENT);
	assert_int_equal(xdp_ban_set(xdp, &bans[59], 1, &done), 0);
	assert_int_equal(xdp_ban_load(xdp, bans, 60), -E2BIG);
	assert_int_equal(xdp_ban_set(xdp, bans, XDP_BATCH_MAX + 1, &done), -EINVAL);
}

static void wrong_bans_are_refused(void **state)
{
	struct xdp *xdp = *state;
	struct xdp_ban ban = {.prefix = world_prefix("192.0.2.7"),
			      .ends_ns = ABI_FOREVER_NS};
	size_t done;

	ban.policy = XDP_POLICY_MAX;
	assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), -EINVAL);
	ban.policy = 0;
	ban.prefix.len = 33;
	assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), -EINVAL);
	assert_int_equal(xdp_ban_load(xdp, &ban, 1), -EINVAL);
	ban.prefix.addr.family = ADDR_NONE;
	assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), -EINVAL);
	assert_int_equal(xdp_ban_get(xdp, &ban.prefix, 0, &ban), -EINVAL);
	assert_int_equal(xdp_ban_remove(xdp, &ban.prefix, 0), -EINVAL);
	assert_int_equal(done, 0);
}

static void get_is_exact(void **state)
{
	const struct prefix wide = world_prefix("192.0.2.0/24"),
			    narrow = world_prefix("192.0.2.0/25"),
			    other = world_prefix("198.51.100.0/24");
	struct xdp *xdp = *state;
	struct xdp_ban ban;

	world_ban(xdp, "192.0.2.0/24", 2, 12345);
	assert_int_equal(xdp_ban_get(xdp, &wide, 2, &ban), 0);
	assert_true(prefix_equal(&ban.prefix, &wide));
	assert_int_equal(ban.policy, 2);
	assert_int_equal(ban.ends_ns, 12345);
	assert_int_equal(xdp_ban_get(xdp, &wide, 1, &ban), -ENOENT);
	assert_int_equal(xdp_ban_get(xdp, &narrow, 2, &ban), -ENOENT);
	assert_int_equal(xdp_ban_get(xdp, &other, 2, &ban), -ENOENT);
	assert_int_equal(xdp_ban_remove(xdp, &narrow, 2), -ENOENT);
	assert_int_equal(xdp_ban_get(xdp, &wide, 2, &ban), 0);
}

static struct xdp_ban numbered_ban(uint32_t number)
{
	static const struct {
		const char *prefix;
		unsigned int at; /* byte whose neighbours carry the number */
	} shapes[] = {{"10.0.0.0/32", 2},
		      {"2001:db8::/64", 4},
		      {"10.0.0.0/31", 1},
		      {"2001:db8::/65", 4}};
	const uint32_t n = number / 4;
	struct xdp_ban ban = {.prefix = world_prefix(shapes[number % 4].prefix),
			      .policy = (uint16_t)(number % 3)};

	ban.prefix.addr.bytes[shapes[number % 4].at] = (uint8_t)(n >> 8);
	ban.prefix.addr.bytes[shapes[number % 4].at + 1] = (uint8_t)n;
	ban.ends_ns = number + 1;
	return ban;
}

/* Every ban comes once, whatever is removed behind the walk's back. */
static void walk_meets_all(void **state)
{
	enum {
		BANS = 12000
	};
	static uint8_t met[BANS];
	struct xdp_ban *bans = calloc(BANS, sizeof(*bans)), page[100];
	struct xdp *xdp = world_reopen(state, 10000);
	size_t count = 0, total = 0;

	assert_non_null(bans);
	for (uint32_t i = 0; i < BANS; i++)
		bans[i] = numbered_ban(i);
	assert_int_equal(xdp_ban_load(xdp, bans, BANS), 0);
	assert_int_equal(xdp_ban_walk(xdp, true, page, 100, &count), 0);
	assert_int_equal(xdp_ban_walk(xdp, true, page, 100, &count), 0); /* anew */
	while (count) {
		for (size_t i = 0; i < count; i++) {
			const uint32_t number = (uint32_t)page[i].ends_ns - 1;

			assert_true(number < BANS);
			assert_int_equal(met[number]++, 0);
			assert_true(prefix_equal(&page[i].prefix, &bans[number].prefix));
			assert_int_equal(page[i].policy, bans[number].policy);
			assert_int_equal(
				xdp_ban_remove(xdp, &page[i].prefix, page[i].policy), 0);
		}
		total += count;
		assert_int_equal(xdp_ban_walk(xdp, false, page, 100, &count), 0);
	}
	assert_int_equal(total, BANS);
	assert_int_equal(world_walk_count(xdp), 0);
	assert_int_equal(xdp_ban_walk(xdp, false, page, 100, &count), 0);
	assert_int_equal(count, 0);
	free(bans);
}

/* What a command prints, in memory. Words end with NULL. */
static void command_output(const char *const *words, char *out_text, size_t bytes)
{
	posix_spawn_file_actions_t actions;
	size_t have = 0;
	ssize_t got;
	int ends[2], status;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(posix_spawn_file_actions_init(&actions), 0);
	assert_int_equal(posix_spawn_file_actions_adddup2(&actions, ends[1], 1), 0);
	assert_int_equal(posix_spawnp(&pid, words[0], &actions, NULL,
				      (char *const *)words, environ),
			 0);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)close(ends[1]);
	while (have < bytes - 1 &&
	       (got = read(ends[0], out_text + have, bytes - 1 - have)) > 0)
		have += (size_t)got;
	out_text[have] = '\0';
	(void)close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void dumps_read_as_names(void **state)
{
	static const struct {
		const char *pin;
		const char *fields[6];
	} dumps[] = {
		{"services", {"\"port\": 25", "\"policy\"", "\"v6_longer_than_64\""}},
		{"bans",
		 {"\"addr\"", "\"family\"", "\"policy\"", "\"ends_ns\"", "\"packets\": 1",
		  "\"last_seen_ns\""}},
		{"ban_prefixes4",
		 {"\"prefixlen\": 56", "\"ends_ns\"", "\"packets\"", "\"length\": 24"}},
		{"ban_prefixes6", {"\"prefixlen\": 64", "\"length\": 32"}},
		{"policy-p0-4",
		 {"\"prefixlen\": 8", "\"addr\"", "\"flags\": 1", "\"length\": 8"}},
		{"policy-p0-6", {"\"prefixlen\": 16", "\"addr\"", "\"flags\": 1"}},
		{"counters",
		 {"\"passed\"", "\"dropped_ban\": 1", "\"dropped_no_entry\"",
		  "\"dropped_syn_rate\"", "\"would_drop_syn_rate\""}},
		{"policy_names", {"\"name\": \"p0\""}},
		{"abi", {"\"version\": 4"}},
		{"syn_limits", {"\"mode\": 2", "\"rate\": 20", "\"burst\": 100"}},
		{"syn_sources",
		 {"\"addr\"", "\"policy\"", "\"full_ns\"", "\"passed\": 1",
		  "\"again\": 0", "\"over\": 0"}},
		{"syn_exempt", {"\"prefixlen\": 56", "\"family\"", "\"length\": 24"}},
	};
	static const struct xdp_syn_limit limit = {XDP_SYN_ENFORCE, 20, 100};
	const struct prefix exempt = world_prefix("203.0.113.0/24");
	static const struct world_entry list[] = {
		{"192.0.0.0/8", FLAG_PA}, {"2001::/16", FLAG_PA}, {0}};
	static char text[MAP_BYTES_MAX];
	struct xdp *xdp = *state;

	world_list(xdp, 0, list);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	world_ban(xdp, "198.51.100.0/24", 0, ABI_FOREVER_NS);
	world_ban(xdp, "2001:db8::/32", 0, ABI_FOREVER_NS);
	assert_int_equal(xdp_syn_limit_set(xdp, 0, &limit), 0);
	assert_int_equal(xdp_syn_exempt(xdp, &exempt, 1), 0);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_PASS);
	for (size_t i = 0; i < sizeof(dumps) / sizeof(dumps[0]); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", WORLD_PINS, dumps[i].pin);
		command_output((const char *const[]){"bpftool", "map", "dump", "pinned",
						     path, NULL},
			       text, sizeof(text));
		for (size_t j = 0; j < 6 && dumps[i].fields[j]; j++) {
			if (!strstr(text, dumps[i].fields[j]))
				fail_msg("%s: no %s in: %.600s", dumps[i].pin,
					 dumps[i].fields[j], text);
		}
	}
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(full_map_says_so), TEST(wrong_bans_are_refused), TEST(get_is_exact),
		TEST(walk_meets_all),	TEST(dumps_read_as_names),
	};

	return cmocka_run_group_tests_name("sys/xdp bans", tests, world_enter, NULL);
}
