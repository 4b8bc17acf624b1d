/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/status - postern status: one page on the daemon.
 *
 * In TSV it is four columns: kind, name, key, value; one line for each fact. An object directly in the
 * status is a kind of its own (store), one inside a listed object (counters) gives its facts to that.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/client.h"
#include "cli/greylist.h"
#include "cli/output.h"
#include "cli/text.h"

#define COLUMNS(array) (array), sizeof(array) / sizeof((array)[0])

static const struct column interface_columns[] = {
	{"name", "INTERFACE", COLUMN_TEXT},
	{"mode", "XDP MODE", COLUMN_TEXT},
	{"wanted", "WANTED", COLUMN_TEXT},
	{"bridge", "BRIDGE", COLUMN_TEXT},
};
static const struct column process_columns[] = {
	{"role", "PROCESS", COLUMN_TEXT},	 {"index", "NO", COLUMN_NUMBER},
	{"pid", "PID", COLUMN_NUMBER},		 {"started", "STARTED", COLUMN_AGO},
	{"restarts", "RESTARTS", COLUMN_NUMBER},
};
static const struct column service_columns[] = {
	{"name", "SERVICE", COLUMN_TEXT},    {"type", "TYPE", COLUMN_TEXT},
	{"policy", "POLICY", COLUMN_TEXT},   {"on", "ON", COLUMN_BOOL},
	{"ports", "PORTS", COLUMN_LIST},     {"listen", "LISTEN", COLUMN_LIST},
	{"backend", "BACKEND", COLUMN_LIST},
};
static const struct column certificate_columns[] = {
	{"name", "CERTIFICATE", COLUMN_TEXT},  {"names", "NAMES", COLUMN_LIST},
	{"key", "KEY", COLUMN_TEXT},	       {"not_after", "ENDS", COLUMN_CLOCK},
	{"services", "SERVICES", COLUMN_LIST}, {"problem", "PROBLEM", COLUMN_TEXT},
};
static const struct column rbl_columns[] = {
	{"name", "DNS LIST", COLUMN_TEXT}, {"zone", "ZONE", COLUMN_TEXT},
	{"ipv4", "IPV4", COLUMN_TEXT},	   {"ipv6", "IPV6", COLUMN_TEXT},
	{"since", "SINCE", COLUMN_AGO},	   {"why", "WHY", COLUMN_TEXT},
};
/* Counters stand in an object of their own; they are lifted beside the name. */
static const struct column policy_columns[] = {
	{"name", "POLICY", COLUMN_TEXT},
	{"enabled", "ENABLED", COLUMN_BOOL},
	{"entries", "ENTRIES", COLUMN_NUMBER},
	{"passed", "PASSED", COLUMN_NUMBER},
	{"dropped_ban", "BANNED", COLUMN_NUMBER},
	{"dropped_ban_prefix", "BANNED RANGE", COLUMN_NUMBER},
	{"dropped_blacklisted", "BLACKLISTED", COLUMN_NUMBER},
	{"dropped_not_permitted", "NOT PERMITTED", COLUMN_NUMBER},
	{"dropped_no_entry", "NO ENTRY", COLUMN_NUMBER},
	{"dropped_syn_rate", "TOO MANY SYN", COLUMN_NUMBER},
	{"would_drop_syn_rate", "(OBSERVED)", COLUMN_NUMBER},
};

static void status_head(struct cli *cli, const json_t *status)
{
	const json_t *store = json_object_get(status, "store");
	char up[TEXT_TIME_MAX], since[TEXT_TIME_MAX], size[TEXT_TIME_MAX];
	int64_t started = member_number(status, "started", cli->now_s);

	(void)fprintf(cli->out, "postern %s on ", member_text(status, "version"));
	print_plain(cli, member_text(status, "hostname"));
	(void)fprintf(cli->out, ", up %s since %s\n",
		      text_duration(cli->now_s - started, up),
		      text_clock(started, since));
	(void)fprintf(cli->out, "configuration  generation %" PRId64 "\n",
		      member_number(status, "generation", 0));
	(void)fprintf(cli->out, "bans           %" PRId64 " of at most %" PRId64 "\n",
		      member_number(status, "bans", 0),
		      member_number(status, "bans_max", 0));
	(void)fprintf(cli->out, "clients        %" PRId64 " with strikes\n",
		      member_number(status, "strikes", 0));
	(void)fprintf(cli->out, "sessions       %" PRId64 "\n",
		      member_number(status, "sessions", 0));
	(void)fprintf(cli->out,
		      "logins         %" PRId64 " clients, %" PRId64
		      " sessions open (POP3, IMAP)\n",
		      member_number(status, "logins", 0),
		      member_number(status, "logins_open", 0));
	(void)fputs("store          ", cli->out);
	print_plain(cli, member_text(store, "state"));
	(void)fputs(", ", cli->out);
	print_plain(cli, member_text(store, "path"));
	(void)fprintf(cli->out, ", %s\n",
		      text_bytes(member_number(store, "bytes", 0), size));
	greylist_print_status(cli, json_object_get(status, "greylist"));
}

/* Nothing before the first question. */
static void status_dns(struct cli *cli, const json_t *dns)
{
	char size[TEXT_TIME_MAX];
	const int64_t asked = member_number(dns, "asked", 0);

	if (asked == 0)
		return;
	(void)fprintf(cli->out,
		      "dns            %" PRId64 " asked, %" PRId64
		      " without an answer; %" PRId64 " answers from the cache (%" PRId64
		      " kept, %s)\n",
		      asked, member_number(dns, "failed", 0),
		      member_number(dns, "cached", 0) + member_number(dns, "shared", 0),
		      member_number(dns, "cache_entries", 0),
		      text_bytes(member_number(dns, "cache_bytes", 0), size));
}

static void status_table(struct cli *cli, const struct column *columns, size_t count,
			 const json_t *array)
{
	if (json_array_size(array) == 0)
		return;
	(void)fputc('\n', cli->out);
	output_array(cli, columns, count, array);
}

static void status_policies(struct cli *cli, const json_t *policies)
{
	AUTO(json_free) json_t *flat = json_array();
	const json_t *policy;
	size_t i;

	json_array_foreach(policies, i, policy)
	{
		AUTO(json_free) json_t *row = json_copy((json_t *)policy);

		(void)json_object_update_missing(row,
						 json_object_get(policy, "counters"));
		(void)json_array_append(flat, row);
	}
	status_table(cli, COLUMNS(policy_columns), flat);
}

/* "ptr_hit": 3 of a policy's checks, as a row of policy, check and the three results. */
static void status_checks(struct cli *cli, const json_t *policies)
{
	static const struct column columns[] = {
		{"policy", "POLICY", COLUMN_TEXT},
		{"check", "CHECK", COLUMN_TEXT},
		{"hit", "HIT", COLUMN_NUMBER},
		{"would", "WOULD REFUSE", COLUMN_NUMBER},
		{"unknown", "UNKNOWN", COLUMN_NUMBER},
	};
	AUTO(json_free) json_t *rows = json_array();
	json_t *policy, *count;
	const char *key;
	size_t i;

	json_array_foreach((json_t *)policies, i, policy)
	{
		json_object_foreach(json_object_get(policy, "checks"), key, count)
		{
			const char *kind = strrchr(key, '_');
			json_t *row;

			if (!kind)
				continue;
			if (strcmp(kind, "_hit") == 0)
				(void)json_array_append_new(
					rows,
					json_pack("{s:s, s:s%}", "policy",
						  member_text(policy, "name"), "check",
						  key, (size_t)(kind - key)));
			row = json_array_get(rows, json_array_size(rows) - 1);
			(void)json_object_set(row, kind + 1, count);
		}
	}
	status_table(cli, COLUMNS(columns), rows);
}

static void status_page(struct cli *cli, const json_t *status)
{
	const json_t *warning;
	size_t i;

	status_head(cli, status);
	status_dns(cli, json_object_get(status, "dns"));
	status_table(cli, COLUMNS(interface_columns),
		     json_object_get(status, "interfaces"));
	status_table(cli, COLUMNS(service_columns), json_object_get(status, "services"));
	status_table(cli, COLUMNS(certificate_columns),
		     json_object_get(status, "certificates"));
	status_policies(cli, json_object_get(status, "policies"));
	status_checks(cli, json_object_get(status, "policies"));
	status_table(cli, COLUMNS(rbl_columns), json_object_get(status, "rbls"));
	status_table(cli, COLUMNS(process_columns), json_object_get(status, "processes"));
	json_array_foreach(json_object_get(status, "warnings"), i, warning)
	{
		(void)fputs(i ? "warning: " : "\nwarning: ", cli->out);
		print_plain(cli,
			    json_string_value(warning) ? json_string_value(warning) : "");
		(void)fputc('\n', cli->out);
	}
}

/* One fact: a value, or an array of plain values. */
static void fact(struct cli *cli, const char *const where[3], const json_t *value)
{
	static const struct column columns[] = {
		{"kind", "", COLUMN_TEXT},
		{"name", "", COLUMN_TEXT},
		{"key", "", COLUMN_TEXT},
		{"value", "", COLUMN_LIST},
	};
	AUTO(json_free) json_t *row = NULL;
	AUTO(json_free) json_t *rows = json_array();

	row = json_pack("{s:s, s:s, s:s}", "kind", where[0], "name", where[1], "key",
			where[2]);
	if (json_is_array(value))
		(void)json_object_set(row, "value", (json_t *)value);
	else
		(void)json_object_set_new(row, "value", json_pack("[O]", value));
	(void)json_array_append(rows, row);
	output_array(cli, COLUMNS(columns), rows);
}

/* The facts of an object. */
static void facts(struct cli *cli, const char *kind, const char *name,
		  const json_t *object)
{
	const char *key, *inner_key;
	json_t *value, *inner;

	json_object_foreach((json_t *)object, key, value)
	{
		if (!json_is_object(value)) {
			fact(cli, (const char *const[]){kind, name, key}, value);
			continue;
		}
		json_object_foreach(value, inner_key, inner)
			fact(cli, (const char *const[]){kind, name, inner_key}, inner);
	}
}

/* Gates are told apart by their number; of the other processes there is one each. */
static void process_facts(struct cli *cli, const json_t *process)
{
	const char *role = member_text(process, "role");
	char name[32];

	(void)snprintf(name, sizeof(name), "gate%d",
		       (int)member_number(process, "index", 0));
	facts(cli, "process", strcmp(role, "gate") == 0 ? name : role, process);
}

static void status_tsv(struct cli *cli, const json_t *status)
{
	static const struct {
		const char *key, *kind;
	} lists[] = {{"interfaces", "interface"},
		     {"services", "service"},
		     {"certificates", "certificate"},
		     {"policies", "policy"},
		     {"rbls", "rbl"}};
	AUTO(json_free) json_t *plain = json_copy((json_t *)status);
	const json_t *item;
	const char *key;
	json_t *value;
	void *next;
	size_t n;

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		json_array_foreach(json_object_get(status, lists[i].key), n, item)
			facts(cli, lists[i].kind, member_text(item, "name"), item);
		(void)json_object_del(plain, lists[i].key);
	}
	json_array_foreach(json_object_get(status, "processes"), n, item)
		process_facts(cli, item);
	(void)json_object_del(plain, "processes");
	json_object_foreach_safe(plain, next, key, value)
	{
		if (!json_is_object(value))
			continue;
		facts(cli, key, "-", value);
		(void)json_object_del(plain, key);
	}
	facts(cli, "daemon", "-", plain);
}

int command_status(struct cli *cli, int argc, char **argv)
{
	struct client_request request = {.command = CTL_STATUS};
	AUTO(json_free) json_t *done = NULL;
	const json_t *object;
	int status;

	if (argc > 0)
		return cli_usage(cli, "'%s': this command takes no words behind it",
				 argv[0]);
	status = client_ask(cli, &request, &done);
	object = json_object_get(done, "status");
	if (status != CTL_OK || !json_is_object(object))
		return status == CTL_OK ? client_explain(cli, -EPROTO) : status;
	if (cli->format == CLI_JSON)
		output_json(cli, object);
	else if (cli->format == CLI_TSV)
		status_tsv(cli, object);
	else
		status_page(cli, object);
	return status;
}
