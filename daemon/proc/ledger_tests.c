/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_tests - see ledger_tests.h.
 */
#include "proc/ledger_tests.h"

#include <errno.h>
#include <stdlib.h>

#include "proc/channel.h"

struct running_test {
	uint32_t seq; /* 0: free */
	unsigned int gate;
	test_step_fn tell; /* NULL: who asked has gone */
	void *context;
};

struct tests {
	struct running_test running[TESTS_MAX];
	uint32_t last_seq;
};

struct tests *tests_new(void)
{
	return calloc(1, sizeof(struct tests));
}

void tests_free(struct tests **tests)
{
	free(*tests);
	*tests = NULL;
}

static struct running_test *test_find(struct tests *tests, uint32_t seq)
{
	for (size_t i = 0; i < TESTS_MAX; i++)
		if (tests->running[i].seq == seq)
			return &tests->running[i];
	return NULL;
}

int tests_begin(struct ledger *ledger, struct msg_test *test, test_step_fn tell,
		void *context)
{
	struct tests *tests = ledger->tests;
	struct running_test *running = test_find(tests, 0);
	struct msg msg = {.type = MSG_TEST};
	unsigned int gate = 0;

	if (!running)
		return -ENOBUFS;
	while (gate < CONF_GATES_MAX && !ledger->gates[gate])
		gate++;
	if (gate == CONF_GATES_MAX)
		return -ENOTCONN;
	do
		tests->last_seq++;
	while (tests->last_seq == 0 || test_find(tests, tests->last_seq));
	test->seq = tests->last_seq;
	msg.test = *test;
	if (channel_send(ledger->gates[gate], &msg, -1))
		return -ENOTCONN;
	*running = (struct running_test){test->seq, gate, tell, context};
	return 0;
}

void tests_forget(struct ledger *ledger, const void *context)
{
	for (size_t i = 0; i < TESTS_MAX; i++)
		if (ledger->tests->running[i].context == context)
			ledger->tests->running[i].tell = NULL;
}

/* The place is free before the call: it may begin another test. */
static void test_tell(struct running_test *running, const struct msg_test_step *step)
{
	const struct running_test found = *running;

	if (!step || step->last)
		*running = (struct running_test){.seq = 0};
	if (found.tell)
		found.tell(found.context, step);
}

void tests_on_step(struct ledger *ledger, unsigned int gate,
		   const struct msg_test_step *step)
{
	struct running_test *running =
		step->seq ? test_find(ledger->tests, step->seq) : NULL;

	if (running && running->gate == gate)
		test_tell(running, step);
}

void tests_on_gate_gone(struct ledger *ledger, unsigned int gate)
{
	for (size_t i = 0; i < TESTS_MAX; i++)
		if (ledger->tests->running[i].seq &&
		    ledger->tests->running[i].gate == gate)
			test_tell(&ledger->tests->running[i], NULL);
}
