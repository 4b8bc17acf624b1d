/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task - one check of one client while it runs: what a check may do.
 *
 * A check asks with task_ask() and ends with task_finish(), from its start function or from any reply.
 * Asynchronous; no log, no clock. The runner owns the memory; a task that has finished lives on until the
 * last of its questions has been replied to, since the DNS cannot take a question back.
 */
#ifndef CHECKS_TASK_H
#define CHECKS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "checks/check.h"
#include "sys/dns.h"

#define TASK_QUESTIONS_MAX 4u /* open at a time, of one check */

struct task;

/* A reply; not called any more once the task has finished. Arguments as in sys/dns. */
typedef void (*task_reply_fn)(struct task *task, enum dns_status status,
			      const uint8_t *bytes, size_t len);
typedef void (*task_finished_fn)(void *context, struct task *task,
				 const struct check_answer *answer);
/* No question is open any more, and it has finished. The memory may be used again. */
typedef void (*task_idle_fn)(void *context, struct task *task);

struct task_question {
	struct task *task;
	task_reply_fn reply; /* NULL: not in use */
};

struct task {
	struct dns *dns;
	struct addr client;
	bool has_finished;
	bool is_busy; /* its code runs, further up the stack: it is not idle yet */
	struct task_question questions[TASK_QUESTIONS_MAX];
	task_finished_fn on_finished;
	task_idle_fn on_idle;
	void *context;
};

/**
 * task_ask - ask the DNS.
 * @reply: called once, perhaps before this returns; then the task may have finished: touch it no more
 *
 * With TASK_QUESTIONS_MAX open ones the reply is DNS_FAILED at once.
 */
void task_ask(struct task *task, const char *name, uint16_t type, task_reply_fn reply);

/* End the check. @answer: borrowed. A second call is ignored. */
void task_finish(struct task *task, const struct check_answer *answer);

/* End it as UNKNOWN, because of a reply that says nothing about the name asked for. */
void task_finish_unknown(struct task *task, enum dns_status status, const char *name);

/* Runner: run the start function of a check on a task whose other members are filled in. */
void task_run(struct task *task, void (*start)(struct task *task));

#endif
