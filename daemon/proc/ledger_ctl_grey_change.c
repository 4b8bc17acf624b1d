/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_grey_change - `postern greylist pass` and `postern greylist forget`.
 *
 * A million rows are forgotten a bounded step at a time, each step a transaction.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "policy/greylist_key.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_ctl_grey.h"
#include "proc/ledger_grey_store.h"
#include "sys/db.h"

#define FORGET_STEP_ROWS 128u
#define PROBLEM_MAX	 160u

/* ---- pass --------------------------------------------------------------------------------------- */

struct pass_list {
	struct prefix prefixes[CTL_ADDRS_MAX];
	bool was_there[CTL_ADDRS_MAX];
	size_t count;
};

/* What passes: an address alone stands for its network. */
static int pass_read_one(const char *text, struct prefix *out_prefix,
			 char problem[PROBLEM_MAX])
{
	int err = args_prefix(text, out_prefix, problem);

	if (err < 0)
		return err;
	if (!strchr(text, '/'))
		*out_prefix = grey_network_of(&out_prefix->addr);
	return 0;
}

/* false: the client has been told what is wrong; nothing is changed then. */
static bool pass_read(struct ctl_client *client, const json_t *addrs,
		      struct pass_list *list)
{
	char problem[PROBLEM_MAX];
	const json_t *addr;
	size_t i;

	json_array_foreach(addrs, i, addr)
	{
		if (pass_read_one(json_string_value(addr), &list->prefixes[i], problem)) {
			ctl_done(client, CTL_USAGE, "address %zu: %s", i + 1, problem);
			return false;
		}
		list->was_there[i] =
			grey_store_has_pass(ctl_ledger(client), &list->prefixes[i]);
		list->count++;
	}
	return true;
}

/* for_s, forever; else for as long as a proven sender would pass. false: the client has been told. */
static bool pass_read_end(struct ctl_client *client, const json_t *args,
			  int64_t *out_ends_s)
{
	const struct ledger *ledger = ctl_ledger(client);
	int64_t for_s = grey_lifetime_s(ledger);
	bool is_forever = false;

	if (args_number(client, args, "for_s", &for_s) ||
	    args_bool(client, args, "forever", &is_forever))
		return false;
	if (for_s < 1) {
		ctl_done(client, CTL_USAGE, "'for_s' must be 1 or more");
		return false;
	}
	*out_ends_s = is_forever || for_s > DB_FOREVER_S - ledger->now.wall_s
			      ? DB_FOREVER_S
			      : ledger->now.wall_s + for_s;
	return true;
}

static void pass_answer(struct ctl_client *client, const struct pass_list *list,
			int64_t ends_s)
{
	char addr[PREFIX_TEXT_MAX];

	for (size_t i = 0; i < list->count; i++)
		ctl_row(client,
			json_pack("{s:s, s:s, s:o}", "addr",
				  prefix_format(&list->prefixes[i], addr), "result",
				  list->was_there[i] ? "changed" : "passes", "ends",
				  args_json_time(ends_s)));
	ctl_done(client, CTL_OK, "%zu pass", list->count);
}

void ctl_command_greylist_pass(struct ctl_client *client, const json_t *args)
{
	AUTO(free_mem) struct pass_list *list = ctl_job_new(client, sizeof(*list));
	const json_t *addrs = NULL;
	int64_t ends_s = 0;
	int err;

	if (!list)
		return;
	if (args_addrs(client, args, &addrs) || !pass_read_end(client, args, &ends_s))
		return;
	if (json_array_size(addrs) == 0) {
		ctl_done(client, CTL_USAGE, "'addrs' must say what passes");
		return;
	}
	if (!pass_read(client, addrs, list))
		return;
	err = grey_store_pass(ctl_ledger(client), list->prefixes, list->count, ends_s);
	if (err == -ENOSPC)
		ctl_done(client, CTL_NO,
			 "no room: at most %u prefixes may pass by command",
			 GREY_COMMANDS_MAX);
	else if (err)
		ctl_done(client, CTL_UNREACHABLE, "the store cannot be written: %s",
			 strerror(-err));
	else
		pass_answer(client, list, ends_s);
}

/* ---- forget ------------------------------------------------------------------------------------- */

struct forget_job {
	struct ctl_client *client;
	json_t *addrs; /* NULL: all */
	size_t addr_at;
	struct db_grey_cursor cursor; /* in the rows of the present address */
	struct db_grey_row rows[FORGET_STEP_ROWS];
	size_t row_count;
	size_t gone_of_addr, gone, missing;
};

static void forget_job_free(void *state)
{
	struct forget_job *job = state;

	json_decref(job->addrs);
	free(job);
}

static int forget_on_row(void *context, const struct db_grey_row *row)
{
	struct forget_job *job = context;

	job->rows[job->row_count++] = *row;
	return 0;
}

/* One step. 0; -errno. */
static int forget_step(struct forget_job *job, const struct db_grey_range *range)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct db_grey *db = grey_store_look(ledger);
	int err;

	job->row_count = 0;
	if (!db) {
		job->cursor.is_end = true;
		return 0;
	}
	err = db_grey_read(db, range, &job->cursor, forget_on_row, job);
	for (size_t i = 0; !err && i < job->row_count; i++)
		err = db_grey_remove(db, &job->rows[i]);
	if (err) {
		grey_store_abort(ledger, err);
		return err;
	}
	err = grey_store_commit(ledger, true);
	if (err)
		return err;
	for (size_t i = 0; i < job->row_count; i++)
		if (job->rows[i].kind == DB_GREY_COMMAND)
			grey_store_pass_ended(ledger, &job->rows[i].origin.network);
	job->gone_of_addr += job->row_count;
	job->gone += job->row_count;
	return 0;
}

static void forget_answer(struct forget_job *job, const struct prefix *network,
			  const char *problem)
{
	char addr[PREFIX_TEXT_MAX];

	if (job->gone_of_addr == 0)
		job->missing++;
	ctl_row(job->client,
		json_pack("{s:o, s:s, s:I, s:s}", "addr",
			  network->addr.family == ADDR_NONE
				  ? json_incref(json_array_get(job->addrs, job->addr_at))
				  : json_string(prefix_format(network, addr)),
			  "result", job->gone_of_addr ? "forgotten" : "not-found", "rows",
			  (json_int_t)job->gone_of_addr, "why", problem));
}

/* A step of the present address (or of all). false: it failed, and the client has been told. */
static bool forget_range(struct forget_job *job, const struct grey_range *range)
{
	const struct db_grey_range step = grey_db_range(range, FORGET_STEP_ROWS);
	int err = forget_step(job, &step);

	if (err)
		ctl_done(job->client, CTL_UNREACHABLE, "the store cannot be written: %s",
			 strerror(-err));
	return err == 0;
}

static void forget_end(struct forget_job *job)
{
	ctl_done(job->client, job->missing ? CTL_NO : CTL_OK, "%zu forgotten", job->gone);
}

static bool forget_pump(struct ctl_client *client, void *state)
{
	struct forget_job *job = state;
	struct grey_range range = {.domain = ""};
	char problem[PROBLEM_MAX] = "";
	bool is_wrong;

	(void)client;
	is_wrong = job->addrs && grey_read_range(json_string_value(json_array_get(
							 job->addrs, job->addr_at)),
						 &range, problem);
	if (!is_wrong && !forget_range(job, &range))
		return false;
	if (!is_wrong && !job->cursor.is_end)
		return true;
	if (job->addrs)
		forget_answer(job, &range.inside, problem);
	job->gone_of_addr = 0;
	job->cursor = (struct db_grey_cursor){.is_end = false};
	if (job->addrs && ++job->addr_at < json_array_size(job->addrs))
		return true;
	forget_end(job);
	return false;
}

void ctl_command_greylist_forget(struct ctl_client *client, const json_t *args)
{
	struct forget_job *job;
	const json_t *addrs = NULL;

	if (args_addrs_or_all(client, args, "forget", &addrs))
		return;
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	job->addrs = json_incref((json_t *)addrs);
	ctl_start(client, forget_pump, forget_job_free, job);
}
