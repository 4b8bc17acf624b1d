/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_bridge - this host is a bridge between the clients and the mail host.
 *
 * An interface that clients come in by may be a port of a bridge. Its packets then go past this host, and
 * what is for the gates is first taken off (sys/xdp_bridge): it comes in by the bridge's own interface, with a
 * mark, and from there on everything is as on a router. The bridge needs an address, and routes to both sides.
 * Where the bridge itself is named only what is sent to it is meant. That is taken off all the same, since what br_netfilter
 * has looked at on its way over the bridge cannot be led to a gate.
 */
#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/keeper_state.h"
#include "sys/netinfo.h"
#include "sys/netlink.h"
#include "sys/nft.h"

#define MARK_NEW \
	0x7070u /* "pp": a client's packet to a guarded port, taken off a bridge */
#define GATEWAYS_MAX 16u

static_assert(XDP_BRIDGE_PORTS_MAX >= NETLINK_PORTS_MAX, "all ports of a bridge fit");
static_assert(XDP_BRIDGE_WAYS_MAX >= NFT_PORTS_MAX, "all guarded ports fit");

/* ---- what is wanted -------------------------------------------------------------------------------- */

static uint8_t kind_of(const struct nft_port *port)
{
	switch ((enum nft_way)port->way) {
	case NFT_TO_GATE:
	case NFT_REFUSE: /* nftables does so, with a reset in the mail host's name */
		return XDP_BRIDGE_TAKE;
	case NFT_TO_GATE_OR_PASS:
		return XDP_BRIDGE_TAKE_OR_PASS;
	case NFT_PASS:
		break;
	}
	return XDP_BRIDGE_PASS;
}

static bool has_bridge(const struct xdp_bridge_plan *plan, uint32_t index)
{
	for (size_t i = 0; i < plan->port_count; i++)
		if (plan->ports[i].bridge == index)
			return true;
	return false;
}

/* All ports of a bridge that is not in the plan yet. */
static int add_ports(struct xdp_bridge_plan *plan, const struct netlink_bridge *bridge,
		     char problem[KEEPER_PROBLEM_MAX])
{
	struct xdp_bridge_port port = {.bridge = bridge->index};
	int err = netinfo_has_address(bridge->name, ADDR_V4, &port.has_v4);

	if (!err)
		err = netinfo_has_address(bridge->name, ADDR_V6, &port.has_v6);
	if (err)
		return err;
	if (!port.has_v4 && !port.has_v6) {
		(void)snprintf(
			problem, KEEPER_PROBLEM_MAX,
			"%s is a bridge without an address: give it one of the mail host's network "
			"(ip addr add ADDRESS/LENGTH dev %s) and a default route, so that the gates "
			"reach mail host and clients",
			bridge->name, bridge->name);
		return -EADDRNOTAVAIL;
	}
	memcpy(port.mac, bridge->mac, sizeof(port.mac));
	for (size_t i = 0; i < bridge->port_count; i++) {
		if (plan->port_count == XDP_BRIDGE_PORTS_MAX) {
			(void)snprintf(problem, KEEPER_PROBLEM_MAX,
				       "bridges with more than %u ports in all",
				       XDP_BRIDGE_PORTS_MAX);
			return -E2BIG;
		}
		port.index = bridge->ports[i];
		plan->ports[plan->port_count++] = port;
	}
	return 0;
}

/* An interface of the configuration; nothing is done for one that has to do with no bridge. */
static int plan_interface(struct nft_table *table, size_t at,
			  struct xdp_bridge_plan *plan, char problem[KEEPER_PROBLEM_MAX])
{
	const uint32_t index = if_nametoindex(table->interfaces[at]);
	struct netlink_bridge bridge;
	int err = netlink_bridge_of(table->interfaces[at], &bridge);
	struct xdp_bridge_port *port;

	if (err == -ENOENT)
		return 0;
	if (err == -E2BIG)
		(void)snprintf(problem, KEEPER_PROBLEM_MAX,
			       "the bridge of %s has more than %u ports",
			       table->interfaces[at], NETLINK_PORTS_MAX);
	if (!err && !has_bridge(plan, bridge.index))
		err = add_ports(plan, &bridge, problem);
	if (err)
		return err;
	for (size_t i = 0; i < plan->port_count; i++) {
		port = &plan->ports[i];
		if (port->index == index)
			port->side = XDP_BRIDGE_OUTER;
		else if (bridge.is_itself && port->bridge == index &&
			 port->side == XDP_BRIDGE_INNER)
			port->side = XDP_BRIDGE_OWN;
	}
	(void)text_copy(table->interfaces[at], sizeof(table->interfaces[at]),
			bridge.name);
	table->marks[at] = MARK_NEW;
	return 0;
}

/* Two ports of one bridge make the same rule. */
static void drop_doubles(struct nft_table *table)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->interface_count; i++) {
		bool is_double = false;

		for (size_t j = 0; j < kept; j++)
			is_double = is_double || strcmp(table->interfaces[j],
							table->interfaces[i]) == 0;
		if (is_double)
			continue;
		memmove(table->interfaces[kept], table->interfaces[i],
			sizeof(table->interfaces[0]));
		table->marks[kept++] = table->marks[i];
	}
	table->interface_count = kept;
}

int bridge_plan(struct nft_table *table, struct xdp_bridge_plan *out_plan,
		char problem[KEEPER_PROBLEM_MAX])
{
	struct xdp_bridge_plan plan = {.mark_connection = table->in_mark,
				       .mark_new = MARK_NEW};
	int err = 0;

	for (size_t i = 0; i < table->interface_count && table->port_count > 0 && !err;
	     i++)
		err = plan_interface(table, i, &plan, problem);
	if (err)
		return err;
	drop_doubles(table);
	for (size_t i = 0; i < table->port_count && plan.port_count > 0; i++) {
		struct xdp_bridge_way *way = &plan.ways[plan.way_count++];

		way->port = table->ports[i].port;
		way->gate_port = table->ports[i].gate_port;
		way->kind = kind_of(&table->ports[i]);
	}
	*out_plan = plan;
	return 0;
}

/* ---- in force ---------------------------------------------------------------------------------------- */

static bool has_gateway(enum addr_family family)
{
	struct addr gateways[GATEWAYS_MAX];
	size_t count = 0;

	if (netinfo_gateways(gateways, GATEWAYS_MAX, &count))
		return true; /* not known */
	for (size_t i = 0; i < count; i++)
		if (gateways[i].family == family)
			return true;
	return false;
}

static const char *problem_of(bool has_address, enum addr_family family)
{
	if (!has_address)
		return "it has no address: clients are dropped, or pass where fail-mode is open";
	if (!has_gateway(family))
		return "no default route: distant clients get no answer";
	return NULL;
}

/* One line for each bridge, and one for each family that will not work. */
static void tell(const struct xdp_bridge_plan *plan)
{
	for (size_t i = 0; i < plan->port_count; i++) {
		const struct xdp_bridge_port *port = &plan->ports[i];
		const char *problem4 = problem_of(port->has_v4, ADDR_V4);
		const char *problem6 = problem_of(port->has_v6, ADDR_V6);
		char name[IF_NAMESIZE] = "";
		size_t ports = 1;

		/* The ports of a bridge stand together. */
		for (; i + 1 < plan->port_count &&
		       plan->ports[i + 1].bridge == port->bridge;
		     i++)
			ports++;
		(void)if_indextoname(port->bridge, name);
		log_info("event=bridge bridge=%s ports=%zu", name, ports);
		if (problem4)
			log_warn("event=bridge bridge=%s ports=%zu reason=\"IPv4: %s\"",
				 name, ports, problem4);
		if (problem6)
			log_warn("event=bridge bridge=%s ports=%zu reason=\"IPv6: %s\"",
				 name, ports, problem6);
	}
}

int bridge_apply(struct keeper *keeper, const struct xdp_bridge_plan *plan,
		 char problem[KEEPER_PROBLEM_MAX])
{
	struct keeper_bridge *bridge = &keeper->bridge;
	/* The ways change with the gates; of that other lines tell. */
	const bool is_other = !xdp_bridge_ports_equal(plan, &bridge->plan);
	int err = xdp_bridge_apply(&bridge->program, plan);

	if (err) {
		struct buf text;

		buf_init(&text, problem, KEEPER_PROBLEM_MAX);
		buf_printf(&text, "the ports of the bridge: %s", strerror(-err));
		if (xdp_problem()[0])
			buf_printf(&text, " (%.256s)", xdp_problem());
		return err;
	}
	bridge->plan = *plan;
	if (is_other)
		tell(plan);
	return 0;
}

size_t bridge_ports_lost(const struct keeper *keeper)
{
	const struct keeper_bridge *bridge = &keeper->bridge;

	return bridge->plan.port_count -
	       xdp_bridge_attached(bridge->program, &bridge->plan);
}

void bridge_name(const struct keeper *keeper, const char *interface, char out_name[16])
{
	const uint32_t index = if_nametoindex(interface);

	out_name[0] = '\0';
	for (size_t i = 0; i < keeper->bridge.plan.port_count; i++)
		if (keeper->bridge.plan.ports[i].index == index)
			(void)if_indextoname(keeper->bridge.plan.ports[i].bridge,
					     out_name);
}
