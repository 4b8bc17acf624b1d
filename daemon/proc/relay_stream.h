/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay_stream - after a login: bytes both ways, unread, until both sides have ended.
 *
 * What the legs still hold goes first. Bulk between two plain legs goes by splice(2) through
 * a pipe that is held only while bytes are in it; little, and what TLS has touched, is copied through
 * the gate's scratch memory. A side that takes nothing stops the other one; the end of
 * one direction is passed on when everything before it is, and the other direction goes on.
 */
#ifndef PROC_RELAY_STREAM_H
#define PROC_RELAY_STREAM_H

#include <stdint.h>

#include "proc/relay_stream_state.h"

#define STREAM_TURN_BYTES \
	1048576u /* one direction in one turn of the loop: others want theirs, too */
#define STREAM_HALF_CLOSED_S 60 /* without a byte, when one side has ended */
#define STREAM_DRAIN_S	     2	/* the same while the gate is about to end */

struct session;

/* From now on: the state of the session becomes SESSION_RELAY. idle_s: a limit of the protocol. */
void stream_begin(struct session *session, struct relay_stream *stream, int64_t idle_s);

/* In pump(): pass on what can be passed on now; ends the session when it is over. */
void stream_step(struct session *session, struct relay_stream *stream);

/* In timeout(). */
void stream_timeout(struct session *session);

/* In stop(): a session that says nothing for a moment ends; others may finish. */
void stream_stop(struct session *session);

/* In finish(): gives the pipes back; lets one through that has not begun. */
void stream_end(struct session *session, struct relay_stream *stream);

#endif
