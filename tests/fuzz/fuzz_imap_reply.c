/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_imap_reply - any stream of a backend, whole and cut, gives the same lines; what a client
 * is told of its offers is printable, and nothing that leads around the gate.
 *
 * The first byte of the input chooses the cuts.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "target.h"
#include "wire/imap_caps.h"
#include "wire/imap_reply.h"

static void check_caps(const char *list, size_t len)
{
	static char memory[2 * IMAP_REPLY_LINE_MAX_BYTES];
	const struct imap_view view = {.hides_login = true, .offers_starttls = true};
	struct buf out = BUF_OVER(memory);
	uint32_t caps;

	imap_caps_write(list, len, &view, &out);
	assert(!out.overflow);
	for (size_t i = 0; i < out.len; i++)
		assert(out.text[i] >= ' ' && out.text[i] <= '~');
	caps = imap_caps_parse(out.text, out.len);
	assert((caps & IMAP_CAP_REV1) && (caps & IMAP_CAP_LOGINDISABLED));
	assert(!(caps & IMAP_CAP_AUTH));
	(void)imap_caps_has_mechanism(list, len, "PLAIN",
				      5); /* only the sanitizers look */
}

static void check_outcome(const struct imap_reply_line *line, const char *bytes)
{
	struct sasl_dialogue dialogue = {
		.is_offered = true, .user_len = 3, .user = "too"};

	assert(imap_outcome(line, bytes, &dialogue) != SASL_REFUSED);
	dialogue.is_presented = true;
	assert(imap_outcome(line, bytes, &dialogue) < SASL_OUTCOME_COUNT);
	dialogue.is_cancelled = true;
	assert(imap_outcome(line, bytes, &dialogue) != SASL_REFUSED);
}

static uint64_t feed(const char *in, size_t len, size_t step, uint8_t kind)
{
	struct imap_reply_parser parser;
	size_t received = target_received(0, len, step);
	size_t dropped = 0;
	uint64_t sum = 0;

	(void)kind;
	imap_reply_init(&parser);
	for (;;) {
		const char *bytes = in + dropped;
		struct imap_reply_line line;
		enum imap_reply_result result;

		result = imap_reply_next(&parser, bytes, received - dropped, &line);
		if (result == IMAP_REPLY_BROKEN)
			return sum * 31 + 1;
		if (result == IMAP_REPLY_MORE) {
			assert(received - dropped < IMAP_REPLY_LINE_MAX_BYTES);
			if (received == len)
				return sum;
			received = target_received(received, len, step);
			continue;
		}
		assert(line.consumed <= received - dropped && line.len < line.consumed);
		target_check_span(line.tag, line.len);
		target_check_span(line.code_args, line.len);
		target_check_span(line.text, line.len);
		assert((line.kind == IMAP_REPLY_TAGGED) == (line.tag.len > 0));
		assert(line.kind != IMAP_REPLY_TAGGED || line.status == IMAP_STATUS_OK ||
		       line.status == IMAP_STATUS_NO || line.status == IMAP_STATUS_BAD);
		check_caps(bytes + line.text.at, line.text.len);
		check_caps(bytes + line.code_args.at, line.code_args.len);
		check_outcome(&line, bytes);
		dropped += line.consumed;
		sum = sum * 31 + dropped * 5 + line.kind + line.status * 3u +
		      line.code * 7u;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		target_feed(feed, data + 1, size - 1, data[0], 0);
	return 0;
}
