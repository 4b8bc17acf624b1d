/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * inject - makes a system call from inside another process, as root, and says what came of it.
 *
 *   inject PID CALL [ARGUMENT ...]
 *
 * An argument is a number, @TEXT (the address of that text), =HEX (of those bytes), or %N (of N zero bytes). Prints "ok RESULT",
 * "errno NUMBER", or "killed SIGNAL". The process goes on as if nothing had happened; a child that the call has made
 * is killed. For tests/net/test_privileges.py.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <seccomp.h>

#ifdef __x86_64__

#define ARGS_MAX   6
#define BELOW	   8192 /* the stack pointer: nobody's yet */
#define TEXT_BYTES 512	/* room for what one argument points at */
#define LINE_BYTES 512

struct target {
	pid_t pid;
	int mem_fd;
	unsigned long call_at; /* a syscall instruction */
	int signal;	       /* that came meanwhile; 0: none */
	struct user_regs_struct before;
};

_Noreturn static void quit(const char *what)
{
	(void)fprintf(stderr, "inject: %s: %s\n", what, strerror(errno));
	exit(2);
}

/* Any two bytes that read so do, in code that the process has mapped. */
static unsigned long find_call(const struct target *target, unsigned long from,
			       unsigned long to)
{
	static const unsigned char wanted[] = {0x0f, 0x05};
	const size_t len = to - from;
	unsigned char *code = malloc(len);
	unsigned long at = 0;
	const unsigned char *found;

	if (!code || pread(target->mem_fd, code, len, (off_t)from) != (ssize_t)len)
		quit("code");
	found = memmem(code, len, wanted, sizeof(wanted));
	if (found)
		at = from + (unsigned long)(found - code);
	free(code);
	return at;
}

static void look_at_maps(struct target *target)
{
	char path[64], line[LINE_BYTES];
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", (int)target->pid);
	maps = fopen(path, "re");
	if (!maps)
		quit(path);
	while (!target->call_at && fgets(line, sizeof(line), maps)) {
		char *end;
		const unsigned long from = strtoul(line, &end, 16);
		const unsigned long to = *end == '-' ? strtoul(end + 1, &end, 16) : 0;

		if (to > from && strncmp(end, " r-x", 4) == 0 && strstr(line, "/libc.so"))
			target->call_at = find_call(target, from, to);
	}
	(void)fclose(maps);
	if (!target->call_at)
		quit("no system call in the C library");
}

static void stop(struct target *target)
{
	const unsigned long options = PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
				      PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;
	struct iovec regs = {&target->before, sizeof(target->before)};
	char path[64];
	int status;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", (int)target->pid);
	target->mem_fd = open(path, O_RDWR | O_CLOEXEC);
	if (target->mem_fd < 0)
		quit(path);
	look_at_maps(target);
	if (ptrace(PTRACE_SEIZE, target->pid, 0, options) ||
	    ptrace(PTRACE_INTERRUPT, target->pid, 0, 0) ||
	    waitpid(target->pid, &status, __WALL) != target->pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_GETREGSET, target->pid, NT_PRSTATUS, &regs))
		quit("stop");
}

/* What an argument points at; its length. */
static size_t pointed_at(const char *text, char bytes[TEXT_BYTES])
{
	const size_t digits = strlen(text + 1);
	const size_t len = text[0] == '@'   ? digits + 1
			   : text[0] == '=' ? digits / 2
					    : strtoul(text + 1, NULL, 0);

	if (len > TEXT_BYTES) {
		errno = E2BIG;
		quit(text);
	}
	memset(bytes, 0, TEXT_BYTES);
	if (text[0] == '@')
		memcpy(bytes, text + 1, len);
	for (size_t i = 0; text[0] == '=' && i < len; i++) {
		const char pair[] = {text[1 + 2 * i], text[2 + 2 * i], '\0'};

		bytes[i] = (char)strtoul(pair, NULL, 16);
	}
	return len;
}

/* The value of an argument; what it points at is put below the stack. */
static unsigned long argument(const struct target *target, const char *text, int number)
{
	const unsigned long at =
		(target->before.rsp - BELOW + (unsigned long)number * TEXT_BYTES) & ~15ul;
	char bytes[TEXT_BYTES];
	size_t len;

	if (!strchr("@=%", text[0]))
		return strtoul(text, NULL, 0);
	len = pointed_at(text, bytes);
	if (pwrite(target->mem_fd, bytes, len, (off_t)at) != (ssize_t)len)
		quit("argument");
	return at;
}

static void set_regs(const struct target *target, const struct user_regs_struct *wanted)
{
	struct user_regs_struct copy = *wanted;
	struct iovec regs = {&copy, sizeof(copy)};

	if (ptrace(PTRACE_SETREGSET, target->pid, NT_PRSTATUS, &regs))
		quit("registers");
}

/* To the next stop after the call; false: it has ended, and that is said. */
static bool step(struct target *target)
{
	unsigned long child;
	int status;

	for (;;) {
		if (ptrace(PTRACE_SINGLESTEP, target->pid, 0, 0) ||
		    waitpid(target->pid, &status, __WALL) != target->pid)
			quit("step");
		if (WIFSIGNALED(status) || WIFEXITED(status)) {
			(void)printf("killed %d\n",
				     WIFSIGNALED(status) ? WTERMSIG(status) : 0);
			return false;
		}
		if (status >> 16 == 0 && WSTOPSIG(status) == SIGTRAP)
			return true;
		if (status >> 16 == 0)
			target->signal = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_EXEC) {
			(void)printf("ok executed\n");
			(void)kill(target->pid, SIGKILL);
			return false;
		}
		if (ptrace(PTRACE_GETEVENTMSG, target->pid, 0, &child) == 0 && child > 1)
			(void)kill((pid_t)child, SIGKILL);
	}
}

static void inject(struct target *target, int number, const unsigned long *args)
{
	struct user_regs_struct regs = target->before;
	struct iovec after = {&regs, sizeof(regs)};
	long result;

	regs.rip = target->call_at;
	regs.rax = (unsigned long)number;
	regs.orig_rax = (unsigned long)-1; /* what was interrupted is not begun again */
	regs.rdi = args[0];
	regs.rsi = args[1];
	regs.rdx = args[2];
	regs.r10 = args[3];
	regs.r8 = args[4];
	regs.r9 = args[5];
	set_regs(target, &regs);
	if (!step(target))
		return;
	if (ptrace(PTRACE_GETREGSET, target->pid, NT_PRSTATUS, &after))
		quit("result");
	set_regs(target, &target->before);
	if (ptrace(PTRACE_DETACH, target->pid, 0, target->signal))
		quit("detach");
	result = (long)regs.rax;
	if (result < 0 && result > -4096)
		(void)printf("errno %ld\n", -result);
	else
		(void)printf("ok %ld\n", result);
}

int main(int argc, char **argv)
{
	unsigned long args[ARGS_MAX] = {0};
	struct target target = {.pid = argc > 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0};
	int number;

	if (target.pid <= 1 || argc > 3 + ARGS_MAX) {
		(void)fprintf(stderr, "usage: inject PID CALL [ARGUMENT ...]\n");
		return 2;
	}
	number = argv[2][0] >= '0' && argv[2][0] <= '9'
			 ? (int)strtol(argv[2], NULL, 0)
			 : seccomp_syscall_resolve_name(argv[2]);
	if (number < 0) {
		errno = ENOSYS;
		quit(argv[2]);
	}
	stop(&target);
	for (int i = 3; i < argc; i++)
		args[i - 3] = argument(&target, argv[i], i - 3);
	inject(&target, number, args);
	return 0;
}

#else

int main(void)
{
	(void)fprintf(stderr, "inject: knows the registers of x86_64 only\n");
	return 77;
}

#endif
