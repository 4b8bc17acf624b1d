/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task - one check of one client while it runs: what a check may do.
 *
 * A check asks with task_ask(), may be woken at some time, and ends with task_finish(), from its start function
 * or from any reply. What it remembers meanwhile is in task->state. Asynchronous; no log, no clock of its own. The
 * runner owns the memory, which is gone when the check has finished and its code has returned.
 */
#ifndef CHECKS_TASK_H
#define CHECKS_TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "checks/check.h"
#include "checks/resolver.h"

#define TASK_QUESTIONS_MAX 16u /* open at a time, of one check */

struct task;
struct rbl_lists;

/*
 * @tag: as given to task_ask().
 * Not called any more once the task has finished.
 */
typedef void (*task_reply_fn)(struct task *task, uint32_t tag,
			      const struct dns_answer *answer);
typedef void (*task_wake_fn)(struct task *task);
typedef void (*task_finished_fn)(void *context, const struct check_answer *answer);

/* What all checks share. */
struct task_world {
	struct resolver *resolver;
	struct rbl_lists *lists; /* of checks/rbl */
	const struct conf *conf; /* NULL: none yet */
};

struct task_question {
	struct resolver_wait wait;
	struct task *task;
	task_reply_fn reply; /* NULL: not in use */
	uint32_t tag;
};

struct task {
	const struct task_world *world;
	const struct conf_policy *policy; /* of the request; its settings */
	struct check_request request;
	void *state;	   /* memory of the check, zero at its start */
	uint64_t wake_ns;  /* 0: not to be woken */
	task_wake_fn wake; /* called by the runner */
	uint32_t busy;	   /* its code runs, so many levels up the stack */
	bool has_finished;
	struct check_answer answer;
	struct task_question questions[TASK_QUESTIONS_MAX];
	task_finished_fn on_finished; /* its code has returned; nothing of it is open */
	void *context;
};

/**
 * task_ask - ask the DNS.
 * @reply: called once, perhaps before this returns, unless the task finishes first
 * @tag: handed to @reply; and for task_drop()
 *
 * With TASK_QUESTIONS_MAX open ones the reply is DNS_FAILED at once.
 */
void task_ask(struct task *task, const char *name, uint16_t type, task_reply_fn reply,
	      uint32_t tag);

/* Wait no longer for the questions with this tag, since no answer came in time. */
void task_give_up(struct task *task, uint32_t tag);

/* Wait no longer for any: their answers do not matter any more. Nobody wakes the task either. */
void task_forget(struct task *task);

/* Call @wake once when so much time has passed. Replaces an earlier call. */
void task_wake_after(struct task *task, uint64_t ms, task_wake_fn wake);

/* End the check. @answer: copied. A second call is ignored. */
void task_finish(struct task *task, const struct check_answer *answer);

/* End it as UNKNOWN, because of a reply that says nothing about the name asked for. */
void task_finish_unknown(struct task *task, const struct dns_answer *reply,
			 const char *name);

/* Runner: run code of the check; on_finished comes when the outermost call returns. */
void task_run(struct task *task, void (*code)(struct task *task));

/* Runner: as task_forget(), but since time was up. */
void task_time_out(struct task *task);

#endif
