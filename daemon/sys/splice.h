/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/splice - bytes from socket to socket through a pipe, without passing through our memory.
 *
 * Called by the gate alone, one system call a function. A pipe holds references to the
 * kernel's own buffers; whoever takes one out of a socket must put it into the other before it is used
 * for anything else.
 */
#ifndef SYS_SPLICE_H
#define SYS_SPLICE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/cleanup.h"

struct splice_pipe {
	int read_fd, write_fd; /* -1: none */
};

#define SPLICE_PIPE_NONE ((struct splice_pipe){-1, -1})

/**
 * splice_open - a new pipe, non-blocking and close-on-exec.
 * @bytes: wished capacity; the kernel may give less to an account that has many pipes
 * @out_pipe: owned by the caller; untouched on failure
 *
 * Return: 0; -errno.
 */
int splice_open(size_t bytes, struct splice_pipe *out_pipe) MUST_CHECK;

/* What is in it is lost. Leaves SPLICE_PIPE_NONE behind. */
void splice_close(struct splice_pipe *pipe);

/* From a socket into the pipe. Bytes, 0 at the end of the stream, -EAGAIN (also of a full pipe), -errno. */
ssize_t splice_take(int fd, const struct splice_pipe *pipe, size_t len);

/* Out of the pipe into a socket. Bytes, -EAGAIN (also of an empty pipe), -errno. SIGPIPE has to be ignored. */
ssize_t splice_give(const struct splice_pipe *pipe, int fd, size_t len);

#endif
