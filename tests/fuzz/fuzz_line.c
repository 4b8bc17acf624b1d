/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_line - any stream, whole and cut in two ways, gives the same lines.
 *
 * The first byte of the input chooses the limit, the second the cuts.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire/line.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What a feeding saw, as a running sum: equal for equal lines. */
static uint64_t feed(const char *in, size_t len, size_t max, size_t step)
{
	struct line_scanner scanner;
	size_t received = step < len ? step : len;
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
			received += step < len - received ? step : len - received;
		} else {
			sum = sum * 31 + dropped * 3 + result + line.faults * 7u;
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *in;
	uint64_t whole;

	if (size < 2)
		return 0;
	in = (const char *)data + 2;
	whole = feed(in, size - 2, 3u + data[0], size);
	if (feed(in, size - 2, 3u + data[0], 1) != whole ||
	    feed(in, size - 2, 3u + data[0], 1u + data[1]) != whole)
		abort();
	return 0;
}
