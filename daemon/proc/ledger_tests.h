/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_tests - tests that gates run for `postern test`, and who waits for their steps.
 */
#ifndef PROC_LEDGER_TESTS_H
#define PROC_LEDGER_TESTS_H

#include "proc/ledger_state.h"

#define TESTS_MAX 32u /* at a time: one for each control client */

/* A step; the last one says so. NULL: the gate has gone, and nothing more comes. */
typedef void (*test_step_fn)(void *context, const struct msg_test_step *step);

struct tests *tests_new(void);
void tests_free(struct tests **tests);

/**
 * tests_begin - ask a gate.
 * @test: its seq is set here
 *
 * Return: 0; -ENOBUFS, too many run; -ENOTCONN, there is no gate.
 */
int tests_begin(struct ledger *ledger, struct msg_test *test, test_step_fn tell,
		void *context) MUST_CHECK;

/* The context goes: what still comes for it is dropped. */
void tests_forget(struct ledger *ledger, const void *context);

void tests_on_step(struct ledger *ledger, unsigned int gate,
		   const struct msg_test_step *step);
void tests_on_gate_gone(struct ledger *ledger, unsigned int gate);

#endif
