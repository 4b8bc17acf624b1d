/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_line - any stream, whole and cut in two ways, gives the same lines.
 *
 * The first byte of the input chooses the limit, the second the cuts.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target.h"
#include "wire/line.h"

/* What a feeding saw, as a running sum: equal for equal lines. */
static uint64_t feed(const char *in, size_t len, size_t step, uint8_t limit)
{
	const size_t max = 3u + limit;
	struct line_scanner scanner;
	size_t received = target_received(0, len, step);
	size_t dropped = 0;
	uint64_t sum = 0;

	line_scanner_init(&scanner, max);
	for (;;) {
		struct line line;
		enum line_result result;

		result = line_next(&scanner, in + dropped, received - dropped, &line);
		assert(line.consumed <= received - dropped);
		if (result == LINE_READY) {
			const char *text = in + dropped;

			assert(line.consumed <= max && line.len < line.consumed);
			assert(text[line.consumed - 1] == '\n');
			assert(!memchr(text, '\n', line.len));
			assert(!(line.faults & LINE_NUL) == !memchr(text, 0, line.len));
			assert(!(line.faults & LINE_BARE_CR) ==
			       !memchr(text, '\r', line.len));
			assert(!(line.faults & LINE_BARE_LF) ==
			       (line.consumed == line.len + 2));
		}
		dropped += line.consumed;
		if (result == LINE_MORE) {
			assert(received - dropped < max);
			if (received == len)
				return sum;
			received = target_received(received, len, step);
		} else {
			sum = sum * 31 + dropped * 3 + result + line.faults * 7u;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1)
		target_feed(feed, data + 2, size - 2, data[1], data[0]);
	return 0;
}
