/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/target - see target.h.
 */
#include "target.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void target_check(int holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	abort();
}

void target_check_span(struct span span, size_t len)
{
	target_check(span.at <= len && span.len <= len - span.at, "inside the text");
}

size_t target_check_text(const char *text, size_t cap_bytes)
{
	const size_t len = strnlen(text, cap_bytes);

	target_check(len < cap_bytes, "a text that ends");
	for (size_t i = 0; i < len; i++)
		target_check(text[i] >= ' ' && text[i] <= '~', "printable");
	return len;
}

void target_check_problem(const struct line_problem *problem, size_t line_len)
{
	target_check(problem->column >= 1 && problem->column <= line_len + 1,
		     "a column of the line");
	target_check(target_check_text(problem->text, sizeof(problem->text)) > 0,
		     "a text");
}

void target_each_line(const uint8_t *data, size_t size,
		      void (*check_line)(const char *line, size_t len))
{
	const char *line = (const char *)data;
	size_t left = size;

	while (left > 0) {
		const char *newline = memchr(line, '\n', left);
		const size_t len = newline ? (size_t)(newline - line) : left;
		char *exact = malloc(len ? len : 1);

		if (!exact)
			return;
		memcpy(exact, line, len);
		check_line(exact, len);
		free(exact);
		line += newline ? len + 1 : len;
		left -= newline ? len + 1 : len;
	}
}

void target_feed(target_feed_fn feed, const uint8_t *data, size_t size, uint8_t cut,
		 uint8_t kind)
{
	const char *in = (const char *)data;
	const uint64_t whole = feed(in, size, size, kind);

	target_check(feed(in, size, 1, kind) == whole, "the same byte by byte");
	target_check(feed(in, size, 1u + cut, kind) == whole, "the same in pieces");
}

size_t target_received(size_t received, size_t len, size_t step)
{
	return received + (step < len - received ? step : len - received);
}
