/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_status - `postern status`, `postern sessions` and `postern reload`: what keeper
 * and gates are asked for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "proc/ledger_checker.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_ctl_grey.h"
#include "proc/ledger_ctl_show.h"
#include "proc/ledger_events.h"
#include "proc/ledger_findings.h"
#include "proc/ledger_gather.h"
#include "proc/ledger_grey_store.h"
#include "proc/ledger_recent.h"
#include "proc/ledger_report.h"
#include "proc/ledger_store.h"
#include "proc/ledger_strikes.h"

#define WARNING_MAX 300u

struct status_job {
	struct ctl_client *client;
	struct report *report; /* on its way */
	json_t *status;	       /* what the keeper said; NULL: not yet */
	size_t sessions;
	unsigned int missing;
	bool has_sessions, has_report;
};

static bool status_pump(struct ctl_client *client, void *state)
{
	(void)client;
	(void)state;
	return false; /* the answers of keeper and gates end it */
}

static void status_job_free(void *state)
{
	struct status_job *job = state;

	report_free(&job->report);
	gather_forget(ctl_ledger(job->client), job);
	json_decref(job->status);
	free(job);
}

static struct status_job *status_job_new(struct ctl_client *client)
{
	struct status_job *job = ctl_job_new(client, sizeof(*job));

	if (!job)
		return NULL;
	job->client = client;
	ctl_start(client, status_pump, status_job_free, job);
	return job;
}

/* ---- status ---------------------------------------------------------------------------------------- */

static json_t *status_store(struct ledger *ledger)
{
	struct db_size size = {0};
	int err = db_size_read(store_db(ledger), &size);

	if (err)
		store_abort(ledger, err);
	return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I}", "state",
			 store_state_name(store_state(ledger)), "path", LEDGER_DB_PATH,
			 "bytes", (json_int_t)size.file_bytes, "strikes",
			 (json_int_t)size.strikes, "history", (json_int_t)size.history,
			 "unstored", (json_int_t)store_unstored(ledger));
}

static void status_add_path(struct ledger *ledger, json_t *store)
{
	const char *dir = ledger_conf(ledger)->state_dir;
	json_t *path = json_sprintf("%s/%s", dir, LEDGER_DB_PATH);

	if (path)
		(void)json_object_set_new(store, "path", path);
}

static void status_warn(json_t *status, const char *sentence)
{
	json_t *warnings = json_object_get(status, "warnings");

	if (!json_is_array(warnings)) {
		warnings = json_array();
		(void)json_object_set_new(status, "warnings", warnings);
	}
	(void)json_array_append_new(warnings, json_string(sentence));
}

static void status_add_warnings(struct status_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);

	if (store_state(ledger) == STORE_SET_ASIDE)
		status_warn(
			job->status,
			"the store was damaged and set aside at the start: bans were taken over from the kernel, history and strikes were lost");
	if (store_state(ledger) == STORE_READ_ONLY)
		status_warn(
			job->status,
			"the store cannot be written: no ban survives the next restart");
	if (store_unstored(ledger))
		status_warn(
			job->status,
			"some bans could not be stored (disk full?): they end with the next restart");
	if (grey_store_state(ledger) == GREY_STORE_FAILING)
		status_warn(
			job->status,
			"the store of greylisting fails (see the log): who is not known is let through");
	for (size_t at = 0;;) {
		char warning[WARNING_MAX];

		at = ledger_checker_warning(ledger, at, warning, sizeof(warning));
		if (!warning[0])
			break;
		status_warn(job->status, warning);
	}
	if (job->missing)
		status_warn(job->status,
			    "a gate did not answer: the number of sessions is too low");
}

/* What checks found, into the keeper's objects of the policies. */
static void status_add_findings(const struct ledger *ledger, json_t *status)
{
	json_t *policy;
	size_t i;

	json_array_foreach(json_object_get(status, "policies"), i, policy)
	{
		const json_int_t id = json_integer_value(json_object_get(policy, "id"));

		(void)json_object_set_new(policy, "checks",
					  findings_counts(ledger, (uint32_t)id));
	}
}

/* Our own part over the keeper's. */
static void status_end_if_complete(struct status_job *job)
{
	struct ledger *ledger = ctl_ledger(job->client);
	const struct conf *conf = ledger_conf(ledger);
	json_t *store;

	if (!job->has_report || !job->has_sessions)
		return;
	store = status_store(ledger);
	status_add_path(ledger, store);
	status_add_findings(ledger, job->status);
	(void)json_object_set_new(job->status, "dns", ledger_checker_dns(ledger));
	(void)json_object_set_new(job->status, "rbls", ledger_checker_lists(ledger));
	(void)json_object_update_new(
		job->status,
		json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
			  "version", POSTERN_VERSION, "hostname", conf->hostname,
			  "generation", (json_int_t)conf->generation, "bans",
			  (json_int_t)prefix_set_count(ledger->set), "bans_max",
			  (json_int_t)conf->limits.bans_max, "strikes",
			  (json_int_t)strikes_clients(ledger), "sessions",
			  (json_int_t)job->sessions, "logins",
			  (json_int_t)recent_clients(ledger), "logins_open",
			  (json_int_t)recent_open(ledger), "store", store, "greylist",
			  grey_status(ledger)));
	if (!json_object_get(job->status, "started"))
		(void)json_object_set_new(job->status, "started",
					  json_integer(ledger->started_wall_s));
	status_add_warnings(job);
	ctl_done_with(job->client, CTL_OK, "status", TAKE_PTR(job->status));
}

static void status_on_report(void *context, int error, const char *text)
{
	struct status_job *job = context;

	job->has_report = true;
	job->status = error ? NULL : json_loads(text, 0, NULL);
	if (!json_is_object(job->status)) {
		json_decref(job->status);
		job->status = json_object();
		status_warn(job->status, "the keeper's part is missing");
	}
	status_end_if_complete(job);
}

static void status_on_session(void *context, const struct msg_session *session,
			      unsigned int missing)
{
	struct status_job *job = context;

	if (session) {
		job->sessions++;
		return;
	}
	job->missing = missing;
	job->has_sessions = true;
	status_end_if_complete(job);
}

void ctl_command_status(struct ctl_client *client, const json_t *args)
{
	const struct msg_order order = {.kind = ORDER_STATUS};
	struct status_job *job = status_job_new(client);

	(void)args;
	if (!job)
		return;
	if (report_order(ctl_ledger(client), &order, status_on_report, job,
			 &job->report)) {
		ctl_done(client, CTL_UNREACHABLE, "the keeper cannot be asked");
		return;
	}
	if (gather_begin(ctl_ledger(client), status_on_session, job))
		status_on_session(job, NULL, 1);
}

/* ---- sessions --------------------------------------------------------------------------------------- */

static void sessions_on_session(void *context, const struct msg_session *session,
				unsigned int missing)
{
	struct status_job *job = context;

	if (session) {
		job->sessions++;
		ctl_row(job->client, show_session(ctl_ledger(job->client), session));
		return;
	}
	if (missing)
		ctl_done(job->client, CTL_UNREACHABLE,
			 "%zu sessions; %u gates did not answer in time", job->sessions,
			 missing);
	else
		ctl_done(job->client, CTL_OK, "%zu sessions", job->sessions);
}

void ctl_command_sessions(struct ctl_client *client, const json_t *args)
{
	struct status_job *job = status_job_new(client);

	(void)args;
	if (job && gather_begin(ctl_ledger(client), sessions_on_session, job))
		ctl_done(client, CTL_UNREACHABLE, "too many ask for sessions at once");
}

/* ---- reload, confirm ----------------------------------------------------------------------------------------- */

static void reload_on_report(void *context, int error, const char *text)
{
	struct status_job *job = context;

	if (!error)
		events_message(ctl_ledger(job->client), "reload", text);
	if (error == -ETIMEDOUT)
		ctl_done(job->client, CTL_UNREACHABLE,
			 "the keeper did not answer in time");
	else
		ctl_done(job->client, error ? CTL_NO : CTL_OK, "%s", text);
}

static void order_send(struct ctl_client *client, const struct msg_order *order)
{
	struct status_job *job = status_job_new(client);

	if (job &&
	    report_order(ctl_ledger(client), order, reload_on_report, job, &job->report))
		ctl_done(client, CTL_UNREACHABLE, "the keeper cannot be asked");
}

/* Who asks, and whether he may be locked out. 0; other: the client has been told. */
static int args_caller(struct ctl_client *client, const json_t *args,
		       struct msg_order *order)
{
	bool has_force = false;

	if (args_bool(client, args, "force", &has_force) ||
	    args_addr(client, args, "caller", &order->caller))
		return -EINVAL;
	order->force = has_force;
	return 0;
}

void ctl_command_reload(struct ctl_client *client, const json_t *args)
{
	struct msg_order order = {.kind = ORDER_RELOAD};
	int64_t confirm_s = 0;

	if (args_caller(client, args, &order) ||
	    args_number(client, args, "confirm_s", &confirm_s))
		return;
	if (confirm_s < 0 || confirm_s > MSG_CONFIRM_MAX_S) {
		ctl_done(client, CTL_USAGE, "confirm: a time from 1s to 1d");
		return;
	}
	order.confirm_s = (uint32_t)confirm_s;
	order_send(client, &order);
}

void ctl_command_confirm(struct ctl_client *client, const json_t *args)
{
	const struct msg_order order = {.kind = ORDER_CONFIRM};

	(void)args;
	order_send(client, &order);
}

void ctl_command_upgrade(struct ctl_client *client, const json_t *args)
{
	struct msg_order order = {.kind = ORDER_UPGRADE};

	if (!args_caller(client, args, &order))
		order_send(client, &order);
}
