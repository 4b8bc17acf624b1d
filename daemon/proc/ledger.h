/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger - what main.c and the tests start: ledger_main() of child.h, and its parts.
 *
 * The ledger alone decides bans. It holds the store (its state directory), serves the control
 * socket, counts strikes. It never touches a client's socket or a BPF map.
 */
#ifndef PROC_LEDGER_H
#define PROC_LEDGER_H

#include "proc/child.h"
#include "proc/ledger_state.h"

/**
 * ledger_open - the ledger without its sandbox.
 * @boot: keeper_fd and control_fd are owned by the ledger from now on
 * @admin_gid: group that may use the control socket; (gid_t)-1: root alone
 * @out_ledger: run it with ledger_run(), then ledger_close()
 *
 * Return: 0; -errno.
 */
int ledger_open(const struct child_boot *boot, gid_t admin_gid,
		struct ledger **out_ledger) MUST_CHECK;

/* Until the keeper says DRAIN, or goes. Returns the exit status. */
int ledger_run(struct ledger *ledger);
void ledger_close(struct ledger **ledger);

#endif
