/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox_filter - see sandbox_filter.h.
 *
 * tests/net/test_privileges.py makes refused calls from inside each process.
 */
#include "sys/sandbox_filter.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <seccomp.h>

#define ARGS_MAX 3u

enum {
	GATE = 1u << SANDBOX_GATE,
	CHECKER = 1u << SANDBOX_CHECKER,
	LEDGER = 1u << SANDBOX_LEDGER,
	LOOK = 1u << SANDBOX_LOOK,
	PROXY = GATE |
		CHECKER, /* those with an empty root, that speak with the network */
	CHILD = PROXY | LEDGER,
	ALL = CHILD | LOOK,
};

/* ---- children: whatever the arguments -------------------------------------------------------------------- */

/* Each entry says whose work needs it; where that is no process of ours but the C library, in which form. */
static const struct {
	int number;
	unsigned int profiles;
} allowed[] = {
	/* memory, without code in it: mmap and mprotect stand below */
	{SCMP_SYS(brk), ALL},
	{SCMP_SYS(madvise), ALL},
	{SCMP_SYS(mremap), ALL},
	{SCMP_SYS(munmap), ALL},
	/* time, chance, who am I */
	{SCMP_SYS(clock_getres), CHILD},
	{SCMP_SYS(clock_gettime), ALL},
	{SCMP_SYS(clock_nanosleep), LEDGER}, /* SQLite waits for a lock */
	{SCMP_SYS(getegid), CHILD},
	{SCMP_SYS(geteuid), CHILD},
	{SCMP_SYS(getgid), CHILD},
	{SCMP_SYS(getpid), ALL},
	{SCMP_SYS(getrandom), ALL},
	{SCMP_SYS(gettid), ALL},
	{SCMP_SYS(gettimeofday), ALL},
	{SCMP_SYS(getuid), CHILD},
	{SCMP_SYS(nanosleep), LEDGER},
	{SCMP_SYS(sysinfo), ALL}, /* qsort() asks once how much memory there is */
	/* its end, locks, signals that the libraries block */
	{SCMP_SYS(exit), ALL},
	{SCMP_SYS(exit_group), ALL},
	{SCMP_SYS(futex), ALL},
	{SCMP_SYS(restart_syscall), ALL},
	{SCMP_SYS(rt_sigaction), ALL}, /* abort() resets SIGABRT, too */
	{SCMP_SYS(rt_sigprocmask), ALL},
	{SCMP_SYS(rt_sigreturn), ALL},
	{SCMP_SYS(sched_yield), CHILD},
	/* the loop */
	{SCMP_SYS(epoll_create1), CHILD},
	{SCMP_SYS(epoll_ctl), CHILD},
	{SCMP_SYS(epoll_pwait), CHILD},
	{SCMP_SYS(epoll_pwait2), CHILD},
	{SCMP_SYS(epoll_wait), CHILD},
	{SCMP_SYS(pipe2), CHILD}, /* libevent's signals; pipes for splice() */
	{SCMP_SYS(poll), CHILD},
	{SCMP_SYS(ppoll), CHILD},
	/* what is open already: channels, log, clients */
	{SCMP_SYS(close), ALL},
	{SCMP_SYS(fstat), ALL},
	{SCMP_SYS(newfstatat), ALL}, /* what fstat() of the C library is */
	{SCMP_SYS(read), CHILD},
	{SCMP_SYS(readv), CHILD},
	{SCMP_SYS(recvfrom), CHILD},
	{SCMP_SYS(recvmsg), CHILD},
	{SCMP_SYS(sendmsg), CHILD},
	{SCMP_SYS(sendto), CHILD},
	{SCMP_SYS(shutdown), CHILD},
	{SCMP_SYS(write), CHILD},
	{SCMP_SYS(writev), CHILD},
	/* connections; nobody listens: what a gate accepts from comes from the keeper, the ledger's control socket too */
	{SCMP_SYS(accept4), GATE | LEDGER},
	{SCMP_SYS(bind), GATE}, /* to a client's address */
	{SCMP_SYS(connect), PROXY},
	{SCMP_SYS(getpeername), PROXY},
	{SCMP_SYS(getsockname), PROXY},
	{SCMP_SYS(getsockopt), CHILD},
	{SCMP_SYS(splice), GATE},
	/* the store: SQLite below its root */
	{SCMP_SYS(access), LEDGER},
	{SCMP_SYS(faccessat), LEDGER},
	{SCMP_SYS(faccessat2), LEDGER},
	{SCMP_SYS(fallocate), LEDGER},
	{SCMP_SYS(fchmod),
	 LEDGER}, /* SQLite does without: the keeper's filter refuses it */
	{SCMP_SYS(fdatasync), LEDGER},
	{SCMP_SYS(fsync), LEDGER},
	{SCMP_SYS(ftruncate), LEDGER},
	{SCMP_SYS(getcwd), LEDGER},
	{SCMP_SYS(lseek), LEDGER},
	{SCMP_SYS(lstat), LEDGER},
	{SCMP_SYS(open), LEDGER},
	{SCMP_SYS(openat), LEDGER},
	{SCMP_SYS(pread64), LEDGER},
	{SCMP_SYS(pwrite64), LEDGER},
	{SCMP_SYS(readlink), LEDGER},
	{SCMP_SYS(readlinkat), LEDGER},
	{SCMP_SYS(rename), LEDGER}, /* a damaged store is set aside */
	{SCMP_SYS(renameat), LEDGER},
	{SCMP_SYS(renameat2), LEDGER},
	{SCMP_SYS(stat), LEDGER},
	{SCMP_SYS(statx), LEDGER},
	{SCMP_SYS(unlink), LEDGER},
	{SCMP_SYS(unlinkat), LEDGER},
};

/* Libraries look for files of theirs (resolv.conf, localtime): in an empty root there are none. */
static const int absent[] = {
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(open),	SCMP_SYS(openat),
	SCMP_SYS(stat),	  SCMP_SYS(statx),     SCMP_SYS(lstat), SCMP_SYS(readlink),
};

/* ---- children: with these arguments only ------------------------------------------------------------------ */

/* The kernel takes an int: what the upper half of the register holds is chance. */
#define ARG(number, wanted)                                        \
	{                                                          \
		number, SCMP_CMP_MASKED_EQ, 0xffffffffu, (wanted), \
	}
/* What lies above the kind are SOCK_NONBLOCK and SOCK_CLOEXEC. */
#define KIND(wanted)                                  \
	{                                             \
		1, SCMP_CMP_MASKED_EQ, 0xf, (wanted), \
	}
#define NO_CODE                                      \
	{                                            \
		2, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0, \
	}

struct narrow {
	int number;
	unsigned int profiles;
	unsigned int count;
	struct scmp_arg_cmp args[ARGS_MAX];
};

static const struct narrow narrowed[] = {
	{SCMP_SYS(mmap), ALL, 1, {NO_CODE}},
	{SCMP_SYS(mprotect), ALL, 1, {NO_CODE}},
	/* Neither F_SETOWN, which has signals sent to others, nor F_NOTIFY, nor leases. */
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_DUPFD_CLOEXEC)}},
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_GETFD)}},
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_SETFD)}},
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_GETFL)}},
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_SETFL)}},
	{SCMP_SYS(fcntl), CHILD, 1, {ARG(1, F_GET_SEALS)}},
	{SCMP_SYS(fcntl), GATE, 1, {ARG(1, F_SETPIPE_SZ)}},
	{SCMP_SYS(fcntl), LEDGER, 1, {ARG(1, F_GETLK)}},
	{SCMP_SYS(fcntl), LEDGER, 1, {ARG(1, F_SETLK)}},
	/* To the backend and to name servers; in each the default protocol only. */
	{SCMP_SYS(socket), PROXY, 3, {ARG(0, AF_INET), KIND(SOCK_STREAM), ARG(2, 0)}},
	{SCMP_SYS(socket), PROXY, 3, {ARG(0, AF_INET6), KIND(SOCK_STREAM), ARG(2, 0)}},
	{SCMP_SYS(socket), CHECKER, 3, {ARG(0, AF_INET), KIND(SOCK_DGRAM), ARG(2, 0)}},
	{SCMP_SYS(socket), CHECKER, 3, {ARG(0, AF_INET6), KIND(SOCK_DGRAM), ARG(2, 0)}},
	/* Both ends stay within the process: `postern test`. */
	{SCMP_SYS(socketpair), GATE, 3, {ARG(0, AF_UNIX), KIND(SOCK_STREAM), ARG(2, 0)}},
	{SCMP_SYS(setsockopt), PROXY, 2, {ARG(1, IPPROTO_TCP), ARG(2, TCP_NODELAY)}},
	{SCMP_SYS(setsockopt), GATE, 2, {ARG(1, SOL_SOCKET), ARG(2, SO_LINGER)}},
	{SCMP_SYS(setsockopt),
	 GATE,
	 2,
	 {ARG(1, IPPROTO_IP), ARG(2, IP_BIND_ADDRESS_NO_PORT)}},
	/* What releases of c-ares set, with or without being told to. */
	{SCMP_SYS(setsockopt), CHECKER, 2, {ARG(1, SOL_SOCKET), ARG(2, SO_SNDBUF)}},
	{SCMP_SYS(setsockopt), CHECKER, 2, {ARG(1, SOL_SOCKET), ARG(2, SO_RCVBUF)}},
	{SCMP_SYS(setsockopt),
	 CHECKER,
	 2,
	 {ARG(1, IPPROTO_TCP), ARG(2, TCP_FASTOPEN_CONNECT)}},
};

/* 0 also for a call that this machine does not have, such as open() on arm64. */
static int filter_add(scmp_filter_ctx filter, uint32_t action, int number,
		      unsigned int count, const struct scmp_arg_cmp *args)
{
	const int err = seccomp_rule_add_array(filter, action, number, count, args);

	return err == -EDOM || err == -EINVAL ? 0 : err;
}

static int filter_add_absent(scmp_filter_ctx filter)
{
	int err = 0;

	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]) && !err; i++)
		err = filter_add(filter, SCMP_ACT_ERRNO(ENOENT), absent[i], 0, NULL);
	return err;
}

static int filter_fill_child(scmp_filter_ctx filter, unsigned int profile)
{
	/* abort() after a failed assertion: it shall look like one, not like an attack. No one else is signalled. */
	const struct scmp_arg_cmp myself = ARG(0, (scmp_datum_t)getpid());
	int err = filter_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, &myself);

	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]) && !err; i++)
		if (allowed[i].profiles & profile)
			err = filter_add(filter, SCMP_ACT_ALLOW, allowed[i].number, 0,
					 NULL);
	for (size_t i = 0; i < sizeof(narrowed) / sizeof(narrowed[0]) && !err; i++)
		if (narrowed[i].profiles & profile)
			err = filter_add(filter, SCMP_ACT_ALLOW, narrowed[i].number,
					 narrowed[i].count, narrowed[i].args);
	if (!err && profile != LEDGER)
		err = filter_add_absent(filter);
	return err;
}

int sandbox_filter_child(enum sandbox_profile profile)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int err;

	if (!filter)
		return -ENOMEM;
	err = filter_fill_child(filter, 1u << profile);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}

/* ---- the keeper: never ------------------------------------------------------------------------------------- */

#define NR_FCHMODAT2 452 /* from Linux 6.6, on every machine the same */

static const int refused[] = {
	/* who may do what with files: root's own belong to the keeper, and Landlock does not look at modes */
	SCMP_SYS(chmod),
	SCMP_SYS(chown),
	SCMP_SYS(fchmod),
	SCMP_SYS(fchmodat),
	NR_FCHMODAT2,
	SCMP_SYS(fchown),
	SCMP_SYS(fchownat),
	SCMP_SYS(fremovexattr),
	SCMP_SYS(fsetxattr),
	SCMP_SYS(lchown),
	SCMP_SYS(lremovexattr),
	SCMP_SYS(lsetxattr),
	SCMP_SYS(removexattr),
	SCMP_SYS(setxattr),
	/* other processes */
	SCMP_SYS(kcmp),
	SCMP_SYS(pidfd_getfd),
	SCMP_SYS(process_madvise),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(ptrace),
	/* the machine: its kernel, clock, name, swap, devices, users' limits */
	SCMP_SYS(acct),
	SCMP_SYS(adjtimex),
	SCMP_SYS(clock_adjtime),
	SCMP_SYS(clock_settime),
	SCMP_SYS(delete_module),
	SCMP_SYS(finit_module),
	SCMP_SYS(init_module),
	SCMP_SYS(ioperm),
	SCMP_SYS(iopl),
	SCMP_SYS(kexec_file_load),
	SCMP_SYS(kexec_load),
	SCMP_SYS(mknod),
	SCMP_SYS(mknodat),
	SCMP_SYS(modify_ldt),
	SCMP_SYS(personality),
	SCMP_SYS(quotactl),
	SCMP_SYS(quotactl_fd),
	SCMP_SYS(reboot),
	SCMP_SYS(setdomainname),
	SCMP_SYS(sethostname),
	SCMP_SYS(settimeofday),
	SCMP_SYS(swapoff),
	SCMP_SYS(swapon),
	SCMP_SYS(syslog),
	SCMP_SYS(vhangup),
	/* mounts and namespaces: a bpffs is mounted before this filter is there */
	SCMP_SYS(fsconfig),
	SCMP_SYS(fsmount),
	SCMP_SYS(fsopen),
	SCMP_SYS(fspick),
	SCMP_SYS(mount),
	SCMP_SYS(mount_setattr),
	SCMP_SYS(move_mount),
	SCMP_SYS(name_to_handle_at),
	SCMP_SYS(open_by_handle_at),
	SCMP_SYS(open_tree),
	SCMP_SYS(pivot_root),
	SCMP_SYS(setns),
	SCMP_SYS(umount2),
	SCMP_SYS(unshare),
	/* ways into the kernel that break again and again, and are nothing to us */
	SCMP_SYS(add_key),
	SCMP_SYS(fanotify_init),
	SCMP_SYS(io_uring_enter),
	SCMP_SYS(io_uring_register),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(keyctl),
	SCMP_SYS(lookup_dcookie),
	SCMP_SYS(mbind),
	SCMP_SYS(migrate_pages),
	SCMP_SYS(move_pages),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(remap_file_pages),
	SCMP_SYS(request_key),
	SCMP_SYS(set_mempolicy),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(vmsplice),
};

static const struct narrow refused_with[] = {
	/* New code in memory; that of programs is mapped from their files. */
	{SCMP_SYS(mmap),
	 0,
	 1,
	 {{2, SCMP_CMP_MASKED_EQ, PROT_WRITE | PROT_EXEC, PROT_WRITE | PROT_EXEC}}},
	{SCMP_SYS(mprotect), 0, 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC}}},
	{SCMP_SYS(pkey_mprotect), 0, 1, {{2, SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC}}},
	/* Keys that are pressed at a terminal for somebody else. */
	{SCMP_SYS(ioctl), 0, 1, {ARG(1, TIOCSTI)}},
	{SCMP_SYS(ioctl), 0, 1, {ARG(1, TIOCLINUX)}},
	/* Sockets that see whole packets. */
	{SCMP_SYS(socket), 0, 2, {ARG(0, AF_INET), KIND(SOCK_RAW)}},
	{SCMP_SYS(socket), 0, 2, {ARG(0, AF_INET6), KIND(SOCK_RAW)}},
};

/* Families of sockets: bans, interfaces and rules go by netlink, notes to systemd by AF_UNIX. */
static int filter_refuse_families(scmp_filter_ctx filter)
{
	static const int used[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};
	struct scmp_arg_cmp family = {0, SCMP_CMP_GT, AF_NETLINK, 0};
	int err = filter_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket), 1, &family);

	for (int i = 0; i < AF_NETLINK && !err; i++) {
		bool is_used = false;

		for (size_t j = 0; j < sizeof(used) / sizeof(used[0]); j++)
			is_used = is_used || used[j] == i;
		family = (struct scmp_arg_cmp)ARG(0, (scmp_datum_t)i);
		if (!is_used)
			err = filter_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(socket),
					 1, &family);
	}
	return err;
}

/* What clone3() is to do stands in memory, where no filter sees it: the C library then takes clone(). */
static int filter_refuse_namespaces(scmp_filter_ctx filter)
{
	static const uint64_t kinds[] = {
		CLONE_NEWCGROUP, CLONE_NEWIPC,	CLONE_NEWNET, CLONE_NEWNS,
		CLONE_NEWPID,	 CLONE_NEWUSER, CLONE_NEWUTS,
	};
	int err = filter_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, NULL);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !err; i++) {
		const struct scmp_arg_cmp flags = {0, SCMP_CMP_MASKED_EQ, kinds[i],
						   kinds[i]};

		err = filter_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
				 &flags);
	}
	return err;
}

static int filter_fill_keeper(scmp_filter_ctx filter)
{
	int err = filter_refuse_families(filter);

	if (!err)
		err = filter_refuse_namespaces(filter);
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]) && !err; i++)
		err = filter_add(filter, SCMP_ACT_ERRNO(EPERM), refused[i], 0, NULL);
	for (size_t i = 0; i < sizeof(refused_with) / sizeof(refused_with[0]) && !err;
	     i++)
		err = filter_add(filter, SCMP_ACT_ERRNO(EPERM), refused_with[i].number,
				 refused_with[i].count, refused_with[i].args);
	return err;
}

int sandbox_filter_keeper(void)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int err;

	if (!filter)
		return -ENOMEM;
	err = filter_fill_keeper(filter);
	if (!err)
		err = seccomp_load(filter);
	seccomp_release(filter);
	return err;
}
