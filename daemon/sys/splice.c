/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/splice - see splice.h.
 */
#include "sys/splice.h"

#include <errno.h>
#include <fcntl.h>

int splice_open(size_t bytes, struct splice_pipe *out_pipe)
{
	int fds[2];

	if (pipe2(fds, O_NONBLOCK | O_CLOEXEC))
		return -errno;
	(void)fcntl(fds[0], F_SETPIPE_SZ, (int)bytes); /* a smaller one works as well */
	*out_pipe = (struct splice_pipe){.read_fd = fds[0], .write_fd = fds[1]};
	return 0;
}

void splice_close(struct splice_pipe *pipe)
{
	close_fd(&pipe->read_fd);
	close_fd(&pipe->write_fd);
}

static ssize_t splice_move(int from, int to, size_t len)
{
	ssize_t moved;

	do {
		moved = splice(from, NULL, to, NULL, len,
			       SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (moved < 0 && errno == EINTR);
	return moved < 0 ? -errno : moved;
}

ssize_t splice_take(int fd, const struct splice_pipe *pipe, size_t len)
{
	return splice_move(fd, pipe->write_fd, len);
}

ssize_t splice_give(const struct splice_pipe *pipe, int fd, size_t len)
{
	return splice_move(pipe->read_fd, fd, len);
}
