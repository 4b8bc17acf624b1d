/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_sockets - sockets that may take a client's address, in stock.
 *
 * The keeper makes them (it takes a capability that a gate does not have) and a gate keeps some ready, so that
 * hardly a session waits for one.
 */
#ifndef PROC_GATE_SOCKETS_H
#define PROC_GATE_SOCKETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"

/* Of each family. The keeper's answer mostly takes less than it takes a gate to use them up. */
#define GATE_SOCKETS_MAX 256u

struct gate;

/* Those of one family. */
struct gate_socket_stock {
	int fds[GATE_SOCKETS_MAX]; /* owned: the first count */
	uint32_t count;
	uint32_t asked; /* and not come yet */
};

struct gate_sockets {
	struct gate_socket_stock v4, v6;
	bool has_waiters; /* sessions that found none left */
};

/* Ask for what is missing, if a service of the configuration needs any. */
void sockets_refill(struct gate *gate);

/* One has come. */
void sockets_add(struct gate *gate, enum addr_family family, int fd);

/* One of this family, owned by the caller; -1: none is left. */
int sockets_take(struct gate *gate, enum addr_family family);

/* Close all of them. */
void sockets_close(struct gate *gate);

#endif
