/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/cli - what the commands of postern(8) share: the options, the streams, the tables of
 * commands and options. Each family of commands is a file; cli/command runs the one asked for.
 *
 * May touch: the control socket, standard streams, the environment. Called by cli/main and tests.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define CLI_SOCKET_DEFAULT "/run/postern/control.sock"
#define CLI_ARGUMENTS_MAX \
	100000 /* words behind a command; the kernel allows about as many */

struct client;

enum cli_format {
	CLI_TABLE, /* for people */
	CLI_TSV,   /* columns as in postern(8) */
	CLI_JSON,
};

/* Values of the options; see option_table in cli/command. Texts are borrowed from argv. */
struct cli_options {
	const char *socket_path;
	const char *caller;
	const char *policy;
	const char *duration;
	const char *reason;
	const char *helo, *from, *to, *auth;
	bool tsv;
	bool json;
	bool forever;
	bool force;
	bool dry_run;
	bool all;
	const char *confirm;
	bool follow;
	bool tls;
	bool help;
	bool version;
};

/* Bits of the options that a command understands. */
enum cli_option_bit {
	CLI_OPTION_GLOBAL = 1 << 0,
	CLI_OPTION_CALLER = 1 << 1,
	CLI_OPTION_POLICY = 1 << 2,
	CLI_OPTION_LENGTH = 1 << 3, /* --for, --forever */
	CLI_OPTION_REASON = 1 << 4,
	CLI_OPTION_FORCE = 1 << 5,
	CLI_OPTION_DRY_RUN = 1 << 6,
	CLI_OPTION_ALL = 1 << 7,
	CLI_OPTION_FOLLOW = 1 << 8,
	CLI_OPTION_CONFIRM = 1 << 9,
	CLI_OPTION_TEST = 1 << 10, /* what the client of a test says */
};

/* One run of the program. */
struct cli {
	FILE *in, *out, *err;	    /* borrowed */
	int64_t now_s;		    /* wall clock */
	const char *environ_socket; /* POSTERN_SOCKET, or NULL */
	const char *command;	    /* name, for messages; "" before it is known */
	struct cli_options options;
	enum cli_format format;
	struct client *
		client; /* from the first request on, so that mistakes are found without a daemon; owned */
};

/* Returns the exit status: enum ctl_code. argv: the words behind the command. */
typedef int (*command_fn)(struct cli *cli, int argc, char **argv);

struct command {
	const char *name;
	command_fn run;
	const char *arguments; /* as in the synopsis */
	const char *help;      /* one line */
	unsigned int options;  /* bits, besides CLI_OPTION_GLOBAL */
};

struct cli_option {
	const char *name;     /* "--policy" */
	const char *argument; /* "NAME"; NULL: a switch */
	size_t offset;	      /* in struct cli_options: const char * or bool */
	unsigned int bit;
	const char *help;
};

extern const struct command command_table[];
extern const size_t command_count;
extern const struct cli_option option_table[];
extern const size_t option_count;

/**
 * cli_run - run one command line.
 * @cli: streams, now_s and environ_socket filled in; the rest zero
 * @argc, @argv: as main() gets them
 *
 * Return: exit status.
 */
int cli_run(struct cli *cli, int argc, char **argv);

/* The command of this name; NULL. */
const struct command *command_find(const char *name);

/* "postern ban: ..." on the error stream. Returns CTL_USAGE, for `return cli_usage(...)`. */
int cli_usage(struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for what is no mistake of the command line. */
void cli_error(struct cli *cli, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* CTL_OK if there are no words behind the command; else CTL_USAGE, and it is said. */
int cli_no_words(struct cli *cli, int argc, char **argv);

/* The commands, by file. */
int command_status(struct cli *cli, int argc, char **argv);
int command_ban(struct cli *cli, int argc, char **argv);
int command_unban(struct cli *cli, int argc, char **argv);
int command_bans(struct cli *cli, int argc, char **argv);
int command_why(struct cli *cli, int argc, char **argv);
int command_policy(struct cli *cli, int argc, char **argv);
int command_sessions(struct cli *cli, int argc, char **argv);
int command_reload(struct cli *cli, int argc, char **argv);
int command_confirm(struct cli *cli, int argc, char **argv);
int command_upgrade(struct cli *cli, int argc, char **argv);
int command_verify(struct cli *cli, int argc, char **argv);
int command_test(struct cli *cli, int argc, char **argv);
int command_events(struct cli *cli, int argc, char **argv);
int command_greylist(struct cli *cli, int argc, char **argv);
int command_help(struct cli *cli, int argc, char **argv);
int command_completion(struct cli *cli, int argc, char **argv);

#endif
