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

/**
 * sock_allow_foreign - let a socket have an address that is not this host's (IP_TRANSPARENT, ip(7)).
 * @fd: IPv4 or IPv6 stream socket; needs CAP_NET_ADMIN
 *
 * Return: 0; -errno.
 */
int sock_allow_foreign(int fd) MUST_CHECK;

/**
 * sock_make_foreign - a socket with which a gate can connect in a client's name.
 * @family: of the client's address
 * @mark: of its packets, by which sys/nft knows its answers
 * @out_fd: owned by the caller; untouched on failure
 *
 * Made by the keeper, used by a gate: so the gate needs no capability.
 *
 * Return: 0; -EAFNOSUPPORT; -errno.
 */
int sock_make_foreign(enum addr_family family, uint32_t mark, int *out_fd) MUST_CHECK;

/**
 * sock_connect_as - begin to connect in a client's name.
 * @fd: of sock_make_foreign()
 * @client: whose address it takes, with a port of the kernel's choice
 * @addr, @port: where to; of the same family
 *
 * As sock_connect(). Return: 0; -errno.
 */
int sock_connect_as(int fd, const struct addr *client, const struct addr *addr,
		    uint16_t port) MUST_CHECK;

/* Address and port of our own end. 0; -errno, outputs untouched. */
int sock_local(int fd, struct addr *out_addr, uint16_t *out_port) MUST_CHECK;

/**
 * sock_pair - two stream sockets that are connected with each other: no network is touched.
 * @out_fds: owned by the caller; untouched on failure
 *
 * Return: 0; -errno.
 */
int sock_pair(int out_fds[2]) MUST_CHECK;

/* Bytes read, 0 at the end of the stream, -EAGAIN, -errno. Repeats on EINTR. */
ssize_t sock_read(int fd, void *bytes, size_t cap_bytes);

/* The same, and the bytes are there to be read again. */
ssize_t sock_peek(int fd, void *bytes, size_t cap_bytes);

/* Bytes written (perhaps fewer), -EAGAIN (also while connecting), -errno. Raises no signal. */
ssize_t sock_write(int fd, const void *bytes, size_t len);

/* Say that no more is coming; the other side may still send. */
void sock_finish(int fd);

/* Close with a reset: what waits in either direction is thrown away. Leaves -1 behind. */
void sock_abort(int *fd);

#endif
