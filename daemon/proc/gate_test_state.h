/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test_state - what a test keeps while it runs; for gate_test and its parts.
 */
#ifndef PROC_GATE_TEST_STATE_H
#define PROC_GATE_TEST_STATE_H

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/msg.h"
#include "wire/smtp_reply.h"

#define TEST_INPUT_MAX 8192u /* of one side, not yet dealt with */

struct gate;
struct session;

enum test_stage {
	TEST_BANNER,
	TEST_EHLO,
	TEST_AUTH,
	TEST_MAIL,
	TEST_RCPT,
	TEST_DATA,
	TEST_STAGE_COUNT,
};

/* Our end of one of the session's two legs. */
struct test_end {
	int fd;		     /* owned; -1: none */
	struct event *event; /* owned; NULL: none */
	char in[TEST_INPUT_MAX];
	size_t in_len;
};

struct gate_test {
	struct gate *gate;
	struct session *session; /* NULL: over, or not begun */
	struct msg_test request; /* seq 0: the place is free */
	enum test_stage stage;	 /* what the reply is awaited to */
	uint32_t noted; /* checks of which a step tells; bits 1 << enum conf_check */
	struct test_end client, host;
	bool has_data; /* what comes to the host now is of the message */
	struct smtp_reply_parser replies;
	char reply[MSG_TEST_TEXT_MAX]; /* as far as it has come, escaped */
	struct event *deadline;	       /* owned */
};

/* A step, sent to the ledger. */
void test_step(struct gate_test *test, const char *step, const char *result,
	       const char *text);

/* The same of a check, with its mode. */
void test_step_check(struct gate_test *test, enum conf_check check, const char *result,
		     const char *evidence);

/**
 * test_end_open - a pair of sockets: one end is ours, with an event for what comes.
 * @end: nothing in it
 * @on_readable: called with @test
 * @out_fd: the other end, owned by the caller
 *
 * Return: 0; -errno.
 */
int test_end_open(struct gate_test *test, struct test_end *end,
		  event_callback_fn on_readable, int *out_fd) MUST_CHECK;
void test_end_close(struct test_end *end);

/* Read what has come. Return: false, the other side has closed, or says too much. */
bool test_end_read(struct test_end *end);

/* The first bytes are done with. */
void test_end_drop(struct test_end *end, size_t len);

/* Say something; it fits, as nobody says much. */
void test_end_say(struct test_end *end, const char *text, size_t len);

#endif
