/* SPDX-License-Identifier: GPL-2.0-only */
#include "world.h"

#include <sched.h>
#include <setjmp.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "bpf/abi.h"

#define WORLD_BANS 1000u

int world_enter(void **state)
{
	(void)state;
	if (unshare(CLONE_NEWNS | CLONE_NEWNET) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700") < 0) {
		perror("namespaces and bpffs of the test");
		return -1;
	}
	return 0;
}

int world_open(void **state)
{
	static const struct world_entry nothing[] = {{NULL, 0}};
	struct xdp *xdp = NULL;

	assert_int_equal(xdp_open(WORLD_PINS, WORLD_BANS, &xdp), 0);
	world_list(xdp, 0, nothing);
	assert_int_equal(xdp_service_set(xdp, WORLD_PORT, 0, false), 0);
	*state = xdp;
	return 0;
}

int world_close(void **state)
{
	struct xdp *xdp = *state;

	xdp_close(&xdp);
	assert_int_equal(xdp_detach_all(WORLD_PINS), 0);
	return 0;
}

struct xdp *world_reopen(void **state, uint32_t bans_max)
{
	struct xdp *xdp = *state;
	int err;

	xdp_close(&xdp);
	*state = NULL;
	err = xdp_open(WORLD_PINS, bans_max, &xdp);
	if (err)
		fail_msg("xdp_open: %d %s", err, xdp_problem());
	*state = xdp;
	return xdp;
}

size_t world_walk_count(struct xdp *xdp)
{
	struct xdp_ban bans[7];
	size_t total = 0, count = 0;

	assert_int_equal(xdp_ban_walk(xdp, true, bans, 7, &count), 0);
	while (count) {
		total += count;
		assert_int_equal(xdp_ban_walk(xdp, false, bans, 7, &count), 0);
	}
	return total;
}

struct prefix world_prefix(const char *text)
{
	struct prefix prefix = {0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("no prefix: %s", text);
	return prefix;
}

void world_list(struct xdp *xdp, uint16_t policy, const struct world_entry *entries)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row first, second;
	AUTO(free_mem) void *memory = NULL;
	char name[XDP_NAME_MAX];

	assert_non_null(builder);
	for (; entries->prefix; entries++) {
		const struct prefix_row row = {
			.prefix = world_prefix(entries->prefix),
			.value = entries->flags,
		};

		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	memory = malloc(prefix_table_size(builder) + 8);
	assert_non_null(memory);
	(void)snprintf(name, sizeof(name), "p%u", policy);
	assert_int_equal(xdp_policy_name_set(xdp, policy, name), 0);
	assert_int_equal(
		xdp_policy_load(xdp, policy, name, prefix_table_write(builder, memory)),
		0);
}

void world_ban(struct xdp *xdp, const char *prefix, uint16_t policy, uint64_t ends_ns)
{
	const struct xdp_ban ban = {
		.prefix = world_prefix(prefix),
		.policy = policy,
		.ends_ns = ends_ns,
	};
	size_t done = 0;

	assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), 0);
	assert_int_equal(done, 1);
}

uint32_t world_verdict(struct xdp *xdp, const struct frame *frame)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame->bytes,
		    .data_size_in = (__u32)frame->len, .repeat = 1);
	int err = bpf_prog_test_run_opts(xdp_program_fd(xdp), &opts);

	if (err)
		fail_msg("BPF_PROG_TEST_RUN of %zu bytes: %d", frame->len, err);
	return opts.retval;
}

static void counters_subtract(struct xdp_counters *from, const struct xdp_counters *what)
{
	uint64_t *a = (uint64_t *)(void *)from;
	const uint64_t *b = (const uint64_t *)(const void *)what;

	for (size_t i = 0; i < sizeof(*from) / sizeof(*a); i++)
		a[i] -= b[i];
}

struct world_result world_run(struct xdp *xdp, const struct frame *frame)
{
	struct xdp_counters before[2];
	struct world_result result;

	for (uint16_t i = 0; i < 2; i++)
		assert_int_equal(xdp_counters(xdp, i, &before[i]), 0);
	result.verdict = world_verdict(xdp, frame);
	for (uint16_t i = 0; i < 2; i++) {
		assert_int_equal(xdp_counters(xdp, i, &result.moved[i]), 0);
		counters_subtract(&result.moved[i], &before[i]);
	}
	return result;
}

uint32_t world_knock(struct xdp *xdp, const char *source, uint16_t port)
{
	struct frame frame;

	frame_knock(&frame, source, port);
	return world_verdict(xdp, &frame);
}

const char *world_reason(struct xdp *xdp, const char *source, uint16_t port,
			 uint16_t policy)
{
	static const char *const names[] = {
		"passed",
		"dropped_ban",
		"dropped_ban_prefix",
		"dropped_blacklisted",
		"dropped_not_permitted",
		"dropped_no_entry",
		"dropped_runt",
		"dropped_syn_rate",
		"would_drop_syn_rate",
	};
	struct frame frame;
	struct world_result result;
	const char *reason = "none";
	const uint64_t *moved;

	frame_knock(&frame, source, port);
	result = world_run(xdp, &frame);
	moved = (const uint64_t *)(const void *)&result.moved[policy];
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (moved[i] == 0)
			continue;
		reason = moved[i] == 1 && reason[0] == 'n' ? names[i] : "several";
	}
	if ((result.verdict == XDP_PASS) != (strncmp(reason, "dropped", 7) != 0))
		fail_msg("%s: verdict %u, but %s moved", source, result.verdict, reason);
	return reason;
}

void world_command(const char *const *words)
{
	int status = -1;
	pid_t pid;

	assert_int_equal(
		posix_spawnp(&pid, words[0], NULL, NULL, (char *const *)words, environ),
		0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("%s %s %s ...: status %d", words[0], words[1], words[2], status);
}

uint64_t world_seed(void)
{
	const char *wanted = getenv("SEED");
	struct timespec now;
	uint64_t seed;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	seed = wanted ? strtoull(wanted, NULL, 10)
		      : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec;
	print_message("# SEED=%llu\n", (unsigned long long)seed);
	return seed;
}

uint64_t world_random(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}
