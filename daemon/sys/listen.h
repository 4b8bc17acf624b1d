/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/listen - listening sockets of a service: one for each gate, all on the same port.
 *
 * Called by the keeper, which keeps them open for as long as the service lives: while a gate is
 * started again, its connections wait in the backlog. Errors are -errno; nothing is logged.
 */
#ifndef SYS_LISTEN_H
#define SYS_LISTEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define LISTEN_BACKLOG \
	4096 /* connections that wait for accept(), each gate; somaxconn caps it */

/**
 * listen_open - make the sockets of one endpoint.
 * @addr: IPv4 or IPv6; an IPv6 socket takes no IPv4 connections
 * @port: host order; > 0
 * @count: how many; >= 1
 * @out_fds: receives count descriptors, non-blocking, close-on-exec; on failure none is open
 *
 * The kernel chooses the socket by the source address alone (IPv6: its upper 64 bits), so that a
 * client always meets the same gate, whose limits then count all of its connections.
 *
 * Return: 0; -EADDRINUSE, somebody else listens there; -EADDRNOTAVAIL; -errno.
 */
int listen_open(const struct addr *addr, uint16_t port, size_t count,
		int *out_fds) MUST_CHECK;

/**
 * listen_spread - say anew how clients are spread over the sockets of an endpoint.
 * @fd: one of them
 * @family, @count: as at listen_open()
 * @by_port: by the source port, too: for who brings the connections of many clients
 *
 * Return: 0; -errno, nothing has changed.
 */
int listen_spread(int fd, enum addr_family family, size_t count, bool by_port) MUST_CHECK;

/**
 * listen_make_transparent - let sockets take connections to addresses that are not this host's.
 * @fds: of listen_open(); needs CAP_NET_ADMIN
 *
 * nftables leads them there (sys/nft); what is accepted keeps the address that the client meant.
 *
 * Return: 0; -errno.
 */
int listen_make_transparent(const int *fds, size_t count) MUST_CHECK;

#endif
