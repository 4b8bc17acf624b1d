/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink - questions to the kernel over netlink, and their answers (libmnl).
 *
 * Each call opens a socket, sends, waits for the end of the answer and closes: configuration is changed
 * seldom. Who changes something often keeps a line open: when a socket closes, nftables waits until what was removed
 * before is free, some 10 ms. Called by sys/nft, sys/xdp_bridge and the keeper. Standard: RFC 3549.
 */
#ifndef SYS_NETLINK_H
#define SYS_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define NETLINK_WAIT_S 10 /* for an answer of the kernel */

struct nlmsghdr;

/* One message of an answer. Return: 0; -errno ends the reading and is handed on. */
typedef int (*netlink_message_fn)(void *context, const struct nlmsghdr *message);

/* A socket that stays open. Zeroed: opened at the first talk. */
struct netlink_line {
	void *socket; /* owned; NULL: none */
};

void netlink_hang_up(struct netlink_line *line);

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
	struct netlink_line *line; /* NULL: a socket of its own */
};

/**
 * netlink_talk - send messages and read until the answer to the last one has ended.
 *
 * Return: 0; -errno: what the kernel answered to the first that it refused (then, in a batch of
 * netfilter's, nothing has changed), what on_message returned, or the socket's error.
 */
int netlink_talk(const struct netlink_request *request) MUST_CHECK;

/* What is to be delivered to this host, whatever its address says. */
struct netlink_route {
	uint32_t in_mark;  /* on packets that come in */
	uint32_t out_mark; /* on packets that this host sends */
	uint32_t
		table; /* number of the routing table that is used for it, and for nothing else */
};

/**
 * netlink_route_add - packets with a mark are delivered to this host, IPv4 and IPv6.
 *
 * Rules that say "fwmark MARK lookup TABLE", and a route "local default dev lo table TABLE". What is there
 * already stays. A host without IPv6 gets IPv4 alone. No setting of rp_filter, accept_local or src_valid_mark is in
 * its way, and none is changed.
 *
 * Return: 0; -errno.
 */
int netlink_route_add(const struct netlink_route *route) MUST_CHECK;

/* Take it all away again; what is not there is fine. Return: 0; -errno. */
int netlink_route_remove(const struct netlink_route *route) MUST_CHECK;

#define NETLINK_PORTS_MAX 64u

/* A bridge and its ports, by the numbers of their interfaces. */
struct netlink_bridge {
	uint32_t index;
	char name[16];
	uint8_t mac[6];
	bool is_itself; /* the interface that was asked for is the bridge, not a port */
	uint32_t ports[NETLINK_PORTS_MAX];
	char port_names[NETLINK_PORTS_MAX][16];
	size_t port_count;
};

/**
 * netlink_bridge_of - the bridge that an interface is, or is a port of.
 *
 * Return: 0; -ENOENT, it is neither, or is not there; -E2BIG, more than NETLINK_PORTS_MAX ports; -errno.
 */
int netlink_bridge_of(const char *interface,
		      struct netlink_bridge *out_bridge) MUST_CHECK;

/* The tc filters of an interface, at ingress and egress. */
struct netlink_filters {
	uint32_t
		program; /* number of the BPF program of the one asked for; 0: it is not there */
	uint32_t handle; /* of that filter */
	size_t others;
};

/**
 * netlink_filters_of - which tc filters does an interface have?
 * @index: of the interface
 * @program: name of a BPF program
 *
 * Return: 0, also if there is nothing that could have filters; -errno.
 */
int netlink_filters_of(uint32_t index, const char *program,
		       struct netlink_filters *out_filters) MUST_CHECK;

#endif
