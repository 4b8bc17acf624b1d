/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox - giving up what a process does not need (libcap, libseccomp).
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include "base/cleanup.h"

enum sandbox_profile {
	SANDBOX_GATE,	 /* sockets, shared memory */
	SANDBOX_CHECKER, /* DNS sockets */
	SANDBOX_LEDGER,	 /* files below its working directory */
	SANDBOX_LOOK,	 /* nothing; for sandbox_look() */
};

/**
 * sandbox_enter - become an unprivileged account for good.
 * @profile: which system calls stay
 * @user: account; its uid, primary group and no other group
 * @root_dir: directory to chroot into and stand in; must belong to root and be empty (gate, checker)
 *            or be the state directory (ledger, which is not chrooted elsewhere)
 *
 * In this order: chroot, groups, gid, uid, all capabilities gone, no_new_privs, seccomp. In a
 * sanitizer build seccomp is left out, since the sanitizers need calls of their own.
 *
 * Return: 0; -errno, and the process must exit: it may be half way.
 */
int sandbox_enter(enum sandbox_profile profile, const char *user,
		  const char *root_dir) MUST_CHECK;

/**
 * sandbox_look - give up all but memory and what is open already.
 *
 * For a process that looks at bytes and says what it saw. One of root becomes nobody.
 */
int sandbox_look(void) MUST_CHECK;

/**
 * sandbox_keeper - keep only the capabilities that the keeper works with.
 * CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, CAP_SETUID, CAP_SETGID, CAP_SYS_CHROOT,
 * CAP_KILL, CAP_CHOWN, CAP_DAC_READ_SEARCH.
 */
int sandbox_keeper(void) MUST_CHECK;

#endif
