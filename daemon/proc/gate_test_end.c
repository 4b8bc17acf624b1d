/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_test_end - the two ends of a test that are ours: sockets, and what has come on them.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proc/gate_state.h"
#include "proc/gate_test_state.h"
#include "sys/sock.h"

int test_end_open(struct gate_test *test, struct test_end *end,
		  event_callback_fn on_readable, int *out_fd)
{
	int fds[2];
	int err = sock_pair(fds);

	if (err)
		return err;
	end->event = event_new(test->gate->base, fds[0], EV_READ | EV_PERSIST,
			       on_readable, test);
	if (!end->event || event_add(end->event, NULL)) {
		end->fd = fds[0];
		test_end_close(end);
		close_fd(&fds[1]);
		return -ENOMEM;
	}
	end->fd = fds[0];
	end->in_len = 0;
	*out_fd = fds[1];
	return 0;
}

void test_end_close(struct test_end *end)
{
	if (end->event)
		event_free(end->event);
	end->event = NULL;
	close_fd(&end->fd);
}

bool test_end_read(struct test_end *end)
{
	ssize_t got =
		sock_read(end->fd, end->in + end->in_len, sizeof(end->in) - end->in_len);

	if (got == -EAGAIN)
		return true;
	if (got <= 0)
		return false;
	end->in_len += (size_t)got;
	return end->in_len < sizeof(end->in);
}

void test_end_drop(struct test_end *end, size_t len)
{
	assert(len <= end->in_len);
	end->in_len -= len;
	memmove(end->in, end->in + len, end->in_len);
}

void test_end_say(struct test_end *end, const char *text, size_t len)
{
	if (end->fd >= 0)
		(void)sock_write(end->fd, text,
				 len); /* some lines: a socket holds them */
}
