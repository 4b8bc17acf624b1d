/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_wheel - timers of all sessions, coarse and cheap.
 *
 * A ring of slots, each a list of what may be due then. To push a deadline further away costs
 * nothing: the owner stores the new time, and the slot finds out when its turn comes. A
 * deadline is noticed at most two ticks late, never early.
 */
#ifndef PROC_GATE_WHEEL_H
#define PROC_GATE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#define WHEEL_TICK_MS 250u
#define WHEEL_SLOTS \
	1024u /* power of two; what lies further away is looked at once a round */

/* Part of what has a deadline. All zero: not in the wheel. */
struct wheel_node {
	struct wheel_node *next, *prev;
	uint64_t due_ms; /* monotonic clock */
	uint64_t tick;	 /* of the slot it is in; not after due_ms */
};

struct wheel {
	struct wheel_node slots[WHEEL_SLOTS]; /* heads of circular lists */
	uint64_t tick;			      /* the next to be looked at */
};

void wheel_init(struct wheel *wheel, uint64_t now_ms);

/* Set the time of a node, which may be in the wheel already. */
void wheel_set(struct wheel *wheel, struct wheel_node *node, uint64_t due_ms);

void wheel_remove(struct wheel_node *node);

/**
 * wheel_next - take one node out that is due.
 * @now_ms: monotonic clock
 *
 * Call it until it returns NULL; the callee may set and remove nodes in between.
 */
struct wheel_node *wheel_next(struct wheel *wheel, uint64_t now_ms);

#endif
