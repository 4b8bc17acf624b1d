/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/runner - see the header.
 */
#include "checks/runner.h"

#include <errno.h>
#include <stdlib.h>

#include "base/buf.h"
#include "checks/ptr.h"
#include "checks/task.h"

/* Every check that asks somebody. Those that do not (checks/helo) the gate does itself. */
static const struct {
	enum conf_check check;
	void (*start)(struct task *task);
} check_table[] = {
	{CHECK_PTR, ptr_start},
};
#define TABLE_COUNT (sizeof(check_table) / sizeof(check_table[0]))

enum run_state {
	RUN_FREE,
	RUN_WAITING, /* not answered */
	RUN_LATE,    /* answered at the deadline; questions are open */
	RUN_OVER,    /* answered; questions may be open */
};

struct run {
	struct task task;
	struct runner *runner;
	struct runner_request request;
	enum run_state state;
};

struct runner {
	struct dns *dns;
	runner_answer_fn on_answer;
	void *context;
	uint32_t run_max, waiting;
	uint32_t hint; /* where the search for a free one begins */
	struct run runs[];
};

struct runner *runner_new(struct dns *dns, uint32_t tasks_max, runner_answer_fn on_answer,
			  void *context)
{
	struct runner *runner;

	runner = calloc(1, sizeof(*runner) + tasks_max * sizeof(runner->runs[0]));
	if (!runner)
		return NULL;
	runner->dns = dns;
	runner->run_max = tasks_max;
	runner->on_answer = on_answer;
	runner->context = context;
	return runner;
}

void runner_free(struct runner **runner)
{
	free_mem(runner);
}

uint32_t runner_waiting(const struct runner *runner)
{
	return runner->waiting;
}

static void run_on_finished(void *context, struct task *task,
			    const struct check_answer *answer)
{
	struct run *run = context;
	bool is_late = run->state == RUN_LATE;

	(void)task;
	run->state = RUN_OVER;
	if (!is_late)
		run->runner->waiting--;
	run->runner->on_answer(run->runner->context, &run->request, answer, is_late);
}

static void run_on_idle(void *context, struct task *task)
{
	struct run *run = context;

	(void)task;
	run->state = RUN_FREE;
}

static struct run *runner_take(struct runner *runner)
{
	for (uint32_t i = 0; i < runner->run_max; i++) {
		struct run *run = &runner->runs[(runner->hint + i) % runner->run_max];

		if (run->state != RUN_FREE)
			continue;
		runner->hint = (runner->hint + i + 1) % runner->run_max;
		return run;
	}
	return NULL;
}

int runner_start(struct runner *runner, const struct runner_request *request)
{
	struct run *run;
	size_t i = 0;

	while (i < TABLE_COUNT && check_table[i].check != request->check)
		i++;
	if (i == TABLE_COUNT)
		return -ENOENT;
	run = runner_take(runner);
	if (!run)
		return -ENOSPC;
	*run = (struct run){
		.task = {.dns = runner->dns,
			 .client = request->client,
			 .on_finished = run_on_finished,
			 .on_idle = run_on_idle,
			 .context = run},
		.runner = runner,
		.request = *request,
		.state = RUN_WAITING,
	};
	runner->waiting++;
	task_run(&run->task, check_table[i].start);
	return 0;
}

void runner_expire(struct runner *runner, uint64_t now_ns)
{
	struct check_answer answer = {.result = CHECK_UNKNOWN, .timed_out = true};

	(void)text_copy(answer.evidence, sizeof(answer.evidence),
			"no answer within the time for checks");
	for (uint32_t i = 0; i < runner->run_max && runner->waiting > 0; i++) {
		struct run *run = &runner->runs[i];

		if (run->state != RUN_WAITING || run->request.deadline_ns > now_ns)
			continue;
		run->state = RUN_LATE;
		runner->waiting--;
		runner->on_answer(runner->context, &run->request, &answer, false);
	}
}
