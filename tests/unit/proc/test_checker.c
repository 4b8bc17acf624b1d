/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/checker, run in a process of its own between this test, which plays the keeper and the gates, and a
 * double of the DNS: the last number of the address says what its DNS does.
 *
 * link: ../fake_dns.c ../dns_message.c
 */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proc/channel.h"
#include "proc/checker.h"
#include "proc/snapshot.h"
#include "unit/fake_dns.h"

#define DEADLINE_S \
	100 /* of the checker; ours is shorter, so that its end is not taken for its answer */
#define ANSWER_MS   30000
#define LONG_MS	    60000
#define NAMED	    1	/* has a name, the first time it is asked for */
#define NAMELESS    2	/* NXDOMAIN, the first time */
#define FAILS_FIRST 3	/* SERVFAIL, then a name */
#define SILENT	    100 /* and above */
#define POLICY	    3	/* its id */

static int keeper = -1;
static pid_t checker_pid;

/* In the checker's process. Asked a second time, an address that was to be kept fails. */
static bool play_dns(const char *name, dns_reply_fn reply, void *context)
{
	static unsigned int asked[256];
	unsigned int host = (unsigned int)strtoul(name, NULL, 10);
	unsigned int time = asked[host & 255]++;
	struct dns_message message;

	message_begin(&message, name);
	if (host >= SILENT)
		return true;
	if (host == FAILS_FIRST ? time == 0 : time > 0) {
		reply(context, DNS_FAILED, NULL, 0);
		return true;
	}
	if (host == NAMELESS)
		message_soa(&message, "2.0.192.in-addr.arpa", 300, 300);
	else
		message_record(&message, "@12", MESSAGE_TYPE_PTR, 300,
			       "mail.example.org");
	reply(context, host == NAMELESS ? DNS_NO_NAME : DNS_ANSWER, message.bytes,
	      message.len);
	return true;
}

static void pair(int fds[2])
{
	assert_int_equal(channel_pair(fds), 0);
}

/* Exit status of the checker; -1 if a signal ended it. */
static int wait_checker(void)
{
	int status = 0;

	assert_int_equal(waitpid(checker_pid, &status, 0), checker_pid);
	checker_pid = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int stop_checker(void **state)
{
	(void)state;
	close_fd(&keeper);
	if (checker_pid)
		(void)wait_checker();
	return 0;
}

static void send_message(int fd, const struct msg *msg, int passed)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {.iov_base = (void *)msg, .iov_len = msg_size(msg->type)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	struct pollfd writable = {.fd = fd, .events = POLLOUT};

	if (passed >= 0) {
		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = sizeof(control.bytes);
		control.align.cmsg_level = SOL_SOCKET;
		control.align.cmsg_type = SCM_RIGHTS;
		control.align.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.align), &passed, sizeof(passed));
	}
	assert_int_equal(poll(&writable, 1, ANSWER_MS), 1);
	assert_int_equal(sendmsg(fd, &header, MSG_NOSIGNAL), iov.iov_len);
}

/* The next message within so many milliseconds; false if there is none, or the end. */
static bool receive(int fd, struct msg *msg, int timeout_ms)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};

	if (poll(&readable, 1, timeout_ms) != 1)
		return false;
	return recv(fd, msg, sizeof(*msg), 0) > 0;
}

/* Has the other end gone, within the deadline? */
static bool is_closed(int fd)
{
	struct pollfd readable = {.fd = fd, .events = POLLIN};
	struct msg msg;

	return poll(&readable, 1, ANSWER_MS) == 1 && recv(fd, &msg, sizeof(msg), 0) <= 0;
}

/* A configuration of one policy with that id. */
static void configure(uint16_t policy_id)
{
	struct prefix_builder *builder = prefix_builder_new();
	struct msg msg = {.type = MSG_CONF, .conf = {.generation = 1}};
	static struct protected_set protected_set;
	static struct conf conf;
	const struct snapshot_parts parts = {
		.conf = &conf, .protected_set = &protected_set, .builders = &builder};
	struct prefix_row first, second;
	AUTO(close_fd) int fd = -1;

	conf_init(&conf);
	conf.policy_count = 1;
	conf.policies[0].id = policy_id;
	assert_non_null(builder);
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	assert_int_equal(snapshot_make(&parts, &fd), 0);
	prefix_builder_free(&builder);
	send_message(keeper, &msg, fd);
}

static int start_checker(void **state)
{
	int fds[2];

	(void)state;
	pair(fds);
	checker_pid = fork();
	assert_true(checker_pid >= 0);
	if (checker_pid == 0) {
		struct checker *checker = NULL;
		int status;

		alarm(DEADLINE_S);
		close_fd(&fds[0]);
		fake_hook = play_dns;
		if (checker_open(&checker) != 0)
			_exit(99);
		status = checker_run(checker, fds[1]);
		checker_close(&checker);
		_exit(status);
	}
	close_fd(&fds[1]);
	keeper = fds[0];
	configure(POLICY);
	return 0;
}

/* Our end of a gate's channel. */
static int add_gate(uint32_t index)
{
	struct msg msg = {.type = MSG_PEER};
	int fds[2];

	pair(fds);
	msg.peer.role = ROLE_GATE;
	msg.peer.index = index;
	send_message(keeper, &msg, fds[1]);
	close_fd(&fds[1]);
	return fds[0];
}

static void ask(int gate, unsigned int host, uint64_t session_id, uint32_t timeout_ms)
{
	struct msg msg = {.type = MSG_CHECK};
	char text[ADDR_TEXT_MAX];

	(void)snprintf(text, sizeof(text), "192.0.2.%u", host);
	assert_int_equal(addr_parse(text, &msg.check.addr), 0);
	msg.check.checks = 1u << CHECK_PTR;
	msg.check.session_id = session_id;
	msg.check.timeout_ms = timeout_ms;
	msg.check.policy_id = POLICY;
	send_message(gate, &msg, -1);
}

static void expect(int gate, uint64_t session_id, enum check_result want,
		   const char *evidence)
{
	struct msg msg;

	if (!receive(gate, &msg, ANSWER_MS))
		fail_msg("session %u: no answer", (unsigned int)session_id);
	assert_int_equal(msg.type, MSG_ANSWER);
	assert_int_equal(msg.answer.session_id, session_id);
	assert_int_equal(msg.answer.check, CHECK_PTR);
	if (msg.answer.result != want || !strstr(msg.answer.evidence, evidence))
		fail_msg("session %u: %s, %s", (unsigned int)session_id,
			 check_result_name((enum check_result)msg.answer.result),
			 msg.answer.evidence);
}

static void it_answers_each_gate(void **state)
{
	int gate0 = add_gate(0), gate7 = add_gate(7);

	(void)state;
	ask(gate0, NAMED, 1, LONG_MS);
	ask(gate7, NAMELESS, 2, LONG_MS);
	expect(gate0, 1, CHECK_CLEAN, "mail.example.org");
	expect(gate7, 2, CHECK_HIT, "no PTR record");
	close_fd(&gate0);
	close_fd(&gate7);
}

static void answers_are_kept_and_unknown_is_not(void **state)
{
	int gate = add_gate(0);

	(void)state;
	for (uint64_t i = 0; i < 3; i++) {
		ask(gate, NAMED, i, LONG_MS);
		expect(gate, i, CHECK_CLEAN, "mail.example.org");
		ask(gate, NAMELESS, i, LONG_MS);
		expect(gate, i, CHECK_HIT, "no PTR record");
	}
	ask(gate, FAILS_FIRST, 9, LONG_MS);
	expect(gate, 9, CHECK_UNKNOWN, "the resolver failed");
	ask(gate, FAILS_FIRST, 10, LONG_MS);
	expect(gate, 10, CHECK_CLEAN, "mail.example.org");
	close_fd(&gate);
}

static void what_a_reload_takes_away_is_unknown(void **state)
{
	int gate = add_gate(0);

	(void)state;
	ask(gate, SILENT, 1, LONG_MS);
	configure(POLICY + 1);
	expect(gate, 1, CHECK_UNKNOWN, "its policy has gone");
	ask(gate, NAMED, 2, LONG_MS);
	expect(gate, 2, CHECK_UNKNOWN, "its policy has gone");
	close_fd(&gate);
}

static void silence_ends_at_the_deadline(void **state)
{
	uint64_t began_ns = clock_mono_ns();
	int gate = add_gate(0);

	(void)state;
	ask(gate, SILENT, 1, 300);
	expect(gate, 1, CHECK_UNKNOWN, "no answer within the time");
	assert_true(clock_mono_ns() - began_ns >= 300 * NS_PER_MS);
	close_fd(&gate);
}

static void after_a_run_of_silence_nobody_waits(void **state)
{
	int gate = add_gate(0);

	(void)state;
	for (unsigned int i = 0; i < 5; i++)
		ask(gate, SILENT + i, i, 100);
	for (unsigned int i = 0; i < 5; i++)
		expect(gate, i, CHECK_UNKNOWN, "no answer within the time");
	ask(gate, SILENT + 9, 9, LONG_MS);
	expect(gate, 9, CHECK_UNKNOWN, "not asked: the resolvers");
	close_fd(&gate);
}

static void over_the_limit_it_answers_at_once(void **state)
{
	int gate = add_gate(0);

	(void)state;
	for (unsigned int i = 0; i <= CHECKER_RUNNING_MAX; i++)
		ask(gate, SILENT + i % 100, i, LONG_MS);
	expect(gate, CHECKER_RUNNING_MAX, CHECK_UNKNOWN, "not asked: too many");
	close_fd(&gate);
}

static void what_it_does_not_check_is_unknown(void **state)
{
	struct msg msg = {.type = MSG_CHECK};
	int gate = add_gate(0);

	(void)state;
	assert_int_equal(addr_parse("192.0.2.1", &msg.check.addr), 0);
	msg.check.checks = 1u << CHECK_HELO;
	msg.check.timeout_ms = LONG_MS;
	msg.check.policy_id = POLICY;
	send_message(gate, &msg, -1);
	assert_true(receive(gate, &msg, ANSWER_MS));
	assert_int_equal(msg.answer.check, CHECK_HELO);
	assert_int_equal(msg.answer.result, CHECK_UNKNOWN);
	close_fd(&gate);
}

static void a_gate_that_misbehaves_is_dropped_alone(void **state)
{
	struct msg bad = {.type = MSG_CHECK};
	int gate = add_gate(0), other = add_gate(1);

	(void)state;
	send_message(gate, &bad, -1); /* asks for no check */
	assert_true(is_closed(gate));
	ask(other, NAMED, 1, LONG_MS);
	expect(other, 1, CHECK_CLEAN, "mail.example.org");
	close_fd(&gate);
	gate = add_gate(0);
	ask(gate, NAMED, 2, LONG_MS);
	expect(gate, 2, CHECK_CLEAN, "mail.example.org");
	close_fd(&gate);
	close_fd(&other);
}

static void a_gate_started_again_takes_the_place(void **state)
{
	int old = add_gate(0), gate;

	(void)state;
	ask(old, SILENT, 1, 200);
	gate = add_gate(0);
	ask(gate, NAMED, 2, LONG_MS);
	expect(gate, 2, CHECK_CLEAN, "mail.example.org");
	assert_true(is_closed(old));
	close_fd(&old);
	close_fd(&gate);
}

static void it_is_ready_and_ends_when_the_gates_have(void **state)
{
	struct msg msg = {.type = MSG_START};
	int gate = add_gate(0);

	(void)state;
	send_message(keeper, &msg, -1);
	assert_true(receive(keeper, &msg, ANSWER_MS));
	assert_int_equal(msg.type, MSG_READY);
	msg = (struct msg){.type = MSG_DRAIN, .drain = {.grace_s = 60}};
	send_message(keeper, &msg, -1);
	ask(gate, NAMED, 1, LONG_MS);
	expect(gate, 1, CHECK_CLEAN, "mail.example.org");
	close_fd(&gate);
	assert_int_equal(wait_checker(), EXIT_SUCCESS);
}

static void draining_has_an_end(void **state)
{
	struct msg msg = {.type = MSG_DRAIN, .drain = {.grace_s = 0}};
	int gate = add_gate(0);

	(void)state;
	send_message(keeper, &msg, -1);
	assert_int_equal(wait_checker(), EXIT_SUCCESS);
	close_fd(&gate);
}

static void without_a_keeper_it_ends(void **state)
{
	(void)state;
	close_fd(&keeper);
	assert_int_equal(wait_checker(), EXIT_FAILURE);
}

static void a_configuration_that_is_none_ends_it(void **state)
{
	struct msg msg = {.type = MSG_CONF, .conf = {.generation = 1}};
	int fds[2];

	(void)state;
	pair(fds);
	send_message(keeper, &msg, fds[0]);
	assert_int_equal(wait_checker(), EXIT_FAILURE);
	close_fd(&fds[0]);
	close_fd(&fds[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_checker, stop_checker)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_answers_each_gate),
		TEST(answers_are_kept_and_unknown_is_not),
		TEST(what_a_reload_takes_away_is_unknown),
		TEST(silence_ends_at_the_deadline),
		TEST(after_a_run_of_silence_nobody_waits),
		TEST(over_the_limit_it_answers_at_once),
		TEST(what_it_does_not_check_is_unknown),
		TEST(a_gate_that_misbehaves_is_dropped_alone),
		TEST(a_gate_started_again_takes_the_place),
		TEST(it_is_ready_and_ends_when_the_gates_have),
		TEST(draining_has_an_end),
		TEST(without_a_keeper_it_ends),
		TEST(a_configuration_that_is_none_ends_it),
	};

	return cmocka_run_group_tests_name("proc/checker", tests, NULL, NULL);
}
