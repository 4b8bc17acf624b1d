/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/child - what gate, checker and ledger have in common: the start-up ritual.
 *
 * Each xxx_main() reads the same: take the config it is given, enter the sandbox, make the loop,
 * open the channels, run. Lay two side by side and the difference is the security policy.
 */
#ifndef PROC_CHILD_H
#define PROC_CHILD_H

#include <stdint.h>

/* What a freshly forked child starts with. */
struct child_boot {
	int keeper_fd;	       /* channel to the keeper; owned */
	uint32_t index;	       /* number of the gate */
	const char *user;      /* account to become */
	const char *root_dir;  /* gate, checker: empty directory of root to chroot into */
	const char *state_dir; /* ledger: its directory; others: NULL */
	int control_fd;	       /* ledger: listening control socket; others: -1 */
};

/* The three children; each returns its exit status. */
int gate_main(const struct child_boot *boot);
int checker_main(const struct child_boot *boot);
int ledger_main(const struct child_boot *boot);

#endif
