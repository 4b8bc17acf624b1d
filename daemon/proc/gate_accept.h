/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_accept - listeners of a gate, and who gets in through them.
 *
 * The kernel has dropped most of what may not connect; the same rule is applied again here,
 * since an address may have been banned a moment ago, and where XDP does not run.
 */
#ifndef PROC_GATE_ACCEPT_H
#define PROC_GATE_ACCEPT_H

#include "base/cleanup.h"
#include "proc/gate_state.h"
#include "proc/msg.h"

#define ACCEPT_TURNS_MAX \
	32u /* connections of one listener before others get their turn */

struct session_start;

/* Room for all listeners. 0; -ENOMEM. */
int accept_init(struct gate *gate) MUST_CHECK;

/* A message of the keeper: one more listener (fd is taken over), or one less. */
void accept_change(struct gate *gate, const struct msg_listener *message, int fd);

/* The services have new numbers: old_conf is still valid. */
void accept_renumber(struct gate *gate, const struct conf *old_conf);

/* Begin, or go on after a shortage, to take connections. */
void accept_resume(struct gate *gate);

/* Take no more, for good. */
void accept_stop(struct gate *gate);

/* A session of a client who may have one, which is not greeted yet; NULL: all that are allowed are in use. */
struct session *accept_session(struct gate *gate, const struct session_start *start);

#endif
