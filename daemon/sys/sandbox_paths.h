/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox_paths - where a process may change files, and from where it may run programs (Landlock).
 *
 * For the keeper: root owns most of a host's files, whatever capabilities it has given up.
 */
#ifndef SYS_SANDBOX_PATHS_H
#define SYS_SANDBOX_PATHS_H

#include "base/cleanup.h"

#define SANDBOX_PATHS_MAX 8u

/* What is left, to the process and to all that it starts. Reading is not concerned. */
struct sandbox_paths {
	const char *writable
		[SANDBOX_PATHS_MAX]; /* directories and devices, with all below; NULL ends */
	const char *program; /* what it is executed from: its directory, and its loader */
};

/**
 * sandbox_paths_enter - refuse to change files elsewhere, and to run programs from elsewhere, for good.
 *
 * A path that does not exist is left out. The refusals add up, and the kernel takes 16 of them: once for a process.
 *
 * Return: 0; -EOPNOTSUPP, this kernel has no Landlock (it has from 5.13, if it is built and booted with it); -errno.
 */
int sandbox_paths_enter(const struct sandbox_paths *paths) MUST_CHECK;

#endif
