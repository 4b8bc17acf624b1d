/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_unban - `postern unban`: every ban inside the ranges that are named, a bounded
 * step at a time, so that a million bans can be lifted by one word.
 *
 * The store is asked, since it also knows the bans of policies that are not configured any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "proc/ledger_bans.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_store.h"
#include "proc/ledger_strikes.h"

#define UNBAN_STEP_MAX 2000u /* bans lifted in one transaction */
#define PROBLEM_MAX    160u
#define ROWS_STEP      64u

struct unban_job {
	struct ctl_client *client;
	json_t *addrs;	 /* NULL: all */
	uint32_t policy; /* key; 0: all */
	bool is_dry_run;
	/* where the search stands */
	size_t addr_at;
	uint32_t key_at; /* next key to search; 0: the address has not been begun */
	struct prefix after;
	bool has_after;	    /* go on behind it */
	size_t unstored_at; /* in the bans that wait for room on the disk */
	size_t found_of_addr;
	/* what one step found, and its answer */
	struct ban_batch *found;     /* being filled */
	struct ban_batch *in_flight; /* borrowed */
	struct ban_change *changes;
	size_t count, change_at;
	struct prefix cleared; /* the client whose strikes were cleared last */
	size_t unbanned, missing, failed;
};

static void unban_job_free(void *state)
{
	struct unban_job *job = state;

	if (job->in_flight)
		job->in_flight->done = NULL;
	json_decref(job->addrs);
	batch_free(&job->found);
	free(job->changes);
	free(job);
}

/* ---- the answer --------------------------------------------------------------------------------- */

static const char *unban_policy_name(const struct unban_job *job,
				     const struct ban_change *change)
{
	const char *name = db_policy_name(store_db(ctl_ledger(job->client)), change->key);

	return name ? name : ledger_policy_name(ctl_ledger(job->client), change->policy);
}

/* Strikes of an address that an admin lets in again count no more. */
static bool unban_clear_strikes(struct unban_job *job, const struct prefix *prefix)
{
	uint8_t client_len = prefix->addr.family == ADDR_V4 ? 32 : CLIENT_V6_LEN;

	if (prefix->len != client_len || job->is_dry_run)
		return false;
	return strikes_clear(ctl_ledger(job->client), prefix);
}

static void unban_row(struct unban_job *job, const struct ban_change *change)
{
	bool is_cleared = unban_clear_strikes(job, &change->prefix);
	char addr[PREFIX_TEXT_MAX];
	json_t *row;

	if (change->error) {
		job->failed++;
		ctl_row(job->client,
			json_pack("{s:s, s:s, s:s, s:s}", "addr",
				  prefix_format(&change->prefix, addr), "policy",
				  unban_policy_name(job, change), "result", "refused",
				  "why", strerror(-change->error)));
		return;
	}
	job->unbanned++;
	row = json_pack("{s:s, s:s, s:s, s:o}", "addr",
			prefix_format(&change->prefix, addr), "policy",
			unban_policy_name(job, change), "result",
			job->is_dry_run ? "would-unban" : "unbanned", "ends",
			args_json_time(change->ends_s));
	if (row && is_cleared)
		(void)json_object_set_new(row, "why",
					  json_string("its strikes were cleared, too"));
	if (row && change->is_unstored) {
		job->failed++;
		(void)json_object_set_new(
			row, "why",
			json_string(
				"NOT STORED (see the log): comes back with the next restart unless the disk has room before"));
	}
	ctl_row(job->client, row);
}

/* A wider ban that holds the address although no ban inside it was found. */
static bool unban_find_wider(const struct unban_job *job, const struct prefix *prefix,
			     struct buf *why)
{
	const struct ledger *ledger = ctl_ledger(job->client);
	const struct conf *conf = ledger_conf(ledger);

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		struct prefix_set_item item;
		char addr[PREFIX_TEXT_MAX];

		if (job->policy && ledger->keys[conf->policies[i].id] != job->policy)
			continue;
		if (!prefix_set_find(ledger->set, conf->policies[i].id, &prefix->addr,
				     ledger->now.boot_ns, &item) ||
		    !prefix_covers(&item.prefix, prefix))
			continue;
		buf_printf(
			why,
			"covered by the ban of %s in policy %s: name that one to lift it",
			prefix_format(&item.prefix, addr), conf->policies[i].name);
		return true;
	}
	return false;
}

static void unban_row_missing(struct unban_job *job, const struct prefix *prefix)
{
	char text[PROBLEM_MAX] = "not banned";
	struct buf why = BUF_OVER(text);
	json_t *row;

	job->missing++;
	if (!unban_find_wider(job, prefix, &why))
		buf_puts(&why, "not banned");
	if (unban_clear_strikes(job, prefix))
		buf_puts(&why, "; its strikes were cleared");
	row = json_pack("{s:O, s:s, s:s}", "addr",
			json_array_get(job->addrs, job->addr_at), "result", "not-found",
			"why", text);
	ctl_row(job->client, row);
}

static void unban_row_wrong(struct unban_job *job, const char *problem)
{
	job->missing++;
	ctl_row(job->client, json_pack("{s:O, s:s, s:s}", "addr",
				       json_array_get(job->addrs, job->addr_at), "result",
				       "not-found", "why", problem));
}

/* ---- the search ---------------------------------------------------------------------------------- */

static int unban_on_ban(void *context, const struct db_ban *ban)
{
	struct unban_job *job = context;
	struct ledger *ledger = ctl_ledger(job->client);
	struct ban_change *change = batch_add(job->found);

	change->prefix = ban->prefix;
	change->key = ban->policy;
	change->policy = (uint8_t)ledger_policy_of_key(ledger, ban->policy);
	change->edit = BAN_EDIT_REMOVE;
	change->cause = CAUSE_COMMAND;
	change->began_s = ban->began_s;
	change->ends_s = ban->ends_s;
	job->after = ban->prefix;
	job->has_after = true;
	job->found_of_addr++;
	return 0;
}

/* In force, and not in the store, where the search has found it? */
static bool unban_is_unstored(const struct ledger *ledger, uint32_t id,
			      const struct prefix *prefix, struct prefix_set_item *item)
{
	struct db_ban ban;

	return prefix_set_get(ledger->set, (uint16_t)id, prefix, item) &&
	       db_ban_get(store_db(ledger), ledger->keys[id], prefix, &ban) == -ENOENT;
}

/* Bans that wait for room on the disk are only in the set. Returns false if the batch is full. */
static bool unban_find_unstored(struct unban_job *job, const struct prefix *inside,
				uint32_t key)
{
	struct ledger *ledger = ctl_ledger(job->client);
	uint32_t id = ledger_policy_of_key(ledger, key);
	size_t at = job->unstored_at;
	struct prefix prefix;

	while (id != LEDGER_POLICY_NONE &&
	       store_unstored_next(ledger, id, &at, &prefix)) {
		struct prefix_set_item item;
		struct ban_change *change;

		if ((inside && !prefix_covers(inside, &prefix)) ||
		    !unban_is_unstored(ledger, id, &prefix, &item))
			continue;
		change = batch_add(job->found);
		if (!change) {
			/* What is lifted meanwhile is not found again; dry, nothing is. */
			job->unstored_at = job->is_dry_run ? at - 1 : 0;
			return false;
		}
		change->prefix = prefix;
		change->key = key;
		change->policy = (uint8_t)id;
		change->edit = BAN_EDIT_REMOVE;
		change->cause = CAUSE_COMMAND;
		change->ends_s = ledger_wall_from_boot(ledger, item.ends_ns);
		job->found_of_addr++;
	}
	job->unstored_at = 0;
	return true;
}

/* Search one range in one policy. Returns true if it is exhausted. -errno on failure in out_error. */
static bool unban_search(struct unban_job *job, const struct prefix *inside,
			 int *out_error)
{
	struct db *db = store_db(ctl_ledger(job->client));
	size_t before = job->found->count;
	struct db_range range = {
		.policy = job->key_at,
		.max = job->found->capacity - job->found->count,
	};

	if (inside)
		range.inside = *inside;
	if (job->has_after) {
		range.after_policy = job->key_at;
		range.after = job->after;
	}
	*out_error = db_bans_read(db, &range, unban_on_ban, job);
	if (*out_error || job->found->count - before == range.max)
		return false;
	return unban_find_unstored(job, inside, job->key_at);
}

/* The next policy to search; false: there is none. */
static bool unban_next_key(struct unban_job *job)
{
	uint32_t count = db_policy_count(store_db(ctl_ledger(job->client)));

	job->has_after = false;
	if (job->policy) {
		bool is_first = job->key_at == 0;

		job->key_at = job->policy;
		return is_first;
	}
	return ++job->key_at <= count;
}

/* Go on with one address (or, without addrs, with everything). true: it is through. */
static bool unban_one(struct unban_job *job, const struct prefix *inside, int *out_error)
{
	if (job->key_at == 0 && !unban_next_key(job))
		return true;
	do {
		if (!unban_search(job, inside, out_error))
			return false;
	} while (unban_next_key(job));
	return true;
}

/* Collect until the batch is full or nothing is left. true: nothing is left. */
static bool unban_collect(struct unban_job *job, int *out_error)
{
	size_t count = job->addrs ? json_array_size(job->addrs) : 1;

	while (job->addr_at < count) {
		struct prefix prefix = {.len = 0};
		char problem[PROBLEM_MAX];
		const char *text =
			json_string_value(json_array_get(job->addrs, job->addr_at));

		/* In between there may be a row of its own for each address. */
		if (!ctl_has_room(job->client) ||
		    job->found->count == job->found->capacity)
			return false;
		if (job->addrs && args_prefix(text, &prefix, problem) < 0) {
			unban_row_wrong(job, problem);
		} else {
			if (!unban_one(job, job->addrs ? &prefix : NULL, out_error))
				return false;
			if (job->addrs && job->found_of_addr == 0)
				unban_row_missing(job, &prefix);
		}
		job->addr_at++;
		job->key_at = 0;
		job->has_after = false;
		job->found_of_addr = 0;
	}
	return true;
}

static void unban_on_done(void *context, struct ban_batch *batch)
{
	struct unban_job *job = context;

	job->in_flight = NULL;
	job->count = batch->count;
	job->change_at = 0;
	job->changes = TAKE_PTR(batch->changes);
	ctl_resume(job->client);
}

static void unban_end(struct unban_job *job)
{
	if (job->is_dry_run)
		ctl_done(job->client, job->missing ? CTL_NO : CTL_OK,
			 "dry run: nothing was changed");
	else
		ctl_done(job->client, job->missing || job->failed ? CTL_NO : CTL_OK,
			 "%zu unbanned, %zu not found%s", job->unbanned, job->missing,
			 job->failed ? ", some failed or could not be stored" : "");
}

/* Lift what was found (or, dry, only tell). */
static void unban_commit(struct unban_job *job)
{
	if (job->is_dry_run) {
		unban_on_done(job, job->found);
		batch_free(&job->found);
		return;
	}
	job->found->done = unban_on_done;
	job->found->context = job;
	job->in_flight = job->found;
	bans_commit(ctl_ledger(job->client), &job->found);
}

static bool unban_step(struct unban_job *job)
{
	bool is_end;
	int err = 0;

	if (!job->found)
		job->found = batch_new(UNBAN_STEP_MAX, 0);
	if (!job->found) {
		ctl_done(job->client, CTL_UNREACHABLE, "out of memory");
		return false;
	}
	is_end = unban_collect(job, &err);
	if (err) {
		store_abort(ctl_ledger(job->client), err);
		ctl_done(job->client, CTL_UNREACHABLE, "the store cannot be read: %s",
			 strerror(-err));
		return false;
	}
	if (job->found->count) {
		unban_commit(job);
		return true;
	}
	if (is_end)
		unban_end(job);
	return !is_end;
}

static bool unban_pump(struct ctl_client *client, void *state)
{
	struct unban_job *job = state;

	(void)client;
	if (job->in_flight)
		return false;
	for (size_t i = 0; i < ROWS_STEP && job->change_at < job->count; i++)
		unban_row(job, &job->changes[job->change_at++]);
	if (job->change_at < job->count)
		return true;
	free_mem(&job->changes);
	job->count = job->change_at = 0;
	return unban_step(job);
}

void ctl_command_unban(struct ctl_client *client, const json_t *args)
{
	struct unban_job *job;
	const json_t *addrs = NULL;
	bool is_dry_run = false;
	uint32_t policy = 0;

	if (args_addrs_or_all(client, args, "unban", &addrs) ||
	    args_bool(client, args, "dry_run", &is_dry_run) ||
	    args_stored_policy(client, args, &policy))
		return;
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	job->addrs = json_incref((json_t *)addrs);
	job->policy = policy;
	job->is_dry_run = is_dry_run;
	ctl_start(client, unban_pump, unban_job_free, job);
}
