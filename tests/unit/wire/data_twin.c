/* SPDX-License-Identifier: GPL-2.0-only */
#include "data_twin.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the twin ---- */

static char twin_at(const char *in, size_t len, size_t i)
{
	return i < len ? in[i] : 'x';
}

/* Is in[i] first on a line after a true CRLF? */
static bool twin_true_start(const char *in, size_t i)
{
	return i == 0 || (i >= 2 && in[i - 1] == '\n' && in[i - 2] == '\r');
}

/* The same after anything that may be taken for a line end. */
static bool twin_any_start(const char *in, size_t i)
{
	return i == 0 || in[i - 1] == '\n' || in[i - 1] == '\r';
}

static bool twin_find_end(const char *in, size_t len, size_t *out_at)
{
	for (size_t i = 0; i + 3 <= len; i++) {
		if (twin_true_start(in, i) && memcmp(in + i, ".\r\n", 3) == 0) {
			*out_at = i;
			return true;
		}
	}
	return false;
}

static void twin_put(struct twin_result *r, const char *text)
{
	size_t len = strlen(text);

	memcpy(r->out + r->out_len, text, len);
	r->out_len += len;
}

/* Do only CRs stand from i on, up to an LF? Then they are one line end. */
static bool twin_is_cr_lf(const char *in, size_t len, size_t i)
{
	while (i < len && in[i] == '\r')
		i++;
	return twin_at(in, len, i) == '\n';
}

static void twin_cr(const char *in, size_t len, size_t i, struct twin_result *r)
{
	bool before_lf = twin_at(in, len, i + 1) == '\n';

	if (!before_lf)
		r->faults |= SMTP_DATA_BARE_CR;
	if (before_lf || !twin_is_cr_lf(in, len, i))
		twin_put(r, "\r\n");
}

static void twin_dot(const char *in, size_t len, size_t i, struct twin_result *r)
{
	char next = twin_at(in, len, i + 1);
	bool stuff = twin_any_start(in, i);

	if (twin_true_start(in, i))
		stuff = next == '\r' || next == '\n' || next == '\0';
	twin_put(r, stuff ? ".." : ".");
}

void twin_run(const char *in, size_t len, struct twin_result *r)
{
	size_t end = len;

	r->out_len = 0;
	r->faults = 0;
	r->is_end = twin_find_end(in, len, &end);
	for (size_t i = 0; i < end; i++) {
		char one[2] = {in[i], '\0'};

		if (in[i] == '\r') {
			twin_cr(in, end, i, r);
		} else if (in[i] == '\n') {
			if (i == 0 || in[i - 1] != '\r') {
				r->faults |= SMTP_DATA_BARE_LF;
				twin_put(r, "\r\n");
			}
		} else if (in[i] == '\0') {
			r->faults |= SMTP_DATA_NUL;
			twin_put(r, " ");
		} else if (in[i] == '.') {
			twin_dot(in, end, i, r);
		} else {
			twin_put(r, one);
		}
	}
	if (r->is_end)
		twin_put(r, ".\r\n");
	r->consumed = end + 3;
}

bool twin_is_clean(const char *in, size_t len)
{
	size_t end = len;

	(void)twin_find_end(in, len, &end);
	for (size_t i = 0; i < end; i++) {
		if (in[i] == '\0' || (in[i] == '\r' && twin_at(in, end, i + 1) != '\n') ||
		    (in[i] == '\n' && (i == 0 || in[i - 1] != '\r')))
			return false;
	}
	return true;
}

/* ---- the judge ---- */

enum nul_rule {
	NUL_IGNORED,
	NUL_IS_SPACE, /* and at the end of a line it does not count */
	NUL_ENDS_STRING,
	NUL_RULES,
};

struct reading {
	const char *name;
	bool cr_ends_line;
	bool cr_is_ignored; /* CR*LF as one line end, and CRs elsewhere as nothing */
};

static const struct reading readings[] = {
	{"LF ends a line", false, false},
	{"CR or LF ends a line", true, false},
	{"CR is nothing", false, true},
};

/* A line as one reader sees it, as long as it might still be a lone dot. */
struct seen_line {
	size_t dots;
	bool has_more;
	bool is_cut;
	bool is_spaced; /* by a NUL */
};

static void judge_byte(struct seen_line *line, char c, enum nul_rule rule)
{
	if (line->is_cut)
		return;
	if (c == '\0' && rule == NUL_IGNORED)
		return;
	if (c == '\0' && rule == NUL_ENDS_STRING)
		line->is_cut = true;
	else if (c == '\0')
		line->is_spaced = true;
	else if (c == '.' && !line->is_spaced)
		line->dots++;
	else
		line->has_more = true;
}

static const char *judge_reading(const struct reading *reading, enum nul_rule rule,
				 const char *out, size_t len, bool is_end)
{
	struct seen_line line = {0};

	for (size_t i = 0; i < len; i++) {
		bool ends = out[i] == '\n' || (out[i] == '\r' && reading->cr_ends_line);

		if (ends) {
			bool is_dot = line.dots == 1 && !line.has_more;
			bool is_last = is_end && i + 2 >= len;

			if (is_dot && !is_last)
				return reading->name;
			line = (struct seen_line){0};
		} else if (out[i] == '\r') {
			bool before_lf = i + 1 < len && out[i + 1] == '\n';

			if (!before_lf && !reading->cr_is_ignored)
				line.has_more = true;
		} else {
			judge_byte(&line, out[i], rule);
		}
	}
	return NULL;
}

static const char *judge_bytes(const char *out, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (out[i] == '\0')
			return "a NUL in the output";
		if (out[i] == '\r' && (i + 1 == len || out[i + 1] != '\n'))
			return "a bare CR in the output";
		if (out[i] == '\n' && (i == 0 || out[i - 1] != '\r'))
			return "a bare LF in the output";
	}
	return NULL;
}

const char *twin_judge(const char *out, size_t len, bool is_end)
{
	const char *wrong = judge_bytes(out, len);

	for (size_t r = 0; !wrong && r < sizeof(readings) / sizeof(readings[0]); r++) {
		for (int rule = 0; !wrong && rule < NUL_RULES; rule++)
			wrong = judge_reading(&readings[r], rule, out, len, is_end);
	}
	if (!wrong && is_end && (len < 3 || memcmp(out + len - 3, ".\r\n", 3) != 0))
		wrong = "no dot at the end";
	if (!wrong && is_end && len > 3 && out[len - 4] != '\n')
		wrong = "no line end before the dot at the end";
	return wrong;
}

/* ---- the real thing, driven as a gate drives it ---- */

#define CHECK(condition)                                                            \
	do {                                                                        \
		if (!(condition)) {                                                 \
			(void)fprintf(stderr, "contract broken: %s\n", #condition); \
			abort();                                                    \
		}                                                                   \
	} while (0)

static void feed_output(struct twin_feed *feed, const struct smtp_data_io *io)
{
	bool in_place = io->out == io->in;

	CHECK(in_place || io->out == io->room);
	CHECK(!in_place || io->out_len == io->consumed);
	CHECK(in_place || io->out_len <= io->room_bytes);
	if (io->out_len == 0)
		return;
	CHECK(!feed->is_refused);
	feed->is_copied |= !in_place;
	memcpy(feed->out + feed->out_len, io->out, io->out_len);
	feed->out_len += io->out_len;
}

struct feed_state {
	struct smtp_data data;
	struct twin_feed *feed;
	char *room;
	size_t room_bytes;
};

/* One receive: everything from consumed to received is in the buffer. Returns the result. */
static enum smtp_data_result feed_turn(struct feed_state *state, const char *in,
				       size_t received)
{
	struct smtp_data *data = &state->data;
	struct twin_feed *feed = state->feed;
	enum smtp_data_result result;

	do {
		struct smtp_data_io io = {.in = in + feed->consumed,
					  .in_len = received - feed->consumed,
					  .room = state->room,
					  .room_bytes = state->room_bytes};
		size_t before = data->owed;

		result = smtp_data_next(data, &io);
		CHECK(io.consumed <= io.in_len);
		feed_output(feed, &io);
		feed->consumed += io.consumed;
		CHECK(result != SMTP_DATA_AGAIN || io.consumed > 0 ||
		      data->owed < before);
		CHECK(result != SMTP_DATA_REFUSED || !feed->is_refused);
		feed->is_refused |= result == SMTP_DATA_REFUSED;
	} while (result == SMTP_DATA_AGAIN || result == SMTP_DATA_REFUSED);
	return result;
}

void twin_feed(enum smtp_data_mode mode, const char *in, size_t len,
	       const struct twin_cuts *cuts, struct twin_feed *feed)
{
	enum smtp_data_result result = SMTP_DATA_MORE;
	size_t received = cuts->first < len ? cuts->first : len;
	struct feed_state state = {.feed = feed, .room_bytes = cuts->room_bytes};

	state.room = malloc(cuts->room_bytes);
	assert(state.room && cuts->then > 0);
	*feed = (struct twin_feed){.out = feed->out};
	smtp_data_init(&state.data, mode);
	for (;;) {
		result = feed_turn(&state, in, received);
		if (result == SMTP_DATA_END || received == len)
			break;
		CHECK(received - feed->consumed <= SMTP_DATA_HELD_MAX);
		received += cuts->then < len - received ? cuts->then : len - received;
	}
	feed->is_end = result == SMTP_DATA_END;
	feed->faults = state.data.faults;
	CHECK(feed->is_end || received - feed->consumed <= SMTP_DATA_HELD_MAX);
	free(state.room);
}
