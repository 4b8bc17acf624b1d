/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/cli/cli_run - one command line of postern(8) against a scripted daemon.
 *
 * The daemon is a child process behind a real socket in a directory of its own: it reads each request,
 * looks for the words it was told to expect in it, and writes the lines of its script.
 */
#ifndef UNIT_CLI_RUN_H
#define UNIT_CLI_RUN_H

#include <stddef.h>
#include <stdint.h>

#define RUN_NOW_S INT64_C(1700000000)

/* One request and what it is answered with. */
struct exchange {
	const char *expect[4]; /* texts that the request must hold; NULL ends */
	const char *reply;     /* lines; NULL: close the connection instead */
};

struct run_result {
	int status;
	char *out, *err; /* owned */
	int unexpected; /* requests that did not hold what was expected, or did not come */
};

/* exchanges NULL: nobody listens. input: standard input; NULL: empty. words: after "postern", NULL ends. */
struct run_result run_cli(const struct exchange *exchanges, const char *input,
			  const char *const *words);
void run_free(struct run_result *result);

/* The same with a daemon of the caller's: fd is its end of the connection; returns what went wrong. */
typedef int (*daemon_fn)(int fd);
struct run_result run_cli_with(daemon_fn daemon, const char *input,
			       const char *const *words);

/* run_cli() on words in place. */
#define RUN(exchanges, input, ...) \
	run_cli(exchanges, input, (const char *const[]){__VA_ARGS__, NULL})

#endif
