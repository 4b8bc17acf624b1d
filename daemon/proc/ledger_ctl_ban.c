/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_ban - `postern ban`: what may be banned is, in one transaction, and each
 * address is answered for once the kernel has it.
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

#define LENGTH_MAX_S \
	INT64_C(3155760000) /* 100 years, as in durations of the configuration */
#define PROBLEM_MAX 160u
#define NOTE_MAX    320u
#define ROWS_STEP   64u /* rows of one step */

struct ban_request {
	struct addr caller; /* ADDR_NONE: not known */
	bool has_force, is_dry_run;
	int64_t length_s; /* 0: ban-time of each policy */
	const char *reason;
	int policy; /* index; -1: all that are enabled */
};

/* One row of the answer that is known before the kernel is asked: a refusal, or a note. */
struct ban_row {
	struct prefix prefix;
	uint32_t addr;	       /* index into addrs of the request */
	bool is_client;	       /* an IPv6 address became its /64 */
	char why[PROBLEM_MAX]; /* refused; "": not */
};

struct ban_job {
	struct ctl_client *client;
	struct ban_batch *in_flight; /* borrowed: sync owns it; NULL: done */
	struct ban_change *changes;  /* the result */
	size_t count;
	struct ban_row *rows;
	size_t row_count;
	size_t row_at, change_at; /* what has been answered */
	json_t *addrs;		  /* as they were written */
	bool is_dry_run, is_done;
	size_t banned, changed, refused, unstored;
	char reason[DB_WHY_MAX];
};

static void ban_job_free(void *state)
{
	struct ban_job *job = state;

	if (job->in_flight)
		job->in_flight->done = NULL;
	json_decref(job->addrs);
	free(job->changes);
	free(job->rows);
	free(job);
}

/* ---- what may be banned (promise 4) ------------------------------------------------------------ */

static void ban_refuse_protected(const struct protected_prefix *found, struct buf *why)
{
	char addr[PREFIX_TEXT_MAX];

	buf_printf(why, "would hit %s: %s", prefix_format(&found->prefix, addr),
		   found->why);
}

/* Writes why a prefix must not be banned; leaves the text empty if it may. */
static void ban_judge(const struct ledger *ledger, const struct ban_request *request,
		      const struct prefix *prefix, char out_why[PROBLEM_MAX])
{
	const struct protected_prefix *found =
		protected_find(ledger->snapshot.protected_set, prefix);
	struct buf why;

	buf_init(&why, out_why, PROBLEM_MAX);
	if (found)
		ban_refuse_protected(found, &why);
	else if (request->has_force)
		return;
	else if (request->caller.family != ADDR_NONE &&
		 prefix_contains(prefix, &request->caller))
		buf_puts(
			&why,
			"contains the address you are connected from (--force overrides)");
	else if (ban_is_wide(prefix))
		buf_printf(&why, "shorter than /%u (--force overrides)",
			   prefix->addr.family == ADDR_V4 ? LIMITS_SHORTEST_V4
							  : LIMITS_SHORTEST_V6);
}

static bool ban_applies(const struct ledger *ledger, const struct ban_request *request,
			unsigned int policy)
{
	if (request->policy >= 0)
		return (int)policy == request->policy;
	return ledger_conf(ledger)->policies[policy].enabled;
}

/* The changes that ban one prefix in every policy that is meant. */
static void ban_add_changes(const struct ledger *ledger,
			    const struct ban_request *request,
			    const struct prefix *prefix, struct ban_batch *batch)
{
	const struct conf *conf = ledger_conf(ledger);

	for (unsigned int i = 0; i < conf->policy_count; i++) {
		struct prefix_set_item item;
		struct ban_change *change;

		if (!ban_applies(ledger, request, i))
			continue;
		change = batch_add(batch);
		change->prefix = *prefix;
		change->policy = (uint8_t)conf->policies[i].id;
		change->cause = CAUSE_COMMAND;
		bans_fill_set(ledger, change,
			      request->length_s ? request->length_s
						: conf->policies[i].strikes.ban_time_s);
		change->existed =
			prefix_set_get(ledger->set, change->policy, prefix, &item);
	}
}

/* ---- the answer --------------------------------------------------------------------------------- */

/* A longer entry of the list inside a ban still decides: the admin should know. */
static void ban_note(const struct ledger *ledger, const struct ban_change *change,
		     const struct ban_row *row, struct buf *note)
{
	int index = ledger_policy_index(ledger, change->policy);

	if (row->is_client)
		buf_puts(note, "an IPv6 client is its /64; ");
	if (index >= 0 && ledger->snapshot.tables[index] &&
	    prefix_table_has_inside(ledger->snapshot.tables[index], &change->prefix))
		buf_puts(
			note,
			"longer entries of the list inside it still decide for themselves; ");
	if (change->is_unstored)
		buf_puts(
			note,
			"NOT STORED (see the log): ends with the next restart unless the disk has room before; ");
	if (change->is_without_xdp)
		buf_puts(note,
			 "XDP is off: refused at accept, not dropped in the kernel; ");
	if (note->len >= 2)
		note->text[note->len - 2] = '\0';
}

static const char *ban_error_text(int error)
{
	switch (error) {
	case -ENOSPC:
	case -E2BIG:
		return "no room: the limit of bans is reached";
	case -EPERM:
		return "protected address (the keeper refused it)";
	case -ETIMEDOUT:
		return "the keeper did not answer";
	default:
		return strerror(-error);
	}
}

static const char *ban_result(struct ban_job *job, const struct ban_change *change)
{
	if (change->error) {
		job->refused++;
		return "refused";
	}
	if (job->is_dry_run)
		return "would-ban";
	if (change->is_unstored)
		job->unstored++;
	if (change->existed) {
		job->changed++;
		return "changed";
	}
	job->banned++;
	return "banned";
}

/* The reason, and what the admin should know besides. */
static void ban_why(struct ban_job *job, const struct ban_change *change,
		    const struct ban_row *row, struct buf *why)
{
	char text[NOTE_MAX];
	struct buf note = BUF_OVER(text);

	if (change->error) {
		buf_puts(why, ban_error_text(change->error));
		return;
	}
	ban_note(ctl_ledger(job->client), change, row, &note);
	buf_printf(why, "%s%s%s", job->reason, job->reason[0] && text[0] ? "; " : "",
		   text);
}

static void ban_row_change(struct ban_job *job, const struct ban_change *change,
			   const struct ban_row *row)
{
	const struct ledger *ledger = ctl_ledger(job->client);
	const char *result = ban_result(job, change);
	char addr[PREFIX_TEXT_MAX];
	char text[DB_WHY_MAX + NOTE_MAX + 2];
	struct buf why = BUF_OVER(text);

	ban_why(job, change, row, &why);
	ctl_row(job->client,
		json_pack("{s:s, s:s, s:s, s:s, s:o*}", "addr",
			  prefix_format(&change->prefix, addr), "policy",
			  ledger_policy_name(ledger, change->policy), "result", result,
			  "why", text, "ends",
			  change->error ? NULL : args_json_time(change->ends_s)));
}

static void ban_row_refused(struct ban_job *job, const struct ban_row *row)
{
	job->refused++;
	ctl_row(job->client, json_pack("{s:O, s:n, s:s, s:s}", "addr",
				       json_array_get(job->addrs, row->addr), "policy",
				       "result", "refused", "why", row->why));
}

/* The changes of a row follow each other in the result. */
static void ban_answer_row(struct ban_job *job)
{
	const struct ban_row *row = &job->rows[job->row_at++];

	if (row->why[0]) {
		ban_row_refused(job, row);
		return;
	}
	while (job->change_at < job->count &&
	       job->changes[job->change_at].tag == row->addr)
		ban_row_change(job, &job->changes[job->change_at++], row);
}

static bool ban_pump(struct ctl_client *client, void *state)
{
	struct ban_job *job = state;

	if (!job->is_done)
		return false;
	for (size_t i = 0; i < ROWS_STEP && job->row_at < job->row_count; i++)
		ban_answer_row(job);
	if (job->row_at < job->row_count)
		return true;
	if (job->is_dry_run)
		ctl_done(client, job->refused ? CTL_NO : CTL_OK,
			 "dry run: nothing was changed");
	else if (job->unstored)
		ctl_done(client, CTL_NO,
			 "%zu banned, %zu changed, %zu refused; %zu could not be stored",
			 job->banned, job->changed, job->refused, job->unstored);
	else
		ctl_done(client, job->refused ? CTL_NO : CTL_OK,
			 "%zu banned, %zu changed, %zu refused", job->banned,
			 job->changed, job->refused);
	return false;
}

/* ---- doing it ----------------------------------------------------------------------------------- */

static void ban_on_done(void *context, struct ban_batch *batch)
{
	struct ban_job *job = context;

	job->in_flight = NULL;
	job->count = batch->count;
	job->changes = TAKE_PTR(batch->changes);
	job->is_done = true;
	ctl_resume(job->client);
}

/* Reads one address and adds its row, and its changes if it may be banned. */
static void ban_take_addr(struct ban_job *job, const struct ban_request *request,
			  const char *text, struct ban_batch *batch)
{
	struct ledger *ledger = ctl_ledger(job->client);
	struct ban_row *row = &job->rows[job->row_count];
	size_t first = batch->count;
	int err = args_prefix(text, &row->prefix, row->why);

	row->addr = (uint32_t)job->row_count++;
	row->is_client = err == 1;
	if (err < 0)
		return;
	ban_judge(ledger, request, &row->prefix, row->why);
	if (row->why[0])
		return;
	ban_add_changes(ledger, request, &row->prefix, batch);
	for (size_t i = first; i < batch->count; i++)
		batch->changes[i].tag = row->addr;
}

static void ban_begin(struct ctl_client *client, const struct ban_request *request,
		      const json_t *addrs)
{
	struct ledger *ledger = ctl_ledger(client);
	size_t count = json_array_size(addrs);
	AUTO(batch_free)
	struct ban_batch *batch = batch_new(count * ledger_conf(ledger)->policy_count, 1);
	struct ban_job *job = calloc(1, sizeof(*job));
	const json_t *addr;
	size_t i;

	if (job)
		job->rows = calloc(count, sizeof(*job->rows));
	if (!batch || !job || !job->rows) {
		free(job);
		ctl_done(client, CTL_UNREACHABLE, "out of memory");
		return;
	}
	job->client = client;
	job->addrs = json_incref((json_t *)addrs);
	job->is_dry_run = request->is_dry_run;
	(void)text_copy(job->reason, sizeof(job->reason), request->reason);
	(void)text_copy(batch->whys[0], DB_WHY_MAX, request->reason);
	json_array_foreach(addrs, i, addr)
		ban_take_addr(job, request, json_string_value(addr), batch);
	batch->done = ban_on_done;
	batch->context = job;
	ctl_start(client, ban_pump, ban_job_free, job);
	if (request->is_dry_run) {
		ban_on_done(job, batch);
		return;
	}
	job->in_flight = batch;
	bans_commit(ledger, &batch);
}

static int ban_read_length(struct ctl_client *client, const json_t *args,
			   struct ban_request *request)
{
	bool is_forever = false;
	int64_t for_s = 0;

	if (args_number(client, args, "for_s", &for_s) ||
	    args_bool(client, args, "forever", &is_forever))
		return -EINVAL;
	if (for_s < 0 || for_s > LENGTH_MAX_S ||
	    (for_s == 0 && json_is_integer(json_object_get(args, "for_s")))) {
		ctl_done(client, CTL_USAGE, "'for_s' must be 1 second to 100 years");
		return -EINVAL;
	}
	request->length_s = is_forever ? DB_FOREVER_S : for_s;
	return 0;
}

static int ban_read(struct ctl_client *client, const json_t *args,
		    struct ban_request *request)
{
	const char *policy = NULL;

	if (args_text(client, args, "policy", &policy) ||
	    args_text(client, args, "reason", &request->reason) ||
	    args_bool(client, args, "force", &request->has_force) ||
	    args_bool(client, args, "dry_run", &request->is_dry_run) ||
	    args_addr(client, args, "caller", &request->caller) ||
	    ban_read_length(client, args, request))
		return -EINVAL;
	if (strlen(request->reason) >= CTL_REASON_MAX) {
		ctl_done(client, CTL_USAGE, "'reason' is at most %u bytes long",
			 CTL_REASON_MAX - 1);
		return -EINVAL;
	}
	return policy ? args_policy(client, policy, &request->policy) : 0;
}

void ctl_command_ban(struct ctl_client *client, const json_t *args)
{
	struct ban_request request = {.policy = -1, .reason = ""};
	const json_t *addrs = NULL;

	if (ban_read(client, args, &request) || args_addrs(client, args, &addrs))
		return;
	if (!addrs || json_array_size(addrs) == 0)
		ctl_done(client, CTL_USAGE, "'addrs' must name at least one address");
	else
		ban_begin(client, &request, addrs);
}
