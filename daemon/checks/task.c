/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/task - see the header.
 */
#include "checks/task.h"

#include "base/buf.h"

/* On the way out of the check's code. The task is gone afterwards if it has finished. */
static void task_leave(struct task *task)
{
	task->busy--;
	if (task->has_finished && task->busy == 0)
		task->on_finished(task->context, &task->answer);
}

/* A resolver_reply_fn. */
static void task_on_reply(void *context, const struct dns_answer *answer)
{
	struct task_question *question = context;
	struct task *task = question->task;
	task_reply_fn reply = question->reply;

	question->reply = NULL;
	task->busy++;
	reply(task, question->tag, answer);
	task_leave(task);
}

void task_ask(struct task *task, const char *name, uint16_t type, task_reply_fn reply,
	      uint32_t tag)
{
	static const struct dns_answer too_many = {
		.status = DNS_FAILED,
		.why = "not asked: too many questions of one check"};

	if (task->has_finished)
		return;
	for (size_t i = 0; i < TASK_QUESTIONS_MAX; i++) {
		struct task_question *question = &task->questions[i];

		if (question->reply)
			continue;
		*question = (struct task_question){
			.wait = {.reply = task_on_reply, .context = question},
			.task = task,
			.reply = reply,
			.tag = tag,
		};
		resolver_ask(task->world->resolver, &question->wait, name, type);
		return;
	}
	reply(task, tag, &too_many);
}

static void question_drop(struct task *task, struct task_question *question,
			  bool timed_out)
{
	if (!question->reply)
		return;
	question->reply = NULL;
	if (timed_out)
		resolver_give_up(task->world->resolver, &question->wait);
	else
		resolver_cancel(&question->wait);
}

void task_give_up(struct task *task, uint32_t tag)
{
	for (size_t i = 0; i < TASK_QUESTIONS_MAX; i++)
		if (task->questions[i].tag == tag)
			question_drop(task, &task->questions[i], true);
}

static void questions_drop(struct task *task, bool timed_out)
{
	for (size_t i = 0; i < TASK_QUESTIONS_MAX; i++)
		question_drop(task, &task->questions[i], timed_out);
	task->wake_ns = 0;
}

void task_forget(struct task *task)
{
	questions_drop(task, false);
}

void task_time_out(struct task *task)
{
	questions_drop(task, true);
}

void task_wake_after(struct task *task, uint64_t ms, task_wake_fn wake)
{
	task->wake_ns = resolver_now_ns(task->world->resolver) + ms * 1000000u;
	task->wake = wake;
}

void task_finish(struct task *task, const struct check_answer *answer)
{
	if (task->has_finished)
		return;
	task->has_finished = true;
	task->answer = *answer;
	task_forget(task);
}

void task_finish_unknown(struct task *task, const struct dns_answer *reply,
			 const char *name)
{
	struct check_answer answer = {.result = CHECK_UNKNOWN};
	struct buf buf;

	buf_init(&buf, answer.evidence, sizeof(answer.evidence));
	buf_printf(&buf, "%s: %s", reply->why ? reply->why : "no usable answer", name);
	task_finish(task, &answer);
}

void task_run(struct task *task, void (*code)(struct task *task))
{
	task->busy++;
	code(task);
	task_leave(task);
}
