/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink_route - the rule and the route that bring marked packets to this host. See netlink.h.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>

#include <libmnl/libmnl.h>

#define ROUTE_MESSAGE_MAX 512u
/* Ahead of the main table's (32766). A number of our own, so that the same rule is not there twice. */
#define RULE_PRIORITY 28783u

struct route_change {
	uint32_t mark, table;
	uint8_t family;
	bool is_removal;
};

static struct nlmsghdr *begin(char *bytes, uint16_t type, bool is_removal)
{
	struct nlmsghdr *head = mnl_nlmsg_put_header(bytes);

	head->nlmsg_type = type;
	head->nlmsg_seq = 1;
	head->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (!is_removal)
		head->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	return head;
}

static int talk(const struct nlmsghdr *head)
{
	const struct netlink_request request = {
		.bus = NETLINK_ROUTE,
		.bytes = head,
		.len = head->nlmsg_len,
		.seq = head->nlmsg_seq,
	};

	return netlink_talk(&request);
}

static int change_rule(const struct route_change *change)
{
	char bytes[ROUTE_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *head =
		begin(bytes, change->is_removal ? RTM_DELRULE : RTM_NEWRULE,
		      change->is_removal);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(head, sizeof(*rule));

	rule->family = change->family;
	rule->action = FR_ACT_TO_TBL;
	mnl_attr_put_u32(head, FRA_FWMARK, change->mark);
	mnl_attr_put_u32(head, FRA_FWMASK, UINT32_MAX);
	mnl_attr_put_u32(head, FRA_TABLE, change->table);
	mnl_attr_put_u32(head, FRA_PRIORITY, RULE_PRIORITY);
	return talk(head);
}

static int change_route(const struct route_change *change)
{
	char bytes[ROUTE_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *head =
		begin(bytes, change->is_removal ? RTM_DELROUTE : RTM_NEWROUTE,
		      change->is_removal);
	struct rtmsg *route = mnl_nlmsg_put_extra_header(head, sizeof(*route));
	const unsigned int loopback = if_nametoindex("lo");

	if (loopback == 0)
		return -ENODEV;
	route->rtm_family = change->family;
	route->rtm_type = RTN_LOCAL;
	route->rtm_scope = change->is_removal ? RT_SCOPE_NOWHERE : RT_SCOPE_HOST;
	route->rtm_protocol = change->is_removal ? RTPROT_UNSPEC : RTPROT_STATIC;
	mnl_attr_put_u32(head, RTA_TABLE, change->table);
	mnl_attr_put_u32(head, RTA_OIF, loopback);
	return talk(head);
}

/* Is this no more than "it is so already"? */
static bool is_settled(const struct route_change *change, int err)
{
	if (!change->is_removal)
		return err == -EEXIST;
	return err == -ENOENT || err == -ESRCH;
}

/* A kernel without IPv6, or one in which it is switched off. */
static bool is_without_family(const struct route_change *change, int err)
{
	return change->family == AF_INET6 &&
	       (err == -EOPNOTSUPP || err == -EAFNOSUPPORT || err == -ENODEV ||
		err == -EACCES);
}

static int change_both(uint32_t mark, uint32_t table, bool is_removal)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int first = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct route_change change = {mark, table, families[i], is_removal};
		int err = change_route(&change);

		if (err && is_settled(&change, err))
			err = 0;
		if (!err)
			err = change_rule(&change);
		if (err && !is_settled(&change, err) &&
		    !is_without_family(&change, err) && !first)
			first = err;
	}
	return first;
}

int netlink_route_add(uint32_t mark, uint32_t table)
{
	return change_both(mark, table, false);
}

int netlink_route_remove(uint32_t mark, uint32_t table)
{
	return change_both(mark, table, true);
}
