/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink_route - the rules and the route that bring marked packets to this host. See netlink.h.
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
/*
 * Ahead of the main table's (32766). Numbers of our own, so that the same rule is not there twice.
 *
 *   ARRIVING iif lo fwmark IN goto END
 *   IN       fwmark IN lookup TABLE
 *   OUT      fwmark OUT lookup TABLE
 *   END      nop
 *
 * The first is for rp_filter: where src_valid_mark is set (WireGuard does so) the kernel looks, as if from lo and with
 * the packet's mark, where the sender would be reached. That has to be the way it always was, or the packet is dropped.
 */
#define RULE_ARRIVING 28781u
#define RULE_IN	      28782u
#define RULE_OUT      28783u
#define RULE_END      28784u

struct route_change {
	const struct netlink_route *route;
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

/* @mark: 0: of every packet. */
static int change_rule(const struct route_change *change, uint32_t priority,
		       uint8_t action, uint32_t mark)
{
	char bytes[ROUTE_MESSAGE_MAX] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *head =
		begin(bytes, change->is_removal ? RTM_DELRULE : RTM_NEWRULE,
		      change->is_removal);
	struct fib_rule_hdr *rule = mnl_nlmsg_put_extra_header(head, sizeof(*rule));

	rule->family = change->family;
	rule->action = action;
	mnl_attr_put_u32(head, FRA_PRIORITY, priority);
	if (mark) {
		mnl_attr_put_u32(head, FRA_FWMARK, mark);
		mnl_attr_put_u32(head, FRA_FWMASK, UINT32_MAX);
	}
	if (action == FR_ACT_TO_TBL)
		mnl_attr_put_u32(head, FRA_TABLE, change->route->table);
	if (action == FR_ACT_GOTO) {
		mnl_attr_put_strz(head, FRA_IIFNAME, "lo");
		mnl_attr_put_u32(head, FRA_GOTO, RULE_END);
	}
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
	mnl_attr_put_u32(head, RTA_TABLE, change->route->table);
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

/* The route, and then the rules, the target of a jump before the jump. Goes on after a failure and returns the first. */
static int change_family(const struct route_change *change)
{
	const struct {
		uint32_t priority;
		uint8_t action;
		uint32_t mark;
	} rules[] = {
		{RULE_END, FR_ACT_NOP, 0},
		{RULE_ARRIVING, FR_ACT_GOTO, change->route->in_mark},
		{RULE_IN, FR_ACT_TO_TBL, change->route->in_mark},
		{RULE_OUT, FR_ACT_TO_TBL, change->route->out_mark},
	};
	int first = change_route(change);

	if (is_settled(change, first))
		first = 0;
	if (first && !change->is_removal)
		return first;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		int err = change_rule(change, rules[i].priority, rules[i].action,
				      rules[i].mark);

		if (err && !is_settled(change, err) && !first)
			first = err;
	}
	return first;
}

static int change_both(const struct netlink_route *route, bool is_removal)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	int first = 0;

	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		const struct route_change change = {route, families[i], is_removal};
		int err = change_family(&change);

		if (err && !is_without_family(&change, err) && !first)
			first = err;
	}
	return first;
}

int netlink_route_add(const struct netlink_route *route)
{
	return change_both(route, false);
}

int netlink_route_remove(const struct netlink_route *route)
{
	return change_both(route, true);
}
