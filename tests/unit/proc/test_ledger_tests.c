/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `postern test` in the ledger: the request becomes a message, the gate's steps become rows.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "ledger_lab.h"
#include "proc/ledger_tests.h"

static struct lab lab;

/* The test that the ledger sends to the gate; what it says at its start is not looked at. */
static struct msg from_ledger(void)
{
	struct pollfd readable = {.fd = lab.gate, .events = POLLIN};
	struct msg msg;
	ssize_t len;

	do {
		assert_int_equal(poll(&readable, 1, LAB_TIMEOUT_MS), 1);
		len = recv(lab.gate, &msg, sizeof(msg), 0);
		assert_true(len > 0);
		assert_int_equal(
			msg_validate(ROLE_LEDGER, ROLE_GATE, &msg, (size_t)len, false),
			0);
	} while (msg.type != MSG_TEST);
	return msg;
}

static void step(uint32_t seq, enum test_outcome outcome, const char *text)
{
	struct msg msg = {.type = MSG_TEST_STEP,
			  .test_step = {.seq = seq,
					.outcome = outcome,
					.last = outcome != TEST_RUNS}};

	(void)text_copy(msg.test_step.step, sizeof(msg.test_step.step), "ehlo");
	(void)text_copy(msg.test_step.text, sizeof(msg.test_step.text), text);
	lab_send(lab.gate, &msg, -1);
}

static void ask(const char *args)
{
	char memory[1024];
	struct buf line = BUF_OVER(memory);

	buf_printf(&line, "test %s", args);
	lab_tell(&lab, memory);
}

static void a_request_becomes_a_message_and_steps_become_rows(void **state)
{
	struct msg msg;

	(void)state;
	ask("{\"service\":\"submission\",\"addr\":\"192.0.2.7\",\"helo\":\"x.example\",\"from\":\"a@b\","
	    "\"to\":\"m\xc3\xbc@c\",\"auth\":\"anna\",\"tls\":true}");
	msg = from_ledger();
	assert_int_equal(msg.type, MSG_TEST);
	assert_int_equal(msg.test.service, LAB_SUBMISSION);
	assert_int_equal(msg.test.addr.family, ADDR_V4);
	assert_int_equal(msg.test.tls, 1);
	assert_string_equal(msg.test.helo, "x.example");
	assert_string_equal(msg.test.from, "a@b");
	assert_string_equal(msg.test.to, "m\xc3\xbc@c");
	assert_string_equal(msg.test.user, "anna");

	step(msg.test.seq + 1, TEST_RUNS, "of nobody");
	step(msg.test.seq, TEST_RUNS, "250 hello");
	step(msg.test.seq, TEST_REFUSED, "550 no");
	lab_until_told(&lab, "\"passes\":false");
	assert_non_null(strstr(lab.out, "\"text\":\"250 hello\""));
	assert_null(strstr(lab.out, "of nobody"));
	assert_non_null(strstr(lab.out, "\"code\":1"));
	assert_non_null(strstr(lab.out, "\"reply\":\"550 no\""));
}

static void what_is_not_said_has_a_default(void **state)
{
	struct msg msg;

	(void)state;
	ask("{\"service\":\"smtp\",\"addr\":\"2001:db8::1\"}");
	msg = from_ledger();
	assert_int_equal(msg.test.service, LAB_SMTP);
	assert_string_equal(msg.test.helo, "client.example.net");
	assert_string_equal(msg.test.from, "");
	assert_string_equal(msg.test.to, "postmaster");
	assert_string_equal(msg.test.user, "");
	assert_int_equal(msg.test.tls, 0);
	step(msg.test.seq, TEST_PASSES, "354 go");
	lab_until_told(&lab, "\"passes\":true");
	assert_non_null(strstr(lab.out, "\"code\":0"));
}

static void a_test_that_fails_is_neither_yes_nor_no(void **state)
{
	struct msg msg;

	(void)state;
	ask("{\"service\":\"smtp\",\"addr\":\"192.0.2.1\"}");
	msg = from_ledger();
	step(msg.test.seq, TEST_FAILED, "no reply in time");
	lab_until_told(&lab, "no reply in time");
	assert_non_null(strstr(lab.out, "\"code\":3"));
}

static void a_gate_that_goes_ends_its_tests(void **state)
{
	struct pollfd readable = {.fd = lab.admin, .events = POLLIN};
	char out[1024] = "";

	(void)state;
	ask("{\"service\":\"smtp\",\"addr\":\"192.0.2.1\"}");
	(void)from_ledger();
	(void)shutdown(lab.gate, SHUT_RDWR);
	/* The gate is no more, so it cannot be played. */
	assert_int_equal(poll(&readable, 1, LAB_TIMEOUT_MS), 1);
	assert_true(recv(lab.admin, out, sizeof(out) - 1, 0) > 0);
	assert_non_null(strstr(out, "the gate that was asked has gone"));
	assert_non_null(strstr(out, "\"code\":3"));
}

static void a_request_that_makes_no_sense_is_told(void **state)
{
	static const struct {
		const char *args, *says;
	} rows[] = {
		{"{\"addr\":\"192.0.2.1\"}", "missing"},
		{"{\"service\":\"smtp\"}", "missing"},
		{"{\"service\":\"nothing\",\"addr\":\"192.0.2.1\"}", "no service"},
		{"{\"service\":\"imap\",\"addr\":\"192.0.2.1\"}", "postern speaks SMTP"},
		{"{\"service\":\"smtp\",\"addr\":\"192.0.2.1\",\"helo\":\"a\\r\\nQUIT\"}",
		 "control character"},
		{"{\"service\":\"smtp\",\"addr\":\"192.0.2.1\",\"to\":\"a\\u007f\"}",
		 "control character"},
		{"{\"service\":\"smtp\",\"addr\":\"192.0.2.1\",\"tls\":1}",
		 "true or false"},
		{"{\"service\":\"smtp\",\"addr\":\"192.0.2.1\",\"auth\":\""
		 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		 "'auth' is longer"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		lab.out_len = 0;
		memset(lab.out, 0, 4096);
		ask(rows[i].args);
		lab_until_told(&lab, "\"done\"");
		if (!strstr(lab.out, "\"code\":2") || !strstr(lab.out, rows[i].says))
			fail_msg("%s: %s", rows[i].args, lab.out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(a_request_becomes_a_message_and_steps_become_rows,
			 lab_set_up_started),
		LAB_TEST(what_is_not_said_has_a_default, lab_set_up_started),
		LAB_TEST(a_test_that_fails_is_neither_yes_nor_no, lab_set_up_started),
		LAB_TEST(a_gate_that_goes_ends_its_tests, lab_set_up_started),
		LAB_TEST(a_request_that_makes_no_sense_is_told, lab_set_up_started),
	};

	return cmocka_run_group_tests_name("proc/ledger_tests", tests, NULL, NULL);
}
