/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/channel - see channel.h.
 *
 * libevent only says when the descriptor is ready: a bufferevent would merge datagrams and
 * lose the descriptors that travel with them.
 */
#include "proc/channel.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <event2/event.h>

#define CHANNEL_READS_MAX \
	64u /* messages in one turn of the loop: others want their turn, too */

struct queued {
	STAILQ_ENTRY(queued) next;
	int fd; /* owned; -1: none */
	size_t len;
	unsigned char bytes[]; /* the front of a struct msg */
};

STAILQ_HEAD(queue, queued);

struct channel {
	struct channel_conf conf;
	struct event *readable;
	struct event *writable;
	struct queue queue;
	size_t queued;
	bool is_closed; /* on_closed has been called */
	bool is_reading; /* a callback may run: channel_free() leaves the struct to the reader */
	bool is_freed; /* nothing is left but the struct */
};

/* Room for one descriptor more than is allowed, so that a second one is seen and closed. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static void queued_free(struct queued *item)
{
	close_fd(&item->fd);
	explicit_bzero(item->bytes, item->len); /* keys may have been in it */
	free(item);
}

static void channel_close(struct channel *channel, int error)
{
	channel->is_closed = true;
	(void)event_del(channel->readable);
	(void)event_del(channel->writable);
	channel->conf.on_closed(channel->conf.context, channel, error);
}

/* The descriptor of a received message; closes those that are too many. -EPROTO: too many. */
static int channel_take_fd(struct msghdr *header, int *out_fd)
{
	int count = 0;

	*out_fd = -1;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t fds;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		fds = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < fds; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (count++ == 0)
				*out_fd = fd;
			else
				close_fd(&fd);
		}
	}
	if (count <= 1 && !(header->msg_flags & MSG_CTRUNC))
		return 0;
	close_fd(out_fd);
	return -EPROTO;
}

/* Returns bytes received (> 0), 0 at the end, -errno. */
static ssize_t channel_receive(struct channel *channel, struct msg *msg, int *out_fd)
{
	union control control;
	struct iovec iov = {.iov_base = msg, .iov_len = sizeof(*msg)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	ssize_t len;

	*out_fd = -1;
	len = recvmsg(channel->conf.fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (len < 0)
		return -errno;
	if (channel_take_fd(&header, out_fd))
		return -EPROTO;
	if (header.msg_flags & MSG_TRUNC) {
		close_fd(out_fd);
		return -EPROTO;
	}
	return len;
}

static void channel_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct channel *channel = context;

	(void)fd;
	(void)what;
	channel->is_reading = true;
	for (unsigned int i = 0; i < CHANNEL_READS_MAX && !channel->is_closed; i++) {
		struct msg msg;
		int passed = -1;
		ssize_t len = channel_receive(channel, &msg, &passed);

		if (len == -EAGAIN || len == -EINTR)
			break;
		if (len <= 0) {
			/* ECONNRESET: the other end died with our messages unread. */
			channel_close(channel, len == -ECONNRESET ? 0 : (int)len);
			break;
		}
		if (msg_validate(channel->conf.other, channel->conf.self, &msg,
				 (size_t)len, passed >= 0)) {
			close_fd(&passed);
			channel_close(channel, -EPROTO);
			break;
		}
		channel->conf.on_message(channel->conf.context, channel, &msg,
					 TAKE_FD(passed));
	}
	channel->is_reading = false;
	if (channel->is_freed)
		free(channel);
}

static int channel_write(struct channel *channel, const void *bytes, size_t len, int fd)
{
	union control control;
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		struct cmsghdr *c;

		memset(&control, 0, sizeof(control));
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(sizeof(int));
		c = CMSG_FIRSTHDR(&header);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	}
	if (sendmsg(channel->conf.fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
		return 0;
	return errno == EINTR ? -EAGAIN : -errno;
}

static void channel_on_writable(evutil_socket_t fd, short what, void *context)
{
	struct channel *channel = context;

	(void)fd;
	(void)what;
	while (!STAILQ_EMPTY(&channel->queue)) {
		struct queued *item = STAILQ_FIRST(&channel->queue);
		int err = channel_write(channel, item->bytes, item->len, item->fd);

		if (err == -EAGAIN)
			return;
		if (err) {
			/* Reading tells that the end is gone, after what it had sent before. */
			break;
		}
		STAILQ_REMOVE_HEAD(&channel->queue, next);
		channel->queued--;
		queued_free(item);
	}
	(void)event_del(channel->writable);
}

static int channel_enqueue(struct channel *channel, const struct msg *msg, int fd)
{
	size_t len = msg_size(msg->type);
	struct queued *item;

	if (channel->queued >= CHANNEL_QUEUE_MAX)
		return -ENOBUFS;
	item = malloc(sizeof(*item) + len);
	if (!item)
		return -ENOBUFS;
	item->len = 0;
	item->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (fd >= 0 && item->fd < 0) {
		free(item);
		return -ENOBUFS;
	}
	item->len = len;
	memcpy(item->bytes, msg, len);
	STAILQ_INSERT_TAIL(&channel->queue, item, next);
	channel->queued++;
	(void)event_add(channel->writable, NULL);
	return 0;
}

int channel_send(struct channel *channel, const struct msg *msg, int fd)
{
	int err;

	if (!channel || channel->is_closed)
		return -ENOTCONN;
	/* A message that the other end would refuse is our own bug: say so here, where it is. */
	assert(!msg_validate(channel->conf.self, channel->conf.other, msg,
			     msg_size(msg->type), fd >= 0));
	if (!STAILQ_EMPTY(&channel->queue))
		return channel_enqueue(channel, msg, fd);
	err = channel_write(channel, msg, msg_size(msg->type), fd);
	if (err == -EAGAIN)
		return channel_enqueue(channel, msg, fd);
	if (err == -EPIPE || err == -ECONNRESET)
		return -ENOTCONN;
	return err;
}

struct channel *channel_new(const struct channel_conf *conf)
{
	struct channel *channel = calloc(1, sizeof(*channel));

	if (!channel)
		return NULL;
	channel->conf = *conf;
	channel->conf.fd = -1; /* ours only on success */
	STAILQ_INIT(&channel->queue);
	channel->readable = event_new(conf->base, conf->fd, EV_READ | EV_PERSIST,
				      channel_on_readable, channel);
	channel->writable = event_new(conf->base, conf->fd, EV_WRITE | EV_PERSIST,
				      channel_on_writable, channel);
	if (!channel->readable || !channel->writable ||
	    event_add(channel->readable, NULL))
		channel_free(&channel);
	else
		channel->conf.fd = conf->fd;
	return channel;
}

void channel_free(struct channel **channel)
{
	struct channel *c = *channel;

	if (!c)
		return;
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	while (!STAILQ_EMPTY(&c->queue)) {
		struct queued *item = STAILQ_FIRST(&c->queue);

		STAILQ_REMOVE_HEAD(&c->queue, next);
		queued_free(item);
	}
	close_fd(&c->conf.fd);
	c->is_closed = true;
	c->is_freed = true;
	if (!c->is_reading)
		free(c);
	*channel = NULL;
}

size_t channel_queued(const struct channel *channel)
{
	return channel ? channel->queued : 0;
}

uint32_t channel_index(const struct channel *channel)
{
	return channel->conf.index;
}

enum process_role channel_other(const struct channel *channel)
{
	return channel->conf.other;
}

int channel_pair(int out_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		return -errno;
	out_fds[0] = fds[0];
	out_fds[1] = fds[1];
	return 0;
}
