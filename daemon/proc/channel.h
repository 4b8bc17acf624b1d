/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/channel - one end of a SOCK_SEQPACKET pair in an event loop.
 *
 * Validates what comes (proc/msg), queues what does not go out at once (bounded).
 */
#ifndef PROC_CHANNEL_H
#define PROC_CHANNEL_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "proc/msg.h"

struct event_base;
struct channel;

#define CHANNEL_QUEUE_MAX 1024u /* messages waiting; memory is taken as they come */

/* @fd: descriptor that came with the message, owned by the callee from now on; or -1. */
typedef void (*channel_message_fn)(void *context, struct channel *channel,
				   const struct msg *msg, int fd);
/* The other end is gone (error 0) or misbehaved (-EPROTO). Free the channel from here if you like. */
typedef void (*channel_closed_fn)(void *context, struct channel *channel, int error);

struct channel_conf {
	struct event_base *base;
	int fd; /* non-blocking; owned by the channel */
	enum process_role self, other;
	uint32_t index; /* of the other end: number of the gate */
	channel_message_fn on_message;
	channel_closed_fn on_closed;
	void *context;
};

struct channel *channel_new(const struct channel_conf *conf);
void channel_free(struct channel **channel);

/**
 * channel_send - send or queue.
 * @channel: NULL is allowed: -ENOTCONN
 * @msg: copied
 * @fd: descriptor to pass, borrowed; -1: none
 *
 * Return: 0; -ENOBUFS, queue full: the message is dropped; -ENOTCONN.
 */
int channel_send(struct channel *channel, const struct msg *msg, int fd);

/* Messages that wait to go out: for flow control. */
size_t channel_queued(const struct channel *channel);

uint32_t channel_index(const struct channel *channel);
enum process_role channel_other(const struct channel *channel);

/* A connected pair, non-blocking, close-on-exec. 0; -errno. */
int channel_pair(int out_fds[2]) MUST_CHECK;

#endif
