/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_session_detect - whose end of a session counts against the client, and whose SYNs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>
#include <event2/event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/ttlmap.h"
#include "policy/flags.h"
#include "proc/channel.h"
#include "proc/gate_state.h"
#include "proc/session.h"
#include "proc/session_detect.h"

static void only_what_a_client_did_counts_against_it(void **state)
{
	static const struct {
		const char *why;
		const char *reason;
		uint16_t flags;
		enum check_mode mode;
		bool is_test;
		size_t want;
	} rows[] = {
		{"junk", "not-smtp", FLAG_PA | FLAG_BAN, MODE_ENFORCE, false, 1},
		{"seen only", "not-smtp", FLAG_PA | FLAG_BAN, MODE_OBSERVE, false, 1},
		{"no flag", "not-smtp", FLAG_PA, MODE_ENFORCE, false, 0},
		{"off", "not-smtp", FLAG_PA | FLAG_BAN, MODE_OFF, false, 0},
		{"a clean end", "quit", FLAG_PA | FLAG_BAN, MODE_ENFORCE, false, 0},
		{"postern test", "not-smtp", FLAG_PA | FLAG_BAN, MODE_ENFORCE, true, 0},
		{"and its errors", "errors", FLAG_PA | FLAG_BAN, MODE_ENFORCE, true, 0},
	};
	AUTO(free_mem) struct conf *conf = calloc(1, sizeof(*conf));
	AUTO(free_mem) struct gate *gate = calloc(1, sizeof(*gate));
	AUTO(free_mem) struct session *s = calloc(1, sizeof(*s));

	(void)state;
	assert_true(conf && gate && s);
	conf_init(conf);
	conf->policy_count = conf->service_count = 1;
	for (size_t i = 0; i < DETECT_COUNT; i++)
		conf->policies[0].detectors[i] = (struct conf_detector){3, 60};
	gate->conf = conf;
	s->gate = gate;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(detect_init(gate), 0);
		conf->policies[0].mode[CHECK_DOS] = (uint8_t)rows[i].mode;
		s->reason = rows[i].reason;
		s->flags = rows[i].flags;
		s->is_test = rows[i].is_test;
		detect_session(s);
		if (ttlmap_count(gate->detected) != rows[i].want)
			fail_msg("%s", rows[i].why);
		detect_done(gate);
	}
}

/* ---- SYNs: a gate with a ledger at the other end of a channel ---- */

struct world {
	struct conf *conf;
	struct gate *gate;
	struct event_base *base;
	int ledger_fd;
	uint64_t passed, over; /* the kernel's numbers */
};

static void world_open(struct world *world)
{
	int fds[2];

	*world = (struct world){
		.conf = calloc(1, sizeof(struct conf)),
		.gate = calloc(1, sizeof(struct gate)),
		.base = event_base_new(),
	};
	assert_true(world->conf && world->gate && world->base);
	conf_init(world->conf);
	world->conf->policy_count = world->conf->service_count = 1;
	world->conf->policies[0].detectors[DETECT_SYNS] = (struct conf_detector){3, 60};
	world->gate->conf = world->conf;
	world->gate->now_ns = NS_PER_S;
	world->gate->now_ms = 1000;
	assert_int_equal(channel_pair(fds), 0);
	world->ledger_fd = fds[1];
	world->gate->ledger = channel_new(&(struct channel_conf){
		.base = world->base,
		.fd = fds[0],
		.self = ROLE_GATE,
		.other = ROLE_LEDGER,
	});
	assert_non_null(world->gate->ledger);
	assert_int_equal(detect_init(world->gate), 0);
}

static void world_close(struct world *world)
{
	detect_done(world->gate);
	channel_free(&world->gate->ledger);
	close_fd(&world->ledger_fd);
	event_base_free(world->base);
	free(world->conf);
	free(world->gate);
}

/* The gate accepts so many, and a second later the kernel reports so many more. */
static void a_second(struct world *world, const char *client, uint16_t flags,
		     uint32_t accepted)
{
	struct detect_event event = {.flags = flags, .detector = DETECT_CONNECTS};
	struct msg_syns syns = {.count = 1};

	assert_int_equal(addr_parse(client, &event.addr), 0);
	for (uint32_t i = 0; i < accepted; i++)
		detect_accepted(world->gate, &event);
	world->gate->now_ns += NS_PER_S;
	world->gate->now_ms += 1000;
	syns.syns[0] = (struct msg_syn){
		.client = prefix_of_client(&event.addr),
		.passed = world->passed += 20,
		.over = world->over += 380,
	};
	detect_syn_reports(world->gate, &syns);
}

/* What the ledger has been told; NULL: nothing. */
static const struct msg_strike *told(struct world *world)
{
	static struct msg msg;

	if (recv(world->ledger_fd, &msg, sizeof(msg), MSG_DONTWAIT) < 0)
		return NULL;
	assert_int_equal(msg.type, MSG_STRIKE);
	assert_int_equal(
		msg_validate(ROLE_GATE, ROLE_LEDGER, &msg, msg_size(msg.type), false), 0);
	return &msg.strike;
}

static void who_keeps_beginning_too_many_is_told_of(void **state)
{
	const struct msg_strike *strike;
	struct world world;

	(void)state;
	world_open(&world);
	a_second(&world, "192.0.2.7", FLAG_BAN, 0);
	for (int i = 0; i < 2; i++) {
		a_second(&world, "192.0.2.7", FLAG_BAN, 20);
		assert_null(told(&world));
	}
	a_second(&world, "192.0.2.7", FLAG_BAN, 18);
	strike = told(&world);
	assert_non_null(strike);
	assert_int_equal(strike->kind, STRIKE_DOS);
	assert_string_equal(strike->user, "syns");
	assert_string_equal(strike->reply,
			    "3 in 1m, the last: 380 SYN over the rate, 18 of 20 others "
			    "became connections");
	assert_null(told(&world));
	world_close(&world);
}

static void the_addresses_of_a_64_are_one_client(void **state)
{
	struct world world;
	const struct msg_strike *strike;
	char text[ADDR_TEXT_MAX];

	(void)state;
	world_open(&world);
	for (int i = 0; i < 4; i++)
		a_second(&world, i % 2 ? "2001:db8:1:2::7" : "2001:db8:1:2:3::8",
			 FLAG_BAN, i ? 10 : 0);
	strike = told(&world);
	assert_non_null(strike);
	assert_string_equal(addr_format(&strike->addr, text), "2001:db8:1:2::7");
	world_close(&world);
}

static void who_is_not_to_be_banned_is_not_told_of(void **state)
{
	static const struct {
		const char *why;
		uint16_t flags;
		enum check_mode mode;
		uint32_t accepted, max;
	} rows[] = {
		{"a forger", FLAG_BAN, MODE_ENFORCE, 0, 3},
		{"an owner below half", FLAG_BAN, MODE_ENFORCE, 9, 3},
		{"no flag", 0, MODE_ENFORCE, 20, 3},
		{"dos = off", FLAG_BAN, MODE_OFF, 20, 3},
		{"dos-syns = off", FLAG_BAN, MODE_ENFORCE, 20, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct world world;

		world_open(&world);
		world.conf->policies[0].mode[CHECK_DOS] = (uint8_t)rows[i].mode;
		world.conf->policies[0].detectors[DETECT_SYNS].max = rows[i].max;
		for (int second = 0; second < 30; second++)
			a_second(&world, "192.0.2.7", rows[i].flags, rows[i].accepted);
		if (told(&world))
			fail_msg("%s", rows[i].why);
		world_close(&world);
	}
}

/* Of another client, of another policy. */
static void others_connections_do_not_count(void **state)
{
	struct detect_event event = {.flags = FLAG_BAN, .detector = DETECT_CONNECTS};
	struct world world;

	(void)state;
	world_open(&world);
	world.conf->policy_count = world.conf->service_count = 2;
	world.conf->services[1].policy = 1;
	world.conf->policies[1].id = 1;
	for (int second = 0; second < 10; second++) {
		assert_int_equal(addr_parse("192.0.2.8", &event.addr), 0);
		event.service = 0;
		for (int i = 0; i < 20; i++)
			detect_accepted(world.gate, &event);
		assert_int_equal(addr_parse("192.0.2.7", &event.addr), 0);
		event.service = 1;
		for (int i = 0; i < 20; i++)
			detect_accepted(world.gate, &event);
		a_second(&world, "192.0.2.7", FLAG_BAN, 0);
	}
	assert_null(told(&world));
	world_close(&world);
}

static void a_service_that_has_gone_is_passed_over(void **state)
{
	struct msg_syns syns = {.count = 1};
	struct world world;

	(void)state;
	world_open(&world);
	syns.syns[0].service = CONF_SERVICES_MAX - 1;
	syns.syns[0].client.addr.family = ADDR_V4;
	detect_syn_reports(world.gate, &syns);
	assert_int_equal(ttlmap_count(world.gate->syns), 0);
	world_close(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_a_client_did_counts_against_it),
		cmocka_unit_test(who_keeps_beginning_too_many_is_told_of),
		cmocka_unit_test(the_addresses_of_a_64_are_one_client),
		cmocka_unit_test(who_is_not_to_be_banned_is_not_told_of),
		cmocka_unit_test(others_connections_do_not_count),
		cmocka_unit_test(a_service_that_has_gone_is_passed_over),
	};

	return cmocka_run_group_tests_name("proc/session_detect", tests, NULL, NULL);
}
