/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/help - see the header.
 */
#include "cli/help.h"

#include <string.h>

#include "wire/ctl.h"

static void help_option(FILE *out, const struct cli_option *option)
{
	char left[40];

	(void)snprintf(left, sizeof(left), "%s%s%s", option->name,
		       option->argument ? " " : "",
		       option->argument ? option->argument : "");
	(void)fprintf(out, "  %-16s %s\n", left, option->help);
}

static void help_options(FILE *out, unsigned int bits)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].bit & bits)
			help_option(out, &option_table[i]);
}

static void help_command(FILE *out, const struct command *command)
{
	(void)fprintf(out, "postern %s %s\n  %s\n", command->name, command->arguments,
		      command->help);
	if (command->options) {
		(void)fputs("\n", out);
		help_options(out, command->options);
	}
	(void)fputs("\nWith every command:\n", out);
	help_options(out, CLI_OPTION_GLOBAL);
}

int help_print(struct cli *cli, const struct command *command)
{
	if (command) {
		help_command(cli->out, command);
		return CTL_OK;
	}
	(void)fputs("postern [OPTIONS] [COMMAND]: without a command, status\n\n",
		    cli->out);
	for (size_t i = 0; i < command_count; i++) {
		char left[48];

		(void)snprintf(left, sizeof(left), "%s %s", command_table[i].name,
			       command_table[i].arguments);
		(void)fprintf(cli->out, "  %-32s %s\n", left, command_table[i].help);
	}
	(void)fputs("\nWith every command:\n", cli->out);
	help_options(cli->out, CLI_OPTION_GLOBAL);
	(void)fputs(
		"\n'postern help COMMAND' tells its options; postern(8) tells it all.\n"
		"Exit status: 0 done, or would pass; 1 no; 2 usage; 3 the daemon does not answer.\n",
		cli->out);
	return CTL_OK;
}

int command_help(struct cli *cli, int argc, char **argv)
{
	const struct command *command = NULL;

	if (argc > 1)
		return cli_usage(cli, "'%s': one command at a time", argv[1]);
	if (argc == 1) {
		command = command_find(argv[0]);
		if (!command)
			return cli_usage(
				cli, "'%s': no such command; 'postern help' lists them",
				argv[0]);
	}
	return help_print(cli, command);
}

static void completion_words(FILE *out, unsigned int bits)
{
	for (size_t i = 0; i < option_count; i++)
		if (option_table[i].bit & bits)
			(void)fprintf(out, " %s", option_table[i].name);
}

int command_completion(struct cli *cli, int argc, char **argv)
{
	FILE *out = cli->out;

	if (argc != 1 || strcmp(argv[0], "bash") != 0)
		return cli_usage(cli, "say for which shell: postern completion bash");
	(void)fputs(
		"_postern()\n{\n"
		"\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
		"\tlocal command= word words\n"
		"\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
		"\t\tcase $word in\n\t\t",
		out);
	for (size_t i = 0; i < command_count; i++)
		(void)fprintf(out, "%s%s", i ? "|" : "", command_table[i].name);
	(void)fputs(
		") command=$word; break ;;\n\t\tesac\n\tdone\n"
		"\tcase $before in\n"
		"\t--policy | show) words=$(postern policy show --tsv 2>/dev/null | cut -f1) ;;\n"
		"\t--socket) COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n"
		"\t--for | --reason | --caller) return ;;\n"
		"\t*)\n\t\tcase $command in\n\t\t'') words='",
		out);
	for (size_t i = 0; i < command_count; i++)
		(void)fprintf(out, "%s%s", i ? " " : "", command_table[i].name);
	completion_words(out, CLI_OPTION_GLOBAL);
	(void)fputs("' ;;\n", out);
	for (size_t i = 0; i < command_count; i++) {
		(void)fprintf(out, "\t\t%s) words='", command_table[i].name);
		if (strcmp(command_table[i].name, "policy") == 0)
			(void)fputs("show", out);
		if (strcmp(command_table[i].name, "completion") == 0)
			(void)fputs("bash", out);
		completion_words(out, command_table[i].options | CLI_OPTION_GLOBAL);
		(void)fputs("' ;;\n", out);
	}
	(void)fputs("\t\tesac ;;\n\tesac\n"
		    "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n}\n"
		    "complete -F _postern postern\n",
		    out);
	return CTL_OK;
}
