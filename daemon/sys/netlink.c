/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/netlink - see netlink.h.
 */
#include "sys/netlink.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <libmnl/libmnl.h>

#define SEND_BUFFER_BYTES (1 << 20) /* a large batch is one datagram */
#define ANSWER_BYTES	  32768u    /* what the kernel puts into one datagram of a dump */

static void close_socket(struct mnl_socket **socket)
{
	if (*socket)
		(void)mnl_socket_close(*socket);
	*socket = NULL;
}

static struct mnl_socket *open_socket(int bus, size_t len)
{
	const struct timeval wait = {.tv_sec = NETLINK_WAIT_S};
	const int size = len > SEND_BUFFER_BYTES / 2 ? (int)(2 * len) : SEND_BUFFER_BYTES;
	int yes = 1;
	AUTO(close_socket)
	struct mnl_socket *socket = mnl_socket_open2(bus, SOCK_CLOEXEC);

	if (!socket)
		return NULL;
	if (mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &wait,
		       sizeof(wait)) ||
	    setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_SNDBUFFORCE, &size,
		       sizeof(size)))
		return NULL;
	/* A refusal repeats no more than the head of what was refused, so that it fits. */
	(void)mnl_socket_setsockopt(socket, NETLINK_CAP_ACK, &yes, sizeof(yes));
	return TAKE_PTR(socket);
}

/* An answer being read. */
struct reading {
	const struct netlink_request *request;
	int error;
};

static int on_data(const struct nlmsghdr *message, void *context)
{
	struct reading *reading = context;

	if (reading->request->on_message)
		reading->error =
			reading->request->on_message(reading->request->context, message);
	return reading->error ? MNL_CB_ERROR : MNL_CB_OK;
}

/* Return: 1, go on; 0, the end; -errno. */
static int read_some(struct mnl_socket *socket, struct reading *reading, char *bytes,
		     size_t cap)
{
	const unsigned int port = mnl_socket_get_portid(socket);
	const struct nlmsghdr *message;
	ssize_t got = mnl_socket_recvfrom(socket, bytes, cap);
	int left;
	int end;

	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	/* Of a batch each message may be refused; the first refusal says why nothing was changed. */
	for (left = (int)got, message = (const struct nlmsghdr *)bytes;
	     mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left)) {
		end = mnl_cb_run(message, message->nlmsg_len, 0, port, on_data, reading);
		if (end == MNL_CB_ERROR)
			return reading->error ? reading->error : -errno;
		if (end == MNL_CB_STOP && message->nlmsg_seq == reading->request->seq)
			return 0;
	}
	return 1;
}

static int talk(struct mnl_socket *socket, const struct netlink_request *request)
{
	AUTO(free_mem) char *bytes = malloc(ANSWER_BYTES);
	struct reading reading = {.request = request};
	int result = 1;

	if (!bytes)
		return -ENOMEM;
	if (mnl_socket_sendto(socket, request->bytes, request->len) < 0)
		return -errno;
	while (result == 1)
		result = read_some(socket, &reading, bytes, ANSWER_BYTES);
	return result;
}

void netlink_hang_up(struct netlink_line *line)
{
	struct mnl_socket *socket = TAKE_PTR(line->socket);

	close_socket(&socket);
}

int netlink_talk(const struct netlink_request *request)
{
	struct netlink_line *line = request->line;
	AUTO(close_socket) struct mnl_socket *socket = NULL;
	int err;

	/* The room to send was measured when it was opened. */
	if (line && line->socket && request->len <= SEND_BUFFER_BYTES)
		socket = TAKE_PTR(line->socket);
	if (!socket)
		socket = open_socket(request->bus, request->len);
	if (!socket)
		return -errno;
	err = talk(socket, request);
	/* After an error more answers may come, which are none to the next question. */
	if (!err && line) {
		netlink_hang_up(line);
		line->socket = TAKE_PTR(socket);
	}
	return err;
}
