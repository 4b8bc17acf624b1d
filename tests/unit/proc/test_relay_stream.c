/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A session in SESSION_RELAY between two sockets on loopback, with a clock that the test moves:
 * what takes minutes or a full pool of pipes in life.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/relay_stream.h"
#include "proc/session.h"

#define IDLE_S	   600
#define BULK_BYTES 3000000u
#define TURNS_MAX  100000u

static struct world {
	struct gate gate;
	struct conf conf;
	struct session *session; /* state SESSION_FREE once it has ended */
	int client, backend;	 /* the far ends */
	const char *reason;	 /* why it has ended */
} world;

/* ---- the protocol of this session: nothing but the relay ---------------------------------------- */

static struct relay_stream *stream(void)
{
	return &world.session->mailbox.stream;
}

static void relay_pump(struct session *s)
{
	stream_step(s, stream());
}

static void relay_timeout(struct session *s)
{
	stream_timeout(s);
	session_run(s);
}

static void relay_stop(struct session *s, const char *reason)
{
	(void)reason;
	stream_stop(s);
}

static void relay_finish(struct session *s)
{
	world.reason = s->reason;
	stream_end(s, stream());
}

static bool relay_is_amid(const struct session *s)
{
	(void)s;
	return false;
}

static const struct session_protocol relay = {
	.pump = relay_pump,
	.timeout = relay_timeout,
	.stop = relay_stop,
	.finish = relay_finish,
	.is_amid = relay_is_amid,
};

/* ---- the world ------------------------------------------------------------------------------------ */

/* Two ends of a connection on loopback: near is non-blocking. */
static void make_pair(int *out_near, int *out_far)
{
	struct sockaddr_in sa = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sa);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);
	const int small =
		65536; /* or the kernel would let its buffers grow to megabytes */

	(void)setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	(void)setsockopt(listener, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(bind(listener, (struct sockaddr *)&sa, sizeof(sa)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&sa, &len), 0);
	*out_far = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(*out_far, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
	(void)setsockopt(*out_far, SOL_SOCKET, SO_SNDBUF, &small, sizeof(small));
	assert_int_equal(connect(*out_far, (struct sockaddr *)&sa, sizeof(sa)), 0);
	*out_near = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(*out_near >= 0);
	close(listener);
}

static int set_up(void **state)
{
	struct session_start start = {.protocol = &relay, .fd = -1};
	struct event_config *config = event_config_new();
	int near;

	(void)state;
	(void)signal(SIGPIPE, SIG_IGN);
	memset(&world, 0, sizeof(world));
	conf_init(&world.conf);
	world.conf.service_count = 1;
	world.conf.policy_count = 1;
	world.gate.conf = &world.conf;
	world.gate.now_ms = 1000000;
	world.gate.base = event_base_new_with_config(config);
	event_config_free(config);
	assert_int_equal(session_pool_init(&world.gate, 4), 0);
	assert_int_equal(pool_init(&world.gate.small, 20, GATE_SMALL_BYTES), 0);
	assert_int_equal(pool_init(&world.gate.big, 5, GATE_BIG_BYTES), 0);
	world.gate.in_client = pool_take(&world.gate.big);
	wheel_init(&world.gate.wheel, world.gate.now_ms);
	relay_pipes_init(&world.gate.pipes, 1, 4096);

	make_pair(&start.fd, &world.client);
	make_pair(&near, &world.backend);
	world.session = session_new(&world.gate, &start);
	assert_non_null(world.session);
	assert_int_equal(session_attach(world.session, &world.session->backend, near), 0);
	stream_begin(world.session, stream(), IDLE_S);
	return 0;
}

static bool has_ended(void)
{
	return world.session->state == SESSION_FREE;
}

static int tear_down(void **state)
{
	(void)state;
	if (!has_ended())
		session_kill(world.session, "test", NULL);
	close_fd(&world.client);
	close_fd(&world.backend);
	relay_pipes_done(&world.gate.pipes);
	session_pool_done(&world.gate);
	pool_done(&world.gate.small);
	pool_done(&world.gate.big);
	event_base_free(world.gate.base);
	return 0;
}

/* What is ready now. The kernel's loopback has delivered what was written before. */
static void turn(void)
{
	(void)event_base_loop(world.gate.base, EVLOOP_NONBLOCK);
}

static void pass_time(int64_t seconds)
{
	struct wheel_node *node;

	world.gate.now_ms += (uint64_t)seconds * 1000 + 2ull * WHEEL_TICK_MS;
	while ((node = wheel_next(&world.gate.wheel, world.gate.now_ms)))
		relay_timeout((struct session *)node);
}

/* Send so much, or as much as is taken; bytes count up with their place. */
static size_t send_some(int fd, size_t from, size_t len)
{
	static uint8_t bytes[BULK_BYTES];
	ssize_t put;

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)((from + i) * 7);
	put = send(fd, bytes, len, MSG_DONTWAIT);
	return put > 0 ? (size_t)put : 0;
}

/* Receive what is there; checks it. SIZE_MAX: the end. */
static size_t receive_some(int fd, size_t from)
{
	static uint8_t bytes[BULK_BYTES];
	const ssize_t got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	for (ssize_t i = 0; i < got; i++)
		assert_int_equal(bytes[i], (uint8_t)((from + (size_t)i) * 7));
	if (got == 0)
		return SIZE_MAX;
	return got > 0 ? (size_t)got : 0;
}

/* All of it from one far end to the other. */
static void carry(int from, int to, size_t len)
{
	size_t sent = 0, received = 0;

	for (unsigned int i = 0; received < len && i < TURNS_MAX; i++) {
		if (sent < len)
			sent += send_some(from, sent, len - sent);
		turn();
		received += receive_some(to, received);
	}
	assert_int_equal(received, len);
}

/* Until the end shows, without a byte. */
static void expect_end(int fd)
{
	unsigned int i = 0;

	while (receive_some(fd, 0) != SIZE_MAX && i++ < TURNS_MAX)
		turn();
	assert_true(i < TURNS_MAX);
}

/* ---- tests ------------------------------------------------------------------------------------------ */

static void little_and_much_arrive_both_ways(void **state)
{
	static const size_t sizes[] = {1,
				       100,
				       GATE_SMALL_BYTES - 1,
				       GATE_SMALL_BYTES,
				       GATE_SMALL_BYTES + 1,
				       BULK_BYTES};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		carry(world.client, world.backend, sizes[i]);
		carry(world.backend, world.client, sizes[i]);
		assert_int_equal(stream()->up.pipe.read_fd, -1);
		assert_int_equal(stream()->down.pipe.read_fd, -1);
		assert_null(world.session->client.in);
		assert_null(world.session->backend.in);
	}
	assert_true(world.session->bytes_in == world.session->bytes_out);
	assert_true(world.gate.pipes.open_count >= 1);
	assert_int_equal(world.gate.pipes.open_count, world.gate.pipes.kept_count);
}

static void without_pipes_bytes_are_copied(void **state)
{
	(void)state;
	world.gate.pipes.max = 0;
	carry(world.client, world.backend, BULK_BYTES);
	carry(world.backend, world.client, BULK_BYTES);
	assert_int_equal(world.gate.pipes.open_count, 0);
	assert_true(world.session->bytes_in == BULK_BYTES);
}

/* How much goes in while nobody reads; then all of it comes out. */
static void check_slow_reader(int from, int to)
{
	size_t sent = 0, received = 0, idle = 0;

	while (idle++ < 100) {
		const size_t put = send_some(from, sent, BULK_BYTES);

		sent += put;
		turn();
		if (put > 0)
			idle = 0;
		assert_true(sent < BULK_BYTES);
	}
	for (unsigned int i = 0; received < sent && i < TURNS_MAX; i++) {
		received += receive_some(to, received);
		turn();
	}
	assert_int_equal(received, sent);
}

static void a_slow_reader_stops_the_other_side(void **state)
{
	(void)state;
	check_slow_reader(world.backend, world.client);
	check_slow_reader(world.client, world.backend);
	world.gate.pipes.max = 0;
	while (world.gate.pipes.kept_count > 0)
		splice_close(&world.gate.pipes.kept[--world.gate.pipes.kept_count]);
	check_slow_reader(world.backend, world.client);
	check_slow_reader(world.client, world.backend);
}

static void one_side_ends_and_the_other_goes_on(void **state)
{
	(void)state;
	carry(world.client, world.backend, 10);
	shutdown(world.client, SHUT_WR);
	expect_end(world.backend);
	carry(world.backend, world.client, BULK_BYTES);
	assert_false(has_ended());
	shutdown(world.backend, SHUT_WR);
	expect_end(world.client);
	assert_true(has_ended());
	assert_string_equal(world.reason, "closed");
}

static void idle_time_counts_from_the_last_byte(void **state)
{
	(void)state;
	pass_time(IDLE_S - 10);
	carry(world.client, world.backend, 1);
	pass_time(IDLE_S - 10);
	carry(world.backend, world.client, 1);
	pass_time(IDLE_S - 10);
	assert_false(has_ended());
	pass_time(10);
	assert_true(has_ended());
	assert_string_equal(world.reason, "idle");
}

static void a_side_that_is_left_alone_has_less_time(void **state)
{
	(void)state;
	shutdown(world.backend, SHUT_WR);
	expect_end(world.client);
	pass_time(STREAM_HALF_CLOSED_S - 10);
	carry(world.client, world.backend, 1);
	pass_time(STREAM_HALF_CLOSED_S - 10);
	assert_false(has_ended());
	pass_time(10);
	assert_true(has_ended());
}

static void a_gate_that_ends_waits_for_what_moves(void **state)
{
	(void)state;
	world.gate.is_draining = true;
	relay_stop(world.session, "shutdown");
	for (int i = 0; i < 10; i++) {
		pass_time(0);
		carry(world.backend, world.client, 1);
	}
	assert_false(has_ended());
	pass_time(STREAM_DRAIN_S);
	assert_true(has_ended());
	assert_string_equal(world.reason, "shutdown");
}

static void reset(int *fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_fd(fd);
}

static void expect_reset(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, ECONNRESET);
}

static void a_reset_of_the_client_is_passed_on(void **state)
{
	(void)state;
	carry(world.client, world.backend, 1);
	reset(&world.client);
	turn();
	assert_true(has_ended());
	assert_string_equal(world.reason, "client-reset");
	expect_reset(world.backend);
}

static void a_reset_of_the_backend_is_passed_on(void **state)
{
	(void)state;
	carry(world.client, world.backend, 1);
	reset(&world.backend);
	turn();
	assert_true(has_ended());
	assert_string_equal(world.reason, "backend-reset");
	expect_reset(world.client);
}

/* A pipe that is not empty must never meet another session. */
static void what_is_left_in_a_pipe_goes_with_the_session(void **state)
{
	size_t sent = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		sent += send_some(world.backend, sent, BULK_BYTES);
		turn();
	}
	assert_true(stream()->down.piped > 0);
	session_kill(world.session, "test", NULL);
	assert_int_equal(world.gate.pipes.open_count, world.gate.pipes.kept_count);
	assert_int_equal(world.gate.pipes.kept_count, 0);
}

static void pipes_are_few_and_shared(void **state)
{
	struct splice_pipe pipes[RELAY_PIPES_KEPT + 2];
	struct relay_pipes *pool = &world.gate.pipes;
	const uint32_t max = sizeof(pipes) / sizeof(pipes[0]);

	(void)state;
	pool->max = max;
	for (uint32_t i = 0; i < max; i++)
		assert_true(relay_pipes_take(pool, &pipes[i]));
	assert_false(relay_pipes_take(pool, &(struct splice_pipe){0}));
	for (uint32_t i = 0; i < max; i++) {
		relay_pipes_give(pool, &pipes[i], true);
		assert_int_equal(pipes[i].read_fd, -1);
		relay_pipes_give(pool, &pipes[i], true);
	}
	assert_int_equal(pool->kept_count, RELAY_PIPES_KEPT);
	assert_int_equal(pool->open_count, RELAY_PIPES_KEPT);

	relay_pipes_init(pool, 4, 1u << 20);
	assert_int_equal(pool->max, RELAY_PIPES_MAX / 4);
	relay_pipes_init(pool, 1000, 1u << 20);
	assert_int_equal(pool->max, 1);
	relay_pipes_init(pool, 1, 200);
	assert_true(2 * pool->max < 200 / 4);
}

#define STREAM_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		STREAM_TEST(little_and_much_arrive_both_ways),
		STREAM_TEST(without_pipes_bytes_are_copied),
		STREAM_TEST(a_slow_reader_stops_the_other_side),
		STREAM_TEST(one_side_ends_and_the_other_goes_on),
		STREAM_TEST(idle_time_counts_from_the_last_byte),
		STREAM_TEST(a_side_that_is_left_alone_has_less_time),
		STREAM_TEST(a_gate_that_ends_waits_for_what_moves),
		STREAM_TEST(a_reset_of_the_client_is_passed_on),
		STREAM_TEST(a_reset_of_the_backend_is_passed_on),
		STREAM_TEST(what_is_left_in_a_pipe_goes_with_the_session),
		STREAM_TEST(pipes_are_few_and_shared),
	};

	return cmocka_run_group_tests_name("proc/relay_stream", tests, NULL, NULL);
}
