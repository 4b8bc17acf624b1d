/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test - `postern test`: a dialogue with ourselves, to see what a client would get.
 *
 * A test is a session like any other, in the name of the address that is asked about: the same commands, checks
 * and replies. Its two legs end in this process: on the one a script says what the client would say, on the other
 * somebody stands in for the mail host and accepts everything (gate_test_host). What is noted on the way, and each
 * reply, goes to the ledger as a step.
 *
 * Nothing is remembered of it: no strike, no login, no finding, no greylist record, no mail. What does not happen: the
 * TLS handshake (the session is taken to be inside TLS), the client's delays, the mail host's own opinion.
 */
#ifndef PROC_GATE_TEST_H
#define PROC_GATE_TEST_H

#include "base/cleanup.h"
#include "proc/msg.h"

struct gate;
struct session;

#define GATE_TESTS_MAX 32u /* at a time, in one gate: as many as the ledger begins */

/* Asked by the ledger: begin. Each answers with steps, the last of which says so. */
void gate_test_begin(struct gate *gate, const struct msg_test *test);

/* All of them end: the gate does. */
void gate_test_end_all(struct gate *gate);

/* A connection to who stands in for the mail host. @out_fd: owned by the caller. 0; -errno. */
int test_connect(struct session *session, int *out_fd) MUST_CHECK;

#endif
