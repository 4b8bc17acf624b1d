/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/runner - see the header.
 */
#include "checks/runner.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "checks/ptr.h"
#include "checks/rbl.h"
#include "checks/spf.h"

/* Every check that asks somebody. Those that do not (checks/helo) the gate does itself. */
static const struct check_row {
	enum conf_check check;
	size_t state_bytes; /* of task->state */
	void (*start)(struct task *task);
	void (*stop)(struct task *task); /* lets go of what state owns; NULL: nothing */
} check_table[] = {
	{CHECK_PTR, sizeof(struct ptr_state), ptr_start, NULL},
	{CHECK_RBL, sizeof(struct rbl_work), rbl_start, NULL},
	{CHECK_SPF, sizeof(struct spf_state), spf_start, NULL},
};
#define TABLE_COUNT (sizeof(check_table) / sizeof(check_table[0]))

struct run {
	TAILQ_ENTRY(run) next; /* of those that run, or of the free ones */
	struct runner *runner;
	const struct check_row *row;
	struct task task;
};

TAILQ_HEAD(run_list, run);

struct runner {
	const struct task_world *world;
	runner_answer_fn on_answer;
	void *context;
	uint32_t waiting;
	struct run_list running, unused; /* unused: by now; the one used last is first */
	uint32_t
		fresh; /* from here on none was ever used, and no page of them is there */
	uint32_t runs_max;
	struct run runs[];
};

struct runner *runner_new(const struct task_world *world, uint32_t tasks_max,
			  runner_answer_fn on_answer, void *context)
{
	struct runner *runner;

	runner = calloc(1, sizeof(*runner) + tasks_max * sizeof(runner->runs[0]));
	if (!runner)
		return NULL;
	runner->world = world;
	runner->on_answer = on_answer;
	runner->context = context;
	TAILQ_INIT(&runner->running);
	TAILQ_INIT(&runner->unused);
	runner->runs_max = tasks_max;
	return runner;
}

/* Memory for one more; NULL: all of it is in use. */
static struct run *run_take(struct runner *runner)
{
	struct run *run = TAILQ_FIRST(&runner->unused);

	if (run)
		TAILQ_REMOVE(&runner->unused, run, next);
	else if (runner->fresh < runner->runs_max)
		run = &runner->runs[runner->fresh++];
	return run;
}

static void run_release(struct run *run)
{
	if (run->task.state && run->row->stop)
		run->row->stop(&run->task);
	free_mem(&run->task.state);
}

/* The memory of the run may be used again when this returns. */
static void run_end(struct run *run)
{
	run_release(run);
	TAILQ_REMOVE(&run->runner->running, run, next);
	TAILQ_INSERT_HEAD(&run->runner->unused, run, next);
	run->runner->waiting--;
}

void runner_free(struct runner **runner)
{
	struct run *run;

	while (*runner && (run = TAILQ_FIRST(&(*runner)->running))) {
		task_forget(&run->task);
		run_end(run);
	}
	free_mem(runner);
}

uint32_t runner_waiting(const struct runner *runner)
{
	return runner->waiting;
}

/* A task_finished_fn. */
static void run_on_finished(void *context, const struct check_answer *answer)
{
	struct run *run = context;
	const struct check_request request = run->task.request;
	const struct check_answer copy = *answer;
	struct runner *runner = run->runner;

	run_end(run);
	runner->on_answer(runner->context, &request, &copy);
}

static const struct check_row *row_of(enum conf_check check)
{
	for (size_t i = 0; i < TABLE_COUNT; i++)
		if (check_table[i].check == check)
			return &check_table[i];
	return NULL;
}

/* Everything of the task but its questions, from the beginning. -ENOMEM; -ESTALE. */
static int run_prepare(struct run *run, const struct check_request *request)
{
	struct runner *runner = run->runner;
	const struct conf *conf = runner->world->conf;
	const struct conf_policy *policy =
		conf ? conf_policy_by_id(conf, request->policy_id) : NULL;
	void *state;

	if (!policy)
		return -ESTALE;
	state = calloc(1, run->row->state_bytes);
	if (!state)
		return -ENOMEM;
	run->task = (struct task){
		.world = runner->world,
		.policy = policy,
		.request = *request,
		.state = state,
		.on_finished = run_on_finished,
		.context = run,
	};
	return 0;
}

int runner_start(struct runner *runner, const struct check_request *request)
{
	const struct check_row *row = row_of(request->check);
	struct run *run = row ? run_take(runner) : NULL;
	int err;

	if (!run)
		return row ? -ENOSPC : -ENOENT;
	run->runner = runner;
	run->row = row;
	err = run_prepare(run, request);
	if (err) {
		TAILQ_INSERT_HEAD(&runner->unused, run, next);
		return err;
	}
	TAILQ_INSERT_TAIL(&runner->running, run, next);
	runner->waiting++;
	task_run(&run->task, row->start);
	return 0;
}

static void run_give_up(struct run *run, bool timed_out, const char *why)
{
	struct check_answer answer = {.result = CHECK_UNKNOWN};

	(void)text_copy(answer.evidence, sizeof(answer.evidence), why);
	if (timed_out)
		task_time_out(&run->task);
	run_on_finished(run, &answer);
}

void runner_expire(struct runner *runner, uint64_t now_ns)
{
	struct run *run = TAILQ_FIRST(&runner->running);

	while (run) {
		struct run *next = TAILQ_NEXT(run, next);
		struct task *task = &run->task;

		if (task->request.deadline_ns <= now_ns) {
			run_give_up(run, true, "no answer within the time for checks");
		} else if (task->wake_ns && task->wake_ns <= now_ns) {
			task->wake_ns = 0;
			task_run(task, task->wake);
		}
		run = next;
	}
}

void runner_hold(struct runner *runner)
{
	struct run *run;

	TAILQ_FOREACH(run, &runner->running, next)
	{
		task_forget(&run->task);
	}
}

void runner_restart(struct runner *runner)
{
	struct run *run = TAILQ_FIRST(&runner->running);

	while (run) {
		struct run *next = TAILQ_NEXT(run, next);
		const struct check_request request = run->task.request;

		task_forget(&run->task);
		run_release(run);
		if (run_prepare(run, &request))
			run_give_up(run, false, "its policy has gone");
		else
			task_run(&run->task, run->row->start);
		run = next;
	}
}
