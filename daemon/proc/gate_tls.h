/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_tls - what a gate needs for TLS: contexts of its services, ticket keys, and a budget of handshakes.
 *
 * All of it comes from the keeper. Contexts belong to services, by their index in the configuration in force.
 */
#ifndef PROC_GATE_TLS_H
#define PROC_GATE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "policy/conf.h"
#include "sys/tls.h"

#define GATE_TLS_CLIENTS_MAX 16384u /* clients whose handshakes are counted */

struct gate;
struct msg_tickets;
struct ttlmap;

struct gate_tls {
	struct tls_server *servers[CONF_SERVICES_MAX]; /* NULL: none, or not yet */
	struct tls_client *clients[CONF_SERVICES_MAX];
	struct tls_tickets tickets;
	struct ttlmap *recent;	/* by client: as the next one */
	uint64_t busy_until_ns; /* when the budget of all will have come back whole */
};

/* 0; -ENOMEM. */
int gate_tls_init(struct gate *gate) MUST_CHECK;
void gate_tls_done(struct gate *gate);

/* Services have other numbers now. */
void gate_tls_renumber(struct gate *gate, const struct conf *old_conf);

/* Make new contexts; those of a service whose new ones cannot be made stay. @fd: borrowed. */
void gate_tls_take(struct gate *gate, int fd);
void gate_tls_take_tickets(struct gate *gate, const struct msg_tickets *message);

/* May this client begin one more handshake now? It counts if it may. NULL; else the limit's name. */
const char *gate_tls_limit(struct gate *gate, const struct addr *addr);

#endif
