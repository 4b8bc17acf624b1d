/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_channel - messages, descriptors, a full queue, and an end that misbehaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <event2/event.h>

#include "proc/channel.h"

/* What the keeper's end saw of its ledger. */
struct seen {
	uint32_t messages, last_seq;
	uint32_t closed;
	int error;
	int fd;
	bool frees_on_message;
	bool frees_on_closed;
	struct channel *channel;
};

struct fixture {
	struct event_base *base;
	int other; /* the ledger's end, a bare socket */
	struct seen seen;
};

static void on_message(void *context, struct channel *channel, const struct msg *msg,
		       int fd)
{
	struct seen *seen = context;

	assert_ptr_equal(channel, seen->channel);
	seen->messages++;
	seen->last_seq = msg->type == MSG_BAN_WALK ? msg->ban_walk.seq : 0;
	close_fd(&seen->fd);
	seen->fd = fd;
	if (seen->frees_on_message)
		channel_free(&seen->channel);
}

static void on_closed(void *context, struct channel *channel, int error)
{
	struct seen *seen = context;

	assert_ptr_equal(channel, seen->channel);
	seen->closed++;
	seen->error = error;
	if (seen->frees_on_closed)
		channel_free(&seen->channel);
}

static int set_up_as(void **state, enum process_role self, enum process_role other)
{
	struct fixture *f = calloc(1, sizeof(*f));
	int fds[2];

	assert_non_null(f);
	f->base = event_base_new();
	assert_int_equal(channel_pair(fds), 0);
	f->other = fds[1];
	f->seen.fd = -1;
	f->seen.channel = channel_new(&(struct channel_conf){
		.base = f->base,
		.fd = fds[0],
		.self = self,
		.other = other,
		.index = 3,
		.on_message = on_message,
		.on_closed = on_closed,
		.context = &f->seen,
	});
	assert_non_null(f->seen.channel);
	*state = f;
	return 0;
}

static int set_up(void **state)
{
	return set_up_as(state, ROLE_KEEPER, ROLE_LEDGER);
}

static int set_up_child(void **state)
{
	return set_up_as(state, ROLE_LEDGER, ROLE_KEEPER);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	channel_free(&f->seen.channel);
	close_fd(&f->other);
	close_fd(&f->seen.fd);
	event_base_free(f->base);
	free(f);
	return 0;
}

static void turn(struct fixture *f)
{
	assert_true(event_base_loop(f->base, EVLOOP_NONBLOCK) >= 0);
}

static struct msg walk(uint32_t seq)
{
	return (struct msg){.type = MSG_BAN_WALK, .ban_walk = {.seq = seq}};
}

static void send_raw(int fd, const void *bytes, size_t len, const int *fds,
		     size_t fd_count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control = {0};
	struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd_count > 0) {
		header.msg_control = control.bytes;
		header.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
		CMSG_FIRSTHDR(&header)->cmsg_level = SOL_SOCKET;
		CMSG_FIRSTHDR(&header)->cmsg_type = SCM_RIGHTS;
		CMSG_FIRSTHDR(&header)->cmsg_len = CMSG_LEN(fd_count * sizeof(int));
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&header)), fds, fd_count * sizeof(int));
	}
	assert_int_equal(sendmsg(fd, &header, 0), (ssize_t)len);
}

static size_t open_fds(void)
{
	size_t count = 0;

	for (int fd = 0; fd < 256; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void messages_arrive_in_order(void **state)
{
	struct fixture *f = *state;

	for (uint32_t i = 1; i <= 5; i++) {
		struct msg m = walk(i);

		send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	}
	turn(f);
	assert_int_equal(f->seen.messages, 5);
	assert_int_equal(f->seen.last_seq, 5);
	assert_int_equal(channel_index(f->seen.channel), 3);
	assert_int_equal(channel_other(f->seen.channel), ROLE_LEDGER);
}

static void a_descriptor_is_passed_and_owned_by_the_receiver(void **state)
{
	struct fixture *f = *state;
	struct msg m = {.type = MSG_CONF};
	struct stat sent, got;

	assert_int_equal(fstat(f->other, &sent), 0);
	send_raw(f->other, &m, msg_size(m.type), &f->other, 1);
	turn(f);
	assert_int_equal(f->seen.messages, 1);
	assert_true(f->seen.fd >= 0);
	assert_int_equal(fstat(f->seen.fd, &got), 0);
	assert_int_equal(got.st_ino, sent.st_ino);
}

static void two_descriptors_are_refused_and_none_leaks(void **state)
{
	struct fixture *f = *state;
	struct msg m = {.type = MSG_CONF};
	const int fds[2] = {f->other, f->other};
	size_t before = open_fds();

	send_raw(f->other, &m, msg_size(m.type), fds, 2);
	turn(f);
	assert_int_equal(open_fds(), before);
	assert_int_equal(f->seen.messages, 0);
	assert_int_equal(f->seen.error, -EPROTO);
}

static void many_descriptors_are_refused_and_none_leaks(void **state)
{
	struct fixture *f = *state;
	struct msg m = {.type = MSG_CONF};
	const int fds[5] = {f->other, f->other, f->other, f->other, f->other};
	size_t before = open_fds();

	send_raw(f->other, &m, msg_size(m.type), fds, 5);
	turn(f);
	assert_int_equal(f->seen.error, -EPROTO);
	assert_int_equal(f->seen.messages, 0);
	assert_int_equal(open_fds(), before);
}

static void a_wrong_message_closes_the_channel_once(void **state)
{
	struct fixture *f = *state;
	struct msg m = walk(1);

	m.ban_walk.restart = 9;
	send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	m.ban_walk.restart = 0;
	send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	turn(f);
	turn(f);
	assert_int_equal(f->seen.closed, 1);
	assert_int_equal(f->seen.error, -EPROTO);
	assert_int_equal(f->seen.messages, 0);
	m = (struct msg){.type = MSG_REPORT};
	assert_int_equal(channel_send(f->seen.channel, &m, -1), -ENOTCONN);
}

static void a_datagram_too_long_is_refused(void **state)
{
	struct fixture *f = *state;
	static char huge[sizeof(struct msg) + 1];
	const struct msg m = {.type = MSG_BAN_EDITS};

	/* The longest type there is: what fits into the receiver's buffer is a good message. */
	assert_int_equal(msg_size(m.type), sizeof(m));
	memcpy(huge, &m, sizeof(m));
	send_raw(f->other, huge, sizeof(huge), NULL, 0);
	turn(f);
	assert_int_equal(f->seen.error, -EPROTO);
	assert_int_equal(f->seen.closed, 1);
}

static void the_end_of_the_other_is_told(void **state)
{
	struct fixture *f = *state;
	const struct msg m = walk(7);

	send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	close_fd(&f->other);
	turn(f);
	assert_int_equal(f->seen.messages, 1); /* what it had said before still counts */
	assert_int_equal(f->seen.closed, 1);
	assert_int_equal(f->seen.error, 0);
}

static void the_channel_may_be_freed_in_either_callback(void **state)
{
	struct fixture *f = *state;
	const struct msg m = walk(1);

	f->seen.frees_on_message = true;
	send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	send_raw(f->other, &m, msg_size(m.type), NULL, 0);
	turn(f);
	assert_int_equal(f->seen.messages, 1);
	assert_null(f->seen.channel);
}

static void the_channel_may_be_freed_when_it_is_closed(void **state)
{
	struct fixture *f = *state;

	f->seen.frees_on_closed = true;
	close_fd(&f->other);
	turn(f);
	assert_int_equal(f->seen.closed, 1);
	assert_null(f->seen.channel);
}

static void nobody_to_send_to_is_an_error_and_no_crash(void **state)
{
	const struct msg m = walk(1);

	(void)state;
	assert_int_equal(channel_send(NULL, &m, -1), -ENOTCONN);
	assert_int_equal(channel_queued(NULL), 0);
}

static uint32_t drain(int fd, uint32_t *next)
{
	struct msg m;
	uint32_t count = 0;

	while (recv(fd, &m, sizeof(m), MSG_DONTWAIT) > 0) {
		if (m.ban_walk.seq != *next)
			fail_msg("message %u came as %u", *next, m.ban_walk.seq);
		(*next)++;
		count++;
	}
	return count;
}

static void what_does_not_go_out_waits_in_order_up_to_the_limit(void **state)
{
	struct fixture *f = *state;
	uint32_t sent = 0;
	uint32_t next = 0;
	int err;

	do {
		struct msg m = walk(sent);

		err = channel_send(f->seen.channel, &m, -1);
		sent += !err;
	} while (!err && sent < 100000);
	assert_int_equal(err, -ENOBUFS);
	assert_int_equal(channel_queued(f->seen.channel), CHANNEL_QUEUE_MAX);
	for (int i = 0; i < 1000 && next < sent; i++) {
		(void)drain(f->other, &next);
		turn(f);
	}
	assert_int_equal(next, sent);
	assert_int_equal(channel_queued(f->seen.channel), 0);
}

int main(void)
{
#define KEEPER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
#define CHILD(test)  cmocka_unit_test_setup_teardown(test, set_up_child, tear_down)
	const struct CMUnitTest tests[] = {
		KEEPER(messages_arrive_in_order),
		CHILD(a_descriptor_is_passed_and_owned_by_the_receiver),
		CHILD(two_descriptors_are_refused_and_none_leaks),
		CHILD(many_descriptors_are_refused_and_none_leaks),
		KEEPER(a_wrong_message_closes_the_channel_once),
		KEEPER(a_datagram_too_long_is_refused),
		KEEPER(the_end_of_the_other_is_told),
		KEEPER(the_channel_may_be_freed_in_either_callback),
		KEEPER(the_channel_may_be_freed_when_it_is_closed),
		KEEPER(nobody_to_send_to_is_an_error_and_no_crash),
		CHILD(what_does_not_go_out_waits_in_order_up_to_the_limit),
	};

	return cmocka_run_group_tests_name("proc/channel", tests, NULL, NULL);
}
