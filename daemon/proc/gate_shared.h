/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_shared - memory that a gate shares: what the ledger writes for it, and what all gates write.
 */
#ifndef PROC_GATE_SHARED_H
#define PROC_GATE_SHARED_H

#include "proc/gate_state.h"

/**
 * shared_take - a message of the keeper has brought memory.
 * @fd: may be closed afterwards
 *
 * What a new ledger has filled takes the place of the old; what the gates write comes again and again, and stays.
 *
 * Return: 0; -EPROTO, it is not what it should be; -errno.
 */
int shared_take(struct gate *gate, const struct msg_shared *message, int fd) MUST_CHECK;

void shared_done(struct gate *gate);

#endif
