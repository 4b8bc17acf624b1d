/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/line.h"

#include <assert.h>
#include <string.h>

void line_scanner_init(struct line_scanner *scanner, size_t max_bytes)
{
	assert(max_bytes > 2);

	*scanner = (struct line_scanner){.max_bytes = max_bytes};
}

void line_scanner_set_max(struct line_scanner *scanner, size_t max_bytes)
{
	assert(max_bytes > 2);

	scanner->max_bytes = max_bytes;
}

/* The byte behind the first LF, or 0. Looks only at what was not searched before. */
static size_t line_find_end(struct line_scanner *scanner, const char *bytes, size_t len)
{
	const char *lf = NULL;

	if (scanner->searched < len)
		lf = memchr(bytes + scanner->searched, '\n', len - scanner->searched);
	if (lf)
		return (size_t)(lf - bytes) + 1;
	scanner->searched = len;
	return 0;
}

static uint8_t line_find_faults(const char *bytes, size_t len)
{
	unsigned int faults = 0;

	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == '\0')
			faults |= LINE_NUL;
		else if (bytes[i] == '\r')
			faults |= LINE_BARE_CR;
		else if ((unsigned char)bytes[i] > 127)
			faults |= LINE_8BIT;
	}
	return (uint8_t)faults;
}

static enum line_result line_skip(struct line_scanner *scanner, size_t len, size_t end,
				  struct line *out_line)
{
	scanner->searched = 0;
	out_line->consumed = end ? end : len;
	scanner->skipping = !end;
	return end ? LINE_TOO_LONG : LINE_MORE;
}

enum line_result line_next(struct line_scanner *scanner, const char *bytes, size_t len,
			   struct line *out_line)
{
	size_t end;

	*out_line = (struct line){0};

	end = line_find_end(scanner, bytes, len);
	if (scanner->skipping || end > scanner->max_bytes ||
	    (!end && len >= scanner->max_bytes))
		return line_skip(scanner, len, end, out_line);
	if (!end)
		return LINE_MORE;

	scanner->searched = 0;
	out_line->consumed = end;
	if (end >= 2 && bytes[end - 2] == '\r') {
		out_line->len = end - 2;
		out_line->faults = line_find_faults(bytes, out_line->len);
	} else {
		out_line->len = end - 1;
		out_line->faults = line_find_faults(bytes, out_line->len) | LINE_BARE_LF;
	}
	return LINE_READY;
}

size_t line_without_end(const char *bytes, size_t len)
{
	while (len > 0 && (bytes[len - 1] == '\n' || bytes[len - 1] == '\r'))
		len--;
	return len;
}
