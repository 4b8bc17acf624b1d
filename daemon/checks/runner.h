/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/runner - the table of checks, and those that run.
 *
 * All memory is taken at start. A check that has not finished at its deadline is answered as UNKNOWN; what it
 * finds out later is told as well, for the cache. Called by proc/checker, which owns the clock.
 */
#ifndef CHECKS_RUNNER_H
#define CHECKS_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "checks/check.h"
#include "policy/conf.h"
#include "sys/dns.h"

struct runner;

struct runner_request {
	struct addr client;
	enum conf_check check;
	uint32_t gate; /* whom to answer; not looked at here */
	uint64_t session_id;
	uint64_t deadline_ns; /* monotonic clock */
};

/* @is_late: the request was answered at its deadline already. */
typedef void (*runner_answer_fn)(void *context, const struct runner_request *request,
				 const struct check_answer *answer, bool is_late);

/**
 * runner_new - room for so many checks at a time.
 * @dns: borrowed; must be closed before the runner is freed
 *
 * Return: the runner; NULL without memory.
 */
struct runner *runner_new(struct dns *dns, uint32_t tasks_max, runner_answer_fn on_answer,
			  void *context);
void runner_free(struct runner **runner);

/**
 * runner_start - begin one check; its answer may come before this returns.
 *
 * Return: 0; -ENOSPC, as many run as may; -ENOENT, the checker does not do this check.
 */
int runner_start(struct runner *runner, const struct runner_request *request) MUST_CHECK;

/* Answers whatever is past its deadline with UNKNOWN. */
void runner_expire(struct runner *runner, uint64_t now_ns);

/* Checks that have not been answered. */
uint32_t runner_waiting(const struct runner *runner);

#endif
