/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/cli/cli_run - see the header.
 */
#include "unit/cli/cli_run.h"

#include <assert.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cli/cli.h"

#define DEADLINE_S 30
#define WORDS_MAX  32

/* For the child: what it plays. */
static const struct exchange *script;

static int play_script(int fd)
{
	AUTO(free_mem) char *line = NULL;
	FILE *stream = fdopen(fd, "r+");
	size_t cap = 0;
	int wrong = 0;

	assert(stream);
	for (; script->expect[0] || script->reply; script++) {
		if (getline(&line, &cap, stream) < 0)
			return wrong + 1;
		for (size_t i = 0; i < 4 && script->expect[i]; i++)
			if (!strstr(line, script->expect[i])) {
				(void)fprintf(stderr, "not in the request: %s\n  %s",
					      script->expect[i], line);
				wrong++;
			}
		if (!script->reply)
			return wrong;
		(void)fputs(script->reply, stream);
		(void)fflush(stream);
	}
	return getline(&line, &cap, stream) < 0 ? wrong : wrong + 1;
}

static pid_t daemon_start(const char *path, daemon_fn daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	pid_t pid;

	(void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
	    listen(fd, 1) != 0)
		abort();
	(void)fflush(NULL);
	pid = fork();
	if (pid == 0) {
		alarm(DEADLINE_S);
		_exit(daemon(accept(fd, NULL, NULL)));
	}
	(void)close(fd);
	return pid;
}

static void run(struct run_result *result, const char *path, const char *input,
		const char *const *words)
{
	char *argv[WORDS_MAX + 1] = {(char *)"postern"};
	size_t out_len, err_len;
	struct cli cli = {.now_s = RUN_NOW_S, .environ_socket = path};
	int argc = 1;

	for (; words[argc - 1]; argc++) {
		assert(argc < WORDS_MAX);
		argv[argc] = (char *)words[argc - 1];
	}
	cli.in = fmemopen((void *)(input ? input : " "), input ? strlen(input) : 1, "r");
	cli.out = open_memstream(&result->out, &out_len);
	cli.err = open_memstream(&result->err, &err_len);
	assert(cli.in && cli.out && cli.err);
	alarm(DEADLINE_S);
	result->status = cli_run(&cli, argc, argv);
	alarm(0);
	(void)fclose(cli.in);
	(void)fclose(cli.out);
	(void)fclose(cli.err);
}

struct run_result run_cli_with(daemon_fn daemon, const char *input,
			       const char *const *words)
{
	char directory[] = "/tmp/postern-test-XXXXXX", path[64];
	struct run_result result = {0};
	pid_t pid = -1;
	int ended = 0;

	if (!mkdtemp(directory))
		abort();
	(void)snprintf(path, sizeof(path), "%s/control.sock", directory);
	if (daemon)
		pid = daemon_start(path, daemon);
	run(&result, path, input, words);
	if (pid > 0) {
		/* A command line that never connects leaves it waiting: that counts as unexpected. */
		if (waitpid(pid, &ended, 0) == pid)
			result.unexpected = WIFEXITED(ended) ? WEXITSTATUS(ended) : 1;
		(void)unlink(path);
	}
	(void)rmdir(directory);
	return result;
}

struct run_result run_cli(const struct exchange *exchanges, const char *input,
			  const char *const *words)
{
	script = exchanges;
	return run_cli_with(exchanges ? play_script : NULL, input, words);
}

void run_free(struct run_result *result)
{
	free_mem(&result->out);
	free_mem(&result->err);
}
