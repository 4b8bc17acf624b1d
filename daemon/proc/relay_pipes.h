/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay_pipes - the pipes of a gate: few, shared by all its sessions, bounded.
 *
 * One is needed only while bytes are between two sockets: what is idle holds none. When all
 * are in use the bytes are copied instead.
 */
#ifndef PROC_RELAY_PIPES_H
#define PROC_RELAY_PIPES_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/splice.h"

/* Measured: 256 KiB cost a tenth to a quarter more CPU a byte, 1 MiB a tenth less at twice the memory. */
#define RELAY_PIPE_BYTES 524288u
/*
 * In all gates together: the kernel gives one account 16384 pages of pipes before it makes them small
 * (pipe-user-pages-soft), which is 128 of these.
 */
#define RELAY_PIPES_MAX 96u
/* Empty ones that are kept: a pipe once used keeps some 35 KiB of kernel memory. */
#define RELAY_PIPES_KEPT 8u

struct relay_pipes {
	struct splice_pipe kept[RELAY_PIPES_KEPT]; /* kept_count of them, empty */
	uint32_t kept_count;
	uint32_t open_count; /* those in use, too */
	uint32_t max;
};

/* gates: how many share the limit of the account; fds_max: descriptors that this one may have. */
void relay_pipes_init(struct relay_pipes *pipes, uint32_t gates, uint32_t fds_max);
void relay_pipes_done(struct relay_pipes *pipes);

/* An empty one, or false: none is to be had. */
bool relay_pipes_take(struct relay_pipes *pipes, struct splice_pipe *out_pipe);

/* Give one back; leaves SPLICE_PIPE_NONE behind, and lets it through. One that is not empty is closed. */
void relay_pipes_give(struct relay_pipes *pipes, struct splice_pipe *pipe, bool is_empty);

#endif
