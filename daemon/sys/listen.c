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
#define V4_PORT	    20		/* of the source, behind a header without options */
#define V6_PORT	    40

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
 * the socket. SKF_NET_OFF reaches back to the network header. Options ahead of the port do no harm: then other bytes
 * of the packet take their place, and they, too, are the same for all packets that count.
 */
int listen_spread(int fd, enum addr_family family, size_t count, bool by_port)
{
	const bool is_v6 = family == ADDR_V6;
	const uint32_t source = (uint32_t)SKF_NET_OFF + (is_v6 ? V6_SOURCE : V4_SOURCE);
	const uint32_t port = (uint32_t)SKF_NET_OFF + (is_v6 ? V6_PORT : V4_PORT);
	const struct sock_filter word[] = {
		/* X is what has come before; a word more of what tells clients apart. */
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, source),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, source + 4),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, port),
	};
	const bool is_used[] = {true, is_v6, by_port};
	struct sock_filter code[3 * 4 + 4];
	struct sock_fprog program = {.filter = code};

	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_LDX | BPF_IMM, 0);
	for (size_t i = 0; i < sizeof(word) / sizeof(word[0]); i++) {
		if (!is_used[i])
			continue;
		code[program.len++] = word[i];
		code[program.len++] =
			(struct sock_filter)BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0);
		code[program.len++] = (struct sock_filter)BPF_STMT(
			BPF_ALU | BPF_MUL | BPF_K, HASH_FACTOR);
		code[program.len++] = (struct sock_filter)BPF_STMT(BPF_MISC | BPF_TAX, 0);
	}
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16);
	code[program.len++] =
		(struct sock_filter)BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (uint32_t)count);
	code[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
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
			err = listen_spread(fd, (enum addr_family)addr->family, count,
					    false);
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
