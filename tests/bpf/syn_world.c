/* SPDX-License-Identifier: GPL-2.0-only */
#include "syn_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "policy/flags.h"

static const struct world_entry everybody[] = {
	{"0.0.0.0/0", FLAG_PA}, {"::/0", FLAG_PA}, {0}};

void syn_limit(struct xdp *xdp, uint16_t policy, enum xdp_syn_mode mode, uint32_t burst)
{
	const struct xdp_syn_limit limit = {.mode = mode, .rate = 1, .burst = burst};

	assert_int_equal(xdp_syn_limit_set(xdp, policy, &limit), 0);
}

int syn_world_open(void **state)
{
	struct xdp *xdp;

	if (world_open(state))
		return -1;
	xdp = *state;
	world_list(xdp, 0, everybody);
	world_list(xdp, 1, everybody);
	assert_int_equal(xdp_service_set(xdp, OTHERPORT, 1, false), 0);
	syn_limit(xdp, 0, XDP_SYN_ENFORCE, BURST);
	return 0;
}

int syn_pin(const char *name)
{
	char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", WORLD_PINS, name);
	fd = bpf_obj_get(path);
	assert_true(fd >= 0);
	return fd;
}

struct ban_key syn_key(const char *source, uint16_t policy)
{
	const struct prefix prefix = world_prefix(source);
	const bool is_v4 = prefix.addr.family == ADDR_V4;
	struct ban_key key = {
		.family = is_v4 ? ABI_FAMILY_V4 : ABI_FAMILY_V6,
		.policy = policy,
	};

	memcpy(key.addr, prefix.addr.bytes, is_v4 ? 4 : 8);
	return key;
}

struct syn_source syn_source_get(const char *source, uint16_t policy)
{
	AUTO(close_fd) int fd = syn_pin("syn_sources");
	const struct ban_key key = syn_key(source, policy);
	struct syn_source found = {0};

	assert_int_equal(bpf_map_lookup_elem(fd, &key, &found), 0);
	return found;
}

void syn_source_put(const char *source, const struct syn_source *value)
{
	AUTO(close_fd) int fd = syn_pin("syn_sources");
	const struct ban_key key = syn_key(source, 0);

	assert_int_equal(bpf_map_update_elem(fd, &key, value, BPF_EXIST), 0);
}

/* The clock began when the machine started, which may be less long ago. */
static uint64_t earlier(uint64_t at_ns, uint64_t by_ns)
{
	return at_ns > by_ns ? at_ns - by_ns : 1;
}

/* So many seconds pass for the bucket, and since the last report. */
void syn_time_passes(const char *source, uint64_t seconds)
{
	struct syn_source value = syn_source_get(source, 0);

	value.full_ns = earlier(value.full_ns, seconds * SECOND_NS);
	if (value.last_report_ns)
		value.last_report_ns = earlier(value.last_report_ns, seconds * SECOND_NS);
	syn_source_put(source, &value);
}

/* A bucket that is further from full than it can be is as good as empty. */
void syn_drain(const char *source, bool again_too)
{
	struct syn_source value = syn_source_get(source, 0);

	value.full_ns = clock_boot_ns() + 1000 * SECOND_NS;
	if (again_too)
		value.again_full_ns = value.full_ns;
	syn_source_put(source, &value);
}

void syn_expect(struct xdp *xdp, const char *source, unsigned int count, const char *want)
{
	for (unsigned int i = 0; i < count; i++) {
		const char *got = world_reason(xdp, source, WORLD_PORT, 0);

		if (strcmp(got, want) != 0)
			fail_msg("SYN %u of %u from %s: %s instead of %s", i + 1, count,
				 source, got, want);
	}
}
