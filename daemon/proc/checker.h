/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/checker - what main.c and the tests start: checker_main() of child.h, and its parts.
 *
 * The checker asks the DNS about clients, for the gates. It never touches a client's socket, the
 * database or a BPF map. Whatever it is asked it answers, within the time that the gate gives it.
 */
#ifndef PROC_CHECKER_H
#define PROC_CHECKER_H

#include "base/cleanup.h"
#include "proc/child.h"

#define CHECKER_RUNNING_MAX \
	4096u		   /* checks at a time; over it the answer is UNKNOWN at once */
#define CHECKER_TICK_MS 50 /* how late a deadline may be noticed */

struct checker;

/**
 * checker_open - all of the checker that needs files, still without its sandbox.
 * @out_checker: owned by the caller; then checker_run(), checker_close()
 *
 * Return: 0; -errno.
 */
int checker_open(struct checker **out_checker) MUST_CHECK;

/**
 * checker_run - serve until the keeper says DRAIN and the gates are gone, or the keeper goes.
 * @keeper_fd: owned by the checker from now on
 *
 * Return: exit status.
 */
int checker_run(struct checker *checker, int keeper_fd);
void checker_close(struct checker **checker);

#endif
