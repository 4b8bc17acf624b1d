/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sock - stream sockets of clients and backends: non-blocking, one system call a function.
 *
 * Called by the gate alone. No policy: who may connect is decided elsewhere.
 */
#ifndef SYS_SOCK_H
#define SYS_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/addr.h"
#include "base/cleanup.h"

/* What sock_accept() found out about a new connection. */
struct sock_peer {
	struct addr addr; /* mapped IPv4 folded */
	uint16_t port;	  /* host order */
};

/**
 * sock_prepare_listener - what every connection accepted from a listener inherits.
 * @fd: listening socket; becomes non-blocking, with TCP_NODELAY
 *
 * Return: 0; -errno.
 */
int sock_prepare_listener(int fd) MUST_CHECK;

/**
 * sock_accept - take the next connection, non-blocking and close-on-exec.
 * @listener: non-blocking
 * @out_peer: untouched on failure
 *
 * Return: a descriptor owned by the caller; -EAGAIN, none waits; -errno. A connection that
 * ended before it was taken is -ECONNABORTED.
 */
int sock_accept(int listener, struct sock_peer *out_peer) MUST_CHECK;

/**
 * sock_connect - begin to connect, with TCP_NODELAY.
 * @addr, @port: where to
 * @out_fd: owned by the caller; untouched on failure
 *
 * The connection is usually still under way: the first write says -EAGAIN until it stands, and
 * a read or write says why it failed.
 *
 * Return: 0; -errno.
 */
int sock_connect(const struct addr *addr, uint16_t port, int *out_fd) MUST_CHECK;

/* Address and port of our own end. 0; -errno, outputs untouched. */
int sock_local(int fd, struct addr *out_addr, uint16_t *out_port) MUST_CHECK;

/* Bytes read, 0 at the end of the stream, -EAGAIN, -errno. Repeats on EINTR. */
ssize_t sock_read(int fd, void *bytes, size_t cap_bytes);

/* Bytes written (perhaps fewer), -EAGAIN (also while connecting), -errno. Raises no signal. */
ssize_t sock_write(int fd, const void *bytes, size_t len);

/* Say that no more is coming; the other side may still send. */
void sock_finish(int fd);

/* Close with a reset: what waits in either direction is thrown away. Leaves -1 behind. */
void sock_abort(int *fd);

#endif
