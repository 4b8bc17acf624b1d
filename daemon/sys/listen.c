/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/listen - see listen.h.
 */
#include "sys/listen.h"

#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "sys/sock.h"

#define HASH_FACTOR 2654435761u /* odd, near 2^32 divided by the golden ratio */
#define V4_SOURCE   12		/* of the source address in an IPv4 header, RFC 791 3.1 */
#define V6_SOURCE   8		/* RFC 8200 3 */

static int listen_bind(const struct addr *addr, uint16_t port, bool shared, int *out_fd)
{
	AUTO(close_fd) int fd = -1;
	struct sockaddr_storage sa;
	const int on = 1;
	unsigned int len = addr_to_sockaddr(addr, port, &sa);

	if (len == 0)
		return -EAFNOSUPPORT;
	fd = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		return -errno;
	if (shared && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))
		return -errno;
	if (addr->family == ADDR_V6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -errno;
	if (bind(fd, (const struct sockaddr *)&sa, len))
		return -errno;
	*out_fd = TAKE_FD(fd);
	return 0;
}

/*
 * A packet that begins a connection runs through this program, which answers with the number of
 * the socket. SKF_NET_OFF reaches back to the network header.
 */
static int listen_choose_by_source(int fd, enum addr_family family, uint32_t count)
{
	const uint32_t v6 = (uint32_t)SKF_NET_OFF + V6_SOURCE;
	struct sock_filter v4_code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)SKF_NET_OFF + V4_SOURCE),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, HASH_FACTOR),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_filter v6_code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, v6),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, HASH_FACTOR),
		BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, v6 + 4),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, HASH_FACTOR),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = {
		.len = sizeof(v4_code) / sizeof(v4_code[0]),
		.filter = v4_code,
	};

	if (family == ADDR_V6) {
		program.len = sizeof(v6_code) / sizeof(v6_code[0]);
		program.filter = v6_code;
	}
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		       sizeof(program)))
		return -errno;
	return 0;
}

/* SO_REUSEPORT would let two daemons of one account share a port without a word. */
static int listen_check_free(const struct addr *addr, uint16_t port)
{
	AUTO(close_fd) int fd = -1;

	return listen_bind(addr, port, false, &fd);
}

int listen_open(const struct addr *addr, uint16_t port, size_t count, int *out_fds)
{
	size_t made = 0;
	int err;

	assert(count >= 1 && count <= UINT16_MAX && port > 0);
	err = listen_check_free(addr, port);
	/* They are numbered by the program above in the order in which they begin to listen. */
	while (!err && made < count) {
		int fd = -1;

		err = listen_bind(addr, port, true, &fd);
		if (err)
			break;
		if (listen(fd, LISTEN_BACKLOG))
			err = -errno;
		if (!err && made == 0)
			err = listen_choose_by_source(fd, (enum addr_family)addr->family,
						      (uint32_t)count);
		if (err)
			close_fd(&fd);
		else
			out_fds[made++] = fd;
	}
	if (!err)
		return 0;
	while (made > 0)
		close_fd(&out_fds[--made]);
	return err;
}

int listen_make_transparent(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int err = sock_allow_foreign(fds[i]);

		if (err)
			return err;
	}
	return 0;
}
