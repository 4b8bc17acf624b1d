/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox - giving up what a process does not need (libcap, libseccomp).
 */
#ifndef SYS_SANDBOX_H
#define SYS_SANDBOX_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "sys/sandbox_paths.h"

enum sandbox_profile {
	SANDBOX_GATE,	 /* sockets, shared memory */
	SANDBOX_CHECKER, /* DNS sockets */
	SANDBOX_LEDGER,	 /* files below its root */
	SANDBOX_LOOK,	 /* nothing; for sandbox_look() */
};

/**
 * sandbox_enter - become an unprivileged account for good.
 * @profile: which system calls stay
 * @user: account; its uid, primary group and no other group
 * @root_dir: directory to chroot into and stand in; it belongs to root and is empty (gate, checker), or it is
 *            the state directory (ledger)
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
 * sandbox_keeper_filter - which filter sandbox_keeper() loads: a number that changes with what it refuses; 0: none.
 */
int sandbox_keeper_filter(void);

/**
 * sandbox_keeper - keep only the capabilities that the keeper works with, and refuse what it never does.
 * @paths: where it may change files, and which program it may run; not asked where the kernel has no Landlock
 * @is_filtered: the program before, in whose place this one runs, has loaded the same filter, and it still holds;
 *               filters add up, and the kernel takes only so many
 *
 * Return: 0; -errno.
 */
int sandbox_keeper(const struct sandbox_paths *paths, bool is_filtered) MUST_CHECK;

#endif
