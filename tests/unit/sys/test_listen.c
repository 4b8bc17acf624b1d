/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/sys/test_listen - one client always meets the same socket, and all sockets are met.
 *
 * On loopback only: clients are 127.0.0.x, and ::1.
 */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "sys/listen.h"

#define GATES	4u
#define CLIENTS 48u
#define WAIT_MS 5000

static struct addr addr_of(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return addr;
}

static bool has_address(const char *text)
{
	const struct addr addr = addr_of(text);
	struct sockaddr_storage sa;
	unsigned int len = addr_to_sockaddr(&addr, 0, &sa);
	AUTO(close_fd) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && bind(fd, (const struct sockaddr *)&sa, len) == 0;
}

/* A port that nobody has, found by asking for any. */
static uint16_t free_port(const char *text)
{
	const struct addr addr = addr_of(text);
	struct sockaddr_storage sa;
	socklen_t size = sizeof(sa);
	unsigned int len = addr_to_sockaddr(&addr, 0, &sa);
	AUTO(close_fd) int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct addr got;
	uint16_t port;

	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sa, &size), 0);
	assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, &got, &port),
			 0);
	return port;
}

static int connect_from(const char *source, const char *dest, uint16_t port)
{
	const struct addr from = addr_of(source);
	const struct addr to = addr_of(dest);
	struct sockaddr_storage sa;
	unsigned int len = addr_to_sockaddr(&from, 0, &sa);
	int fd = socket(sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&sa, len), 0);
	len = addr_to_sockaddr(&to, port, &sa);
	assert_int_equal(connect(fd, (const struct sockaddr *)&sa, len), 0);
	return fd;
}

/* Which of the sockets has the connection? It is taken off. */
static size_t gate_of(const int *fds)
{
	struct pollfd polls[GATES];

	for (size_t i = 0; i < GATES; i++)
		polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
	assert_int_equal(poll(polls, GATES, WAIT_MS), 1);
	for (size_t i = 0; i < GATES; i++)
		if (polls[i].revents) {
			AUTO(close_fd) int fd = accept(fds[i], NULL, NULL);

			assert_true(fd >= 0);
			return i;
		}
	return GATES;
}

static size_t gate_for(const int *fds, const char *source, const char *dest,
		       uint16_t port)
{
	AUTO(close_fd) int client = connect_from(source, dest, port);

	assert_true(client >= 0);
	return gate_of(fds);
}

static void close_all(int *fds)
{
	for (size_t i = 0; i < GATES; i++)
		close_fd(&fds[i]);
}

/* Many connections of one address: of a client, or of a load balancer. */
static size_t gates_met(const int *fds, const char *source, const char *dest,
			uint16_t port)
{
	size_t met[GATES] = {0}, count = 0;

	for (unsigned int i = 0; i < CLIENTS; i++)
		met[gate_for(fds, source, dest, port)]++;
	for (size_t i = 0; i < GATES; i++)
		count += met[i] > 0;
	return count;
}

static void who_brings_many_clients_meets_all_gates(void **state)
{
	static const struct {
		const char *any, *source;
	} rows[] = {{"0.0.0.0", "127.0.0.1"}, {"::", "::1"}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct addr any = addr_of(rows[i].any);
		int fds[GATES];
		uint16_t port;

		if (!has_address(rows[i].source))
			continue;
		port = free_port(rows[i].source);
		assert_int_equal(listen_open(&any, port, GATES, fds), 0);
		assert_int_equal(gates_met(fds, rows[i].source, rows[i].source, port), 1);
		assert_int_equal(listen_spread(fds[1], any.family, GATES, true), 0);
		assert_int_equal(gates_met(fds, rows[i].source, rows[i].source, port),
				 GATES);
		assert_int_equal(listen_spread(fds[2], any.family, GATES, false), 0);
		assert_int_equal(gates_met(fds, rows[i].source, rows[i].source, port), 1);
		close_all(fds);
	}
}

static void an_ipv4_client_always_meets_the_same_gate(void **state)
{
	const struct addr any = {.family = ADDR_V4};
	const uint16_t port = free_port("127.0.0.1");
	int fds[GATES];
	size_t met[GATES] = {0};

	(void)state;
	assert_int_equal(listen_open(&any, port, GATES, fds), 0);
	for (unsigned int i = 1; i <= CLIENTS; i++) {
		char source[ADDR_TEXT_MAX];
		size_t gate;

		(void)snprintf(source, sizeof(source), "127.0.0.%u", i);
		gate = gate_for(fds, source, "127.0.0.1", port);
		met[gate]++;
		for (int again = 0; again < 3; again++)
			if (gate_for(fds, source, "127.0.0.1", port) != gate)
				fail_msg("%s met gate %zu and then another", source,
					 gate);
	}
	/* A fair share is 12; a quarter of it is no accident. */
	for (size_t i = 0; i < GATES; i++)
		if (met[i] < CLIENTS / GATES / 4)
			fail_msg("gate %zu met %zu of %u clients", i, met[i], CLIENTS);
	close_all(fds);
}

static void an_ipv6_client_always_meets_the_same_gate(void **state)
{
	const struct addr any = {.family = ADDR_V6};
	int fds[GATES];
	uint16_t port;
	size_t gate;

	(void)state;
	if (!has_address("::1"))
		skip();
	port = free_port("::1");
	assert_int_equal(listen_open(&any, port, GATES, fds), 0);
	gate = gate_for(fds, "::1", "::1", port);
	for (int i = 0; i < 10; i++)
		assert_int_equal(gate_for(fds, "::1", "::1", port), gate);
	close_all(fds);
}

static void both_families_share_a_port(void **state)
{
	const struct addr any4 = {.family = ADDR_V4};
	const struct addr any6 = {.family = ADDR_V6};
	int fds4[GATES], fds6[GATES];
	uint16_t port;

	(void)state;
	if (!has_address("::1"))
		skip();
	port = free_port("::1");
	assert_int_equal(listen_open(&any4, port, GATES, fds4), 0);
	assert_int_equal(listen_open(&any6, port, GATES, fds6), 0);
	(void)gate_for(fds4, "127.0.0.9", "127.0.0.1", port);
	close_all(fds4);
	close_all(fds6);
}

static void a_port_that_is_taken_is_not_shared(void **state)
{
	const struct addr here = addr_of("127.0.0.1");
	const uint16_t port = free_port("127.0.0.1");
	int fds[GATES];
	int others[GATES] = {-7, -7, -7, -7};

	(void)state;
	assert_int_equal(listen_open(&here, port, GATES, fds), 0);
	assert_int_equal(listen_open(&here, port, GATES, others), -EADDRINUSE);
	for (size_t i = 0; i < GATES; i++)
		assert_int_equal(others[i], -7);
	close_all(fds);
}

static void an_address_of_somebody_else_is_refused(void **state)
{
	const struct addr far = addr_of("192.0.2.1");
	int fd;

	(void)state;
	assert_int_equal(listen_open(&far, 2525, 1, &fd), -EADDRNOTAVAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_brings_many_clients_meets_all_gates),
		cmocka_unit_test(an_ipv4_client_always_meets_the_same_gate),
		cmocka_unit_test(an_ipv6_client_always_meets_the_same_gate),
		cmocka_unit_test(both_families_share_a_port),
		cmocka_unit_test(a_port_that_is_taken_is_not_shared),
		cmocka_unit_test(an_address_of_somebody_else_is_refused),
	};

	return cmocka_run_group_tests_name("sys/listen", tests, NULL, NULL);
}
