/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What outlives a start, a reload and a crash: maps are taken over, bans carried over, lists swapped; and what
 * remains after detaching: nothing.
 *
 * link: world.c frame.c
 */
#include <dirent.h>
#include <errno.h>
#include <linux/bpf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

static const struct world_entry everybody[] = {
	{"0.0.0.0/0", FLAG_PA}, {"::/0", FLAG_PA}, {0}};
static const struct world_entry nobody[] = {{0}};

static size_t pins_count(void)
{
	DIR *dir = opendir(WORLD_PINS);
	struct dirent *entry;
	size_t count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	assert_int_equal(closedir(dir), 0);
	return count;
}

static bool has_pin(const char *name)
{
	char path[128];
	struct stat info;

	(void)snprintf(path, sizeof(path), "%s/%s", WORLD_PINS, name);
	return stat(path, &info) == 0;
}

static uint32_t pinned_id(const char *name)
{
	struct bpf_map_info info = {0};
	__u32 len = sizeof(info);
	AUTO(close_fd) int fd = -1;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", WORLD_PINS, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_get_info_by_fd(fd, &info, &len), 0);
	return info.id;
}

/* ---- start again ---- */

static void everything_is_taken_over(void **state)
{
	static const char *const maps[] = {
		"abi",		 "services",	    "bans",
		"ban_prefixes4", "ban_prefixes6",   "policies4",
		"policies6",	 "counters",	    "policy_names",
		"policy-p1-4",	 "syn_limits",	    "syn_sources",
		"syn_exempt",	 "syn_reports",	    "syn_seen",
		"ban_cache",	 "ban_cache_turns",
	};
	struct xdp *xdp = *state;
	uint32_t ids[sizeof(maps) / sizeof(maps[0])];
	struct xdp_counters counters;
	char names[XDP_POLICY_MAX][XDP_NAME_MAX];
	uint16_t ports[4], policies[4];
	size_t count = 0;

	world_list(xdp, 1, everybody);
	assert_int_equal(xdp_service_set(xdp, 143, 1, false), 0);
	world_ban(xdp, "192.0.2.7", 1, ABI_FOREVER_NS);
	world_ban(xdp, "198.51.100.0/24", 1, ABI_FOREVER_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.7", 143), XDP_DROP);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		ids[i] = pinned_id(maps[i]);

	xdp = world_reopen(state, 1000);
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		assert_int_equal(pinned_id(maps[i]), ids[i]);
	assert_int_equal(world_knock(xdp, "192.0.2.7", 143), XDP_DROP);
	assert_int_equal(world_knock(xdp, "198.51.100.255", 143), XDP_DROP);
	assert_int_equal(world_knock(xdp, "192.0.2.8", 143), XDP_PASS);
	assert_int_equal(xdp_counters(xdp, 1, &counters), 0);
	assert_int_equal(counters.dropped_ban, 2);
	assert_int_equal(counters.dropped_ban_prefix, 1);
	assert_int_equal(counters.passed, 1);
	assert_int_equal(xdp_policy_names(xdp, names), 0);
	assert_string_equal(names[0], "p0");
	assert_string_equal(names[1], "p1");
	assert_string_equal(names[2], "");
	assert_int_equal(xdp_service_list(xdp, ports, policies, 4, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(ports[0] + ports[1], 25 + 143);
}

static void another_capacity_keeps_the_bans(void **state)
{
	struct xdp *xdp = *state;
	const struct prefix banned = world_prefix("192.0.2.7");
	const uint32_t prefixes = pinned_id("ban_prefixes4");
	struct xdp_ban ban;

	world_list(xdp, 0, everybody);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	world_ban(xdp, "2001:db8:1:2::/64", 0, clock_boot_ns() + WORLD_HOUR_NS);
	world_ban(xdp, "192.0.2.9", 0, clock_boot_ns() - 1);
	world_ban(xdp, "198.51.100.0/24", 0, ABI_FOREVER_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	for (size_t i = 0; i < 2; i++) {
		const uint32_t id = pinned_id("bans");

		xdp = world_reopen(state, (const uint32_t[]){5000, 5}[i]);
		assert_int_not_equal(pinned_id("bans"), id);
		assert_int_equal(pinned_id("ban_prefixes4"), prefixes);
		assert_int_equal(world_walk_count(xdp), 3); /* the ended one has gone */
		assert_int_equal(xdp_ban_get(xdp, &banned, 0, &ban), 0);
		assert_int_equal(ban.packets, 1 + i);
		assert_true(ban.ends_ns == ABI_FOREVER_NS);
		assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
		assert_int_equal(world_knock(xdp, "2001:db8:1:2::9", WORLD_PORT),
				 XDP_DROP);
	}
}

static void too_small_a_capacity_is_refused(void **state)
{
	struct xdp *xdp = *state, *other = NULL;
	const uint32_t id = pinned_id("bans");

	for (unsigned int i = 0; i < 20; i++) {
		char text[PREFIX_TEXT_MAX];

		(void)snprintf(text, sizeof(text), "192.0.2.%u", i);
		world_ban(xdp, text, 0, ABI_FOREVER_NS);
	}
	assert_int_equal(xdp_open(WORLD_PINS, 10, &other), -ENOSPC);
	assert_non_null(strstr(xdp_problem(), "limit of 10"));
	assert_null(other);
	assert_int_equal(pinned_id("bans"), id);
	assert_int_equal(world_walk_count(xdp), 20);
}

static void another_abi_keeps_the_bans(void **state)
{
	struct xdp *xdp = *state;
	const uint32_t bans = pinned_id("bans"), lists = pinned_id("policies4");
	struct abi_value abi = {.version = ABI_VERSION + 1};
	AUTO(close_fd) int fd = bpf_obj_get(WORLD_PINS "/abi");
	__u32 zero = 0;

	world_list(xdp, 0, everybody);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	world_ban(xdp, "198.51.100.0/24", 0, ABI_FOREVER_NS);
	world_ban(xdp, "2001:db8::/32", 0, ABI_FOREVER_NS);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &abi, BPF_ANY), 0);

	xdp = world_reopen(state, 1000);
	assert_int_not_equal(pinned_id("bans"), bans);
	assert_int_not_equal(pinned_id("policies4"), lists);
	assert_int_equal(world_walk_count(xdp), 3);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "198.51.100.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "2001:db8::1", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_PASS);
	xdp = world_reopen(state, 1000);
	assert_int_equal(world_walk_count(xdp), 3);
}

/* What version 1 left: no syn_* nor ban_cache* pins, and shorter counters. Its bans hold, and nobody has a limit that was not set. */
static void the_first_abi_keeps_the_bans(void **state)
{
	static const char *const later[] = {"syn_limits",     "syn_sources", "syn_seen",
					    "syn_exempt",     "syn_reports", "ban_cache",
					    "ban_cache_turns"};
	AUTO(close_fd)
	int counters = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "counters", 4, 56,
				      ABI_POLICY_MAX, NULL);
	AUTO(close_fd) int fd = bpf_obj_get(WORLD_PINS "/abi");
	struct abi_value abi = {.version = 1};
	struct xdp *xdp = *state;
	struct xdp_counters counted;
	char path[128];
	__u32 zero = 0;

	world_list(xdp, 0, everybody);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	world_ban(xdp, "198.51.100.0/24", 0, ABI_FOREVER_NS);
	assert_int_equal(bpf_map_update_elem(fd, &zero, &abi, BPF_ANY), 0);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", WORLD_PINS, later[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_true(counters >= 0);
	assert_int_equal(unlink(WORLD_PINS "/counters"), 0);
	assert_int_equal(bpf_obj_pin(counters, WORLD_PINS "/counters"), 0);

	xdp = world_reopen(state, 1000);
	assert_int_equal(world_walk_count(xdp), 2);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "198.51.100.7", WORLD_PORT), XDP_DROP);
	for (unsigned int i = 0; i < 200; i++)
		assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_PASS);
	assert_int_equal(xdp_counters(xdp, 0, &counted), 0);
	assert_int_equal(counted.passed, 200);
	for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++)
		assert_true(has_pin(later[i]));
}

/* A pin of the right name and the wrong shape does not stop the start. */
static void strange_pins_are_replaced(void **state)
{
	AUTO(close_fd)
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "bans", sizeof(struct ban_key), 8,
				1000, NULL);
	const struct ban_key key = {.family = ABI_FAMILY_V4};
	const __u64 value = ABI_FOREVER_NS;
	struct xdp *xdp = *state;

	assert_true(fd >= 0);
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	assert_int_equal(unlink(WORLD_PINS "/bans"), 0);
	assert_int_equal(bpf_obj_pin(fd, WORLD_PINS "/bans"), 0);
	assert_int_equal(bpf_obj_pin(fd, WORLD_PINS "/new-bans"),
			 0); /* left by a crash */
	xdp = world_reopen(state, 1000);
	assert_int_equal(world_walk_count(xdp), 0);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_false(has_pin("new-bans"));
}

static void missing_pins_are_made(void **state)
{
	struct xdp *xdp = *state;

	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	assert_int_equal(unlink(WORLD_PINS "/counters"), 0);
	assert_int_equal(unlink(WORLD_PINS "/policies6"), 0);
	assert_int_equal(unlink(WORLD_PINS "/policy-p0-4"), 0);
	xdp = world_reopen(state, 1000);
	assert_true(has_pin("counters"));
	assert_true(has_pin("policies6"));
	world_list(xdp, 0, everybody);
	assert_true(has_pin("policy-p0-4"));
	assert_int_equal(world_knock(xdp, "192.0.2.7", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "2001:db8::1", WORLD_PORT), XDP_PASS);
}

/* ---- reload ---- */

static void reload_swaps_the_list(void **state)
{
	static const struct world_entry first[] = {
		{"192.0.2.0/24", FLAG_PA}, {"2001:db8::/32", FLAG_PA}, {0}};
	static const struct world_entry second[] = {{"198.51.100.0/24", FLAG_PA}, {0}};
	struct xdp *xdp = *state;

	world_list(xdp, 0, first);
	world_ban(xdp, "192.0.2.7", 0, ABI_FOREVER_NS);
	assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_PASS);
	assert_int_equal(world_knock(xdp, "2001:db8::8", WORLD_PORT), XDP_PASS);
	world_list(xdp, 0, second);
	assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "2001:db8::8", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "198.51.100.8", WORLD_PORT), XDP_PASS);
	world_list(xdp, 0, first);
	assert_string_equal(world_reason(xdp, "192.0.2.7", WORLD_PORT, 0), "dropped_ban");
	world_list(xdp, 0, nobody);
	assert_string_equal(world_reason(xdp, "192.0.2.8", WORLD_PORT, 0),
			    "dropped_no_entry");
	assert_int_equal(xdp_policy_load(xdp, 0, "p0", NULL), 0);
	assert_string_equal(world_reason(xdp, "192.0.2.8", WORLD_PORT, 0),
			    "dropped_no_entry");
}

/* A policy that nobody has loaded permits nobody. */
static void unloaded_policy_drops(void **state)
{
	struct xdp *xdp = *state;

	assert_int_equal(xdp_service_set(xdp, WORLD_PORT, 5, false), 0);
	assert_int_equal(world_knock(xdp, "192.0.2.8", WORLD_PORT), XDP_DROP);
	assert_int_equal(world_knock(xdp, "2001:db8::8", WORLD_PORT), XDP_DROP);
}

static void names_keep_their_pins(void **state)
{
	struct xdp *xdp = *state;
	char names[XDP_POLICY_MAX][XDP_NAME_MAX];

	assert_int_equal(xdp_policy_name_set(xdp, 3, "web.admin"), 0);
	assert_int_equal(xdp_policy_load(xdp, 3, "web.admin", NULL), 0);
	assert_true(has_pin("policy-web:admin-4"));
	assert_int_equal(xdp_policy_name_set(xdp, 3, "office"), 0);
	assert_false(has_pin("policy-web:admin-4"));
	assert_false(has_pin("policy-web:admin-6"));
	assert_int_equal(xdp_policy_load(xdp, 3, "office", NULL), 0);
	assert_true(has_pin("policy-office-6"));
	assert_int_equal(xdp_policy_names(xdp, names), 0);
	assert_string_equal(names[3], "office");
	assert_int_equal(xdp_policy_name_set(xdp, 3, ""), 0);
	assert_false(has_pin("policy-office-6"));
	assert_int_equal(xdp_policy_name_set(xdp, 3, "a/b"), -EINVAL);
	assert_int_equal(xdp_policy_name_set(xdp, XDP_POLICY_MAX, "a"), -EINVAL);
	assert_int_equal(xdp_policy_name_set(xdp, 3, "a name of thirty-two characters."),
			 -EINVAL);
	assert_int_equal(xdp_policy_names(xdp, names), 0);
	assert_string_equal(names[3], "");
}

static void compare_finds_differences(void **state)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	const struct prefix_row wanted[] = {
		{.prefix = world_prefix("192.0.2.0/24"), .value = FLAG_PA},
		{.prefix = world_prefix("198.51.100.0/24"), .value = FLAG_PA},
		{.prefix = world_prefix("2001:db8::/32"), .value = FLAG_PA},
	};
	static const struct world_entry other[] = {
		{"192.0.2.0/24", FLAG_PA | FLAG_LL}, /* other flags */
		{"192.0.2.0/25", FLAG_PA},	     /* too many */
		{"2001:db8::/48", FLAG_PA}, /* too many; and /32, /24 are missing */
		{0},
	};
	struct prefix_row first, second;
	AUTO(free_mem) void *memory = NULL;
	const struct prefix_table *table;
	struct xdp *xdp = *state;
	size_t differences = 0;

	for (size_t i = 0; i < 3; i++)
		assert_int_equal(prefix_builder_add(builder, &wanted[i]), 0);
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	memory = malloc(prefix_table_size(builder) + 8);
	table = prefix_table_write(builder, memory);
	assert_int_equal(xdp_policy_load(xdp, 0, "p0", table), 0);
	assert_int_equal(xdp_policy_compare(xdp, 0, table, &differences), 0);
	assert_int_equal(differences, 0);
	assert_int_equal(xdp_policy_compare(xdp, 0, NULL, &differences), 1);
	assert_int_equal(differences, 3);
	world_list(xdp, 0, other);
	assert_int_equal(xdp_policy_compare(xdp, 0, table, &differences), 1);
	assert_int_equal(differences, 5);
	xdp = world_reopen(state, 1000);
	assert_int_equal(xdp_policy_compare(xdp, 0, table, &differences), 1);
	assert_int_equal(differences, 5);
	assert_int_equal(xdp_policy_compare(xdp, 9, table, &differences), -ENOENT);
}

/* ---- the end ---- */

static void detach_leaves_nothing(void **state)
{
	struct xdp *xdp = *state;
	struct stat info;

	world_list(xdp, 1, everybody);
	assert_int_equal(pins_count(), 16 + 2 * 2);
	xdp_close(&xdp);
	*state = NULL;
	assert_int_equal(xdp_detach_all(WORLD_PINS), 0);
	assert_int_equal(stat(WORLD_PINS, &info), -1);
	assert_int_equal(xdp_detach_all(WORLD_PINS), 0); /* nothing to do */
	assert_int_equal(world_open(state), 0);
}

static void detach_touches_nothing_else(void **state)
{
	AUTO(close_fd)
	int fd = bpf_map_create(BPF_MAP_TYPE_HASH, "foreign", 4, 4, 10, NULL);

	struct xdp *xdp = *state;

	xdp_close(&xdp);
	*state = NULL;
	assert_int_equal(bpf_obj_pin(fd, WORLD_PINS "/foreign"), 0);
	assert_int_equal(xdp_detach_all(WORLD_PINS), -ENOTEMPTY);
	assert_int_equal(pins_count(), 1);
	assert_int_equal(unlink(WORLD_PINS "/foreign"), 0);
	assert_int_equal(xdp_detach_all("/tmp"), -EMEDIUMTYPE);
}

static void only_on_a_bpffs(void **state)
{
	struct xdp *xdp = NULL;
	struct stat info;

	(void)state;
	assert_int_equal(xdp_open("/proc/postern", 10, &xdp), -EMEDIUMTYPE);
	assert_int_equal(xdp_open("/tmp", 10, &xdp), -EMEDIUMTYPE);
	assert_int_equal(xdp_open("/tmp/postern-no-such-dir", 10, &xdp), -EMEDIUMTYPE);
	assert_int_equal(stat("/tmp/postern-no-such-dir", &info), -1);
	assert_int_equal(xdp_open("/sys/fs/bpf/no/such/dir", 10, &xdp), -ENOENT);
	assert_int_equal(xdp_open("", 10, &xdp), -EMEDIUMTYPE);
	assert_null(xdp);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(everything_is_taken_over),
		TEST(another_capacity_keeps_the_bans),
		TEST(too_small_a_capacity_is_refused),
		TEST(another_abi_keeps_the_bans),
		TEST(the_first_abi_keeps_the_bans),
		TEST(strange_pins_are_replaced),
		TEST(missing_pins_are_made),
		TEST(reload_swaps_the_list),
		TEST(unloaded_policy_drops),
		TEST(names_keep_their_pins),
		TEST(compare_finds_differences),
		TEST(detach_leaves_nothing),
		cmocka_unit_test_setup(detach_touches_nothing_else, world_open),
		cmocka_unit_test(only_on_a_bpffs),
	};

	return cmocka_run_group_tests_name("sys/xdp pins", tests, world_enter, NULL);
}
