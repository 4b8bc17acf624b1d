/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/test - postern test: what a client of an address would get, step by step.
 */
#include <errno.h>
#include <string.h>

#include "cli/addr_list.h"
#include "cli/client.h"
#include "cli/output.h"

#define COLUMNS(array) (array), sizeof(array) / sizeof((array)[0])

static const struct column test_columns[] = {
	{"step", "STEP", COLUMN_TEXT},
	{"result", "RESULT", COLUMN_TEXT},
	{"mode", "MODE", COLUMN_TEXT},
	{"text", "WHAT", COLUMN_TEXT},
};

static void keep_row(void *context, const json_t *row)
{
	(void)json_array_append(context, (json_t *)row);
}

static int test_args(struct cli *cli, const char *service, const char *addr, json_t *args)
{
	const struct cli_options *options = &cli->options;
	int status = request_text(cli, args, "service", service);

	(void)json_object_set_new(args, "addr", json_string(addr));
	if (status == CTL_OK)
		status = request_text(cli, args, "helo", options->helo);
	if (status == CTL_OK)
		status = request_text(cli, args, "from", options->from);
	if (status == CTL_OK)
		status = request_text(cli, args, "to", options->to);
	if (status == CTL_OK)
		status = request_text(cli, args, "auth", options->auth);
	if (options->tls)
		(void)json_object_set_new(args, "tls", json_true());
	return status;
}

static int test_json(struct cli *cli, json_t *args)
{
	AUTO(json_free) json_t *steps = json_array();
	AUTO(json_free) json_t *done = NULL;
	AUTO(json_free) json_t *object = NULL;
	struct client_request request = {
		.command = CTL_TEST, .args = args, .on_row = keep_row, .context = steps};
	int status = client_ask(cli, &request, &done);
	json_t *test = json_object_get(done, "test");

	if (!json_is_object(test))
		return status == CTL_OK ? client_explain(cli, -EPROTO) : status;
	object = json_copy(test);
	(void)json_object_set(object, "steps", steps);
	output_json(cli, object);
	return status;
}

static int test_rows(struct cli *cli, json_t *args)
{
	AUTO(output_free)
	struct output *output = output_new(cli, COLUMNS(test_columns));
	AUTO(json_free) json_t *done = NULL;
	struct client_request request = {.command = CTL_TEST,
					 .args = args,
					 .on_row = output_row,
					 .context = output};
	const json_t *test;
	int status;

	if (!output) {
		json_decref(args);
		return client_explain(cli, -ENOMEM);
	}
	status = client_ask(cli, &request, &done);
	output_end(output, NULL);
	test = json_object_get(done, "test");
	if (!json_is_object(test))
		return status == CTL_OK ? client_explain(cli, -EPROTO) : status;
	if (cli->format != CLI_TABLE)
		return status;
	(void)fputs(json_is_true(json_object_get(test, "passes")) ? "\nwould pass: "
								  : "\nwould not pass: ",
		    cli->out);
	print_plain(cli, member_text(test, "reply"));
	(void)fputc('\n', cli->out);
	return status;
}

int command_test(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	char text[ADDR_TEXT_MAX];
	struct addr addr;
	int status;

	if (argc < 2)
		return cli_usage(cli,
				 "say: postern test SERVICE ADDR, as in smtp 192.0.2.1");
	if (argc > 2)
		return cli_usage(cli, "'%s': one service and one address", argv[2]);
	if (addr_parse(argv[1], &addr) != 0)
		return cli_usage(cli, "'%s': no address; write 192.0.2.1 or 2001:db8::1",
				 argv[1]);
	status = test_args(cli, argv[0], addr_format(&addr, text), args);
	if (status != CTL_OK)
		return status;
	return cli->format == CLI_JSON ? test_json(cli, TAKE_PTR(args))
				       : test_rows(cli, TAKE_PTR(args));
}
