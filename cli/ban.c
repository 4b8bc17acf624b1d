/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/ban - postern ban and unban.
 *
 * A long list goes out as many requests, a bounded number of them unanswered, so that a hundred
 * thousand addresses take seconds and constant memory on both sides.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/addr_list.h"
#include "cli/caller.h"
#include "cli/client.h"
#include "cli/output.h"

#define REQUESTS_OPEN_MAX 4u /* requests on their way without an answer yet */

static const struct column ban_columns[] = {
	{"addr", "ADDRESS", COLUMN_TEXT},  {"policy", "POLICY", COLUMN_TEXT},
	{"result", "RESULT", COLUMN_TEXT}, {"ends", "ENDS", COLUMN_ENDS},
	{"why", "WHY", COLUMN_TEXT},
};
static const struct column unban_columns[] = {
	{"addr", "ADDRESS", COLUMN_TEXT},  {"policy", "POLICY", COLUMN_TEXT},
	{"result", "RESULT", COLUMN_TEXT}, {"ends", "WOULD HAVE ENDED", COLUMN_ENDS},
	{"why", "WHY", COLUMN_TEXT},
};

/* What rows said in `result`, in this order. */
static const char *const result_names[] = {"banned",   "changed",     "would-ban",
					   "unbanned", "would-unban", "refused",
					   "not-found"};
#define RESULT_COUNT	   (sizeof(result_names) / sizeof(result_names[0]))
#define RESULT_FIRST_WRONG 5 /* refused and what follows */

struct run {
	struct cli *cli;
	enum ctl_command command;
	const json_t *args; /* those that every request carries; borrowed */
	struct output *output;
	bool is_list; /* from standard input: people see only what went wrong, and the sums */
	size_t results[RESULT_COUNT];
	size_t sent, open; /* addresses; requests */
};

static void run_row(void *context, const json_t *row)
{
	struct run *run = context;
	const char *result = member_text(row, "result");
	size_t i = 0;

	while (i < RESULT_COUNT && strcmp(result, result_names[i]) != 0)
		i++;
	if (i < RESULT_COUNT)
		run->results[i]++;
	if (run->is_list && run->cli->format == CLI_TABLE && i < RESULT_FIRST_WRONG)
		return;
	/* null would read as "forever", of a ban that there is not. */
	if (i >= RESULT_FIRST_WRONG && !member_has(row, "ends"))
		(void)json_object_del((json_t *)row, "ends");
	output_row(run->output, row);
}

/* Queue the next request of at most CTL_ADDRS_MAX addresses; list NULL: one without any. */
static int run_send(struct run *run, const struct addr_list *list)
{
	AUTO(json_free) json_t *args = json_copy((json_t *)run->args);
	json_t *addrs = json_array();
	char text[PREFIX_TEXT_MAX];
	int err;

	if (!args || !addrs)
		return -ENOMEM;
	for (size_t n = 0; list && n < CTL_ADDRS_MAX && run->sent < list->count; n++)
		(void)json_array_append_new(
			addrs,
			json_string(prefix_format(&list->items[run->sent++], text)));
	if (list)
		(void)json_object_set_new(args, "addrs", addrs);
	else
		json_decref(addrs);
	err = client_send(run->cli, run->command, TAKE_PTR(args));
	if (!err)
		run->open++;
	return err;
}

/* The worse of two: that the daemon is gone outweighs a refusal. */
static int status_worse(int a, int b)
{
	return a > b ? a : b;
}

static int run_all(struct run *run, const struct addr_list *list)
{
	int status = CTL_OK, err;

	do {
		int one;

		while (run->open < REQUESTS_OPEN_MAX &&
		       (list ? run->sent < list->count : run->open == 0)) {
			err = run_send(run, list);
			if (err)
				return client_explain(run->cli, err);
		}
		one = client_finish(run->cli, run_row, run, NULL);
		run->open--;
		status = status_worse(status, one);
		if (one == CTL_USAGE || one == CTL_UNREACHABLE)
			return status; /* the next request would only fail the same way */
	} while (run->open > 0 || (list && run->sent < list->count));
	return status;
}

static void run_sums(const struct run *run)
{
	const char *gap = "";

	for (size_t i = 0; i < RESULT_COUNT; i++) {
		if (run->results[i] == 0)
			continue;
		(void)fprintf(run->cli->out, "%s%zu %s", gap, run->results[i],
			      result_names[i]);
		gap = ", ";
	}
	(void)fputs(gap[0] ? "\n" : "nothing to do\n", run->cli->out);
}

/* list NULL: --all. */
static int run_begin(struct run *run, const struct addr_list *list)
{
	AUTO(output_free) struct output *output = NULL;
	int status;

	output = run->command == CTL_BAN
			 ? output_new(run->cli, ban_columns,
				      sizeof(ban_columns) / sizeof(*ban_columns))
			 : output_new(run->cli, unban_columns,
				      sizeof(unban_columns) / sizeof(*unban_columns));
	if (!output)
		return client_explain(run->cli, -ENOMEM);
	run->output = output;
	status = run_all(run, list);
	output_end(output, NULL);
	if (run->cli->format == CLI_TABLE && status <= CTL_NO &&
	    (run->is_list || output_count(output) == 0))
		run_sums(run);
	return status;
}

/* The options that ban and unban share. */
static int args_shared(struct cli *cli, json_t *args)
{
	if (cli->options.dry_run)
		(void)json_object_set_new(args, "dry_run", json_true());
	if (cli->options.force)
		(void)json_object_set_new(args, "force", json_true());
	return request_text(cli, args, "policy", cli->options.policy);
}

static int ban_args(struct cli *cli, json_t *args)
{
	const char *reason = cli->options.reason;
	int status = args_shared(cli, args);

	if (status == CTL_OK)
		status = request_length(cli, args);
	if (status == CTL_OK && reason && strlen(reason) >= CTL_REASON_MAX)
		return cli_usage(cli, "--reason: %zu bytes; at most %u", strlen(reason),
				 CTL_REASON_MAX - 1);
	if (status == CTL_OK)
		status = request_text(cli, args, "reason", reason);
	if (status == CTL_OK)
		status = caller_add(cli, args);
	return status;
}

int command_ban(struct cli *cli, int argc, char **argv)
{
	AUTO(addr_list_done) struct addr_list list = {0};
	AUTO(json_free) json_t *args = json_object();
	struct run run = {.cli = cli, .command = CTL_BAN, .args = args};
	int status;

	if (argc == 0)
		return cli_usage(
			cli, "which address? postern ban ADDR[/LEN]..., or - for a list");
	status = ban_args(cli, args);
	if (status == CTL_OK)
		status = addr_list_read(cli, argc, argv, &list);
	if (status != CTL_OK)
		return status;
	run.is_list = strcmp(argv[0], "-") == 0;
	return run_begin(&run, &list);
}

int command_unban(struct cli *cli, int argc, char **argv)
{
	AUTO(addr_list_done) struct addr_list list = {0};
	AUTO(json_free) json_t *args = json_object();
	struct run run = {.cli = cli, .command = CTL_UNBAN, .args = args};
	int status = args_shared(cli, args);

	if (status != CTL_OK)
		return status;
	if (cli->options.all) {
		if (argc > 0)
			return cli_usage(cli, "'%s': --all takes no address beside it",
					 argv[0]);
		(void)json_object_set_new(args, "all", json_true());
		run.is_list = true;
		return run_begin(&run, NULL);
	}
	if (argc == 0)
		return cli_usage(
			cli,
			"which address? postern unban ADDR[/LEN]..., - for a list, or --all");
	status = addr_list_read(cli, argc, argv, &list);
	if (status != CTL_OK)
		return status;
	run.is_list = strcmp(argv[0], "-") == 0;
	return run_begin(&run, &list);
}
