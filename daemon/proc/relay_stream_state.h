/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay_stream_state - what a session keeps while its bytes are passed on unread.
 */
#ifndef PROC_RELAY_STREAM_STATE_H
#define PROC_RELAY_STREAM_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "sys/splice.h"

/* One direction. */
struct stream_way {
	struct splice_pipe pipe; /* of relay_pipes; SPLICE_PIPE_NONE: none held */
	uint32_t piped;		 /* bytes in it */
	bool is_bulk;		 /* much has come at once: worth a pipe */
	bool has_ended;		 /* the end has been passed on */
};

struct relay_stream {
	struct stream_way up, down; /* to the backend, to the client */
	int64_t idle_s;		    /* without a byte in either direction */
	bool is_open;
};

#endif
