/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/ptr - see the header.
 */
#include "checks/ptr.h"

#include <assert.h>
#include <string.h>

#include "base/buf.h"
#include "wire/revname.h"

#define QUOTE_MAX 120u /* bytes of a name in the evidence */

static_assert(PTR_NAMES_MAX < TASK_QUESTIONS_MAX, "all at once");

/* The names of the hosts among the PTR records. */
struct ptr_names {
	struct dnsmsg_name first; /* of any kind */
	uint32_t records;
	uint32_t count;
	char text[PTR_NAMES_MAX][DNSMSG_NAME_MAX];
};

static void ptr_finish(struct task *task, enum check_result result, const char *words,
		       const char *name)
{
	struct check_answer answer = {.result = result};
	struct buf buf;

	buf_init(&buf, answer.evidence, sizeof(answer.evidence));
	buf_puts(&buf, words);
	buf_add_escaped(&buf, name, strlen(name), QUOTE_MAX);
	task_finish(task, &answer);
}

/* ---- the way back ------------------------------------------------------------------------------ */

static bool leads_back(const struct task *task, const struct dns_answer *answer)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	dnsmsg_walk_init(&walk, &answer->message);
	while (dnsmsg_walk_next(&walk, &record))
		if (addr_equal(&record.addr, &task->request.client))
			return true;
	return false;
}

static void ptr_on_address(struct task *task, uint32_t tag,
			   const struct dns_answer *answer)
{
	struct ptr_state *state = task->state;

	(void)tag;
	state->pending--;
	if (answer->status == DNS_ANSWER && leads_back(task, answer)) {
		ptr_finish(task, CHECK_CLEAN, "", state->name);
		return;
	}
	state->is_unsure |= answer->why != NULL;
	if (state->pending > 0)
		return;
	if (state->is_unsure)
		ptr_finish(
			task, CHECK_UNKNOWN,
			"it could not be found out whether its name leads back to it: ",
			state->name);
	else
		ptr_finish(task, CHECK_HIT,
			   state->count > 1 ? "none of its names leads back to it: "
					    : "its name does not lead back to it: ",
			   state->name);
}

static void ptr_confirm(struct task *task, const struct ptr_names *names)
{
	const uint16_t type =
		task->request.client.family == ADDR_V4 ? DNSMSG_A : DNSMSG_AAAA;
	struct ptr_state *state = task->state;

	state->pending = state->count = names->count;
	(void)text_copy(state->name, sizeof(state->name), names->text[0]);
	for (uint32_t i = 0; i < names->count && !task->has_finished; i++)
		task_ask(task, names->text[i], type, ptr_on_address, i);
}

/* ---- the names --------------------------------------------------------------------------------- */

static void names_collect(struct ptr_names *names, const struct dnsmsg *message)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	dnsmsg_walk_init(&walk, message);
	while (names->count < PTR_NAMES_MAX && dnsmsg_walk_next(&walk, &record)) {
		if (names->records++ == 0)
			names->first = record.name;
		if (record.name.is_plain &&
		    !hostname_problem(record.name.text, record.name.len))
			memcpy(names->text[names->count++], record.name.text,
			       sizeof(names->text[0]));
	}
}

static void ptr_on_names(struct task *task, uint32_t tag, const struct dns_answer *answer)
{
	struct ptr_names names = {0};
	char question[REVNAME_TEXT_MAX];

	(void)tag;
	if (answer->why) {
		task_finish_unknown(task, answer,
				    revname_of_addr(&task->request.client, question));
		return;
	}
	names_collect(&names, &answer->message);
	if (names.records == 0)
		ptr_finish(task, CHECK_HIT, "no PTR record", "");
	else if (names.count == 0)
		ptr_finish(task, CHECK_HIT,
			   "its PTR record is no name of a host: ", names.first.text);
	else if (task->policy->ptr_forward_confirmed)
		ptr_confirm(task, &names);
	else
		ptr_finish(task, CHECK_CLEAN, "", names.text[0]);
}

void ptr_start(struct task *task)
{
	char question[REVNAME_TEXT_MAX];

	task_ask(task, revname_of_addr(&task->request.client, question), DNSMSG_PTR,
		 ptr_on_names, 0);
}
