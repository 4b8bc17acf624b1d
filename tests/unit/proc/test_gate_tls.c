/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The budget of handshakes: of all in a second, of one client in a minute.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proc/gate_state.h"

static struct conf conf;
static struct gate *gate;

static int set_up(void **state)
{
	(void)state;
	conf_init(&conf);
	conf.gates = 2;
	conf.limits.tls_handshakes_max = 8; /* 4 for each of the two */
	conf.limits.tls_handshakes_per_client_max = 3;
	gate = calloc(1, sizeof(*gate));
	assert_non_null(gate);
	gate->conf = &conf;
	gate->now_ns = 6000 * NS_PER_S;
	return gate_tls_init(gate);
}

static int tear_down(void **state)
{
	(void)state;
	gate_tls_done(gate);
	free_mem(&gate);
	return 0;
}

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static void expect(const char *client, const char *limit)
{
	const struct addr addr = addr_of(client);
	const char *got = gate_tls_limit(gate, &addr);

	if (limit)
		assert_string_equal(got, limit);
	else
		assert_null(got);
}

static void a_second_has_room_for_the_share_of_a_gate(void **state)
{
	(void)state;
	expect("192.0.2.1", NULL);
	expect("192.0.2.2", NULL);
	expect("192.0.2.3", NULL);
	expect("192.0.2.4", NULL);
	expect("192.0.2.5", "tls-handshakes-max");
	gate->now_ns += NS_PER_S / 4 - 1;
	expect("192.0.2.5", "tls-handshakes-max");
	gate->now_ns += 1;
	expect("192.0.2.5", NULL);
	expect("192.0.2.6", "tls-handshakes-max");
	gate->now_ns += 3600 * NS_PER_S; /* no more is saved up than that */
	for (int i = 0; i < 4; i++)
		expect("192.0.2.7", i < 3 ? NULL : "tls-handshakes-per-client-max");
	expect("192.0.2.8", NULL);
	expect("192.0.2.9", "tls-handshakes-max");
}

static void a_client_has_its_own_minute(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++) {
		expect("2001:db8:1:2::1", NULL);
		gate->now_ns += NS_PER_S;
	}
	expect("2001:db8:1:2::1", "tls-handshakes-per-client-max");
	expect("2001:db8:1:2::ffff", "tls-handshakes-per-client-max"); /* of its /64 */
	expect("2001:db8:1:3::1", NULL);
	gate->now_ns += 17 * NS_PER_S; /* 20 s after the first: one has come back */
	expect("2001:db8:1:2::1", NULL);
	expect("2001:db8:1:2::1", "tls-handshakes-per-client-max");
}

static void what_is_refused_costs_the_others_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		expect("192.0.2.1", NULL);
	for (int i = 0; i < 10; i++)
		expect("192.0.2.1", "tls-handshakes-per-client-max");
	expect("192.0.2.2", NULL);
}

static void a_limit_below_the_number_of_gates_leaves_one(void **state)
{
	(void)state;
	conf.limits.tls_handshakes_max = 1;
	expect("192.0.2.1", NULL);
	expect("192.0.2.2", "tls-handshakes-max");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_second_has_room_for_the_share_of_a_gate,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_client_has_its_own_minute, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(what_is_refused_costs_the_others_nothing,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			a_limit_below_the_number_of_gates_leaves_one, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("proc/gate_tls", tests, NULL, NULL);
}
