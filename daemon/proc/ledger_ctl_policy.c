/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_policy - `postern policy show`: settings, and the entries of one policy.
 */
#include <stdlib.h>

#include "base/clock.h"
#include "policy/flags.h"
#include "proc/ledger_ctl_args.h"
#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_ctl_show.h"

#define ROWS_STEP 256u

struct policy_job {
	uint64_t generation; /* of the snapshot that is read */
	int policy;	     /* index; -1: only settings */
	size_t at;
};

static json_t *policy_strikes(const struct conf_strikes *s)
{
	return json_pack("{s:I, s:o, s:o, s:o, s:o, s:o, s:s}", "max", (json_int_t)s->max,
			 "window_s", args_json_time(s->window_s), "ban_time_s",
			 args_json_time(s->ban_time_s), "ban_time_max_s",
			 args_json_time(s->ban_time_max_s), "ban_memory_s",
			 args_json_time(s->ban_memory_s), "success_credit_s",
			 args_json_time(s->success_credit_s), "repeat_credentials",
			 s->repeat_credentials_ignore ? "ignore" : "count");
}

static json_t *policy_settings(const struct ledger *ledger, unsigned int index)
{
	const struct conf *conf = ledger_conf(ledger);
	const struct conf_policy *policy = &conf->policies[index];
	const struct prefix_table *table = ledger->snapshot.tables[index];
	json_t *types_off = json_array();
	json_t *services = json_array();

	for (unsigned int i = 0; i < SERVICE_TYPE_COUNT; i++) {
		if (policy->types_off & 1u << i)
			(void)json_array_append_new(
				types_off,
				json_string(service_type_name((enum service_type)i)));
	}
	for (unsigned int i = 0; i < conf->service_count; i++) {
		if (conf->services[i].policy == index)
			(void)json_array_append_new(services,
						    json_string(conf->services[i].name));
	}
	return json_pack("{s:s, s:i, s:b, s:I, s:o, s:o, s:o, s:o}", "name", policy->name,
			 "id", (int)policy->id, "enabled", (int)policy->enabled,
			 "entries", (json_int_t)(table ? prefix_table_count(table) : 0),
			 "types_off", types_off, "checks", show_checks(ledger, policy),
			 "services", services, "strikes",
			 policy_strikes(&policy->strikes));
}

static void policy_end(struct ctl_client *client, int index)
{
	const struct ledger *ledger = ctl_ledger(client);
	json_t *policies = json_array();

	for (unsigned int i = 0; i < ledger_conf(ledger)->policy_count; i++) {
		if (index < 0 || (unsigned int)index == i)
			(void)json_array_append_new(policies, policy_settings(ledger, i));
	}
	ctl_done_with(client, CTL_OK, "policies", policies);
}

static void policy_row(struct ctl_client *client, int index, size_t at)
{
	const struct ledger *ledger = ctl_ledger(client);
	const struct conf *conf = ledger_conf(ledger);
	char addr[PREFIX_TEXT_MAX];
	char flags[FLAGS_TEXT_MAX];
	struct prefix_row row;

	prefix_table_row(ledger->snapshot.tables[index], at, &row);
	ctl_row(client,
		json_pack("{s:s, s:s, s:s, s:s, s:i}", "policy",
			  conf->policies[index].name, "prefix",
			  prefix_format(&row.prefix, addr), "flags",
			  flags_format(row.value, flags), "file",
			  row.origin < conf->list_count ? conf->lists[row.origin] : "-",
			  "line", (int)row.line));
}

static bool policy_pump(struct ctl_client *client, void *state)
{
	struct policy_job *job = state;
	const struct ledger *ledger = ctl_ledger(client);
	const struct prefix_table *table;

	if (ledger_conf(ledger)->generation != job->generation) {
		ctl_done(client, CTL_UNREACHABLE,
			 "the configuration was loaded anew meanwhile: ask again");
		return false;
	}
	table = job->policy < 0 ? NULL : ledger->snapshot.tables[job->policy];
	for (size_t i = 0; table && i < ROWS_STEP && job->at < prefix_table_count(table);
	     i++)
		policy_row(client, job->policy, job->at++);
	if (table && job->at < prefix_table_count(table))
		return true;
	policy_end(client, job->policy);
	return false;
}

void ctl_command_policy(struct ctl_client *client, const json_t *args)
{
	const char *name = NULL;
	struct policy_job *job;
	int index = -1;

	if (args_text(client, args, "name", &name) ||
	    (name && args_policy(client, name, &index)))
		return;
	job = ctl_job_new(client, sizeof(*job));
	if (!job)
		return;
	job->generation = ledger_conf(ctl_ledger(client))->generation;
	job->policy = index;
	ctl_start(client, policy_pump, free, job);
}
