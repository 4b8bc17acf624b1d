/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_verify - `postern verify`: store, set and kernel compared, ban by ban; the lists
 * and services by the keeper.
 *
 * While it looks, bans come and go. So what seems to differ is only noted at first, and asked for once
 * more at the end; a ban of which a change is still on its way is asked for again later.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/ledger_ask.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_report.h"
#include "proc/ledger_store.h"
#include "proc/ledger_sync.h"

#define SUSPECTS_MAX \
	1024u /* differences that are looked at; more are only said to be there */
#define STORE_STEP  1024u /* bans of one step */
#define ROUNDS_MAX  30u	  /* a second each, for bans that change all the time */
#define TOLERANCE_S 3 /* the store has seconds, and the wall clock may be disciplined */

enum verify_phase {
	VERIFY_STORE,  /* every ban of the store is in the set */
	VERIFY_SET,    /* every ban of the set is in the kernel, page by page */
	VERIFY_KERNEL, /* every ban of the kernel is in the set */
	VERIFY_SUSPECTS,
	VERIFY_KEEPER, /* lists and services */
};

struct suspect {
	struct prefix prefix;
	uint8_t policy;
};

struct verify_job {
	struct ctl_client *client;
	enum verify_phase phase;
	bool is_waiting, is_begun; /* is_begun: of the phase */
	uint32_t after_policy;
	struct prefix after;
	size_t cursor, step_count;
	struct suspect *suspects;
	size_t suspect_count, suspect_at, overflow;
	size_t suspect_kept; /* for the next round */
	unsigned int rounds;
	struct msg page; /* the question that is out */
	struct report *report;
	size_t problems, stored;
};

static void verify_job_free(void *state)
{
	struct verify_job *job = state;

	ask_forget(ctl_ledger(job->client), job);
	if (ctl_ledger(job->client)->walker == job)
		ctl_ledger(job->client)->walker = NULL;
	report_free(&job->report);
	free(job->suspects);
	free(job);
}

static void verify_suspect(struct verify_job *job, const struct prefix *prefix,
			   uint8_t policy)
{
	if (job->suspect_count == SUSPECTS_MAX) {
		job->overflow++;
		return;
	}
	job->suspects[job->suspect_count++] = (struct suspect){*prefix, policy};
}

static void verify_row(struct verify_job *job, const char *where,
		       const struct suspect *suspect, const char *problem)
{
	char addr[PREFIX_TEXT_MAX];

	job->problems++;
	ctl_row(job->client,
		json_pack("{s:s, s:s, s:s, s:s}", "where", where, "addr",
			  prefix_format(&suspect->prefix, addr), "policy",
			  ledger_policy_name(ctl_ledger(job->client), suspect->policy),
			  "problem", problem));
}

static void verify_fail(struct verify_job *job, const char *what, int error)
{
	ctl_done(job->client, CTL_UNREACHABLE, "%s: %s", what, strerror(-error));
}

/* The next phase begins. */
static void verify_next(struct verify_job *job)
{
	job->phase++;
	job->is_begun = false;
	job->cursor = 0;
}

/* What was waited for is over; false: the keeper let its time go by, and so ends the job. */
static bool verify_has_answer(struct verify_job *job, const struct msg *answer)
{
	job->is_waiting = false;
	if (!answer)
		verify_fail(job, "the keeper did not answer", -ETIMEDOUT);
	return answer != NULL;
}

/* ---- the store against the set --------------------------------------------------------------------- */

static bool verify_apart(int64_t a_s, int64_t b_s)
{
	if (a_s == DB_FOREVER_S || b_s == DB_FOREVER_S)
		return a_s != b_s;
	return (a_s > b_s ? a_s - b_s : b_s - a_s) > TOLERANCE_S;
}

static int verify_on_stored(void *context, const struct db_ban *ban)
{
	struct verify_job *job = context;
	const struct ledger *ledger = ctl_ledger(job->client);
	uint32_t id = ledger_policy_of_key(ledger, ban->policy);
	struct prefix_set_item item;

	job->after_policy = ban->policy;
	job->after = ban->prefix;
	job->step_count++;
	if (id == LEDGER_POLICY_NONE || ban->ends_s <= ledger->now.wall_s)
		return 0;
	job->stored++;
	if (!prefix_set_get(ledger->set, (uint16_t)id, &ban->prefix, &item) ||
	    verify_apart(ledger_wall_from_boot(ledger, item.ends_ns), ban->ends_s))
		verify_suspect(job, &ban->prefix, (uint8_t)id);
	return 0;
}

static bool verify_store(struct verify_job *job)
{
	struct db_range range = {.after_policy = job->after_policy,
				 .after = job->after,
				 .max = STORE_STEP};
	int err;

	job->step_count = 0;
	err = db_bans_read(store_db(ctl_ledger(job->client)), &range, verify_on_stored,
			   job);
	if (err) {
		store_abort(ctl_ledger(job->client), err);
		verify_fail(job, "the store cannot be read", err);
		return false;
	}
	if (job->step_count < STORE_STEP)
		verify_next(job);
	return true;
}

/* ---- the set against the kernel ---------------------------------------------------------------------- */

static void verify_on_counters(void *context, const struct msg *answer)
{
	struct verify_job *job = context;
	const struct ledger *ledger = ctl_ledger(job->client);

	if (!verify_has_answer(job, answer))
		return;
	for (uint32_t i = 0; i < answer->bans.count; i++) {
		const struct msg_ban *found = &answer->bans.bans[i];
		struct prefix_set_item item;

		if (!prefix_set_get(ledger->set, found->policy, &found->prefix, &item))
			continue;
		if (found->error || found->ends_ns != item.ends_ns)
			verify_suspect(job, &found->prefix, found->policy);
	}
	ctl_resume(job->client);
}

static bool verify_ask(struct verify_job *job, ask_fn answered)
{
	int err = ask_send(ctl_ledger(job->client), &job->page, answered, job);

	if (err) {
		verify_fail(job, "the keeper cannot be asked", err);
		return false;
	}
	job->is_waiting = true;
	return true;
}

/* One page of the set: in the store, and in the kernel? */
static bool verify_set(struct verify_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct prefix_set_item items[MSG_BANS_MAX];
	size_t count = 0;

	if (job->is_begun && job->cursor == 0) {
		verify_next(job);
		return true;
	}
	job->is_begun = true;
	job->cursor =
		prefix_set_walk(ledger->set, job->cursor, items, MSG_BANS_MAX, &count);
	job->page = (struct msg){.type = MSG_BAN_LOOKUP};
	for (size_t i = 0; i < count; i++) {
		struct msg_ban *asked = &job->page.bans.bans[job->page.bans.count++];
		struct db_ban ban;

		asked->prefix = items[i].prefix;
		asked->policy = (uint8_t)items[i].group;
		if (db_ban_get(store_db(ledger), ledger->keys[items[i].group],
			       &items[i].prefix, &ban))
			verify_suspect(job, &items[i].prefix, asked->policy);
	}
	return count == 0 || verify_ask(job, verify_on_counters);
}

/* ---- the kernel against the set ------------------------------------------------------------------------ */

static bool verify_ask_walk(struct verify_job *job, bool restart);

static void verify_on_page(void *context, const struct msg *answer)
{
	struct verify_job *job = context;
	const struct ledger *ledger = ctl_ledger(job->client);

	if (!verify_has_answer(job, answer))
		return;
	/* Taken by a repair: a page may be missing. */
	if (ledger->walker != job) {
		job->is_begun = false;
		return;
	}
	for (uint32_t i = 0; i < answer->bans.count; i++) {
		const struct msg_ban *found = &answer->bans.bans[i];
		struct prefix_set_item item;

		if (found->ends_ns > ledger->now.boot_ns &&
		    !prefix_set_get(ledger->set, found->policy, &found->prefix, &item))
			verify_suspect(job, &found->prefix, found->policy);
	}
	if (answer->bans.last) {
		ctl_ledger(job->client)->walker = NULL;
		verify_next(job);
	}
	ctl_resume(job->client);
}

static bool verify_ask_walk(struct verify_job *job, bool restart)
{
	job->page = (struct msg){.type = MSG_BAN_WALK, .ban_walk.restart = restart};
	return verify_ask(job, verify_on_page);
}

static bool verify_kernel(struct verify_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	bool restart;

	/* One at a time: the tick wakes us. */
	if (ledger->walker != job)
		job->is_begun = false;
	if (ledger->walker && ledger->walker != job)
		return false;
	restart = !job->is_begun;
	ledger->walker = job;
	job->is_begun = true;
	return verify_ask_walk(job, restart);
}

/* ---- what seemed to differ, once more ------------------------------------------------------------------- */

static void verify_judge(struct verify_job *job, const struct suspect *suspect,
			 const struct msg_ban *kernel)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct prefix_set_item item;
	struct db_ban ban;
	bool in_set =
		prefix_set_get(ledger->set, suspect->policy, &suspect->prefix, &item) &&
		item.ends_ns > ledger->now.boot_ns;
	bool in_store = db_ban_get(store_db(ledger), ledger->keys[suspect->policy],
				   &suspect->prefix, &ban) == 0 &&
			ban.ends_s > ledger->now.wall_s;
	bool in_kernel = !kernel->error && kernel->ends_ns > ledger->now.boot_ns;

	if (in_store && !in_set)
		verify_row(job, "store", suspect, "in the store, but not enforced");
	else if (in_set && !in_store)
		verify_row(job, "store", suspect, "enforced, but not in the store");
	else if (in_set &&
		 verify_apart(ledger_wall_from_boot(ledger, item.ends_ns), ban.ends_s))
		verify_row(job, "store", suspect,
			   "ends at another time than enforced (was the clock set?)");
	/* That there is no XDP at all is said once, by the keeper. */
	if (ledger->is_without_xdp)
		return;
	if (in_set && !in_kernel)
		verify_row(job, "kernel", suspect, "not in the kernel");
	else if (!in_set && in_kernel)
		verify_row(job, "kernel", suspect, "in the kernel, but not banned");
	else if (in_set && kernel->ends_ns != item.ends_ns)
		verify_row(job, "kernel", suspect, "ends at another time in the kernel");
}

static void verify_on_suspects(void *context, const struct msg *answer)
{
	struct verify_job *job = context;

	if (!verify_has_answer(job, answer))
		return;
	for (uint32_t i = 0;
	     i < answer->bans.count && job->suspect_at < job->suspect_count; i++) {
		const struct suspect suspect = job->suspects[job->suspect_at++];

		/* What is not on its way now was answered before this answer was made. */
		if (sync_is_pending(ctl_ledger(job->client), &suspect.prefix,
				    suspect.policy))
			job->suspects[job->suspect_kept++] = suspect;
		else
			verify_judge(job, &suspect, &answer->bans.bans[i]);
	}
	ctl_resume(job->client);
}

static int verify_compare(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct suspect));
}

/* Both sides may have noted the same ban. */
static void verify_sort(struct verify_job *job)
{
	size_t kept = 0;

	qsort(job->suspects, job->suspect_count, sizeof(job->suspects[0]),
	      verify_compare);
	for (size_t i = 0; i < job->suspect_count; i++) {
		if (kept == 0 ||
		    verify_compare(&job->suspects[kept - 1], &job->suspects[i]) != 0)
			job->suspects[kept++] = job->suspects[i];
	}
	job->suspect_count = kept;
}

/* true: go on at once; false: the tick wakes us for the next round. */
static bool verify_end_round(struct verify_job *job)
{
	if (job->suspect_kept && ++job->rounds < ROUNDS_MAX) {
		job->suspect_count = job->suspect_kept;
		job->suspect_at = job->suspect_kept = 0;
		return false;
	}
	job->overflow += job->suspect_kept;
	verify_next(job);
	return true;
}

static bool verify_suspects(struct verify_job *job)
{
	if (!job->is_begun)
		verify_sort(job);
	job->is_begun = true;
	if (job->suspect_at == job->suspect_count)
		return verify_end_round(job);
	job->page = (struct msg){.type = MSG_BAN_LOOKUP};
	for (size_t i = job->suspect_at;
	     i < job->suspect_count && job->page.bans.count < MSG_BANS_MAX; i++)
		job->page.bans.bans[job->page.bans.count++] =
			(struct msg_ban){.prefix = job->suspects[i].prefix,
					 .policy = job->suspects[i].policy};
	return verify_ask(job, verify_on_suspects);
}

/* ---- the keeper's part ------------------------------------------------------------------------------------ */

static void verify_end(struct verify_job *job)
{
	if (job->overflow)
		ctl_done(job->client, CTL_NO,
			 "%zu differences, and %zu bans not looked at twice",
			 job->problems, job->overflow);
	else if (job->problems)
		ctl_done(job->client, CTL_NO, "%zu differences", job->problems);
	else
		ctl_done(job->client, CTL_OK, "store and kernel agree: %zu bans",
			 job->stored);
}

static void verify_on_report(void *context, int error, const char *text)
{
	struct verify_job *job = context;
	json_t *report = error ? NULL : json_loads(text, 0, NULL);
	const json_t *rows =
		json_is_object(report) ? json_object_get(report, "rows") : report;
	json_t *row;
	size_t i;

	if (!json_is_array(rows)) {
		json_decref(report);
		ctl_done(job->client, CTL_UNREACHABLE,
			 "the keeper could not compare lists: %s",
			 error ? text : "its answer cannot be read");
		return;
	}
	json_array_foreach(rows, i, row)
	{
		job->problems++;
		ctl_row(job->client, json_incref(row));
	}
	json_decref(report);
	verify_end(job);
}

static bool verify_keeper(struct verify_job *job)
{
	const struct msg_order order = {.kind = ORDER_VERIFY};

	job->is_waiting = true;
	if (report_order(ctl_ledger(job->client), &order, verify_on_report, job,
			 &job->report))
		ctl_done(job->client, CTL_UNREACHABLE, "the keeper cannot be asked");
	return false;
}

static bool verify_pump(struct ctl_client *client, void *state)
{
	struct verify_job *job = state;

	(void)client;
	if (job->is_waiting)
		return false;
	switch (job->phase) {
	case VERIFY_STORE:
		return verify_store(job);
	case VERIFY_SET:
		return verify_set(job);
	case VERIFY_KERNEL:
		return verify_kernel(job);
	case VERIFY_SUSPECTS:
		return verify_suspects(job);
	case VERIFY_KEEPER:
		return verify_keeper(job);
	}
	return false;
}

void ctl_command_verify(struct ctl_client *client, const json_t *args)
{
	struct verify_job *job = calloc(1, sizeof(*job));

	(void)args;
	if (job)
		job->suspects = calloc(SUSPECTS_MAX, sizeof(*job->suspects));
	if (!job || !job->suspects) {
		free(job);
		ctl_done(client, CTL_UNREACHABLE, "out of memory");
		return;
	}
	job->client = client;
	ctl_start(client, verify_pump, verify_job_free, job);
}
