/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/greylist - postern greylist list, pass and forget.
 */
#include "cli/greylist.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/addr_list.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/text.h"

#define COLUMNS(array) (array), sizeof(array) / sizeof((array)[0])

static const struct column list_columns[] = {
	{"origin", "FROM", COLUMN_TEXT},
	{"kind", "KIND", COLUMN_TEXT},
	{"state", "STATE", COLUMN_TEXT},
	{"sender", "SENDER", COLUMN_TEXT},
	{"recipient", "RECIPIENT", COLUMN_TEXT},
	{"first", "FIRST", COLUMN_AGO},
	{"last", "LAST", COLUMN_AGO},
	{"ends", "ENDS", COLUMN_ENDS},
	{"successes", "SUCCESSES", COLUMN_NUMBER},
};
static const struct column pass_columns[] = {
	{"addr", "ADDRESS", COLUMN_TEXT},
	{"result", "RESULT", COLUMN_TEXT},
	{"ends", "ENDS", COLUMN_ENDS},
};
static const struct column forget_columns[] = {
	{"addr", "ADDRESS", COLUMN_TEXT},
	{"result", "RESULT", COLUMN_TEXT},
	{"rows", "ROWS", COLUMN_NUMBER},
	{"why", "WHY", COLUMN_TEXT},
};

/* Ask, and print the rows. Takes args. */
static int greylist_ask(struct cli *cli, const struct client_request *asked,
			const struct column *columns, size_t count, const char *empty)
{
	AUTO(output_free) struct output *output = output_new(cli, columns, count);
	struct client_request request = *asked;
	int status;

	if (!output) {
		json_decref(request.args);
		return client_explain(cli, -ENOMEM);
	}
	request.on_row = output_row;
	request.context = output;
	status = client_ask(cli, &request, NULL);
	output_end(output, status == CTL_OK ? empty : NULL);
	return status;
}

/* What only one of the three takes. */
static int greylist_check_options(struct cli *cli, const char *what)
{
	const bool has_length = cli->options.duration || cli->options.forever;

	if (has_length && strcmp(what, "pass") != 0)
		return cli_usage(cli, "--for and --forever are for 'greylist pass'");
	if (cli->options.all && strcmp(what, "forget") != 0)
		return cli_usage(cli, "--all is for 'greylist forget'");
	return CTL_OK;
}

static int greylist_list(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	int status = CTL_OK;

	if (argc > 1)
		return cli_usage(cli, "'%s': one address or domain at a time", argv[1]);
	if (argc == 1)
		status = request_text(cli, args, "addr", argv[0]);
	if (status != CTL_OK)
		return status;
	return greylist_ask(cli,
			    &(struct client_request){.command = CTL_GREYLIST_LIST,
						     .args = TAKE_PTR(args)},
			    COLUMNS(list_columns), "nothing is remembered");
}

/* The words as they are: the daemon knows what an address stands for. */
static int greylist_words(struct cli *cli, int argc, char **argv, json_t *args)
{
	json_t *addrs = json_array();

	(void)json_object_set_new(args, "addrs", addrs);
	if (argc > (int)CTL_ADDRS_MAX)
		return cli_usage(cli, "%d addresses; at most %u at a time", argc,
				 CTL_ADDRS_MAX);
	for (int i = 0; i < argc; i++) {
		json_t *word = json_string(argv[i]);

		if (!word)
			return cli_usage(cli, "an address is not valid UTF-8");
		(void)json_array_append_new(addrs, word);
	}
	return CTL_OK;
}

static int greylist_pass(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	char memory[128];
	int status;

	if (argc == 0)
		return cli_usage(cli,
				 "which address? postern greylist pass ADDR[/LEN]...");
	for (int i = 0; i < argc; i++) {
		struct prefix prefix;
		int err = prefix_parse(argv[i], &prefix);

		if (err)
			return cli_usage(cli, "'%s': %s", argv[i],
					 addr_problem(argv[i], err, &prefix, memory));
	}
	status = request_length(cli, args);
	if (status == CTL_OK)
		status = greylist_words(cli, argc, argv, args);
	if (status != CTL_OK)
		return status;
	return greylist_ask(cli,
			    &(struct client_request){.command = CTL_GREYLIST_PASS,
						     .args = TAKE_PTR(args)},
			    COLUMNS(pass_columns), NULL);
}

static int greylist_forget(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	int status = CTL_OK;

	if (cli->options.all == (argc > 0))
		return cli_usage(
			cli,
			"what? postern greylist forget ADDR[/LEN]..., the domain of a sender, or --all");
	if (cli->options.all)
		(void)json_object_set_new(args, "all", json_true());
	else
		status = greylist_words(cli, argc, argv, args);
	if (status != CTL_OK)
		return status;
	return greylist_ask(cli,
			    &(struct client_request){.command = CTL_GREYLIST_FORGET,
						     .args = TAKE_PTR(args)},
			    COLUMNS(forget_columns), "all is forgotten");
}

/* ---- for status and why ------------------------------------------------------------------------- */

static void say(struct cli *cli, const char *label, const char *text)
{
	(void)fputs(label, cli->out);
	print_plain(cli, text);
}

void greylist_print_status(struct cli *cli, const json_t *greylist)
{
	char size[TEXT_TIME_MAX];

	if (!json_is_object(greylist) ||
	    strcmp(member_text(greylist, "state"), "absent") == 0)
		return;
	say(cli, "greylist       ", member_text(greylist, "state"));
	(void)fprintf(cli->out,
		      ", %" PRId64 " wait, %" PRId64 " known, %" PRId64 " networks, %s\n",
		      member_number(greylist, "waiting", 0),
		      member_number(greylist, "proven", 0),
		      member_number(greylist, "networks", 0),
		      text_bytes(member_number(greylist, "bytes", 0), size));
}

static void greylist_print_row(struct cli *cli, const json_t *row)
{
	const char *kind = member_text(row, "kind");
	char text[TEXT_TIME_MAX];

	(void)fprintf(
		cli->out, "  %-10s ",
		text_relative(member_number(row, "first", cli->now_s), cli->now_s, text));
	print_plain(cli, member_text(row, "state"));
	if (strcmp(kind, "triplet") == 0) {
		say(cli, " ", member_text(row, "sender"));
		say(cli, " to ", member_text(row, "recipient"));
	} else if (strcmp(kind, "network") == 0) {
		(void)fprintf(cli->out,
			      " the network: %" PRId64 " of its senders came back",
			      member_number(row, "successes", 0));
	} else {
		say(cli, " by command: ", member_text(row, "origin"));
	}
	(void)fputc('\n', cli->out);
}

void greylist_print_why(struct cli *cli, const json_t *greylist)
{
	char text[TEXT_TIME_MAX];
	const json_t *row;
	size_t i;

	if (!json_is_object(greylist))
		return;
	say(cli, "\ngreylist of ", member_text(greylist, "network"));
	(void)fprintf(cli->out, ": %" PRId64 " senders known, %" PRId64 " wait\n",
		      member_number(greylist, "proven", 0),
		      member_number(greylist, "waiting", 0));
	if (member_has(greylist, "pass_addr")) {
		say(cli, "  all of ", member_text(greylist, "pass_addr"));
		(void)fprintf(
			cli->out, " passes by command, ends %s\n",
			member_has(greylist, "pass_ends")
				? text_relative(member_number(greylist, "pass_ends", 0),
						cli->now_s, text)
				: "never");
	}
	json_array_foreach(json_object_get(greylist, "rows"), i, row)
		greylist_print_row(cli, row);
}

int command_greylist(struct cli *cli, int argc, char **argv)
{
	static const struct {
		const char *name;
		command_fn run;
	} rows[] = {{"list", greylist_list},
		    {"pass", greylist_pass},
		    {"forget", greylist_forget}};
	int status;

	for (size_t i = 0; argc > 0 && i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(argv[0], rows[i].name) != 0)
			continue;
		status = greylist_check_options(cli, rows[i].name);
		return status == CTL_OK ? rows[i].run(cli, argc - 1, argv + 1) : status;
	}
	return cli_usage(cli, "say: postern greylist list, pass or forget");
}
