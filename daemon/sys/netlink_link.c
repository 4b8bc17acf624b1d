/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink_link - bridges and their ports, and what filters hang on an interface. See netlink.h.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <libmnl/libmnl.h>

#define DUMP_MESSAGE_MAX 128u

struct dump {
	uint16_t type;
	const void *body;
	size_t body_bytes;
	netlink_message_fn on_message;
	void *context;
};

static int talk(const struct dump *dump)
{
	char bytes[DUMP_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *head = mnl_nlmsg_put_header(bytes);
	struct netlink_request request = {
		.bus = NETLINK_ROUTE,
		.bytes = head,
		.seq = 1,
		.on_message = dump->on_message,
		.context = dump->context,
	};

	head->nlmsg_type = dump->type;
	head->nlmsg_seq = request.seq;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	memcpy(mnl_nlmsg_put_extra_header(head, dump->body_bytes), dump->body,
	       dump->body_bytes);
	request.len = head->nlmsg_len;
	return netlink_talk(&request);
}

/* ---- bridges --------------------------------------------------------------------------------------- */

/* What one interface says of itself; pointers into the message. */
struct link {
	uint32_t index, master;
	const char *name;
	const uint8_t *mac; /* NULL: none, or not of Ethernet */
	bool is_bridge, is_bridge_port;
};

static bool says_bridge(const struct nlattr *attr)
{
	return strncmp(mnl_attr_get_str(attr), "bridge",
		       mnl_attr_get_payload_len(attr)) == 0;
}

static int on_link_info(const struct nlattr *attr, void *context)
{
	struct link *link = context;

	if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
		link->is_bridge = says_bridge(attr);
	else if (mnl_attr_get_type(attr) == IFLA_INFO_SLAVE_KIND)
		link->is_bridge_port = says_bridge(attr);
	return MNL_CB_OK;
}

static int on_link_attr(const struct nlattr *attr, void *context)
{
	struct link *link = context;

	switch (mnl_attr_get_type(attr)) {
	case IFLA_IFNAME:
		link->name = mnl_attr_get_str(attr);
		break;
	case IFLA_MASTER:
		link->master = mnl_attr_get_u32(attr);
		break;
	case IFLA_ADDRESS:
		if (mnl_attr_get_payload_len(attr) ==
		    sizeof(((struct netlink_bridge *)0)->mac))
			link->mac = mnl_attr_get_payload(attr);
		break;
	case IFLA_LINKINFO:
		return mnl_attr_parse_nested(attr, on_link_info, link);
	default:
		break;
	}
	return MNL_CB_OK;
}

static int link_read(const struct nlmsghdr *message, struct link *out_link)
{
	const struct ifinfomsg *body = mnl_nlmsg_get_payload(message);

	*out_link = (struct link){.index = (uint32_t)body->ifi_index, .name = ""};
	return mnl_attr_parse(message, sizeof(*body), on_link_attr, out_link) < 0 ? -errno
										  : 0;
}

/* A search for the bridge of one interface. */
struct bridge_search {
	uint32_t index;
	uint32_t bridge; /* 0: not found */
};

static int on_link_of_search(void *context, const struct nlmsghdr *message)
{
	struct bridge_search *search = context;
	struct link link;
	int err = link_read(message, &link);

	if (err || link.index != search->index)
		return err;
	if (link.is_bridge)
		search->bridge = link.index;
	else if (link.is_bridge_port)
		search->bridge = link.master;
	return err;
}

static int on_link_of_bridge(void *context, const struct nlmsghdr *message)
{
	struct netlink_bridge *bridge = context;
	struct link link;
	int err = link_read(message, &link);

	if (err)
		return err;
	if (link.index == bridge->index) {
		(void)snprintf(bridge->name, sizeof(bridge->name), "%s", link.name);
		if (link.mac)
			memcpy(bridge->mac, link.mac, sizeof(bridge->mac));
	}
	if (!link.is_bridge_port || link.master != bridge->index)
		return 0;
	if (bridge->port_count == NETLINK_PORTS_MAX)
		return -E2BIG;
	(void)snprintf(bridge->port_names[bridge->port_count],
		       sizeof(bridge->port_names[0]), "%s", link.name);
	bridge->ports[bridge->port_count++] = link.index;
	return 0;
}

int netlink_bridge_of(const char *interface, struct netlink_bridge *out_bridge)
{
	/* Not of a family: AF_BRIDGE would leave out what the bridge itself says. */
	const struct ifinfomsg all = {.ifi_family = AF_UNSPEC};
	struct bridge_search search = {.index = if_nametoindex(interface)};
	struct netlink_bridge bridge = {0};
	struct dump dump = {RTM_GETLINK, &all, sizeof(all), on_link_of_search, &search};
	int err = search.index ? talk(&dump) : -ENOENT;

	if (err)
		return err;
	if (search.bridge == 0)
		return -ENOENT;
	bridge.index = search.bridge;
	bridge.is_itself = bridge.index == search.index;
	dump.on_message = on_link_of_bridge;
	dump.context = &bridge;
	err = talk(&dump);
	if (err)
		return err;
	*out_bridge = bridge;
	return 0;
}

/* ---- filters ----------------------------------------------------------------------------------------- */

struct filter_search {
	const char *program;
	struct netlink_filters *found;
	/* The filter being read. */
	uint32_t id;
	bool is_of_program;
};

/* libbpf names a filter PROGRAM:[NUMBER]. */
static int on_filter_option(const struct nlattr *attr, void *context)
{
	struct filter_search *search = context;
	const size_t len = strlen(search->program);

	if (mnl_attr_get_type(attr) == TCA_BPF_ID)
		search->id = mnl_attr_get_u32(attr);
	else if (mnl_attr_get_type(attr) == TCA_BPF_NAME)
		search->is_of_program =
			strncmp(mnl_attr_get_str(attr), search->program, len) == 0 &&
			mnl_attr_get_str(attr)[len] == ':';
	return MNL_CB_OK;
}

static int on_filter_attr(const struct nlattr *attr, void *context)
{
	return mnl_attr_get_type(attr) == TCA_OPTIONS
		       ? mnl_attr_parse_nested(attr, on_filter_option, context)
		       : MNL_CB_OK;
}

static int on_filter(void *context, const struct nlmsghdr *message)
{
	struct filter_search *search = context;
	const struct tcmsg *body = mnl_nlmsg_get_payload(message);

	/* The head of a priority, not a filter. */
	if (body->tcm_handle == 0)
		return 0;
	search->is_of_program = false;
	if (mnl_attr_parse(message, sizeof(*body), on_filter_attr, search) < 0)
		return -errno;
	if (search->is_of_program) {
		search->found->program = search->id;
		search->found->handle = body->tcm_handle;
	} else {
		search->found->others++;
	}
	return 0;
}

int netlink_filters_of(uint32_t index, const char *program,
		       struct netlink_filters *out_filters)
{
	static const uint32_t sides[] = {TC_H_MIN_INGRESS, TC_H_MIN_EGRESS};
	struct netlink_filters found = {0};
	struct filter_search search = {.program = program, .found = &found};

	for (size_t i = 0; i < sizeof(sides) / sizeof(sides[0]); i++) {
		const struct tcmsg body = {
			.tcm_ifindex = (int)index,
			.tcm_parent = TC_H_MAKE(TC_H_CLSACT, sides[i]),
		};
		const struct dump dump = {RTM_GETTFILTER, &body, sizeof(body), on_filter,
					  &search};
		int err = talk(&dump);

		/* Nothing there to have filters. */
		if (err && err != -EINVAL && err != -ENOENT)
			return err;
	}
	*out_filters = found;
	return 0;
}
