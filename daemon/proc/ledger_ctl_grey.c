/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_grey - see ledger_ctl_grey.h; and `postern greylist list`, page by page.
 */
#include "proc/ledger_ctl_grey.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "policy/greylist_key.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_grey.h"
#include "proc/ledger_grey_store.h"
#include "sys/db.h"

#define PAGE_ROWS      128u
#define WHY_ROWS_MAX   20u    /* shown */
#define WHY_KNOWN_MAX  1000u  /* looked at */
#define WHY_LATEST_MAX 20000u /* the same, of what waits: some 10 ms */

/* ---- one row ------------------------------------------------------------------------------------ */

/* Does a network pass as a whole, in any policy that greylists? */
static bool network_passes(const struct ledger *ledger, const struct db_grey_row *row)
{
	const struct conf *conf = ledger_conf(ledger);
	const struct grey_network network = grey_network_from(row);

	for (unsigned int i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].mode[CHECK_GREYLIST] != MODE_OFF &&
		    greylist_network_passes(&conf->policies[i].greylist, &network,
					    ledger->now.wall_s))
			return true;
	return false;
}

static int64_t row_ends_s(const struct ledger *ledger, const struct db_grey_row *row)
{
	int64_t ends_s;

	if (row->kind == DB_GREY_COMMAND)
		return row->at_s;
	/* Where policies that greylist differ, the most generous one is shown. */
	if (__builtin_add_overflow(row->at_s,
				   row->kind == DB_GREY_WAITING ? grey_window_s(ledger)
								: grey_lifetime_s(ledger),
				   &ends_s))
		return DB_FOREVER_S;
	return ends_s;
}

static const char *row_state(const struct ledger *ledger, const struct db_grey_row *row)
{
	if (row->kind == DB_GREY_WAITING)
		return "waits";
	if (row->kind == DB_GREY_NETWORK && !network_passes(ledger, row))
		return "counted";
	return "passes";
}

json_t *grey_row_show(const struct ledger *ledger, const struct db_grey_row *row)
{
	static const char *const kinds[DB_GREY_KIND_COUNT] = {
		[DB_GREY_WAITING] = "triplet",
		[DB_GREY_PROVEN] = "triplet",
		[DB_GREY_NETWORK] = "network",
		[DB_GREY_COMMAND] = "command",
	};
	const bool is_triplet =
		row->kind == DB_GREY_WAITING || row->kind == DB_GREY_PROVEN;
	const int64_t ends_s = row_ends_s(ledger, row);
	char network[PREFIX_TEXT_MAX];

	if (ends_s <= ledger->now.wall_s)
		return NULL;
	return json_pack(
		"{s:s, s:s, s:s, s:o, s:o, s:I, s:o, s:o, s:o}", "origin",
		row->origin.domain[0] ? row->origin.domain
				      : prefix_format(&row->origin.network, network),
		"kind", kinds[row->kind], "state", row_state(ledger, row), "sender",
		is_triplet ? json_string(row->sender) : json_null(), "recipient",
		is_triplet ? json_string(row->recipient) : json_null(), "first",
		(json_int_t)row->first_s, "last",
		row->kind == DB_GREY_COMMAND ? json_null() : json_integer(row->at_s),
		"ends", args_json_time(ends_s), "successes",
		row->kind == DB_GREY_NETWORK ? json_integer(row->successes)
					     : json_null());
}

/* A name with a dot, whose last character no address has. */
static bool is_domain(const char *text)
{
	const size_t len = strlen(text);

	return len > 0 && len < DB_GREY_DOMAIN_MAX && strchr(text, '.') &&
	       !strpbrk(text, ":/") && strchr("0123456789.", text[len - 1]) == NULL;
}

int grey_read_range(const char *text, struct grey_range *out_range, char out_problem[160])
{
	struct prefix prefix = {.len = 0};
	int err;

	if (is_domain(text)) {
		for (size_t i = 0; text[i]; i++)
			out_range->domain[i] = (char)(text[i] >= 'A' && text[i] <= 'Z'
							      ? text[i] - 'A' + 'a'
							      : text[i]);
		return 0;
	}
	err = args_prefix(text, &prefix, out_problem);
	if (err < 0)
		return err;
	if (prefix.len > grey_network_of(&prefix.addr).len)
		prefix = grey_network_of(&prefix.addr);
	out_range->inside = prefix;
	return 0;
}

struct db_grey_range grey_db_range(const struct grey_range *range, uint32_t max)
{
	return (struct db_grey_range){
		.inside = range->inside,
		.domain = range->domain[0] ? range->domain : NULL,
		.max = max,
	};
}

/* ---- list --------------------------------------------------------------------------------------- */

struct grey_list_job {
	struct ctl_client *client;
	struct grey_range range;
	struct db_grey_cursor cursor;
	size_t total;
};

static int list_on_row(void *context, const struct db_grey_row *row)
{
	struct grey_list_job *job = context;
	json_t *shown = grey_row_show(ctl_ledger(job->client), row);

	if (!shown)
		return 0;
	job->total++;
	ctl_row(job->client, shown);
	return 0;
}

static bool list_pump(struct ctl_client *client, void *state)
{
	struct grey_list_job *job = state;
	struct ledger *ledger = ctl_ledger(client);
	struct db_grey *db = grey_store_look(ledger);
	const struct db_grey_range range = grey_db_range(&job->range, PAGE_ROWS);
	int err = db ? db_grey_read(db, &range, &job->cursor, list_on_row, job) : 0;

	if (err) {
		grey_store_abort(ledger, err);
		ctl_done(client, CTL_UNREACHABLE, "the store cannot be read: %s",
			 strerror(-err));
		return false;
	}
	if (db && !job->cursor.is_end)
		return true;
	ctl_done(client, CTL_OK, "%zu rows", job->total);
	return false;
}

void ctl_command_greylist_list(struct ctl_client *client, const json_t *args)
{
	const char *text = NULL;
	struct grey_list_job *job;
	struct grey_range range = {.domain = ""};
	char problem[160];

	if (args_text(client, args, "addr", &text))
		return;
	if (text && grey_read_range(text, &range, problem)) {
		ctl_done(client, CTL_USAGE, "'addr': %s", problem);
		return;
	}
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->client = client;
	job->range = range;
	ctl_start(client, list_pump, free, job);
}

/* ---- why ---------------------------------------------------------------------------------------- */

struct grey_why_rows {
	const struct ledger *ledger;
	struct prefix network;
	json_t *rows;
	size_t waiting, proven;
};

static int why_on_row(void *context, const struct db_grey_row *row)
{
	struct grey_why_rows *why = context;
	json_t *shown;

	if (row->origin.domain[0] || !prefix_covers(&why->network, &row->origin.network))
		return 0;
	shown = grey_row_show(why->ledger, row);
	if (!shown)
		return 0;
	why->waiting += row->kind == DB_GREY_WAITING;
	why->proven += row->kind == DB_GREY_PROVEN;
	if (json_array_size(why->rows) < WHY_ROWS_MAX)
		(void)json_array_append(why->rows, shown);
	json_decref(shown);
	return 0;
}

static int why_read(struct db_grey *db, struct grey_why_rows *why)
{
	const struct db_grey_range range = {.inside = why->network, .max = WHY_KNOWN_MAX};
	struct db_grey_cursor cursor = {.is_end = false};
	int err = db_grey_read(db, &range, &cursor, why_on_row, why);

	return err ? err : db_grey_read_latest(db, WHY_LATEST_MAX, why_on_row, why);
}

json_t *grey_why(struct ledger *ledger, const struct addr *addr)
{
	struct db_grey *db = grey_store_look(ledger);
	struct grey_why_rows why = {.ledger = ledger, .network = grey_network_of(addr)};
	struct prefix_set_item pass;
	char text[PREFIX_TEXT_MAX], pass_text[PREFIX_TEXT_MAX];
	const bool has_pass = grey_store_passes(ledger, addr, &pass);
	int err;

	why.rows = json_array();
	err = db ? why_read(db, &why) : 0;
	if (err)
		grey_store_abort(ledger, err);
	if (!has_pass && json_array_size(why.rows) == 0) {
		json_decref(why.rows);
		return json_null();
	}
	return json_pack(
		"{s:s, s:I, s:I, s:o, s:o, s:o}", "network",
		prefix_format(&why.network, text), "waiting", (json_int_t)why.waiting,
		"proven", (json_int_t)why.proven, "pass_addr",
		has_pass ? json_string(prefix_format(&pass.prefix, pass_text))
			 : json_null(),
		"pass_ends",
		has_pass ? args_json_time(ledger_wall_from_boot(ledger, pass.ends_ns))
			 : json_null(),
		"rows", why.rows);
}

json_t *grey_status(struct ledger *ledger)
{
	struct db_grey *db = grey_store_look(ledger);
	struct db_grey_size size = {.file_bytes = 0};
	int err = db ? db_grey_size_read(db, &size) : 0;

	if (err)
		grey_store_abort(ledger, err);
	return json_pack(
		"{s:s, s:o, s:I, s:I, s:I, s:I, s:I, s:I}", "state",
		grey_store_state_name(grey_store_state(ledger)), "path",
		json_sprintf("%s/%s", ledger_conf(ledger)->state_dir, GREY_DB_PATH),
		"waiting", (json_int_t)size.rows[DB_GREY_WAITING], "proven",
		(json_int_t)size.rows[DB_GREY_PROVEN], "networks",
		(json_int_t)size.rows[DB_GREY_NETWORK], "commands",
		(json_int_t)size.rows[DB_GREY_COMMAND], "max",
		(json_int_t)ledger_conf(ledger)->limits.triplets_max, "bytes",
		(json_int_t)size.file_bytes);
}
