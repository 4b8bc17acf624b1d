/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl - see the header.
 */
#include "checks/rbl.h"

#include <string.h>

#include "base/buf.h"
#include "checks/rbl_lists.h"
#include "wire/revname.h"

#define NS_IN_MS UINT64_C(1000000)
#define SPARE_MS \
	100u /* before the deadline of the connection's checks: what is known then counts */
#define TXT_MAX	 4096u /* bytes of a TXT record that are looked at */
#define TAG_TEXT CONF_POLICY_RBLS_MAX

static enum rbl_family family_of(const struct task *task)
{
	return task->request.client.family == ADDR_V4 ? RBL_V4 : RBL_V6;
}

/* Until the check has to have ended. */
static uint64_t left_ms(const struct task *task)
{
	const uint64_t end_ns = task->request.deadline_ns - SPARE_MS * NS_IN_MS;
	const uint64_t now_ns = resolver_now_ns(task->world->resolver);

	return now_ns < end_ns ? (end_ns - now_ns) / NS_IN_MS : 0;
}

static const struct conf_rbl *list_of(const struct task *task, uint32_t index)
{
	const struct rbl_work *work = task->state;

	return &task->world->conf->rbls[work->lists[index]];
}

/* ---- evidence ---------------------------------------------------------------------------------- */

/* "zen, spamcop and 2 more": the lists in a state. */
static void names_put(struct buf *out, const struct task *task, enum rbl_state state)
{
	const struct rbl_work *work = task->state;
	uint32_t count = 0;

	for (uint32_t i = 0; i < work->count; i++) {
		if (work->votes[i].state != state ||
		    (state == RBL_LISTED && work->votes[i].weight < 0))
			continue;
		if (count++ < RBL_NAMES_MAX)
			buf_printf(out, "%s%s", count > 1 ? ", " : "",
				   list_of(task, i)->name);
	}
	if (count > RBL_NAMES_MAX)
		buf_printf(out, " and %u more", count - RBL_NAMES_MAX);
}

static void finish_hit(struct task *task, const char *text, size_t len)
{
	struct check_answer answer = {.result = CHECK_HIT};
	struct buf out;

	buf_init(&out, answer.evidence, sizeof(answer.evidence));
	buf_puts(&out, "listed by ");
	names_put(&out, task, RBL_LISTED);
	if (len > 0) {
		buf_puts(&out, ": ");
		buf_add_escaped(&out, text, len, RBL_TEXT_MAX);
	}
	task_finish(task, &answer);
}

static void finish_other(struct task *task, enum check_result result, int32_t sum)
{
	struct check_answer answer = {.result = result};
	struct buf out;

	buf_init(&out, answer.evidence, sizeof(answer.evidence));
	if (result == CHECK_UNKNOWN) {
		buf_puts(&out, "no usable reply of ");
		names_put(&out, task, RBL_UNKNOWN);
	} else if (sum > 0) {
		buf_puts(&out, "listed by ");
		names_put(&out, task, RBL_LISTED);
		buf_printf(&out, ", %d of %u", sum, task->policy->rbl_threshold);
	}
	task_finish(task, &answer);
}

/* ---- the text of the list ---------------------------------------------------------------------- */

static void rbl_on_text(struct task *task, uint32_t tag, const struct dns_answer *answer)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	char text[TXT_MAX];
	int len = 0;

	(void)tag;
	dnsmsg_walk_init(&walk, &answer->message);
	if (dnsmsg_walk_next(&walk, &record))
		len = dnsmsg_text(&record, text, sizeof(text));
	finish_hit(task, text, len > 0 ? (size_t)len : 0);
}

static void rbl_on_text_late(struct task *task)
{
	finish_hit(task, NULL, 0);
}

static void ask_text(struct task *task)
{
	const struct rbl_work *work = task->state;
	char name[REVNAME_TEXT_MAX];
	uint32_t heaviest = 0;

	for (uint32_t i = 1; i < work->count; i++)
		if (work->votes[i].state == RBL_LISTED &&
		    (work->votes[heaviest].state != RBL_LISTED ||
		     work->votes[i].weight > work->votes[heaviest].weight))
			heaviest = i;
	task_wake_after(
		task, left_ms(task) < RBL_TEXT_WAIT_MS ? left_ms(task) : RBL_TEXT_WAIT_MS,
		rbl_on_text_late);
	task_ask(task,
		 revname_in_zone(&task->request.client, list_of(task, heaviest)->zone,
				 name),
		 DNSMSG_TXT, rbl_on_text, TAG_TEXT);
}

/* ---- the sum ----------------------------------------------------------------------------------- */

static void rbl_settle(struct task *task)
{
	struct rbl_work *work = task->state;
	int32_t sum;

	if (work->is_asking || work->is_decided)
		return;
	switch (rbl_decide(work->votes, work->count, (int32_t)task->policy->rbl_threshold,
			   &sum)) {
	case RBL_OUTCOME_OPEN:
		break;
	case RBL_OUTCOME_HIT:
		work->is_decided = true;
		task_forget(
			task); /* what the others would say does not matter any more */
		ask_text(task);
		break;
	case RBL_OUTCOME_CLEAN:
		finish_other(task, CHECK_CLEAN, sum);
		break;
	case RBL_OUTCOME_UNKNOWN:
		finish_other(task, CHECK_UNKNOWN, sum);
		break;
	}
}

/* ---- the lists --------------------------------------------------------------------------------- */

static enum rbl_state state_of(const struct conf_rbl *rbl,
			       const struct dns_answer *answer)
{
	enum rbl_state state = RBL_NOT_LISTED;
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	if (answer->why)
		return RBL_UNKNOWN;
	dnsmsg_walk_init(&walk, &answer->message);
	while (dnsmsg_walk_next(&walk, &record))
		switch (rbl_reply_of(&record.addr, rbl->replies, rbl->reply_count)) {
		case RBL_REPLY_LISTED:
			return RBL_LISTED;
		case RBL_REPLY_OTHER:
			break;
		case RBL_REPLY_ERROR:
		case RBL_REPLY_ALIEN:
			state = RBL_UNKNOWN;
			break;
		}
	return state;
}

static void vote_set(struct task *task, uint32_t index, enum rbl_state state)
{
	struct rbl_work *work = task->state;

	work->votes[index].state = (uint8_t)state;
	if (state == RBL_UNKNOWN)
		rbl_lists_suspect(task->world->lists, work->lists[index],
				  family_of(task));
}

static void rbl_on_reply(struct task *task, uint32_t tag, const struct dns_answer *answer)
{
	vote_set(task, tag, state_of(list_of(task, tag), answer));
	rbl_settle(task);
}

static void wake_for_next(struct task *task);

/* How long a list may still take. */
static uint64_t list_left_ms(const struct task *task, uint32_t index)
{
	const struct rbl_work *work = task->state;
	const uint64_t now_ns = resolver_now_ns(task->world->resolver);
	const uint64_t waited_ms = (now_ns - work->began_ns) / NS_IN_MS;
	const uint64_t timeout_ms = (uint64_t)list_of(task, index)->timeout_s * 1000;
	const uint64_t all_ms = left_ms(task);
	const uint64_t own_ms = waited_ms < timeout_ms ? timeout_ms - waited_ms : 0;

	return own_ms < all_ms ? own_ms : all_ms;
}

/* A task_wake_fn: the time of a list is up. */
static void rbl_on_late(struct task *task)
{
	struct rbl_work *work = task->state;

	for (uint32_t i = 0; i < work->count; i++) {
		if (work->votes[i].state != RBL_PENDING || list_left_ms(task, i) > 0)
			continue;
		task_give_up(task, i);
		vote_set(task, i, RBL_UNKNOWN);
	}
	wake_for_next(task);
	rbl_settle(task);
}

/* When the time of the next list is up. */
static void wake_for_next(struct task *task)
{
	const struct rbl_work *work = task->state;
	uint64_t next_ms = UINT64_MAX;

	for (uint32_t i = 0; i < work->count; i++)
		if (work->votes[i].state == RBL_PENDING &&
		    list_left_ms(task, i) < next_ms)
			next_ms = list_left_ms(task, i);
	if (next_ms != UINT64_MAX)
		task_wake_after(task, next_ms, rbl_on_late);
}

/* The lists of the policy that can be asked about this client. */
static void work_fill(struct rbl_work *work, const struct task *task)
{
	const struct conf *conf = task->world->conf;
	const enum rbl_family family = family_of(task);

	for (uint8_t i = 0; i < conf->rbl_count; i++) {
		const struct conf_rbl *rbl = &conf->rbls[i];
		enum rbl_health health;

		if (!(task->policy->rbls & UINT32_C(1) << i) ||
		    work->count == CONF_POLICY_RBLS_MAX)
			continue;
		health = rbl_lists_report(task->world->lists, i, family)->health;
		if (health == RBL_SUSPENDED || health == RBL_UNUSED)
			continue;
		work->lists[work->count] = i;
		work->votes[work->count++] = (struct rbl_vote){
			.weight = rbl->type == RBL_ALLOW ? -(int32_t)rbl->weight
							 : (int32_t)rbl->weight,
			.state = health == RBL_WORKS ? RBL_PENDING : RBL_UNKNOWN,
		};
	}
}

static void lists_ask(struct task *task)
{
	struct rbl_work *work = task->state;

	work->is_asking =
		true; /* replies may come at once: they are summed up when all are asked */
	for (uint32_t i = 0; i < work->count; i++) {
		char name[REVNAME_TEXT_MAX];

		if (work->votes[i].state != RBL_PENDING)
			continue;
		task_ask(task,
			 revname_in_zone(&task->request.client, list_of(task, i)->zone,
					 name),
			 DNSMSG_A, rbl_on_reply, i);
	}
	work->is_asking = false;
}

void rbl_start(struct task *task)
{
	struct rbl_work *work = task->state;

	work->began_ns = resolver_now_ns(task->world->resolver);
	work_fill(work, task);
	/* Without those that are suspended the others may not reach the threshold: nobody is asked in vain. */
	if (rbl_decide(work->votes, work->count, (int32_t)task->policy->rbl_threshold,
		       NULL) == RBL_OUTCOME_OPEN) {
		lists_ask(task);
		wake_for_next(task);
	}
	rbl_settle(task);
}
