/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netinfo - what this host knows about its network: own addresses, gateways, name servers.
 *
 * Called by the keeper at start and at reload. Reads /proc and /etc; nothing is logged.
 */
#ifndef SYS_NETINFO_H
#define SYS_NETINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "base/cleanup.h"

/**
 * netinfo_addresses - the addresses of all interfaces.
 * @out_addrs, @max: room; those that do not fit are left out
 * @out_count: how many were written
 *
 * Return: 0; -errno.
 */
int netinfo_addresses(struct addr *out_addrs, size_t max, size_t *out_count) MUST_CHECK;

/* Has an interface an address of its own in this family, of more than the link? Return: 0; -errno. */
int netinfo_has_address(const char *interface, enum addr_family family,
			bool *out_has) MUST_CHECK;

/* The default gateways of the main routing table, IPv4 and IPv6; the same way. */
int netinfo_gateways(struct addr *out_addrs, size_t max, size_t *out_count) MUST_CHECK;

/* The name servers of /etc/resolv.conf; the same way. 0 also if there is no such file. */
int netinfo_name_servers(struct addr *out_addrs, size_t max,
			 size_t *out_count) MUST_CHECK;

#endif
