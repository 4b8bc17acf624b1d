/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink - questions to the kernel over netlink, and their answers (libmnl).
 *
 * Each call opens a socket, sends, waits for the end of the answer and closes: configuration is changed
 * seldom. Called by sys/nft and the keeper. Standard: RFC 3549.
 */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define NETLINK_WAIT_S 10 /* for an answer of the kernel */

struct nlmsghdr;

/* One message of an answer. Return: 0; -errno ends the reading and is handed on. */
typedef int (*netlink_message_fn)(void *context, const struct nlmsghdr *message);

/* What is sent, and what is done with the answer. */
struct netlink_request {
	int bus; /* NETLINK_NETFILTER, NETLINK_ROUTE */
	const void *bytes;
	size_t len;
	uint32_t
		seq; /* of the last message, which asks for an acknowledgement or a dump */
	netlink_message_fn
		on_message; /* NULL: nothing but acknowledgements is expected */
	void *context;
};

/**
 * netlink_talk - send messages and read until the answer to the last one has ended.
 *
 * Return: 0; -errno: what the kernel answered to the first that it refused (then, in a batch of
 * netfilter's, nothing has changed), what on_message returned, or the socket's error.
 */
int netlink_talk(const struct netlink_request *request) MUST_CHECK;

/**
 * netlink_route_add - packets with a mark are delivered to this host, IPv4 and IPv6.
 * @mark: of the packets
 * @table: number of the routing table that is used for it, and for nothing else
 *
 * A rule "fwmark MARK lookup TABLE" and a route "local default dev lo table TABLE". What is there
 * already stays. A host without IPv6 gets IPv4 alone.
 *
 * Return: 0; -errno.
 */
int netlink_route_add(uint32_t mark, uint32_t table) MUST_CHECK;

/* Take both away again; what is not there is fine. Return: 0; -errno. */
int netlink_route_remove(uint32_t mark, uint32_t table) MUST_CHECK;

#endif
