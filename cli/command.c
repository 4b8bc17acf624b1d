/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/command - the tables of commands and options, and the run of one command line.
 *
 * Help, completion and the manual's synopsis follow these tables.
 */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/client.h"
#include "cli/help.h"
#include "wire/ctl.h"

#define BAN_OPTIONS                                                                     \
	(CLI_OPTION_POLICY | CLI_OPTION_LENGTH | CLI_OPTION_REASON | CLI_OPTION_FORCE | \
	 CLI_OPTION_DRY_RUN | CLI_OPTION_CALLER)
#define UNBAN_OPTIONS (CLI_OPTION_POLICY | CLI_OPTION_ALL | CLI_OPTION_DRY_RUN)

const struct command command_table[] = {
	{"status", command_status, "", "how the daemon, its policies and services are",
	 0},
	{"ban", command_ban, "ADDR[/LEN]... | -", "drop addresses in the kernel",
	 BAN_OPTIONS},
	{"unban", command_unban, "ADDR[/LEN]... | - | --all", "end bans", UNBAN_OPTIONS},
	{"bans", command_bans, "", "list the bans", CLI_OPTION_POLICY},
	{"why", command_why, "ADDR", "what would happen to an address, and why", 0},
	{"test", command_test, "SERVICE ADDR", "what a client would get, step by step",
	 CLI_OPTION_TEST},
	{"policy", command_policy, "show [POLICY]", "the policies, or the entries of one",
	 0},
	{"sessions", command_sessions, "", "list the open sessions", 0},
	{"reload", command_reload, "", "read the configuration and the lists again",
	 CLI_OPTION_FORCE | CLI_OPTION_CALLER | CLI_OPTION_CONFIRM},
	{"confirm", command_confirm, "", "keep what reload --confirm has put in force",
	 0},
	{"upgrade", command_upgrade, "",
	 "let the installed posternd take over from the one that runs",
	 CLI_OPTION_FORCE | CLI_OPTION_CALLER},
	{"greylist", command_greylist,
	 "list [WHAT] | pass ADDR[/LEN]... | forget WHAT... | --all",
	 "what greylisting remembers; let a network pass; forget",
	 CLI_OPTION_LENGTH | CLI_OPTION_ALL},
	{"verify", command_verify, "", "compare store, kernel and lists", 0},
	{"events", command_events, "--follow", "show what happens, as it happens",
	 CLI_OPTION_FOLLOW},
	{"help", command_help, "[COMMAND]", "this list, or the options of a command", 0},
	{"completion", command_completion, "bash",
	 "print a completion script for the shell", 0},
};
const size_t command_count = sizeof(command_table) / sizeof(command_table[0]);

#define AT(member) offsetof(struct cli_options, member)

const struct cli_option option_table[] = {
	{"--policy", "NAME", AT(policy), CLI_OPTION_POLICY,
	 "in this policy only (default: every policy that is enabled)"},
	{"--for", "TIME", AT(duration), CLI_OPTION_LENGTH,
	 "how long: 90s, 10m, 1h, 7d, 1h30m "
	 "(default: ban-time of the policy; greylist-lifetime)"},
	{"--forever", NULL, AT(forever), CLI_OPTION_LENGTH, "without an end"},
	{"--reason", "TEXT", AT(reason), CLI_OPTION_REASON, "kept with the ban"},
	{"--all", NULL, AT(all), CLI_OPTION_ALL,
	 "every ban; all that greylisting remembers"},
	{"--force", NULL, AT(force), CLI_OPTION_FORCE,
	 "although it is dangerous: a very short prefix, or it locks you out"},
	{"--dry-run", NULL, AT(dry_run), CLI_OPTION_DRY_RUN,
	 "say what would be done, do nothing"},
	{"--caller", "ADDR", AT(caller), CLI_OPTION_CALLER,
	 "where you are connected from (default: found out from SSH)"},
	{"--confirm", "TIME", AT(confirm), CLI_OPTION_CONFIRM,
	 "take it back unless 'postern confirm' comes within so long, such as 60s"},
	{"--helo", "NAME", AT(helo), CLI_OPTION_TEST,
	 "in EHLO (default: client.example.net)"},
	{"--from", "ADDRESS", AT(from), CLI_OPTION_TEST,
	 "in MAIL FROM (default: the null sender)"},
	{"--to", "ADDRESS", AT(to), CLI_OPTION_TEST, "in RCPT TO (default: postmaster)"},
	{"--auth", "USER", AT(auth), CLI_OPTION_TEST,
	 "log in as this user, with a password that is right"},
	{"--tls", NULL, AT(tls), CLI_OPTION_TEST, "as if inside TLS"},
	{"--follow", NULL, AT(follow), CLI_OPTION_FOLLOW, "until Ctrl-C"},
	{"--tsv", NULL, AT(tsv), CLI_OPTION_GLOBAL, "tab-separated columns, for scripts"},
	{"--json", NULL, AT(json), CLI_OPTION_GLOBAL, "one JSON object or array"},
	{"--socket", "PATH", AT(socket_path), CLI_OPTION_GLOBAL,
	 "control socket (default: " CLI_SOCKET_DEFAULT ", or POSTERN_SOCKET)"},
	{"--help", NULL, AT(help), CLI_OPTION_GLOBAL, "what 'postern help' says"},
	{"--version", NULL, AT(version), CLI_OPTION_GLOBAL,
	 "the version of this program"},
};
const size_t option_count = sizeof(option_table) / sizeof(option_table[0]);

const struct command *command_find(const char *name)
{
	for (size_t i = 0; i < command_count; i++)
		if (strcmp(command_table[i].name, name) == 0)
			return &command_table[i];
	return NULL;
}

static void cli_message(struct cli *cli, const char *format, va_list arguments)
{
	(void)fflush(
		cli->out); /* in the order of what happened, when both are one terminal */
	(void)fprintf(cli->err, "postern%s%s: ", cli->command[0] ? " " : "",
		      cli->command);
	(void)vfprintf(cli->err, format, arguments);
	(void)fputc('\n', cli->err);
}

int cli_usage(struct cli *cli, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cli_message(cli, format, arguments);
	va_end(arguments);
	return CTL_USAGE;
}

int cli_no_words(struct cli *cli, int argc, char **argv)
{
	if (argc > 0)
		return cli_usage(cli, "'%s': this command takes no words behind it",
				 argv[0]);
	return CTL_OK;
}

void cli_error(struct cli *cli, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	cli_message(cli, format, arguments);
	va_end(arguments);
}

/* The option whose name is the word, or the part of it before a '='. */
static const struct cli_option *option_find(const char *word, size_t len)
{
	for (size_t i = 0; i < option_count; i++)
		if (strlen(option_table[i].name) == len &&
		    memcmp(option_table[i].name, word, len) == 0)
			return &option_table[i];
	return NULL;
}

/* The words of a command line as they are taken apart. */
struct words {
	int argc; /* not yet looked at */
	char **argv;
	int kept; /* words that are no options, moved to the front of kept_argv */
	char **kept_argv;
	unsigned int bits;		      /* of the options seen */
	const struct cli_option *last_of[32]; /* by bit: one that was seen */
};

static int words_option(struct cli *cli, struct words *words)
{
	char *word = words->argv[0];
	size_t len = strcspn(word, "=");
	const struct cli_option *option = option_find(word, len);
	char *field;

	if (!option)
		return cli_usage(cli, "'%s': no such option; 'postern help' lists them",
				 word);
	field = (char *)&cli->options + option->offset;
	words->bits |= option->bit;
	words->last_of[__builtin_ctz(option->bit)] = option;
	if (!option->argument) {
		if (word[len] == '=')
			return cli_usage(cli, "'%s': %s takes no value", word,
					 option->name);
		*(bool *)field = true;
		return CTL_OK;
	}
	if (word[len] == '=') {
		*(const char **)field = word + len + 1;
		return CTL_OK;
	}
	if (words->argc < 2)
		return cli_usage(cli, "%s needs a value: %s %s", option->name,
				 option->name, option->argument);
	*(const char **)field = words->argv[1];
	words->argc--;
	words->argv++;
	return CTL_OK;
}

/* Sort the words into options and the rest. A single "-" is one of the rest. */
static int words_sort(struct cli *cli, struct words *words)
{
	for (; words->argc > 0; words->argc--, words->argv++) {
		char *word = words->argv[0];
		int status;

		if (strcmp(word, "--") == 0) {
			for (words->argc--, words->argv++; words->argc > 0; words->argc--)
				words->kept_argv[words->kept++] = *words->argv++;
			return CTL_OK;
		}
		if (strcmp(word, "-h") == 0) {
			cli->options.help = true;
			continue;
		}
		if (word[0] != '-' || word[1] == '\0') {
			words->kept_argv[words->kept++] = word;
			continue;
		}
		status = words_option(cli, words);
		if (status != CTL_OK)
			return status;
	}
	return CTL_OK;
}

static int cli_check_options(struct cli *cli, const struct command *command,
			     const struct words *words)
{
	unsigned int wrong = words->bits & ~(command->options | CLI_OPTION_GLOBAL);

	if (wrong)
		return cli_usage(
			cli, "'%s': not an option of this command; see 'postern help %s'",
			words->last_of[__builtin_ctz(wrong)]->name, command->name);
	if (cli->options.tsv && cli->options.json)
		return cli_usage(cli, "--tsv and --json exclude each other");
	if (cli->options.tsv)
		cli->format = CLI_TSV;
	if (cli->options.json)
		cli->format = CLI_JSON;
	return CTL_OK;
}

static int cli_run_command(struct cli *cli, const struct command *command,
			   const struct words *words)
{
	int status;

	status = command->run(cli, words->kept - 1, words->kept_argv + 1);
	client_free(&cli->client);
	if (fflush(cli->out) != 0 || ferror(cli->out)) {
		cli_error(cli, "cannot write the output: %s", strerror(errno));
		return status == CTL_OK ? CTL_NO : status;
	}
	return status;
}

int cli_run(struct cli *cli, int argc, char **argv)
{
	static char status_name[] = "status";
	struct words words = {.argc = argc - 1, .argv = argv + 1, .kept_argv = argv};
	const struct command *command;
	int status;

	cli->command = "";
	status = words_sort(cli, &words);
	if (status != CTL_OK)
		return status;
	if (cli->options.version) {
		(void)fprintf(cli->out, "postern %s\n", POSTERN_VERSION);
		return CTL_OK;
	}
	if (words.kept == 0)
		words.kept_argv[words.kept++] = status_name;
	command = command_find(words.kept_argv[0]);
	if (!command)
		return cli_usage(cli, "'%s': no such command; 'postern help' lists them",
				 words.kept_argv[0]);
	cli->command = command->name;
	if (cli->options.help)
		return help_print(cli, command == command_table ? NULL : command);
	status = cli_check_options(cli, command, &words);
	if (status != CTL_OK)
		return status;
	return cli_run_command(cli, command, &words);
}
