/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_bans - `postern bans`: the store's bans with the kernel's counters, page by page.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/ledger_ask.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_store.h"

#define PAGE_BANS MSG_BANS_MAX

struct bans_job {
	struct ctl_client *client;
	uint32_t policy; /* key; 0: all */
	uint32_t after_policy;
	struct prefix after;
	struct db_ban page[PAGE_BANS];
	size_t count;
	bool is_waiting, is_last;
	size_t unstored; /* how many of those without a place in the store were told */
	size_t total;
};

static void bans_job_free(void *state)
{
	struct bans_job *job = state;

	ask_forget(ctl_ledger(job->client), job);
	free(job);
}

static int bans_on_ban(void *context, const struct db_ban *ban)
{
	struct bans_job *job = context;

	job->page[job->count++] = *ban;
	return 0;
}

/* The counters of a ban, if the kernel has it. */
static const struct msg_ban *bans_counters(const struct msg *answer,
					   const struct db_ban *ban, uint32_t policy)
{
	for (uint32_t i = 0; answer && i < answer->bans.count; i++) {
		const struct msg_ban *found = &answer->bans.bans[i];

		if (!found->error && found->policy == policy &&
		    prefix_equal(&found->prefix, &ban->prefix))
			return found;
	}
	return NULL;
}

static void bans_row(struct bans_job *job, const struct db_ban *ban,
		     const struct msg *answer)
{
	struct ledger *ledger = ctl_ledger(job->client);
	uint32_t id = ledger_policy_of_key(ledger, ban->policy);
	const struct msg_ban *kernel = bans_counters(answer, ban, id);
	const char *name = db_policy_name(store_db(ledger), ban->policy);
	char addr[PREFIX_TEXT_MAX];
	json_t *row;

	if (ban->ends_s <= ledger->now.wall_s)
		return;
	job->total++;
	row = json_pack(
		"{s:s, s:s, s:I, s:o, s:s, s:s, s:I, s:o}", "addr",
		prefix_format(&ban->prefix, addr), "policy", name ? name : "-", "began",
		(json_int_t)ban->began_s, "ends", args_json_time(ban->ends_s), "source",
		args_source_name(ban->source), "why", ban->why, "packets",
		(json_int_t)(kernel ? kernel->packets : 0), "last_seen",
		kernel && kernel->last_seen_ns ? json_integer(ledger_wall_from_boot(
							 ledger, kernel->last_seen_ns))
					       : json_null());
	if (row && id == LEDGER_POLICY_NONE)
		(void)json_object_set_new(
			row, "why",
			json_sprintf("%s (not enforced: the policy is not configured)",
				     ban->why));
	ctl_row(job->client, row);
}

static void bans_on_counters(void *context, const struct msg *answer)
{
	struct bans_job *job = context;

	job->is_waiting = false;
	for (size_t i = 0; i < job->count; i++)
		bans_row(job, &job->page[i], answer);
	ctl_resume(job->client);
}

/* Ask for the counters of a page. */
static void bans_ask(struct bans_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct msg msg = {.type = MSG_BAN_LOOKUP};

	for (size_t i = 0; i < job->count; i++) {
		uint32_t id = ledger_policy_of_key(ledger, job->page[i].policy);

		if (id != LEDGER_POLICY_NONE)
			msg.bans.bans[msg.bans.count++] = (struct msg_ban){
				.prefix = job->page[i].prefix, .policy = (uint8_t)id};
	}
	job->is_waiting = true;
	if (msg.bans.count == 0 || ask_send(ledger, &msg, bans_on_counters, job))
		bans_on_counters(job, NULL);
}

/* A page of bans that wait for room on the disk. false: no more. */
static bool bans_take_unstored(struct bans_job *job)
{
	const struct ledger *ledger = ctl_ledger(job->client);
	struct db_ban stored;

	job->count = 0;
	while (job->count < PAGE_BANS &&
	       store_unstored_ban(ledger, job->unstored, &job->page[job->count])) {
		const struct db_ban *ban = &job->page[job->count];

		job->unstored++;
		/* An earlier ban of this address may be in the store, and was told with it. */
		if (db_ban_get(store_db(ledger), ban->policy, &ban->prefix, &stored) ==
		    -ENOENT)
			job->count++;
	}
	return job->count > 0;
}

static bool bans_pump(struct ctl_client *client, void *state)
{
	struct bans_job *job = state;
	struct ledger *ledger = ctl_ledger(client);
	struct db_range range = {
		.policy = job->policy,
		.after_policy = job->after_policy,
		.after = job->after,
		.max = PAGE_BANS,
	};
	int err;

	if (job->is_waiting)
		return false;
	if (job->is_last && bans_take_unstored(job)) {
		bans_ask(job);
		return true;
	}
	if (job->is_last) {
		ctl_done(client, CTL_OK, "%zu bans", job->total);
		return false;
	}
	job->count = 0;
	err = db_bans_read(store_db(ledger), &range, bans_on_ban, job);
	if (err) {
		store_abort(ledger, err);
		ctl_done(client, CTL_UNREACHABLE, "the store cannot be read: %s",
			 strerror(-err));
		return false;
	}
	job->is_last = job->count < PAGE_BANS;
	if (job->count) {
		job->after_policy = job->page[job->count - 1].policy;
		job->after = job->page[job->count - 1].prefix;
		bans_ask(job);
	}
	return true;
}

void ctl_command_bans(struct ctl_client *client, const json_t *args)
{
	struct bans_job *job;
	uint32_t key = 0;

	if (args_stored_policy(client, args, &key))
		return;
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	job->policy = key;
	ctl_start(client, bans_pump, bans_job_free, job);
}
