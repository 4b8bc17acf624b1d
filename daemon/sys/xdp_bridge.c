/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_bridge - see xdp_bridge.h.
 *
 * clsact and filters, not tcx: that the kernel of Debian 12 does not have. Whether the clsact of an
 * interface was there before us is remembered in the handle of our filter, so that whoever takes the filter
 * off, the next run or --detach, takes off no more than was put on.
 */
#include "sys/xdp_bridge.h"

#include <assert.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#include "bridge.skel.h"
#include "sys/netlink.h"
#include "sys/xdp_private.h"

#define PROGRAM_NAME "postern_bridge"
#define PRIORITY     1u	     /* before others that might say the last word */
#define HANDLE_GUEST 0x7070u /* clsact was there */
#define HANDLE_OWNER 0x7071u /* clsact is ours */

static_assert(XDP_BRIDGE_PORTS_MAX == ABI_BRIDGE_PORTS_MAX, "all ports fit");
static_assert(XDP_BRIDGE_WAYS_MAX == ABI_SERVICE_MAX, "all ways fit");
static_assert(sizeof(PROGRAM_NAME) <= BPF_OBJ_NAME_LEN,
	      "the kernel keeps the whole name");
static_assert((int)XDP_BRIDGE_TAKE == (int)ABI_WAY_TAKE, "ways");
static_assert((int)XDP_BRIDGE_TAKE_OR_PASS == (int)ABI_WAY_TAKE_OR_PASS, "ways");
static_assert((int)XDP_BRIDGE_PASS == (int)ABI_WAY_PASS, "ways");
static_assert((int)XDP_BRIDGE_INNER == (int)ABI_SIDE_INNER, "sides");
static_assert((int)XDP_BRIDGE_OUTER == (int)ABI_SIDE_OUTER, "sides");
static_assert((int)XDP_BRIDGE_OWN == (int)ABI_SIDE_OWN, "sides");

struct xdp_bridge {
	struct bridge_bpf *program; /* owns the descriptors of program and maps */
	uint32_t id;		    /* the kernel's number of the program */
};

/* ---- plans ------------------------------------------------------------------------------------------- */

static bool port_equal(const struct xdp_bridge_port *a, const struct xdp_bridge_port *b)
{
	return a->index == b->index && a->bridge == b->bridge &&
	       memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 && a->side == b->side &&
	       a->has_v4 == b->has_v4 && a->has_v6 == b->has_v6;
}

bool xdp_bridge_ports_equal(const struct xdp_bridge_plan *a,
			    const struct xdp_bridge_plan *b)
{
	bool is_equal = a->port_count == b->port_count;

	for (size_t i = 0; is_equal && i < a->port_count; i++)
		is_equal = port_equal(&a->ports[i], &b->ports[i]);
	return is_equal;
}

bool xdp_bridge_plan_equal(const struct xdp_bridge_plan *a,
			   const struct xdp_bridge_plan *b)
{
	bool is_equal = xdp_bridge_ports_equal(a, b) && a->way_count == b->way_count &&
			a->mark_connection == b->mark_connection &&
			a->mark_new == b->mark_new;

	for (size_t i = 0; is_equal && i < a->way_count; i++)
		is_equal = a->ways[i].port == b->ways[i].port &&
			   a->ways[i].gate_port == b->ways[i].gate_port &&
			   a->ways[i].kind == b->ways[i].kind;
	return is_equal;
}

/* ---- loading ----------------------------------------------------------------------------------------- */

static int program_id(int fd, uint32_t *out_id)
{
	struct bpf_prog_info info = {0};
	__u32 len = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &len) < 0)
		return -errno;
	*out_id = info.id;
	return 0;
}

static int bridge_load(const struct xdp_bridge_plan *plan, struct xdp_bridge **out_bridge)
{
	AUTO(xdp_bridge_close) struct xdp_bridge *bridge = calloc(1, sizeof(*bridge));
	int err;

	if (!bridge)
		return -ENOMEM;
	bridge->program = bridge_bpf__open();
	if (!bridge->program)
		return -errno;
	bridge->program->rodata->mark_connection = plan->mark_connection;
	bridge->program->rodata->mark_new = plan->mark_new;
	err = bridge_bpf__load(bridge->program);
	if (!err)
		err = program_id(bpf_program__fd(bridge->program->progs.postern_bridge),
				 &bridge->id);
	if (err)
		return err;
	*out_bridge = TAKE_PTR(bridge);
	return 0;
}

void xdp_bridge_close(struct xdp_bridge **bridge)
{
	if (!*bridge)
		return;
	bridge_bpf__destroy((*bridge)->program);
	free(*bridge);
	*bridge = NULL;
}

/* ---- the maps ------------------------------------------------------------------------------------------ */

static int fill_ways(const struct xdp_bridge *bridge, const struct xdp_bridge_plan *plan)
{
	const int fd = bpf_map__fd(bridge->program->maps.bridge_ways);
	struct service_key key, next;
	bool has_next = bpf_map_get_next_key(fd, NULL, &next) == 0;
	int err = 0;

	for (size_t i = 0; i < plan->way_count && !err; i++) {
		const struct service_key port = {.port = plan->ways[i].port};
		const struct bridge_way way = {.gate_port = plan->ways[i].gate_port,
					       .way = plan->ways[i].kind};

		err = bpf_map_update_elem(fd, &port, &way, BPF_ANY);
	}
	for (size_t n = 0; has_next && n < XDP_BRIDGE_WAYS_MAX; n++) {
		bool is_wanted = false;

		key = next;
		has_next = bpf_map_get_next_key(fd, &key, &next) == 0;
		for (size_t i = 0; i < plan->way_count; i++)
			is_wanted = is_wanted || plan->ways[i].port == key.port;
		if (!is_wanted)
			(void)bpf_map_delete_elem(fd, &key);
	}
	return err;
}

static int fill_port(const struct xdp_bridge *bridge, const struct xdp_bridge_port *port)
{
	const int fd = bpf_map__fd(bridge->program->maps.bridge_ports);
	struct bridge_port value = {.bridge = port->bridge, .side = port->side};

	if (port->has_v4)
		value.families |= ABI_BRIDGE_V4;
	if (port->has_v6)
		value.families |= ABI_BRIDGE_V6;
	memcpy(value.mac, port->mac, sizeof(value.mac));
	return bpf_map_update_elem(fd, &port->index, &value, BPF_ANY);
}

/* ---- on the interfaces --------------------------------------------------------------------------------- */

static struct bpf_tc_hook hook_of(uint32_t index, enum bpf_tc_attach_point point)
{
	return (struct bpf_tc_hook){
		.sz = sizeof(struct bpf_tc_hook),
		.ifindex = (int)index,
		.attach_point = point,
	};
}

static int attach(const struct xdp_bridge *bridge, uint32_t index)
{
	struct bpf_tc_hook hook = hook_of(index, BPF_TC_INGRESS);
	struct bpf_tc_opts opts = {
		.sz = sizeof(opts),
		.prog_fd = bpf_program__fd(bridge->program->progs.postern_bridge),
		.priority = PRIORITY,
	};
	struct netlink_filters there = {0};
	int err = netlink_filters_of(index, PROGRAM_NAME, &there);

	if (err || there.program == bridge->id)
		return err;
	if (there.program) {
		opts.handle = there.handle;
		opts.flags = BPF_TC_F_REPLACE;
		return bpf_tc_attach(&hook, &opts);
	}
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	opts.handle = err == -EEXIST ? HANDLE_GUEST : HANDLE_OWNER;
	return bpf_tc_attach(&hook, &opts);
}

static int detach(uint32_t index)
{
	struct bpf_tc_hook ingress = hook_of(index, BPF_TC_INGRESS);
	struct bpf_tc_hook both = hook_of(
		index, (enum bpf_tc_attach_point)(BPF_TC_INGRESS | BPF_TC_EGRESS));
	struct bpf_tc_opts opts = {.sz = sizeof(opts), .priority = PRIORITY};
	struct netlink_filters there = {0};
	int err = netlink_filters_of(index, PROGRAM_NAME, &there);

	if (err || there.handle == 0)
		return err;
	opts.handle = there.handle;
	err = bpf_tc_detach(&ingress, &opts);
	if (!err && there.handle == HANDLE_OWNER && there.others == 0)
		err = bpf_tc_hook_destroy(&both);
	return err;
}

static bool is_planned(const struct xdp_bridge_plan *plan, uint32_t index)
{
	for (size_t i = 0; plan && i < plan->port_count; i++)
		if (plan->ports[i].index == index)
			return true;
	return false;
}

/* @plan: NULL: off all. */
static int detach_others(const struct xdp_bridge_plan *plan)
{
	struct if_nameindex *all = if_nameindex();
	int first = 0;

	if (!all)
		return -errno;
	for (const struct if_nameindex *i = all; i->if_index != 0; i++) {
		int err = is_planned(plan, i->if_index) ? 0 : detach(i->if_index);

		/* One that has gone meanwhile has nothing of ours any more. */
		if (err && err != -ENODEV && !first)
			first = err;
	}
	if_freenameindex(all);
	return first;
}

int xdp_bridge_remove(void)
{
	xdp_problem_collect();
	return detach_others(NULL);
}

int xdp_bridge_apply(struct xdp_bridge **bridge, const struct xdp_bridge_plan *plan)
{
	int err = 0;

	xdp_problem_collect();
	if (plan->port_count > 0 && !*bridge)
		err = bridge_load(plan, bridge);
	if (!err && *bridge)
		err = fill_ways(*bridge, plan);
	for (size_t i = 0; i < plan->port_count && !err; i++) {
		err = fill_port(*bridge, &plan->ports[i]);
		if (!err)
			err = attach(*bridge, plan->ports[i].index);
	}
	return err ? err : detach_others(plan);
}

size_t xdp_bridge_attached(const struct xdp_bridge *bridge,
			   const struct xdp_bridge_plan *plan)
{
	size_t count = 0;

	for (size_t i = 0; bridge && i < plan->port_count; i++) {
		struct netlink_filters there = {0};

		if (netlink_filters_of(plan->ports[i].index, PROGRAM_NAME, &there) == 0 &&
		    there.program == bridge->id)
			count++;
	}
	return count;
}
