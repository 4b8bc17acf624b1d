/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_data - see the header for the rules.
 *
 * Two ways through. data_pass() walks over input that needs no change and copies nothing;
 * in a clean message that is all of it. Where something must change, data_rewrite()
 * takes over for the rest of the call. Both stop at the same questions, asked in
 * data_look_at_dot() and data_find_event(), so they cannot disagree about the end.
 */
#include "wire/smtp_data.h"

#include <assert.h>
#include <string.h>

/* A clean front this long is sent as it lies; copying less is cheaper than a send. */
#define PASS_MIN_BYTES 4096u

#define BLOCK_BYTES 64u

/* What stands before the next byte (struct smtp_data.start). */
enum data_start {
	START_NONE, /* the middle of a line */
	START_TRUE, /* CRLF in the input */
	START_MADE, /* a line end only in the output */
};

/* Sixteen bytes at once; gcc and clang know how on every machine. */
typedef uint8_t data_vec __attribute__((vector_size(16)));

/* What a "." at the start of a line is. */
enum data_dot {
	DOT_TEXT,  /* of a line with more in it, doubled by the sender if need be */
	DOT_END,   /* CRLF "." CRLF */
	DOT_STUFF, /* would look like the end to somebody */
	DOT_WAIT,  /* the next bytes decide */
};

struct data_walk {
	struct smtp_data *data;
	struct smtp_data_io *io;
	size_t pos; /* in io->in */
};

static data_vec data_load(const char *p)
{
	data_vec v;

	memcpy(&v, p, sizeof(v));
	return v;
}

/*
 * Marks, in sixteen bytes: CR without LF behind, LF without CR before, NUL, and a dot
 * behind LF. Reads one byte more.
 */
static data_vec data_marks(const char *p)
{
	data_vec here = data_load(p);
	data_vec next = data_load(p + 1);

	return ((data_vec)(here == '\r') ^ (data_vec)(next == '\n')) |
	       (data_vec)(here == '\0') |
	       ((data_vec)(here == '\n') & (data_vec)(next == '.'));
}

static bool data_block_is_plain(const char *p)
{
	data_vec marks = data_marks(p) | data_marks(p + 16) | data_marks(p + 32) |
			 data_marks(p + 48);
	uint64_t half[2];

	static_assert(BLOCK_BYTES == 4 * sizeof(data_vec), "four steps are a block");
	memcpy(half, &marks, sizeof(half));
	return (half[0] | half[1]) == 0;
}

/*
 * Bytes from p on that go out unchanged whatever follows: stops before a bare CR or LF, a
 * NUL, a dot behind CRLF, and before a CR that is the last byte. p[0] is not behind a CR.
 */
static size_t data_find_event(const char *p, size_t len)
{
	size_t i = 0;

	if (len == 0 || p[0] == '\n')
		return 0;
	for (;;) {
		while (i + BLOCK_BYTES < len && data_block_is_plain(p + i))
			i += BLOCK_BYTES;
		for (size_t n = 0; n < BLOCK_BYTES; n++, i++) {
			if (i + 1 >= len)
				return p[i] == '\r' || p[i] == '\0' ? i : len;
			if (p[i] == '\0' || (p[i] == '\r' && p[i + 1] != '\n'))
				return i;
			if (p[i + 1] == '\n' && p[i] != '\r')
				return i + 1;
			if (p[i] == '\n' && p[i + 1] == '.')
				return i + 1;
		}
	}
}

/*
 * p[0] is a dot behind a true CRLF. A sender that follows §4.5.2 puts a second dot behind
 * it unless it is the end, so doubling what is neither changes no proper message.
 */
static enum data_dot data_look_at_dot(const char *p, size_t len)
{
	if (len < 2)
		return DOT_WAIT;
	if (p[1] == '\n' || p[1] == '\0')
		return DOT_STUFF;
	if (p[1] != '\r')
		return DOT_TEXT;
	if (len < 3)
		return DOT_WAIT;
	return p[2] == '\n' ? DOT_END : DOT_STUFF;
}

static bool data_is_at_dot(const struct data_walk *walk)
{
	return walk->data->start != START_NONE && walk->pos < walk->io->in_len &&
	       walk->io->in[walk->pos] == '.';
}

static void data_advance(struct data_walk *walk, size_t bytes)
{
	walk->pos += bytes;
	if (bytes)
		walk->data->start =
			walk->io->in[walk->pos - 1] == '\n' ? START_TRUE : START_NONE;
}

/*
 * Walk over what may go out as it is. Returns MORE (nothing to change in all the input),
 * END, or AGAIN: something at walk->pos must change.
 */
static enum smtp_data_result data_pass(struct data_walk *walk)
{
	const char *in = walk->io->in;
	size_t len = walk->io->in_len;

	while (walk->pos < len) {
		size_t left = len - walk->pos;
		size_t run;

		if (data_is_at_dot(walk)) {
			enum data_dot dot = DOT_STUFF;

			if (walk->data->start == START_TRUE)
				dot = data_look_at_dot(in + walk->pos, left);
			if (dot == DOT_WAIT)
				return SMTP_DATA_MORE;
			if (dot == DOT_STUFF)
				return SMTP_DATA_AGAIN;
			data_advance(walk, dot == DOT_END ? 3 : 1);
			if (dot == DOT_END)
				return SMTP_DATA_END;
			continue;
		}
		run = data_find_event(in + walk->pos, left);
		data_advance(walk, run);
		if (run == 0)
			return left == 1 && in[walk->pos] == '\r' ? SMTP_DATA_MORE
								  : SMTP_DATA_AGAIN;
	}
	return SMTP_DATA_MORE;
}

/* After a refusal nothing goes out any more; until then the caller sees to the room. */
static void data_emit(struct data_walk *walk, const char *bytes, size_t len)
{
	struct smtp_data_io *io = walk->io;

	if (walk->data->refused)
		return;
	assert(len <= io->room_bytes - io->out_len);
	memcpy(io->room + io->out_len, bytes, len);
	io->out_len += len;
}

/* Note a fault. Returns true if it refuses the message now. */
static bool data_fault(struct data_walk *walk, enum smtp_data_fault fault)
{
	struct smtp_data *data = walk->data;

	data->faults |= (uint8_t)fault;
	if (data->mode != SMTP_DATA_REJECT || fault == SMTP_DATA_NUL || data->refused)
		return false;
	data->refused = true;
	return true;
}

/* Write the CRLFs that are owed, as many as fit. Returns true if that were all. */
static bool data_pay(struct data_walk *walk)
{
	struct smtp_data *data = walk->data;

	if (data->refused)
		data->owed = 0;
	while (data->owed > 0 && walk->io->room_bytes - walk->io->out_len >= 2) {
		data_emit(walk, "\r\n", 2);
		data->owed--;
	}
	return data->owed == 0;
}

/* At a dot first on a line. Returns AGAIN to go on, MORE to wait, END. */
static enum smtp_data_result data_rewrite_dot(struct data_walk *walk)
{
	struct smtp_data *data = walk->data;
	enum data_dot dot = DOT_STUFF;

	if (data->start == START_TRUE)
		dot = data_look_at_dot(walk->io->in + walk->pos,
				       walk->io->in_len - walk->pos);
	if (dot == DOT_WAIT)
		return SMTP_DATA_MORE;
	if (dot == DOT_END) {
		data_emit(walk, ".\r\n", 3);
		walk->pos += 3;
		return SMTP_DATA_END;
	}
	data_emit(walk, "..", dot == DOT_STUFF ? 2 : 1);
	walk->pos++;
	data->start = START_NONE;
	return SMTP_DATA_AGAIN;
}

/*
 * At one CR or more, some of them perhaps taken in earlier calls. Returns AGAIN to go on,
 * MORE to wait, REFUSED. The last CR of the input is not consumed: with an LF behind it, it
 * is a line end that needs no change.
 */
static enum smtp_data_result data_rewrite_crs(struct data_walk *walk)
{
	struct smtp_data *data = walk->data;
	const char *p = walk->io->in + walk->pos;
	size_t left = walk->io->in_len - walk->pos;
	size_t run = 0;
	bool refuses = false;
	uint64_t crs;

	while (run < left && p[run] == '\r')
		run++;
	if (run == left) {
		walk->pos += run - 1;
		data->crs += run - 1;
		return SMTP_DATA_MORE;
	}

	crs = data->crs + run;
	data->crs = 0;
	walk->pos += run;
	if (p[run] == '\n') {
		if (crs > 1)
			refuses = data_fault(walk, SMTP_DATA_BARE_CR);
		data_emit(walk, "\r\n", 2);
		walk->pos++;
		data->start = START_TRUE;
	} else {
		refuses = data_fault(walk, SMTP_DATA_BARE_CR);
		data->owed = crs;
		data->start = START_MADE;
	}
	return refuses ? SMTP_DATA_REFUSED : SMTP_DATA_AGAIN;
}

/* At a bare LF or a NUL. Returns AGAIN to go on, REFUSED. */
static enum smtp_data_result data_rewrite_byte(struct data_walk *walk)
{
	bool is_lf = walk->io->in[walk->pos] == '\n';
	bool refuses;

	refuses = data_fault(walk, is_lf ? SMTP_DATA_BARE_LF : SMTP_DATA_NUL);
	data_emit(walk, is_lf ? "\r\n" : " ", is_lf ? 2 : 1);
	walk->pos++;
	walk->data->start = is_lf ? START_MADE : START_NONE;
	return refuses ? SMTP_DATA_REFUSED : SMTP_DATA_AGAIN;
}

/* Take one step: a run of plain bytes, or what stands at walk->pos. */
static enum smtp_data_result data_rewrite_step(struct data_walk *walk)
{
	const char *p = walk->io->in + walk->pos;
	size_t left = walk->io->in_len - walk->pos;
	size_t room = walk->io->room_bytes - walk->io->out_len;
	size_t run;

	if (walk->data->crs > 0 || *p == '\r')
		return data_rewrite_crs(walk);
	if (data_is_at_dot(walk))
		return data_rewrite_dot(walk);
	if (*p == '\n' || *p == '\0')
		return data_rewrite_byte(walk);

	if (!walk->data->refused && left > room)
		left = room;
	run = data_find_event(p, left);
	data_emit(walk, p, run);
	data_advance(walk, run);
	return SMTP_DATA_AGAIN;
}

/* Step on until the input is used up, the room is, or the message ends. */
static enum smtp_data_result data_rewrite(struct data_walk *walk)
{
	struct smtp_data_io *io = walk->io;

	for (;;) {
		enum smtp_data_result result;

		if (!data_pay(walk))
			return SMTP_DATA_AGAIN;
		if (walk->pos == io->in_len)
			return SMTP_DATA_MORE;
		if (!walk->data->refused && io->room_bytes - io->out_len < 3)
			return SMTP_DATA_AGAIN;
		result = data_rewrite_step(walk);
		if (result != SMTP_DATA_AGAIN)
			return result;
	}
}

void smtp_data_init(struct smtp_data *data, enum smtp_data_mode mode)
{
	*data = (struct smtp_data){.mode = mode, .start = START_TRUE};
}

enum smtp_data_result smtp_data_next(struct smtp_data *data, struct smtp_data_io *io)
{
	struct data_walk walk = {.data = data, .io = io};
	enum smtp_data_result result;

	assert(io->room_bytes >= SMTP_DATA_ROOM_MIN);

	io->out = io->in;
	io->out_len = 0;
	if (!data->refused && data->crs == 0 && data->owed == 0) {
		result = data_pass(&walk);
		if (result != SMTP_DATA_AGAIN || walk.pos >= PASS_MIN_BYTES ||
		    walk.pos > io->room_bytes) {
			io->consumed = io->out_len = walk.pos;
			return result;
		}
		data_emit(&walk, io->in, walk.pos);
	}

	io->out = io->room;
	result = data_rewrite(&walk);
	io->consumed = walk.pos;
	if (result == SMTP_DATA_REFUSED)
		io->out_len = 0;
	return result;
}
