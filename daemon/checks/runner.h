/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/runner - the table of checks, and those that run.
 *
 * A check that has not finished at its deadline is answered as UNKNOWN; what the DNS says later is in the cache
 * of checks/resolver. Called by proc/checker, which owns the clock.
 */
#ifndef CHECKS_RUNNER_H
#define CHECKS_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "checks/check.h"
#include "checks/task.h"

struct runner;

typedef void (*runner_answer_fn)(void *context, const struct check_request *request,
				 const struct check_answer *answer);

/**
 * runner_new - room for so many checks at a time.
 * @world: borrowed; world->conf may change between calls, see runner_restart()
 *
 * Return: the runner; NULL without memory.
 */
struct runner *runner_new(const struct task_world *world, uint32_t tasks_max,
			  runner_answer_fn on_answer, void *context);
void runner_free(struct runner **runner);

/**
 * runner_start - begin one check; its answer may come before this returns.
 *
 * Return: 0; -ENOSPC, as many run as may; -ENOENT, the checker does not do this check; -ENOMEM; -ESTALE, there is
 * no such policy (any more).
 */
int runner_start(struct runner *runner, const struct check_request *request) MUST_CHECK;

/* Wakes the tasks that want it, and answers whatever is past its deadline with UNKNOWN. */
void runner_expire(struct runner *runner, uint64_t now_ns);

/* Nobody waits for the DNS any more, until runner_restart(). */
void runner_hold(struct runner *runner);

/* world->conf is another one: everything that runs begins again. What the DNS has said is in the cache. */
void runner_restart(struct runner *runner);

/* Checks that have not been answered. */
uint32_t runner_waiting(const struct runner *runner);

#endif
