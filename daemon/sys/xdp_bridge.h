/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_bridge - takes off a bridge what is for the gates: the program of bpf/bridge on the bridge's ports (libbpf, tc).
 *
 * The filters outlive the process, as XDP does: while the keeper is dead the program sees by itself that
 * nobody listens. Nothing is pinned; a filter of ours is known by the name of its program. Called by the keeper.
 */
#ifndef SYS_XDP_BRIDGE_H
#define SYS_XDP_BRIDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define XDP_BRIDGE_PORTS_MAX 64u
#define XDP_BRIDGE_WAYS_MAX  64u

struct xdp_bridge; /* the loaded program and its maps */

/* What becomes of new connections of clients. */
enum xdp_bridge_kind {
	XDP_BRIDGE_TAKE,	 /* off the bridge */
	XDP_BRIDGE_TAKE_OR_PASS, /* only while somebody listens */
	XDP_BRIDGE_PASS,	 /* over the bridge */
};

enum xdp_bridge_side {
	XDP_BRIDGE_INNER, /* no client comes in here */
	XDP_BRIDGE_OUTER, /* clients come in */
	XDP_BRIDGE_OWN, /* clients come in, and are meant if they send to the bridge itself */
};

struct xdp_bridge_port {
	uint32_t index;	 /* of the interface */
	uint32_t bridge; /* of the bridge's interface */
	uint8_t mac[6];	 /* of the bridge */
	uint8_t side;	 /* enum xdp_bridge_side */
	bool has_v4,
		has_v6; /* the bridge has an address; without one there is nothing that could answer */
};

struct xdp_bridge_way {
	uint16_t port;	    /* that clients connect to; host order */
	uint16_t gate_port; /* where the gates listen, on 127.0.0.1 and ::1 */
	uint8_t kind;	    /* enum xdp_bridge_kind */
};

/* All of it. */
struct xdp_bridge_plan {
	struct xdp_bridge_port ports[XDP_BRIDGE_PORTS_MAX];
	size_t port_count; /* 0: no bridge */
	struct xdp_bridge_way ways[XDP_BRIDGE_WAYS_MAX];
	size_t way_count;
	uint32_t mark_connection; /* on what belongs to a connection of this host */
	uint32_t mark_new;	  /* on what a client sends to a guarded port */
};

/* The same ports, in the same order? */
bool xdp_bridge_ports_equal(const struct xdp_bridge_plan *a,
			    const struct xdp_bridge_plan *b);

/* The same ports, ways and marks? */
bool xdp_bridge_plan_equal(const struct xdp_bridge_plan *a,
			   const struct xdp_bridge_plan *b);

/**
 * xdp_bridge_apply - put the program on the ports of the plan, and off all others.
 * @bridge: NULL: loaded first, if the plan has ports; owned by the caller
 *
 * Return: 0; -errno, and xdp_problem() says more; some ports may have it then.
 */
int xdp_bridge_apply(struct xdp_bridge **bridge,
		     const struct xdp_bridge_plan *plan) MUST_CHECK;

/* How many ports of the plan have our program? */
size_t xdp_bridge_attached(const struct xdp_bridge *bridge,
			   const struct xdp_bridge_plan *plan);

/* Take it off every interface of this host; works without a daemon. Return: 0; -errno of the first failure. */
int xdp_bridge_remove(void) MUST_CHECK;

/* Closes descriptors; what is attached stays. */
void xdp_bridge_close(struct xdp_bridge **bridge);

#endif
