/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay_stream - see relay_stream.h.
 */
#include "proc/relay_stream.h"

#include <errno.h>

#include "proc/session.h"

/* A direction in one turn. */
struct turn {
	struct session *session;
	struct stream_way *way;
	struct leg *from, *to;
	size_t moved; /* bytes read or written: both are work */
	size_t read;
};

void stream_begin(struct session *s, struct relay_stream *stream, int64_t idle_s)
{
	*stream = (struct relay_stream){
		.up.pipe = SPLICE_PIPE_NONE,
		.down.pipe = SPLICE_PIPE_NONE,
		.idle_s = idle_s,
		.is_open = true,
	};
	s->state = SESSION_RELAY;
	s->ends_ms = UINT64_MAX; /* a mailbox may stay open for days */
	session_deadline(s, idle_s);
}

static void way_give_back(struct session *s, struct stream_way *way)
{
	relay_pipes_give(&s->gate->pipes, &way->pipe, way->piped == 0);
	way->piped = 0;
}

/* Nobody takes it any more. What the other side has said before may still be there to be read. */
static void way_break(struct turn *turn)
{
	turn->way->has_ended = true;
	turn->to->has_ended = false;
	turn->to->can_read = true;
}

/* Return: false, no more can be written now. */
static bool way_empty_pipe(struct turn *turn)
{
	struct stream_way *way = turn->way;
	ssize_t put;

	if (!turn->to->can_write)
		return false;
	put = splice_give(&way->pipe, turn->to->fd, way->piped);
	if (put <= 0) {
		turn->to->can_write = false;
		if (put != -EAGAIN) {
			turn->to->error = (int)-put;
			way_break(turn);
		}
		return false;
	}
	turn->to->is_unsure = false; /* an error would have shown here */
	way->piped -= (uint32_t)put;
	turn->moved += (size_t)put;
	if (turn->to->is_client)
		turn->session->bytes_out += (uint64_t)put;
	return true;
}

/* Return: false, no more can be read now. */
static bool way_fill_pipe(struct turn *turn)
{
	struct stream_way *way = turn->way;
	ssize_t got = splice_take(turn->from->fd, &way->pipe, RELAY_PIPE_BYTES);

	if (got <= 0) {
		turn->from->can_read = false;
		turn->from->is_unsure = false;
		turn->from->has_ended = got != -EAGAIN;
		if (turn->from->has_ended)
			turn->from->error = (int)-got;
		way->is_bulk = turn->read >= GATE_SMALL_BYTES;
		return turn->from->has_ended;
	}
	way->piped = (uint32_t)got;
	turn->moved += (size_t)got;
	turn->read += (size_t)got;
	if (turn->from->is_client)
		turn->session->bytes_in += (uint64_t)got;
	return true;
}

static bool way_has_pipe(struct turn *turn)
{
	if (!turn->way->is_bulk || !turn->from->can_read || !leg_is_plain(turn->from) ||
	    !leg_is_plain(turn->to))
		return false;
	return turn->way->pipe.read_fd >= 0 ||
	       relay_pipes_take(&turn->session->gate->pipes, &turn->way->pipe);
}

static bool way_fill_buffer(struct turn *turn)
{
	if (!leg_fill(turn->from, true))
		return turn->from->has_ended;
	turn->way->is_bulk = turn->from->in_len >= GATE_SMALL_BYTES;
	turn->moved += turn->from->in_len;
	return true;
}

static bool way_empty_buffer(struct turn *turn)
{
	const size_t put = leg_write(turn->to, turn->from->in + turn->from->in_at,
				     turn->from->in_len);

	leg_drop(turn->from, put);
	turn->moved += put;
	if (turn->to->error)
		way_break(turn);
	return turn->from->in_len == 0;
}

static void way_finish(struct turn *turn)
{
	turn->way->has_ended = true;
	turn->moved++;		/* the end, too, is a sign of life */
	if (!turn->from->error) /* else stream_is_broken() sees to it */
		leg_finish(turn->to, turn->from->is_cut);
}

/* One step. Return: false, nothing can be done now. */
static bool way_step(struct turn *turn)
{
	if (turn->way->has_ended || !leg_flush(turn->to))
		return false;
	if (turn->way->piped > 0)
		return way_empty_pipe(turn);
	if (turn->from->in_len > 0)
		return way_empty_buffer(turn);
	if (turn->from->has_ended) {
		way_finish(turn);
		return false;
	}
	return way_has_pipe(turn) ? way_fill_pipe(turn) : way_fill_buffer(turn);
}

/* Return: true if something has moved. */
static bool way_turn(struct turn *turn)
{
	while (turn->moved < 2 * STREAM_TURN_BYTES && way_step(turn))
		;
	if (turn->moved >= 2 * STREAM_TURN_BYTES)
		turn->session->wants_turn = true;
	if (turn->way->piped == 0)
		way_give_back(turn->session, turn->way);
	return turn->moved > 0;
}

/* A reset is passed on as one: nobody may take it for a clean end. */
static bool stream_is_broken(struct session *s, const struct relay_stream *stream)
{
	if (s->client.error) {
		session_detach(s, &s->backend, true);
		session_end(s, "client-reset");
		return true;
	}
	if (s->backend.error && stream->down.has_ended) {
		session_detach(s, &s->client, true);
		session_end(s, "backend-reset");
		return true;
	}
	return false;
}

static int64_t stream_patience_s(const struct session *s,
				 const struct relay_stream *stream)
{
	if (s->gate->is_draining)
		return STREAM_DRAIN_S;
	return stream->up.has_ended || stream->down.has_ended ? STREAM_HALF_CLOSED_S
							      : stream->idle_s;
}

void stream_step(struct session *s, struct relay_stream *stream)
{
	struct turn up = {s, &stream->up, &s->client, &s->backend, 0, 0};
	struct turn down = {s, &stream->down, &s->backend, &s->client, 0, 0};
	bool has_moved;

	has_moved = way_turn(&up);
	has_moved |= way_turn(&down);
	if (stream_is_broken(s, stream))
		return;
	if (stream->up.has_ended && stream->down.has_ended)
		session_end(s, "closed");
	else if (has_moved)
		session_deadline(s, stream_patience_s(s, stream));
}

void stream_timeout(struct session *s)
{
	session_end(s, s->gate->is_draining ? "shutdown" : "idle");
}

void stream_stop(struct session *s)
{
	session_deadline(s, STREAM_DRAIN_S);
}

void stream_end(struct session *s, struct relay_stream *stream)
{
	if (!stream->is_open)
		return;
	way_give_back(s, &stream->up);
	way_give_back(s, &stream->down);
	stream->is_open = false;
}
