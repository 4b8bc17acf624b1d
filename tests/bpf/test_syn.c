/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How many connections a source may begin: the bucket at its edge and one above, what fills it again, whom it is for,
 * and what is reported.
 *
 * link: world.c frame.c syn_world.c
 */
#include <errno.h>
#include <linux/bpf.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/clock.h"
#include "bpf/abi.h"
#include "syn_world.h"

static size_t reports_count(struct xdp *xdp)
{
	static struct xdp_syn_report reports[4096];

	return xdp_syn_reports_read(xdp, reports, 4096);
}

/* ---- the bucket ---- */

static void the_burst_passes_and_no_more(void **state)
{
	struct xdp *xdp = *state;

	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 3, "dropped_syn_rate");
	syn_expect(xdp, "192.0.2.8", BURST, "passed"); /* a bucket of its own */
	assert_int_equal(syn_source_get(SOURCE, 0).passed, BURST);
	assert_int_equal(syn_source_get(SOURCE, 0).over, 3);
}

static void a_burst_of_one(void **state)
{
	struct xdp *xdp = *state;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 1);
	syn_expect(xdp, SOURCE, 1, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
}

static void a_second_brings_one_token(void **state)
{
	struct xdp *xdp = *state;

	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	for (uint64_t seconds = 1; seconds <= BURST; seconds++) {
		syn_time_passes(SOURCE, seconds);
		syn_expect(xdp, SOURCE, (unsigned int)seconds, "passed");
		syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	}
}

static void quiet_fills_it_to_the_burst_and_not_further(void **state)
{
	struct xdp *xdp = *state;

	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_time_passes(SOURCE, 1000);
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
}

static void a_smaller_limit_holds_at_once_and_lasts_no_longer(void **state)
{
	struct xdp *xdp = *state;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 1000);
	syn_expect(xdp, SOURCE, 1000, "passed");
	syn_limit(xdp, 0, XDP_SYN_ENFORCE, BURST);
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	syn_time_passes(SOURCE, BURST); /* not the thousand of before */
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
}

static void rates_are_kept(void **state)
{
	static const struct xdp_syn_limit fast = {XDP_SYN_ENFORCE, XDP_SYN_RATE_MAX, 1};
	struct xdp *xdp = *state;
	struct xdp_syn_limit got;

	assert_int_equal(xdp_syn_limit_set(xdp, 0, &fast), 0);
	assert_int_equal(xdp_syn_limit_get(xdp, 0, &got), 0);
	assert_int_equal(got.rate, XDP_SYN_RATE_MAX);
	assert_int_equal(got.mode, XDP_SYN_ENFORCE);
	/* A microsecond a token: the test is slower. */
	for (unsigned int i = 0; i < 20; i++) {
		const uint64_t until_ns = clock_boot_ns() + 2000;

		syn_expect(xdp, SOURCE, 1, "passed");
		while (clock_boot_ns() < until_ns)
			;
	}
}

static void wrong_limits_are_refused(void **state)
{
	static const struct xdp_syn_limit wrong[] = {
		{XDP_SYN_ENFORCE, 0, 1},
		{XDP_SYN_ENFORCE, 1, 0},
		{XDP_SYN_OBSERVE, 0, 0},
		{XDP_SYN_ENFORCE, XDP_SYN_RATE_MAX + 1, 1},
		{XDP_SYN_ENFORCE, 1, XDP_SYN_BURST_MAX + 1},
		{(enum xdp_syn_mode)3, 1, 1},
	};
	static const struct xdp_syn_limit off = {0};
	struct xdp *xdp = *state;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(xdp_syn_limit_set(xdp, 0, &wrong[i]), -EINVAL);
	assert_int_equal(xdp_syn_limit_set(xdp, XDP_POLICY_MAX, &off), -EINVAL);
	assert_int_equal(xdp_syn_limit_set(xdp, 0, &off), 0);
}

/* ---- for whom ---- */

static void off_counts_nobody(void **state)
{
	AUTO(close_fd) int fd = syn_pin("syn_sources");
	const struct ban_key key = syn_key(SOURCE, 0);
	struct xdp *xdp = *state;
	struct syn_source found;

	syn_limit(xdp, 0, XDP_SYN_OFF, BURST);
	syn_expect(xdp, SOURCE, BURST + 3, "passed");
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &found), -ENOENT);
}

static void observe_lets_pass_and_counts(void **state)
{
	struct xdp *xdp = *state;

	syn_limit(xdp, 0, XDP_SYN_OBSERVE, BURST);
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 3, "would_drop_syn_rate");
	assert_int_equal(syn_source_get(SOURCE, 0).passed, BURST + 3);
	assert_int_equal(syn_source_get(SOURCE, 0).over, 3);
	assert_int_equal(reports_count(xdp), 1);
}

static void ipv6_is_counted_by_64(void **state)
{
	struct xdp *xdp = *state;

	for (unsigned int i = 0; i < BURST; i++) {
		char text[64];

		(void)snprintf(text, sizeof(text), "2001:db8:1:2:%x::%x", i, i + 1);
		syn_expect(xdp, text, 1, "passed");
	}
	syn_expect(xdp, "2001:db8:1:2:ffff:ffff:ffff:ffff", 1, "dropped_syn_rate");
	syn_expect(xdp, "2001:db8:1:3::1", BURST, "passed"); /* one bit beside it */
	syn_expect(xdp, "2001:db8:1:3::1", 1, "dropped_syn_rate");
}

static void policies_count_apart(void **state)
{
	struct xdp *xdp = *state;

	syn_limit(xdp, 1, XDP_SYN_ENFORCE, 2);
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	for (unsigned int i = 0; i < 2; i++)
		assert_string_equal(world_reason(xdp, SOURCE, OTHERPORT, 1), "passed");
	assert_string_equal(world_reason(xdp, SOURCE, OTHERPORT, 1), "dropped_syn_rate");
	syn_limit(xdp, 1, XDP_SYN_OFF, 2);
	assert_string_equal(world_reason(xdp, SOURCE, OTHERPORT, 1), "passed");
}

static void only_what_begins_a_connection_counts(void **state)
{
	static const uint8_t others[] = {
		FRAME_ACK, FRAME_SYN | FRAME_ACK, 0x01 | FRAME_ACK, 0x04,
		0,	   0x08 | FRAME_ACK};
	struct xdp *xdp = *state;
	struct frame frame;

	for (size_t i = 0; i < sizeof(others); i++) {
		for (unsigned int j = 0; j < BURST + 1; j++) {
			frame_knock(&frame, SOURCE, WORLD_PORT);
			frame_flags(&frame, others[i]);
			assert_int_equal(world_verdict(xdp, &frame), XDP_PASS);
		}
	}
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	/* Nor is it dropped then, what belongs to the connections that are there. */
	for (size_t i = 0; i < sizeof(others); i++) {
		frame_knock(&frame, SOURCE, WORLD_PORT);
		frame_flags(&frame, others[i]);
		assert_int_equal(world_verdict(xdp, &frame), XDP_PASS);
	}
	/* ECN is asked for with two more flags (RFC 3168 section 6.1.1): it is a SYN all the same. */
	frame_knock(&frame, SOURCE, WORLD_PORT);
	frame_flags(&frame, 0xc0 | FRAME_SYN);
	assert_int_equal(world_verdict(xdp, &frame), XDP_DROP);
}

static void other_ports_are_not_counted(void **state)
{
	struct xdp *xdp = *state;

	for (unsigned int i = 0; i < BURST + 3; i++)
		assert_int_equal(world_knock(xdp, SOURCE, 22), XDP_PASS);
	syn_expect(xdp, SOURCE, BURST, "passed");
}

static void what_is_dropped_anyway_is_not_counted(void **state)
{
	struct xdp *xdp = *state;

	world_ban(xdp, SOURCE, 0, ABI_FOREVER_NS);
	syn_expect(xdp, SOURCE, BURST + 3, "dropped_ban");
	assert_int_equal(
		xdp_ban_remove(xdp, &(struct prefix){world_prefix(SOURCE).addr, 32}, 0),
		0);
	syn_expect(xdp, SOURCE, BURST, "passed");
}

static void the_exempt_have_no_limit(void **state)
{
	const struct prefix first[] = {world_prefix("192.0.2.0/29"),
				       world_prefix("2001:db8::/32"),
				       world_prefix("192.0.2.0/29")};
	const struct prefix second[] = {world_prefix("192.0.2.8/32")};
	struct xdp *xdp = *state;

	assert_int_equal(xdp_syn_exempt(xdp, first, 3), 0);
	syn_expect(xdp, SOURCE, BURST + 3, "passed"); /* the last of the /29 */
	syn_expect(xdp, "2001:db8:ffff:ffff::1", BURST + 3, "passed");
	syn_expect(xdp, "192.0.2.8", BURST, "passed"); /* one behind it */
	syn_expect(xdp, "192.0.2.8", 1, "dropped_syn_rate");
	assert_int_equal(reports_count(xdp), 1);
	assert_int_equal(xdp_syn_exempt(xdp, second, 1), 0);
	syn_expect(xdp, "192.0.2.8", 1, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	syn_expect(xdp, "2001:db8:ffff:ffff::1", 1, "dropped_syn_rate");
	assert_int_equal(xdp_syn_exempt(xdp, NULL, 0), 0);
	syn_expect(xdp, "192.0.2.8", 1, "dropped_syn_rate");
	assert_int_equal(xdp_syn_exempt(xdp, first, XDP_SYN_EXEMPT_MAX + 1), -E2BIG);
}

static void as_many_exempt_as_may_be_can_all_change(void **state)
{
	static struct prefix many[XDP_SYN_EXEMPT_MAX];
	struct xdp *xdp = *state;

	for (unsigned int turn = 0; turn < 3; turn++) {
		for (unsigned int i = 0; i < XDP_SYN_EXEMPT_MAX; i++) {
			char text[PREFIX_TEXT_MAX];

			(void)snprintf(text, sizeof(text), "198.%u.%u.%u", turn, i / 256,
				       i % 256);
			many[i] = world_prefix(text);
		}
		assert_int_equal(xdp_syn_exempt(xdp, many, XDP_SYN_EXEMPT_MAX), 0);
	}
	syn_expect(xdp, "198.2.0.255", BURST + 1, "passed");
	syn_expect(xdp, "198.1.0.255", BURST, "passed");
	syn_expect(xdp, "198.1.0.255", 1, "dropped_syn_rate");
}

/* A flood of forged sources: the map stays as it is, and nobody below the rate is dropped. */
static void strangers_only_make_it_forget(void **state)
{
	AUTO(close_fd) int fd = syn_pin("syn_sources");
	struct ban_key key, last;
	struct xdp *xdp = *state;
	struct frame frame;
	size_t count = 0;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 1);
	frame_knock(&frame, SOURCE, WORLD_PORT);
	for (uint32_t i = 0; i < ABI_SYN_SOURCES_MAX * 5 / 4; i++) {
		uint8_t *source = frame.bytes + frame.ip + 12;

		source[0] = 10;
		source[1] = (uint8_t)(i >> 16);
		source[2] = (uint8_t)(i >> 8);
		source[3] = (uint8_t)i;
		assert_int_equal(world_verdict(xdp, &frame), XDP_PASS);
	}
	for (int err = bpf_map_get_next_key(fd, NULL, &key); !err; count++) {
		last = key;
		err = bpf_map_get_next_key(fd, &last, &key);
	}
	assert_true(count <= ABI_SYN_SOURCES_MAX);
	assert_true(count > ABI_SYN_SOURCES_MAX / 2);
	syn_expect(xdp, SOURCE, 1, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
}

/* ---- reports ---- */

static void a_report_says_who_where_and_how_many(void **state)
{
	struct xdp_syn_report report;
	struct xdp *xdp = *state;
	struct pollfd ready = {.fd = xdp_syn_reports_fd(xdp), .events = POLLIN};

	syn_expect(xdp, SOURCE, BURST, "passed");
	assert_int_equal(poll(&ready, 1, 0), 0);
	assert_int_equal(xdp_syn_reports_read(xdp, &report, 1), 0);
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	assert_int_equal(poll(&ready, 1, 1000), 1);
	assert_int_equal(xdp_syn_reports_read(xdp, &report, 1), 1);
	assert_true(prefix_equal(&report.source,
				 &(struct prefix){world_prefix(SOURCE).addr, 32}));
	assert_int_equal(report.policy, 0);
	assert_int_equal(report.port, WORLD_PORT);
	assert_int_equal(report.passed, BURST);
	assert_int_equal(report.over, 1);

	syn_limit(xdp, 1, XDP_SYN_ENFORCE, 1);
	assert_int_equal(world_knock(xdp, "2001:db8:1:2::7", OTHERPORT), XDP_PASS);
	assert_int_equal(world_knock(xdp, "2001:db8:1:2::8", OTHERPORT), XDP_DROP);
	assert_int_equal(xdp_syn_reports_read(xdp, &report, 1), 1);
	assert_true(
		prefix_equal(&report.source,
			     &(struct prefix){world_prefix("2001:db8:1:2::").addr, 64}));
	assert_int_equal(report.policy, 1);
	assert_int_equal(report.port, OTHERPORT);
	assert_int_equal(xdp_syn_source(xdp, &report.source, 1, &report), 0);
	assert_int_equal(report.passed, 1);
	assert_int_equal(report.over, 1);
	assert_int_equal(xdp_syn_source(xdp, &report.source, 0, &report), -ENOENT);
}

static void reported_once_a_second(void **state)
{
	struct xdp_syn_report reports[4];
	struct xdp *xdp = *state;

	/* At one a second, a second would let one pass: so they are over for long. */
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 10, "dropped_syn_rate");
	assert_int_equal(xdp_syn_reports_read(xdp, reports, 4), 1);
	assert_int_equal(reports[0].over, 1);
	syn_time_passes(SOURCE, 1);
	syn_expect(xdp, SOURCE, 1, "passed");
	syn_expect(xdp, SOURCE, 10, "dropped_syn_rate");
	assert_int_equal(xdp_syn_reports_read(xdp, reports, 4), 1);
	assert_int_equal(reports[0].over, 11);
	assert_int_equal(reports[0].passed, BURST + 1);
}

static void what_is_read_in_parts_is_read_once(void **state)
{
	struct xdp_syn_report reports[4];
	struct xdp *xdp = *state;
	size_t seen = 0;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 1);
	for (unsigned int i = 0; i < 10; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "198.51.100.%u", i);
		syn_expect(xdp, text, 1, "passed");
		syn_expect(xdp, text, 1, "dropped_syn_rate");
	}
	for (size_t want = 4; want > 0; want = seen == 8 ? 2 : seen == 10 ? 0 : 4) {
		assert_int_equal(xdp_syn_reports_read(xdp, reports, 4), want);
		for (size_t i = 0; i < want; i++)
			assert_int_equal(reports[i].source.addr.bytes[3], seen++);
	}
	assert_int_equal(xdp_syn_reports_read(xdp, reports, 4), 0);
}

/* Nobody reads: reports are lost, verdicts are not. Then it goes on. */
static void a_full_ring_loses_reports_only(void **state)
{
	struct xdp *xdp = *state;
	const unsigned int sources = 2000;
	size_t held;

	syn_limit(xdp, 0, XDP_SYN_ENFORCE, 1);
	for (unsigned int i = 0; i < sources; i++) {
		char text[32];

		(void)snprintf(text, sizeof(text), "198.51.%u.%u", i / 256, i % 256);
		assert_int_equal(world_knock(xdp, text, WORLD_PORT), XDP_PASS);
		assert_int_equal(world_knock(xdp, text, WORLD_PORT), XDP_DROP);
	}
	held = reports_count(xdp);
	assert_in_range(held, 1000, ABI_SYN_RING_BYTES / sizeof(struct syn_report));
	assert_true(held < sources);
	syn_expect(xdp, SOURCE, 1, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	assert_int_equal(reports_count(xdp), 1);
}

/* A start anew goes on with the buckets, limits and exempt that are there. */
static void buckets_outlive_the_daemon(void **state)
{
	const struct prefix spared = world_prefix("192.0.2.8/32");
	struct xdp *xdp = *state;

	assert_int_equal(xdp_syn_exempt(xdp, &spared, 1), 0);
	syn_expect(xdp, SOURCE, BURST, "passed");
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	syn_drain(SOURCE, true); /* for a daemon that takes its time */
	xdp = world_reopen(state, 1000);
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	syn_expect(xdp, "192.0.2.8", BURST + 1, "passed");
	assert_int_equal(reports_count(xdp), 1); /* of before: nobody had read it */
	syn_time_passes(SOURCE, 1);
	syn_expect(xdp, SOURCE, 1, "passed");
	syn_drain(SOURCE, true);
	syn_expect(xdp, SOURCE, 1, "dropped_syn_rate");
	assert_int_equal(reports_count(xdp), 1);
}

#define TEST(function) \
	cmocka_unit_test_setup_teardown(function, syn_world_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_burst_passes_and_no_more),
		TEST(a_burst_of_one),
		TEST(a_second_brings_one_token),
		TEST(quiet_fills_it_to_the_burst_and_not_further),
		TEST(a_smaller_limit_holds_at_once_and_lasts_no_longer),
		TEST(rates_are_kept),
		TEST(wrong_limits_are_refused),
		TEST(off_counts_nobody),
		TEST(observe_lets_pass_and_counts),
		TEST(ipv6_is_counted_by_64),
		TEST(policies_count_apart),
		TEST(only_what_begins_a_connection_counts),
		TEST(other_ports_are_not_counted),
		TEST(what_is_dropped_anyway_is_not_counted),
		TEST(the_exempt_have_no_limit),
		TEST(as_many_exempt_as_may_be_can_all_change),
		TEST(strangers_only_make_it_forget),
		TEST(a_report_says_who_where_and_how_many),
		TEST(reported_once_a_second),
		TEST(what_is_read_in_parts_is_read_once),
		TEST(a_full_ring_loses_reports_only),
		TEST(buckets_outlive_the_daemon),
	};

	return cmocka_run_group_tests_name("bpf/syn", tests, world_enter, NULL);
}
