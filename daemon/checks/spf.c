/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf - see the header.
 */
#include "checks/spf.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"

#define NS_PER_MS UINT64_C(1000000)
#define SPARE_NS \
	(100 * NS_PER_MS) /* a fail is told so long before the time for checks is over */

static_assert(CHECK_WORDS_MAX >= SPF_EXPLANATION_MAX, "an answer holds an explanation");

enum spf_turn {
	SPF_TURN_WAIT, /* a question is open */
	SPF_TURN_ASK,
	SPF_TURN_OVER,
};

static void spf_finish(struct task *task)
{
	static const enum check_result results[SPF_RESULT_COUNT] = {
		[SPF_NONE] = CHECK_CLEAN,    [SPF_PASS] = CHECK_CLEAN,
		[SPF_FAIL] = CHECK_HIT,	     [SPF_SOFTFAIL] = CHECK_HIT,
		[SPF_NEUTRAL] = CHECK_CLEAN, [SPF_TEMPERROR] = CHECK_UNKNOWN,
		[SPF_PERMERROR] = CHECK_HIT,
	};
	const struct spf_state *state = task->state;
	const struct spf_eval *eval = &state->eval;
	struct check_answer answer = {.result = results[eval->result],
				      .spf = eval->result};

	(void)text_copy(answer.evidence, sizeof(answer.evidence),
			eval->problem[0] ? eval->problem : eval->mechanism);
	(void)text_copy(answer.words, sizeof(answer.words), eval->explanation);
	task_finish(task, &answer);
}

/* The result is known, and the words of the domain are awaited: not for long. */
static void spf_on_late(struct task *task)
{
	const struct spf_state *state = task->state;

	if (state->eval.has_result)
		spf_finish(task);
}

static void spf_hurry(struct task *task)
{
	const uint64_t now_ns = resolver_now_ns(task->world->resolver);
	const uint64_t end_ns = task->request.deadline_ns;
	uint64_t ms = 1;

	if (task->wake_ns)
		return;
	if (end_ns > now_ns + SPARE_NS)
		ms += (end_ns - now_ns - SPARE_NS) / NS_PER_MS;
	task_wake_after(task, ms < SPF_EXPLAIN_MS ? ms : SPF_EXPLAIN_MS, spf_on_late);
}

static void spf_go(struct task *task);

static void spf_on_answer(struct task *task, uint32_t tag,
			  const struct dns_answer *answer)
{
	struct spf_state *state = task->state;

	(void)tag;
	state->turn = spf_eval_go_on(&state->eval, answer) ? SPF_TURN_ASK : SPF_TURN_OVER;
	spf_go(task);
}

/* What is in the cache is answered before task_ask() returns: a loop, or the stack would grow with each. */
static void spf_go(struct task *task)
{
	struct spf_state *state = task->state;

	if (state->is_going)
		return;
	state->is_going = true;
	while (state->turn == SPF_TURN_ASK) {
		state->turn = SPF_TURN_WAIT;
		if (state->eval.has_result)
			spf_hurry(task);
		task_ask(task, state->eval.question, state->eval.type, spf_on_answer, 0);
	}
	state->is_going = false;
	if (state->turn == SPF_TURN_OVER)
		spf_finish(task);
}

static struct spf_text text_of(const char *text)
{
	return (struct spf_text){text, strlen(text)};
}

void spf_start(struct task *task)
{
	const struct check_sender *from = &task->request.sender;
	struct spf_state *state = task->state;
	struct spf_sender sender = {
		.client = task->request.client,
		.local = text_of(from->local),
		.domain = text_of(from->domain[0] ? from->domain : from->helo),
		.helo = text_of(from->helo),
		.receiver = text_of(task->world->conf->hostname),
		.now_s = task->request.asked_wall_s,
	};

	state->turn =
		spf_eval_begin(&state->eval, &sender) ? SPF_TURN_ASK : SPF_TURN_OVER;
	spf_go(task);
}

enum spf_action spf_decide(const struct conf_policy *policy, enum spf_result result)
{
	static const enum spf_action softfail[] = {
		[SPF_SOFTFAIL_ACCEPT] = SPF_ACCEPT,
		[SPF_SOFTFAIL_REJECT] = SPF_REJECT,
		[SPF_SOFTFAIL_GREYLIST] = SPF_GREYLIST,
	};

	switch (result) {
	case SPF_FAIL:
		return SPF_REJECT;
	case SPF_SOFTFAIL:
		return softfail[policy->spf_softfail];
	case SPF_PERMERROR:
		return policy->spf_permerror_reject ? SPF_REJECT : SPF_ACCEPT;
	case SPF_TEMPERROR:
		return policy->spf_temperror_defer ? SPF_DEFER : SPF_ACCEPT;
	case SPF_NONE:
	case SPF_PASS:
	case SPF_NEUTRAL:
	case SPF_RESULT_COUNT:
	default:
		return SPF_ACCEPT;
	}
}
