/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_leg - buffers of a session's two legs. See session.h.
 */
#include "proc/session_leg.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proc/session.h"

/* ---- input ----------------------------------------------------------------------------------- */

static void leg_release_input(struct leg *leg)
{
	struct gate *gate = leg->session->gate;

	if (leg->in_place == INPUT_SMALL)
		pool_give(&gate->small, &leg->in);
	else if (leg->in_place == INPUT_BIG)
		pool_give(&gate->big, &leg->in);
	leg->in = NULL;
	leg->in_place = INPUT_NONE;
	leg->in_at = 0;
	leg->in_len = 0;
}

static uint32_t leg_input_cap(const struct leg *leg, bool is_bulk)
{
	const bool is_big = leg->in_place == INPUT_BIG ||
			    (leg->in_place == INPUT_SCRATCH && leg->is_client);

	/* Commands and replies stay within a small block, so that any rest fits into one. */
	return is_big && is_bulk ? GATE_BIG_BYTES : GATE_SMALL_BYTES;
}

/* A rest in a small block would make the reads of a message body small. */
static void leg_enlarge(struct leg *leg)
{
	char *scratch = leg->session->gate->in_client;
	const uint32_t len = leg->in_len;

	memcpy(scratch, leg->in + leg->in_at, len);
	leg_release_input(leg);
	leg->in = scratch;
	leg->in_place = INPUT_SCRATCH;
	leg->in_len = len;
}

/* What is left moves to the front. No second copy of it stays: it may be a part of a password. */
static void leg_compact(struct leg *leg)
{
	if (leg->in_at > 0 && leg->in_len > 0) {
		memmove(leg->in, leg->in + leg->in_at, leg->in_len);
		explicit_bzero(leg->in + leg->in_len, leg->in_at);
	}
	leg->in_at = 0;
}

/*
 * A short read has emptied the socket, and more will make a new edge. But an error that came with
 * those bytes makes none: whoever goes on waiting for the rest of something asks once more. Between
 * two commands nobody does; there the next reply that is written finds the error.
 */
static bool leg_is_worth_reading(const struct leg *leg, bool is_awaited)
{
	if (leg->has_ended || leg->fd < 0 || leg->is_shaking)
		return false;
	return leg->can_read || (leg->is_unsure && (is_awaited || leg->in_len > 0));
}

/* Out of TLS: record by record, until nothing more can be read or the memory is full. */
static ssize_t leg_read_tls(struct leg *leg, char *to, size_t cap)
{
	size_t total = 0;
	ssize_t got = 0;

	leg->can_read = true; /* however little comes: more may lie in the library */
	tls_read_ahead(leg->tls, cap);
	while (total < cap) {
		got = tls_read(leg->tls, to + total, cap - total);
		if (got <= 0)
			break;
		total += (size_t)got;
	}
	if (got == -EAGAIN) {
		/* It has something to write first, which is rare: read again when it can. */
		leg->can_read = tls_wants_write(leg->tls);
		if (leg->can_read)
			leg->can_write = false;
	}
	return total > 0 ? (ssize_t)total : got;
}

/* Notes what may be tried next. Returns as sock_read(). */
static ssize_t leg_read(struct leg *leg, char *to, size_t cap)
{
	ssize_t got;

	leg->is_unsure = false;
	if (leg->tls)
		return leg_read_tls(leg, to, cap);
	got = sock_read(leg->fd, to, cap);
	if (got > 0)
		/* An end that was told already makes no new edge either. */
		leg->is_unsure = (size_t)got < cap && !leg->is_hung_up;
	leg->can_read = got > 0 && !leg->is_unsure;
	return got;
}

bool leg_fill(struct leg *leg, bool is_awaited)
{
	struct gate *gate = leg->session->gate;
	uint32_t cap;
	ssize_t got;

	assert(leg->pinned_len == 0);
	if (!leg_is_worth_reading(leg, is_awaited))
		return false;
	if (leg->in_place == INPUT_NONE) {
		leg->in = leg->is_client ? gate->in_client : gate->in_backend;
		leg->in_place = INPUT_SCRATCH;
		leg->in_at = 0;
		leg->in_len = 0;
	} else if (is_awaited && leg->is_client && leg->in_place == INPUT_SMALL) {
		leg_enlarge(leg);
	}
	leg_compact(leg);
	cap = leg_input_cap(leg, is_awaited);
	if (leg->in_len >= cap)
		return false;

	got = leg_read(leg, leg->in + leg->in_len, cap - leg->in_len);
	if (got == -EAGAIN)
		return false;
	if (got <= 0) {
		leg->can_read = false;
		leg->has_ended = true;
		leg->is_cut = got == -ENODATA;
		leg->error = leg->is_cut ? 0 : (int)-got;
		return false;
	}
	leg->in_len += (uint32_t)got;
	if (leg->is_client)
		leg->session->bytes_in += (uint64_t)got;
	return true;
}

void leg_drop(struct leg *leg, size_t len)
{
	assert(len <= leg->in_len);
	leg->in_at += (uint32_t)len;
	leg->in_len -= (uint32_t)len;
	if (leg->in_len == 0 && leg->pinned_len == 0)
		leg_release_input(leg);
}

void leg_discard(struct leg *leg)
{
	/* A password that waited for its turn may be in it. */
	if (leg->in_len > 0)
		explicit_bzero(leg->in + leg->in_at, leg->in_len);
	leg_drop(leg, leg->in_len);
}

void leg_pin(struct leg *leg, const char *bytes, size_t len)
{
	assert(leg->pinned_len == 0 && bytes >= leg->in);
	leg->pinned_at = (uint32_t)(bytes - leg->in);
	leg->pinned_len = (uint32_t)len;
}

bool leg_write_pinned(struct leg *leg)
{
	struct session *s = leg->session;
	size_t put;

	if (leg->pinned_len == 0)
		return true;
	put = leg_write(leg->is_client ? &s->backend : &s->client,
			leg->in + leg->pinned_at, leg->pinned_len);
	leg->pinned_at += (uint32_t)put;
	leg->pinned_len -= (uint32_t)put;
	if (leg->pinned_len > 0)
		return false;
	leg_drop(leg, 0); /* gives the buffer back if nothing else is in it */
	return true;
}

void leg_unpin(struct leg *leg)
{
	leg->pinned_len = 0;
	leg_drop(leg, 0);
}

/* Out of the scratch memory into a block: a copy of little, or the scratch block itself. */
static int leg_keep_input(struct leg *leg)
{
	struct gate *gate = leg->session->gate;
	const bool is_sending = leg->pinned_len > 0;
	char *block;

	if (leg->in_place != INPUT_SCRATCH)
		return 0;
	if (leg->in_len == 0 && !is_sending) {
		leg_release_input(leg);
		return 0;
	}
	if (!is_sending && leg->in_len <= GATE_SMALL_BYTES) {
		block = pool_take(&gate->small);
		if (!block)
			return -ENOBUFS;
		memcpy(block, leg->in + leg->in_at, leg->in_len);
		explicit_bzero(leg->in + leg->in_at, leg->in_len);
		leg->in = block;
		leg->in_at = 0;
		leg->in_place = INPUT_SMALL;
		return 0;
	}
	assert(leg->is_client);
	block = pool_take(&gate->big);
	if (!block)
		return -ENOBUFS;
	leg->in = gate->in_client;
	leg->in_place = INPUT_BIG;
	gate->in_client = block;
	return 0;
}

/* ---- output ---------------------------------------------------------------------------------- */

static void leg_release_output(struct leg *leg)
{
	/* A block that was given back is still memory of the gate. */
	if (leg->out_is_secret)
		explicit_bzero(leg->out, GATE_SMALL_BYTES);
	leg->out_is_secret = false;
	if (!leg->out_is_scratch)
		pool_give(&leg->session->gate->small, &leg->out);
	leg->out = NULL;
	leg->out_at = 0;
	leg->out_len = 0;
}

size_t leg_room(const struct leg *leg)
{
	return GATE_SMALL_BYTES - leg->out_len;
}

bool leg_make_room(struct leg *leg, size_t len)
{
	return leg_room(leg) >= len || leg_flush(leg) || leg_room(leg) >= len;
}

void leg_put(struct leg *leg, const void *bytes, size_t len)
{
	struct gate *gate = leg->session->gate;

	assert(len <= leg_room(leg));
	if (!leg->out) {
		leg->out = leg->is_client ? gate->out_client : gate->out_backend;
		leg->out_is_scratch = true;
		leg->out_at = 0;
		leg->out_len = 0;
	}
	if (leg->out_at > 0 && leg->out_at + leg->out_len + len > GATE_SMALL_BYTES) {
		memmove(leg->out, leg->out + leg->out_at, leg->out_len);
		leg->out_at = 0;
	}
	memcpy(leg->out + leg->out_at + leg->out_len, bytes, len);
	leg->out_len += (uint32_t)len;
}

size_t leg_write(struct leg *leg, const void *bytes, size_t len)
{
	ssize_t put;

	if (!leg->can_write || leg->fd < 0 || leg->is_shaking)
		return 0;
	put = leg->tls ? tls_write(leg->tls, bytes, len)
		       : sock_write(leg->fd, bytes, len);
	if (put < 0) {
		/* TLS that wants to read first is tried again when something has come. */
		leg->can_write = put == -EAGAIN && leg->tls && !tls_wants_write(leg->tls);
		if (put != -EAGAIN) {
			leg->has_ended = true;
			leg->error = (int)-put;
		}
		return 0;
	}
	leg->is_unsure = false; /* an error would have shown here */
	if ((size_t)put < len)
		leg->can_write = false;
	if (leg->is_client)
		leg->session->bytes_out += (uint64_t)put;
	return (size_t)put;
}

bool leg_flush(struct leg *leg)
{
	size_t put;

	if (!leg->out)
		return true;
	put = leg_write(leg, leg->out + leg->out_at, leg->out_len);
	leg->out_at += (uint32_t)put;
	leg->out_len -= (uint32_t)put;
	if (leg->out_len > 0)
		return false;
	leg_release_output(leg);
	return true;
}

void leg_flush_secret(struct leg *leg)
{
	leg->out_is_secret = leg->out != NULL;
	(void)leg_flush(leg);
}

static int leg_keep_output(struct leg *leg)
{
	char *block;

	if (!leg->out || !leg->out_is_scratch)
		return 0;
	block = pool_take(&leg->session->gate->small);
	if (!block)
		return -ENOBUFS;
	memcpy(block, leg->out + leg->out_at, leg->out_len);
	if (leg->out_is_secret)
		explicit_bzero(leg->out, GATE_SMALL_BYTES);
	leg->out = block;
	leg->out_at = 0;
	leg->out_is_scratch = false;
	return 0;
}

bool leg_is_plain(const struct leg *leg)
{
	return leg->fd >= 0 && !leg->tls;
}

void leg_finish(struct leg *leg, bool is_cut)
{
	if (leg->fd < 0)
		return;
	if (leg->tls && is_cut)
		tls_no_goodbye(leg->tls);
	else if (leg->tls)
		tls_goodbye(leg->tls);
	sock_finish(leg->fd);
}

/* ---- both ------------------------------------------------------------------------------------ */

int session_leg_settle(struct session *s)
{
	int err;

	(void)leg_flush(&s->client);
	(void)leg_flush(&s->backend);
	err = leg_keep_output(&s->client);
	if (!err)
		err = leg_keep_output(&s->backend);
	if (!err)
		err = leg_keep_input(&s->client);
	if (!err)
		err = leg_keep_input(&s->backend);
	return err;
}

void session_leg_forget(struct session *s, struct leg *leg)
{
	struct leg *other = leg == &s->client ? &s->backend : &s->client;

	/* What has no receiver any more holds no buffer of the other leg either. */
	leg_unpin(other);
	leg->pinned_len = 0;
	leg_discard(leg);
	leg_release_input(leg);
	if (leg->out)
		leg_release_output(leg);
}
