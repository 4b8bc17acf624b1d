/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl - the control socket: who may connect, and which command a line is.
 */
#ifndef PROC_LEDGER_CTL_H
#define PROC_LEDGER_CTL_H

#include "proc/ledger_state.h"

#define CTL_IDLE_TIMEOUT_S 120u /* a connection on which nothing is asked */
#define CTL_GROUPS_MAX	   256u /* groups of a client that are looked at */

/**
 * ctl_new - serve the control socket.
 * @listen_fd: listening; owned
 *
 * Return: NULL without memory.
 */
struct ctl *ctl_new(struct ledger *ledger, int listen_fd);
void ctl_free(struct ctl **ctl);

/* Drop idle connections; once a second. */
void ctl_tick(struct ledger *ledger);

/* May a peer of this uid and these groups use the socket? root, and members of the group. */
bool ctl_is_admin(uid_t uid, const gid_t *groups, size_t count, gid_t admin_gid);

#endif
