/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task - see the header.
 */
#include "checks/task.h"

#include "base/buf.h"

static void task_settle(struct task *task)
{
	if (!task->has_finished || task->is_busy)
		return;
	for (size_t i = 0; i < TASK_QUESTIONS_MAX; i++)
		if (task->questions[i].reply)
			return;
	task->on_idle(task->context, task);
}

static void task_on_reply(void *context, enum dns_status status, const uint8_t *bytes,
			  size_t len)
{
	struct task_question *question = context;
	struct task *task = question->task;
	task_reply_fn reply = question->reply;
	bool nested = task->is_busy;

	question->reply = NULL;
	task->is_busy = true; /* what the reply asks may be replied to at once */
	if (!task->has_finished)
		reply(task, status, bytes, len);
	task->is_busy = nested;
	task_settle(task);
}

void task_ask(struct task *task, const char *name, uint16_t type, task_reply_fn reply)
{
	for (size_t i = 0; i < TASK_QUESTIONS_MAX; i++) {
		struct task_question *question = &task->questions[i];

		if (question->reply)
			continue;
		*question = (struct task_question){.task = task, .reply = reply};
		dns_ask(task->dns, name, type, task_on_reply, question);
		return;
	}
	reply(task, DNS_FAILED, NULL, 0);
}

void task_finish(struct task *task, const struct check_answer *answer)
{
	if (task->has_finished)
		return;
	task->has_finished = true;
	task->on_finished(task->context, task, answer);
	task_settle(task);
}

void task_finish_unknown(struct task *task, enum dns_status status, const char *name)
{
	struct check_answer answer = {.result = CHECK_UNKNOWN,
				      .timed_out = status == DNS_TIMED_OUT};
	struct buf buf;

	buf_init(&buf, answer.evidence, sizeof(answer.evidence));
	buf_printf(&buf, "%s: %s",
		   answer.timed_out ? "no resolver answered" : "the resolver failed",
		   name);
	task_finish(task, &answer);
}

void task_run(struct task *task, void (*start)(struct task *task))
{
	task->is_busy = true;
	start(task);
	task->is_busy = false;
	task_settle(task);
}
