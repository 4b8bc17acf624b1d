/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sandbox_filter - which system calls a process may make (libseccomp). Called by sys/sandbox only.
 */
#ifndef SYS_SANDBOX_FILTER_H
#define SYS_SANDBOX_FILTER_H

#include "base/cleanup.h"
#include "sys/sandbox.h"

/**
 * sandbox_filter_child - from now on only what is listed for the profile.
 *
 * All else kills the process: a refused call is an attack or a bug, and an errno would let either go on. The keeper
 * logs the SIGSYS and starts the process anew. Where libraries look for files that an empty root does not have, they
 * are told that there are none.
 *
 * Return: 0; -errno.
 */
int sandbox_filter_child(enum sandbox_profile profile) MUST_CHECK;

/**
 * sandbox_filter_keeper - from now on nothing of what a posternd never does.
 *
 * A list of what is refused, with EPERM: children and the program that takes over after an upgrade run under this
 * filter, too, and what a later version and its libraries need is not known; a keeper that was killed would take the
 * guard along.
 *
 * Return: 0; -errno.
 */
int sandbox_filter_keeper(void) MUST_CHECK;

#endif
