/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test_host - who stands in for the mail host in a test: offers what Postfix does, and accepts everything.
 */
#ifndef PROC_GATE_TEST_HOST_H
#define PROC_GATE_TEST_HOST_H

#include "proc/gate_test_state.h"

/* Greet whoever connects. @out_fd: the other end, owned by the caller. 0; -errno. */
int test_host_open(struct gate_test *test, int *out_fd) MUST_CHECK;

/* Deal with what has come by now. */
void test_host_read(struct gate_test *test);

#endif
