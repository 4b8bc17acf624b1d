/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/reload - postern reload, confirm and upgrade: a new configuration, or a new program.
 */
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/caller.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/text.h"

#define CONFIRM_MAX_S 86400

/* What was reloaded, and the warnings: a line each. */
static void print_lines(struct cli *cli, const char *text)
{
	char line[OUTPUT_CELL_MAX];

	for (;;) {
		size_t len = strcspn(text, "\n");

		(void)snprintf(line, sizeof(line), "%.*s", (int)len, text);
		print_plain(cli, line);
		(void)fputc('\n', cli->out);
		if (text[len] == '\0')
			return;
		text += len + 1;
	}
}

/* Ask, and show what was answered. Takes the arguments. */
static int ask_and_tell(struct cli *cli, enum ctl_command command, json_t *args,
			const char *otherwise)
{
	AUTO(json_free) json_t *done = NULL;
	const struct client_request request = {.command = command, .args = args};
	const int status = client_ask(cli, &request, &done);

	if (done && cli->format == CLI_JSON) {
		output_json(cli, done);
	} else if (status == CTL_OK) {
		const char *message = member_text(done, "message");

		print_lines(cli, message[0] ? message : otherwise);
	}
	return status;
}

static int confirm_add(struct cli *cli, json_t *args)
{
	int64_t seconds;

	if (!cli->options.confirm)
		return CTL_OK;
	if (num_parse_duration(cli->options.confirm, &seconds) || seconds < 1 ||
	    seconds > CONFIRM_MAX_S)
		return cli_usage(cli, "--confirm '%s': a time from 1s to 1d, such as 60s",
				 cli->options.confirm);
	(void)json_object_set_new(args, "confirm_s", json_integer(seconds));
	return CTL_OK;
}

/* Who asks, and whether he may be locked out by it. */
static int caller_and_force_add(struct cli *cli, json_t *args)
{
	const int status = caller_add(cli, args);

	if (status == CTL_OK && cli->options.force)
		(void)json_object_set_new(args, "force", json_true());
	return status;
}

int command_reload(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	int status = cli_no_words(cli, argc, argv);

	if (status == CTL_OK)
		status = caller_and_force_add(cli, args);
	if (status == CTL_OK)
		status = confirm_add(cli, args);
	if (status != CTL_OK)
		return status;
	return ask_and_tell(cli, CTL_RELOAD, TAKE_PTR(args), "reloaded");
}

int command_confirm(struct cli *cli, int argc, char **argv)
{
	const int status = cli_no_words(cli, argc, argv);

	return status == CTL_OK
		       ? ask_and_tell(cli, CTL_CONFIRM, json_object(), "confirmed")
		       : status;
}

int command_upgrade(struct cli *cli, int argc, char **argv)
{
	AUTO(json_free) json_t *args = json_object();
	int status = cli_no_words(cli, argc, argv);

	if (status == CTL_OK)
		status = caller_and_force_add(cli, args);
	return status == CTL_OK ? ask_and_tell(cli, CTL_UPGRADE, TAKE_PTR(args), "done")
				: status;
}
