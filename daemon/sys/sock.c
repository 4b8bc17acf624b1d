/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/sock - see sock.h.
 */
#include "sys/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

int sock_prepare_listener(int fd)
{
	const int on = 1;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return -errno;
	/* Linux hands TCP_NODELAY down to accepted sockets: one call less for each of them. */
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	return 0;
}

int sock_accept(int listener, struct sock_peer *out_peer)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct sock_peer peer;
	int fd;

	do {
		fd = accept4(listener, (struct sockaddr *)&sa, &len,
			     SOCK_NONBLOCK | SOCK_CLOEXEC);
	} while (fd < 0 && errno == EINTR);
	if (fd < 0)
		return -errno;
	if (addr_from_sockaddr((struct sockaddr *)&sa, &peer.addr, &peer.port)) {
		(void)close(fd);
		return -ECONNABORTED;
	}
	*out_peer = peer;
	return fd;
}

int sock_connect(const struct addr *addr, uint16_t port, int *out_fd)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(addr, port, &sa);
	const int on = 1;
	AUTO(close_fd) int fd = -1;

	if (len == 0)
		return -EAFNOSUPPORT;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		return -errno;
	if (connect(fd, (struct sockaddr *)&sa, len) && errno != EINPROGRESS &&
	    errno != EINTR)
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int sock_allow_foreign(int fd)
{
	const int on = 1;
	socklen_t len = sizeof(int);
	int domain;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len))
		return -errno;
	if (domain == AF_INET6
		    ? setsockopt(fd, SOL_IPV6, IPV6_TRANSPARENT, &on, sizeof(on))
		    : setsockopt(fd, SOL_IP, IP_TRANSPARENT, &on, sizeof(on)))
		return -errno;
	return 0;
}

int sock_make_foreign(enum addr_family family, uint32_t mark, int *out_fd)
{
	AUTO(close_fd) int fd = -1;
	int err;

	if (family != ADDR_V4 && family != ADDR_V6)
		return -EAFNOSUPPORT;
	fd = socket(family == ADDR_V6 ? AF_INET6 : AF_INET,
		    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = sock_allow_foreign(fd);
	if (err)
		return err;
	if (setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

int sock_connect_as(int fd, const struct addr *client, const struct addr *addr,
		    uint16_t port)
{
	struct sockaddr_storage from, to;
	socklen_t from_len = addr_to_sockaddr(client, 0, &from);
	socklen_t to_len = addr_to_sockaddr(addr, port, &to);
	const int on = 1;

	if (client->family != addr->family || from_len == 0)
		return -EAFNOSUPPORT;
	/* The port is chosen by connect(), from all that are free towards this backend, and not by bind(). */
	if (setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) ||
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) ||
	    bind(fd, (struct sockaddr *)&from, from_len))
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, to_len) && errno != EINPROGRESS &&
	    errno != EINTR)
		return -errno;
	return 0;
}

int sock_local(int fd, struct addr *out_addr, uint16_t *out_port)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	if (getsockname(fd, (struct sockaddr *)&sa, &len))
		return -errno;
	return addr_from_sockaddr((struct sockaddr *)&sa, out_addr, out_port);
}

int sock_pair(int out_fds[2])
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds))
		return -errno;
	out_fds[0] = fds[0];
	out_fds[1] = fds[1];
	return 0;
}

static ssize_t sock_receive(int fd, void *bytes, size_t cap_bytes, int flags)
{
	ssize_t got;

	do {
		got = recv(fd, bytes, cap_bytes, flags);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

ssize_t sock_read(int fd, void *bytes, size_t cap_bytes)
{
	return sock_receive(fd, bytes, cap_bytes, 0);
}

ssize_t sock_peek(int fd, void *bytes, size_t cap_bytes)
{
	return sock_receive(fd, bytes, cap_bytes, MSG_PEEK);
}

ssize_t sock_write(int fd, const void *bytes, size_t len)
{
	ssize_t put;

	do {
		put = send(fd, bytes, len, MSG_NOSIGNAL);
	} while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

void sock_finish(int fd)
{
	(void)shutdown(fd, SHUT_WR); /* fails if the other side has gone: fine */
}

void sock_abort(int *fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (*fd >= 0)
		(void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close_fd(fd);
}
