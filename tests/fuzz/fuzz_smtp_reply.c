/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_smtp_reply - any stream of a backend, whole and cut, gives the same replies, and each
 * of their lines is a safe EHLO line or none.
 *
 * The first byte of the input chooses the cuts.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target.h"
#include "wire/smtp_reply.h"
#include "wire/xclient.h"

static void check_ehlo(const char *text, size_t len)
{
	struct smtp_ehlo_line line;
	struct span rest;
	struct span word;
	size_t words = 0;

	if (smtp_parse_ehlo_line(text, len, &line) != 0)
		return;
	assert(line.keyword.len > 0 && line.keyword.len <= len);
	assert(line.params.at <= len && line.params.len <= len - line.params.at);
	assert((line.cap & (line.cap - 1)) == 0);
	for (rest = line.params; smtp_next_word(text, &rest, &word); words++)
		assert(word.len > 0 && word.at + word.len <= len && words < len);
	(void)xclient_parse_attrs(text, line.params); /* only the sanitizers look */
}

static uint64_t feed(const char *in, size_t len, size_t step, uint8_t kind)
{
	struct smtp_reply_parser parser;
	size_t received = target_received(0, len, step);
	size_t dropped = 0;
	uint64_t sum = 0;

	(void)kind;
	smtp_reply_init(&parser);
	for (;;) {
		struct smtp_reply_line line;
		enum smtp_reply_result result;

		result =
			smtp_reply_next(&parser, in + dropped, received - dropped, &line);
		if (result == SMTP_REPLY_BROKEN)
			return sum * 31 + 1;
		if (result == SMTP_REPLY_MORE) {
			assert(received - dropped < SMTP_REPLY_LINE_MAX_BYTES);
			if (received == len)
				return sum;
			received = target_received(received, len, step);
			continue;
		}
		assert(line.consumed <= received - dropped);
		assert(line.text.at + line.text.len <= line.consumed);
		assert(line.code >= 200 && line.code <= 599);
		assert(line.number < SMTP_REPLY_LINES_MAX);
		assert(!line.enhanced.class || line.enhanced.class == line.code / 100);
		assert(line.code >= 500 ||
		       !smtp_rcpt_is_strike(line.code, line.enhanced));
		check_ehlo(in + dropped + line.text.at, line.text.len);
		dropped += line.consumed;
		sum = sum * 31 + dropped * 5 + line.code + result +
		      line.enhanced.detail * 3u;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		target_feed(feed, data + 1, size - 1, data[0], 0);
	return 0;
}
