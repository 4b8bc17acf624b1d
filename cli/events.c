/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/events - postern events --follow: what happens, as it happens, until Ctrl-C.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "base/buf.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/text.h"

#define EVENT_VALUE_MAX 256u

static volatile sig_atomic_t events_stopped;

static void events_stop(int signal_number)
{
	(void)signal_number;
	events_stopped = 1;
}

static const struct column event_columns[] = {
	{"time", "", COLUMN_NUMBER},   {"event", "", COLUMN_TEXT},
	{"addr", "", COLUMN_TEXT},     {"policy", "", COLUMN_TEXT},
	{"service", "", COLUMN_TEXT},  {"user", "", COLUMN_TEXT},
	{"kind", "", COLUMN_TEXT},     {"ends", "", COLUMN_ENDS},
	{"why", "", COLUMN_TEXT},      {"message", "", COLUMN_TEXT},
	{"result", "", COLUMN_TEXT},   {"origin", "", COLUMN_TEXT},
	{"from", "", COLUMN_TEXT},     {"rcpt", "", COLUMN_TEXT},
	{"wait_s", "", COLUMN_NUMBER},
};

/* "2026-11-22 19:05:41 ban addr=192.0.2.7 policy=global why="..."": whatever members there are. */
static void event_line(struct cli *cli, const json_t *row)
{
	char clock[TEXT_TIME_MAX], memory[EVENT_VALUE_MAX];
	const char *key;
	json_t *value;

	(void)fprintf(cli->out, "%s ", text_clock(member_number(row, "time", 0), clock));
	print_plain(cli, member_text(row, "event"));
	json_object_foreach((json_t *)row, key, value)
	{
		struct buf buf = BUF_OVER(memory);
		const char *text = json_string_value(value);

		if (strcmp(key, "time") == 0 || strcmp(key, "event") == 0)
			continue;
		if (text && !text[0])
			continue;
		if (text)
			text_add_plain(&buf, text);
		else if (strcmp(key, "ends") == 0 && json_is_null(value))
			buf_puts(&buf, "forever");
		else if (strcmp(key, "ends") == 0 && json_is_integer(value))
			buf_puts(&buf, text_clock(json_integer_value(value), clock));
		else if (json_is_integer(value))
			buf_printf(&buf, "%" JSON_INTEGER_FORMAT,
				   json_integer_value(value));
		else
			continue;
		(void)fprintf(cli->out,
			      strpbrk(buf.text, " \"=") ? " %s=\"%s\"" : " %s=%s", key,
			      buf.text);
	}
	(void)fputc('\n', cli->out);
}

static int event_print(struct cli *cli, struct output *output, const json_t *row)
{
	if (cli->format == CLI_TABLE)
		event_line(cli, row);
	else if (cli->format == CLI_JSON)
		output_json(cli, row);
	else
		output_row(output, row);
	if (fflush(cli->out) != 0)
		return -errno;
	return 0;
}

static int events_follow(struct cli *cli, struct output *output)
{
	while (!events_stopped) {
		AUTO(json_free) json_t *object = NULL;
		const json_t *row;
		int err;

		err = client_receive(cli->client, CLIENT_WAIT_FOREVER, &object);
		if (err == -EINTR)
			continue;
		if (err)
			return client_explain(cli, err);
		row = json_object_get(object, "row");
		if (json_is_object(row)) {
			if (event_print(cli, output, row) != 0)
				return CTL_NO;
			continue;
		}
		cli_error(cli, "%s",
			  member_text(json_object_get(object, "done"), "message"));
		return (int)member_number(json_object_get(object, "done"), "code",
					  CTL_UNREACHABLE);
	}
	return CTL_OK;
}

int command_events(struct cli *cli, int argc, char **argv)
{
	struct sigaction stop = {
		.sa_handler = events_stop}; /* no SA_RESTART: poll() must end */
	AUTO(output_free) struct output *output = NULL;
	int err;

	if (argc > 0)
		return cli_usage(cli, "'%s': this command takes no words behind it",
				 argv[0]);
	if (!cli->options.follow)
		return cli_usage(
			cli,
			"there is no stored list of events (the journal has it); say: postern events --follow");
	output = output_new(cli, event_columns,
			    sizeof(event_columns) / sizeof(event_columns[0]));
	if (!output)
		return client_explain(cli, -ENOMEM);
	(void)sigemptyset(&stop.sa_mask);
	(void)sigaction(SIGINT, &stop, NULL);
	(void)sigaction(SIGTERM, &stop, NULL);
	err = client_send(cli, CTL_EVENTS, NULL);
	if (err)
		return client_explain(cli, err);
	return events_follow(cli, output);
}
