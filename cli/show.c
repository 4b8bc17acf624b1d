/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/show - the commands that print one list: bans, sessions, verify, policy.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/caller.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/text.h"

#define COLUMNS(array) (array), sizeof(array) / sizeof((array)[0])

static const struct column bans_columns[] = {
	{"addr", "ADDRESS", COLUMN_TEXT},      {"policy", "POLICY", COLUMN_TEXT},
	{"began", "BEGAN", COLUMN_AGO},	       {"ends", "ENDS", COLUMN_ENDS},
	{"packets", "DROPPED", COLUMN_NUMBER}, {"last_seen", "LAST SEEN", COLUMN_AGO},
	{"source", "SOURCE", COLUMN_TEXT},     {"why", "WHY", COLUMN_TEXT},
};
static const struct column sessions_columns[] = {
	{"id", "ID", COLUMN_TEXT},	  {"addr", "ADDRESS", COLUMN_TEXT},
	{"port", "PORT", COLUMN_NUMBER},  {"service", "SERVICE", COLUMN_TEXT},
	{"state", "STATE", COLUMN_TEXT},  {"started", "STARTED", COLUMN_AGO},
	{"bytes_in", "IN", COLUMN_BYTES}, {"bytes_out", "OUT", COLUMN_BYTES},
	{"user", "USER", COLUMN_TEXT},	  {"auth_by", "AUTH", COLUMN_TEXT},
};
static const struct column verify_columns[] = {
	{"where", "WHERE", COLUMN_TEXT},
	{"addr", "ADDRESS", COLUMN_TEXT},
	{"policy", "POLICY", COLUMN_TEXT},
	{"problem", "PROBLEM", COLUMN_TEXT},
};
static const struct column entry_columns[] = {
	{"prefix", "PREFIX", COLUMN_TEXT},
	{"flags", "FLAGS", COLUMN_TEXT},
	{"file", "FILE", COLUMN_TEXT},
	{"line", "LINE", COLUMN_NUMBER},
};
static const struct column policies_columns[] = {
	{"name", "POLICY", COLUMN_TEXT},       {"id", "ID", COLUMN_NUMBER},
	{"enabled", "ENABLED", COLUMN_BOOL},   {"entries", "ENTRIES", COLUMN_NUMBER},
	{"services", "SERVICES", COLUMN_LIST}, {"types_off", "OFF FOR", COLUMN_LIST},
};

struct list {
	const struct column *columns;
	size_t column_count;
	const char *empty; /* what a table says if there is nothing */
};

/* Ask and print the rows. */
static int list_print(struct cli *cli, enum ctl_command command, json_t *args,
		      const struct list *list, json_t **out_done)
{
	AUTO(output_free) struct output *output = NULL;
	struct client_request request = {
		.command = command, .args = args, .on_row = output_row};
	int status;

	output = output_new(cli, list->columns, list->column_count);
	if (!output) {
		json_decref(args);
		return client_explain(cli, -ENOMEM);
	}
	request.context = output;
	status = client_ask(cli, &request, out_done);
	output_end(output, status == CTL_OK ? list->empty : NULL);
	return status;
}

int command_bans(struct cli *cli, int argc, char **argv)
{
	static const struct list list = {COLUMNS(bans_columns), "no bans"};
	AUTO(json_free) json_t *args = json_object();
	int status = cli_no_words(cli, argc, argv);

	if (status == CTL_OK)
		status = request_text(cli, args, "policy", cli->options.policy);
	if (status != CTL_OK)
		return status;
	return list_print(cli, CTL_BANS, TAKE_PTR(args), &list, NULL);
}

int command_sessions(struct cli *cli, int argc, char **argv)
{
	static const struct list list = {COLUMNS(sessions_columns), "no sessions"};
	int status = cli_no_words(cli, argc, argv);

	return status != CTL_OK ? status
				: list_print(cli, CTL_SESSIONS, NULL, &list, NULL);
}

int command_verify(struct cli *cli, int argc, char **argv)
{
	static const struct list list = {COLUMNS(verify_columns), NULL};
	AUTO(json_free) json_t *done = NULL;
	int status = cli_no_words(cli, argc, argv);
	const char *message;

	if (status != CTL_OK)
		return status;
	status = list_print(cli, CTL_VERIFY, NULL, &list, &done);
	if (status != CTL_OK || cli->format != CLI_TABLE)
		return status;
	message = member_text(done, "message");
	print_plain(cli, message[0] ? message : "store, kernel and lists agree");
	(void)fputc('\n', cli->out);
	return status;
}

/* "strikes enforce, helo observe": the modes of an object's checks. */
static void print_checks(struct cli *cli, const json_t *policy)
{
	const json_t *check;
	size_t i;

	json_array_foreach(json_object_get(policy, "checks"), i, check)(void)
		fprintf(cli->out, "%s%s %s", i ? ", " : "checks   ",
			member_text(check, "check"), member_text(check, "mode"));
	if (json_array_size(json_object_get(policy, "checks")) > 0)
		(void)fputc('\n', cli->out);
}

static const char *length_text(const json_t *object, const char *key,
			       char memory[TEXT_TIME_MAX])
{
	if (!member_has(object, key))
		return "forever";
	return text_duration(member_number(object, key, 0), memory);
}

static void print_strikes(struct cli *cli, const json_t *strikes)
{
	char window[TEXT_TIME_MAX], first[TEXT_TIME_MAX], longest[TEXT_TIME_MAX],
		memory[TEXT_TIME_MAX];

	if (!json_is_object(strikes))
		return;
	(void)fprintf(
		cli->out,
		"strikes  %" PRId64
		" within %s ban for %s, doubled for each ban of the last %s, at most %s\n",
		member_number(strikes, "max", 0),
		length_text(strikes, "window_s", window),
		length_text(strikes, "ban_time_s", first),
		length_text(strikes, "ban_memory_s", memory),
		length_text(strikes, "ban_time_max_s", longest));
}

static void print_policy(struct cli *cli, const json_t *policy)
{
	(void)fprintf(cli->out, "policy   %s, %s, %" PRId64 " entries\n",
		      member_text(policy, "name"),
		      json_is_true(json_object_get(policy, "enabled")) ? "enabled"
								       : "switched off",
		      member_number(policy, "entries", 0));
	print_checks(cli, policy);
	print_strikes(cli, json_object_get(policy, "strikes"));
	(void)fputc('\n', cli->out);
}

/* The policy of this name in done.policies; NULL. */
static const json_t *policy_find(const json_t *done, const char *name)
{
	const json_t *policy;
	size_t i;

	json_array_foreach(json_object_get(done, "policies"), i,
			   policy) if (strcmp(member_text(policy, "name"), name) ==
				       0) return policy;
	return NULL;
}

/* What the policy is comes first, so it is asked for before its entries. */
static int policy_show_one(struct cli *cli, const char *name, const json_t *policies)
{
	static const struct list list = {COLUMNS(entry_columns),
					 "no entries: nobody may connect"};
	const json_t *policy = policy_find(policies, name);
	json_t *args = json_object();
	int status = request_text(cli, args, "name", name);

	if (status != CTL_OK) {
		json_decref(args);
		return status;
	}
	if (policy && cli->format == CLI_TABLE)
		print_policy(cli, policy);
	if (policy && cli->format == CLI_JSON) {
		(void)fputs("{\"policy\":", cli->out);
		(void)json_dumpf(policy, cli->out, JSON_COMPACT);
		(void)fputs(",\n\"entries\":", cli->out);
	}
	status = list_print(cli, CTL_POLICY, args, &list, NULL);
	if (policy && cli->format == CLI_JSON)
		(void)fputs("}\n", cli->out);
	return status;
}

int command_policy(struct cli *cli, int argc, char **argv)
{
	struct client_request request = {.command = CTL_POLICY};
	AUTO(json_free) json_t *done = NULL;
	int status;

	if (argc < 1 || argc > 2 || strcmp(argv[0], "show") != 0)
		return cli_usage(cli, "say: postern policy show [POLICY]");
	status = client_ask(cli, &request, &done);
	if (status != CTL_OK)
		return status;
	if (argc == 2)
		return policy_show_one(cli, argv[1], done);
	output_array(cli, COLUMNS(policies_columns), json_object_get(done, "policies"));
	return status;
}
