/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sandbox_look(): what is left to a process that looks at bytes. The others live long enough to be tried from inside,
 * in tests/net/test_privileges.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sys/sandbox.h"

#define CHILD_ENTERED 40 /* and was not refused */
#define CHILD_FAILED  41

static int fds[2]; /* a channel that was open before */

static void writes(void)
{
	(void)!write(fds[0], "x", 1);
}

static void sends(void)
{
	(void)send(fds[0], "x", 1, 0);
}

static void reads(void)
{
	char byte;

	(void)!read(fds[0], &byte, 1);
}

static void makes_socket(void)
{
	(void)socket(AF_INET, SOCK_STREAM, 0);
}

static void forks(void)
{
	(void)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

static void executes(void)
{
	(void)execl("/bin/true", "true", (char *)NULL);
}

static void signals_parent(void)
{
	(void)kill(getppid(), 0);
}

static void maps_code(void)
{
	(void)mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void opens(void)
{
	const int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);

	_exit(fd < 0 && errno == ENOENT ? CHILD_ENTERED : CHILD_FAILED);
}

static void works(void)
{
	char *memory = malloc(1 << 20);

	_exit(memory && getpid() > 1 ? CHILD_ENTERED : CHILD_FAILED);
}

static const struct {
	const char *why;
	void (*act)(void);
	int signal; /* 0: it ends as CHILD_ENTERED */
} rows[] = {
	{"what is open stays untouched: write", writes, SIGSYS},
	{"what is open stays untouched: send", sends, SIGSYS},
	{"what is open stays untouched: read", reads, SIGSYS},
	{"no socket", makes_socket, SIGSYS},
	{"no process", forks, SIGSYS},
	{"no program", executes, SIGSYS},
	{"no signal to others", signals_parent, SIGSYS},
	{"no code", maps_code, SIGSYS},
	{"files are not there", opens, 0},
	{"memory is", works, 0},
	{"a failed assertion looks like one", abort, SIGABRT},
};

static int status_of(void (*act)(void))
{
	const struct rlimit none = {0, 0};
	pid_t pid = fork();
	int status = 0;

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setrlimit(RLIMIT_CORE, &none);
		if (sandbox_look())
			_exit(CHILD_FAILED);
		act();
		_exit(CHILD_ENTERED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void rows_hold(void **state)
{
	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const int status = status_of(rows[i].act);

		if (rows[i].signal
			    ? !WIFSIGNALED(status) || WTERMSIG(status) != rows[i].signal
			    : !WIFEXITED(status) || WEXITSTATUS(status) != CHILD_ENTERED)
			fail_msg("%s: status %x", rows[i].why, (unsigned int)status);
	}
	(void)close(fds[0]);
	(void)close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
	};

	return cmocka_run_group_tests_name("sys/sandbox", tests, NULL, NULL);
}
