/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netwatch - tells when interfaces, their filters (tc), addresses or default routes of this host have changed (rtnetlink).
 *
 * Only that something has changed: what is so now is read anew (sys/netinfo, sys/xdp). Called by the keeper.
 * Standard: RFC 3549.
 */
#ifndef SYS_NETWATCH_H
#define SYS_NETWATCH_H

#include <stdbool.h>

#include "base/cleanup.h"

/* A descriptor that becomes readable when something comes, owned by the caller. 0; -errno. */
int netwatch_open(int *out_fd) MUST_CHECK;

/* Take what has come; has anything changed that counts? Never waits. */
bool netwatch_take(int fd);

#endif
