/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netwatch - see netwatch.h.
 */
#include "sys/netwatch.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#define DRAIN_MAX 1000u /* messages at a time: the rest makes it readable again */

int netwatch_open(int *out_fd)
{
	const struct sockaddr_nl sa = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_TC | RTMGRP_IPV4_IFADDR |
			     RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE,
	};
	AUTO(close_fd) int fd = -1;

	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

/* The beginning of a notification, which is as much as is read. */
struct notice {
	struct nlmsghdr head;
	struct rtmsg route; /* of RTM_NEWROUTE, RTM_DELROUTE */
};

/* Of the routes only the default ones count: a router with a full table has hundreds of changes a second. */
static bool notice_counts(const struct notice *notice, size_t len)
{
	if (notice->head.nlmsg_type != RTM_NEWROUTE &&
	    notice->head.nlmsg_type != RTM_DELROUTE)
		return true;
	return len < sizeof(*notice) || notice->route.rtm_dst_len == 0;
}

bool netwatch_take(int fd)
{
	bool has_changed = false;

	for (unsigned int i = 0; i < DRAIN_MAX; i++) {
		struct notice notice;
		ssize_t len = recv(fd, &notice, sizeof(notice), 0);

		if (len >= (ssize_t)sizeof(notice.head))
			has_changed = has_changed || notice_counts(&notice, (size_t)len);
		else if (len < 0 && errno == ENOBUFS)
			has_changed = true; /* some were lost */
		else if (len < 0 && errno != EINTR)
			break;
	}
	return has_changed;
}
