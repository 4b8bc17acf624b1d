/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox - see sandbox.h.
 *
 * The filters allow what is listed and kill the process for all else: a refused call is an attack
 * or a bug, and an errno would let either go on. The keeper logs the SIGSYS and starts the process anew.
 */
#include "sys/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/sched.h>
#include <pwd.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <seccomp.h>
#include <sys/capability.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || \
	__has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#define NOBODY 65534u /* the kernel's overflow id: owns nothing */

/* ---- system calls ----------------------------------------------------------------------------- */

/* What every child needs: memory without code, the loop, time, its channels, its end. */
static const int calls_base[] = {
	SCMP_SYS(brk),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(close),
	SCMP_SYS(dup),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(eventfd2),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	SCMP_SYS(fcntl),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat), /* what fstat() of the C library is */
	SCMP_SYS(futex),
	SCMP_SYS(getegid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getpid),
	SCMP_SYS(getppid),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(gettid),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(getuid),
	SCMP_SYS(lseek),
	SCMP_SYS(madvise),
	SCMP_SYS(mremap),
	SCMP_SYS(munmap),
	SCMP_SYS(nanosleep),
	SCMP_SYS(pipe2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmmsg),
	SCMP_SYS(recvmsg),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigtimedwait),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sendmmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(sendto),
	SCMP_SYS(shutdown),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(uname),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	/* abort() after a failed assertion: it shall look like one, not like an attack */
	SCMP_SYS(kill),
	SCMP_SYS(tgkill),
};

static const int calls_sockets[] = {
	SCMP_SYS(accept4),     SCMP_SYS(bind),	      SCMP_SYS(connect),
	SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt),
	SCMP_SYS(listen),      SCMP_SYS(setsockopt),
};

static const int calls_gate[] = {
	SCMP_SYS(splice),
	SCMP_SYS(tee),
};

/* Libraries look for files of theirs (resolv.conf, localtime): in an empty root there are none. */
static const int calls_absent[] = {
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(open),	SCMP_SYS(openat),
	SCMP_SYS(stat),	  SCMP_SYS(statx),     SCMP_SYS(lstat), SCMP_SYS(readlink),
};

/* Paths resolve below the state directory or not at all: the account can read nothing else. */
static const int calls_files[] = {
	SCMP_SYS(access),	   SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),	   SCMP_SYS(chmod),
	SCMP_SYS(fchmod),	   SCMP_SYS(fallocate),
	SCMP_SYS(fdatasync),	   SCMP_SYS(flock),
	SCMP_SYS(fstatfs),	   SCMP_SYS(fsync),
	SCMP_SYS(ftruncate),	   SCMP_SYS(getcwd),
	SCMP_SYS(getdents64),	   SCMP_SYS(link),
	SCMP_SYS(linkat),	   SCMP_SYS(lstat),
	SCMP_SYS(mkdir),	   SCMP_SYS(open),
	SCMP_SYS(openat),	   SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),	   SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),	   SCMP_SYS(rename),
	SCMP_SYS(renameat),	   SCMP_SYS(renameat2),
	SCMP_SYS(rmdir),	   SCMP_SYS(stat),
	SCMP_SYS(statfs),	   SCMP_SYS(statx),
	SCMP_SYS(sync_file_range), SCMP_SYS(umask),
	SCMP_SYS(unlink),	   SCMP_SYS(unlinkat),
	SCMP_SYS(utimensat),	   SCMP_SYS(accept4),
	SCMP_SYS(getsockopt),	   SCMP_SYS(getsockname),
	SCMP_SYS(setsockopt),	   SCMP_SYS(sysinfo),
};

static const struct {
	const int *calls;
	size_t count;
} profiles[][3] = {
#define CALLS(table)                                      \
	{                                                 \
		table, sizeof(table) / sizeof((table)[0]) \
	}
	[SANDBOX_GATE] = {CALLS(calls_base), CALLS(calls_sockets), CALLS(calls_gate)},
	[SANDBOX_CHECKER] = {CALLS(calls_base), CALLS(calls_sockets), {NULL, 0}},
	[SANDBOX_LEDGER] = {CALLS(calls_base), CALLS(calls_files), {NULL, 0}},
	[SANDBOX_LOOK] = {CALLS(calls_base), {NULL, 0}, {NULL, 0}},
#undef CALLS
};

static int filter_add(scmp_filter_ctx filter, uint32_t action, const int *calls,
		      size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int err = seccomp_rule_add(filter, action, calls[i], 0);

		/* A call that this machine does not have, such as open() on arm64. */
		if (err && err != -EDOM && err != -EINVAL)
			return err;
	}
	return 0;
}

/* No new code in memory: neither mapped nor made executable afterwards. */
static int filter_allow_memory(scmp_filter_ctx filter)
{
	int err;

	err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
			       SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (err)
		return err;
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* socket(): the families and kinds of the profile only. */
static int filter_allow_socket(scmp_filter_ctx filter, enum sandbox_profile profile)
{
	static const int families[] = {AF_INET, AF_INET6};
	const uint64_t kind = 0xf; /* SOCK_NONBLOCK and SOCK_CLOEXEC lie above */

	if (profile == SANDBOX_LEDGER || profile == SANDBOX_LOOK)
		return 0;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		int err =
			seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
					 SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i], 0),
					 SCMP_A1(SCMP_CMP_MASKED_EQ, kind, SOCK_STREAM));

		if (!err && profile == SANDBOX_CHECKER)
			err = seccomp_rule_add(
				filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
				SCMP_A0(SCMP_CMP_EQ, (uint64_t)families[i], 0),
				SCMP_A1(SCMP_CMP_MASKED_EQ, kind, SOCK_DGRAM));
		if (err)
			return err;
	}
	/* Both ends stay within the process: `postern test`. */
	if (profile == SANDBOX_GATE)
		return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socketpair), 2,
					SCMP_A0(SCMP_CMP_EQ, (uint64_t)AF_UNIX, 0),
					SCMP_A1(SCMP_CMP_MASKED_EQ, kind, SOCK_STREAM));
	return 0;
}

static int sandbox_filter(enum sandbox_profile profile)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err = 0;

	if (!filter)
		return -ENOMEM;
	for (size_t i = 0; i < 3 && !err; i++)
		err = filter_add(filter, SCMP_ACT_ALLOW, profiles[profile][i].calls,
				 profiles[profile][i].count);
	if (!err && profile != SANDBOX_LEDGER)
		err = filter_add(filter, SCMP_ACT_ERRNO(ENOENT), calls_absent,
				 sizeof(calls_absent) / sizeof(calls_absent[0]));
	if (!err)
		err = filter_allow_memory(filter);
	if (!err)
		err = filter_allow_socket(filter, profile);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* ---- account, root, capabilities ---------------------------------------------------------------- */

/* An unprivileged process that could write into its root would not be shut in by it. */
static int sandbox_check_root(const char *root_dir)
{
	struct stat st;

	if (stat(root_dir, &st))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (st.st_uid != 0 || (st.st_mode & (S_IWGRP | S_IWOTH)))
		return -EPERM;
	return 0;
}

static int capabilities_drop_all(void)
{
	cap_t none = cap_init();
	int err = 0;

	if (!none)
		return -ENOMEM;
	if (cap_set_proc(none))
		err = -errno;
	cap_free(none);
	return err;
}

int sandbox_enter(enum sandbox_profile profile, const char *user, const char *root_dir)
{
	const struct passwd *account;
	uid_t uid;
	gid_t gid;
	int err;

	errno = 0;
	account = getpwnam(user);
	if (!account)
		return errno ? -errno : -ENOENT;
	uid = account->pw_uid;
	gid = account->pw_gid;
	if (uid == 0 || gid == 0)
		return -EPERM;
	if (profile == SANDBOX_LEDGER) {
		if (chdir(root_dir))
			return -errno;
	} else {
		err = sandbox_check_root(root_dir);
		if (err)
			return err;
		if (chroot(root_dir) || chdir("/"))
			return -errno;
	}
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return -errno;
	err = capabilities_drop_all();
	if (err)
		return err;
	/* A core dump would hold what clients sent. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		return -errno;
	return SANITIZED ? 0 : sandbox_filter(profile);
}

int sandbox_look(void)
{
	int err;

	if (geteuid() == 0 && (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
			       setresuid(NOBODY, NOBODY, NOBODY)))
		return -errno;
	err = capabilities_drop_all();
	if (err)
		return err;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -errno;
	return SANITIZED ? 0 : sandbox_filter(SANDBOX_LOOK);
}

int sandbox_keeper(void)
{
	static const cap_value_t kept[] = {
		CAP_BPF,    CAP_PERFMON,	 CAP_NET_ADMIN,	 CAP_NET_BIND_SERVICE,
		CAP_SETUID, CAP_SETGID,		 CAP_SYS_CHROOT, CAP_KILL,
		CAP_CHOWN,  CAP_DAC_READ_SEARCH,
	};
	const int count = sizeof(kept) / sizeof(kept[0]);
	cap_t wanted = cap_init();
	int err = 0;

	if (!wanted)
		return -ENOMEM;
	if (cap_set_flag(wanted, CAP_PERMITTED, count, kept, CAP_SET) ||
	    cap_set_flag(wanted, CAP_EFFECTIVE, count, kept, CAP_SET))
		err = -errno;
	/* First the bounding set, which takes CAP_SETPCAP: what is not in it never comes back. */
	for (cap_value_t cap = 0; !err && CAP_IS_SUPPORTED(cap); cap++) {
		bool keep = false;

		for (int i = 0; i < count; i++)
			keep = keep || kept[i] == cap;
		/* One that another program of ours has started is without it already. */
		if (!keep && cap_get_bound(cap) == 1 && cap_drop_bound(cap))
			err = -errno;
	}
	if (!err && cap_set_proc(wanted))
		err = -errno;
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	cap_free(wanted);
	return err;
}
