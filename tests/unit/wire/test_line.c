/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/line.h"

#define LINE_LIMIT 8u

struct fed {
	char text[512];
	struct buf buf;
};

static const struct {
	const char *why;
	const char *in;
	size_t len;
	const char *want; /* each line as len:faults, "long" for one past the limit */
} rows[] = {
	{"two lines and a rest", "ab\r\nc\r\nd", 8, "2:0 1:0 "},
	{"an empty line is a line", "\r\n", 2, "0:0 "},
	{"a bare LF ends a line, and is said", "ab\ncd\r\n", 7, "2:1 2:0 "},
	{"a lone LF is an empty line", "\n", 1, "0:1 "},
	{"CR inside", "a\rb\r\n", 5, "3:2 "},
	{"CR before CRLF belongs to the line", "a\r\r\n", 4, "2:2 "},
	{"CR without LF ends nothing", "a\rb", 3, ""},
	{"NUL inside", "a\0b\r\n", 5, "3:4 "},
	{"a byte above 127", "a\xc3\xa9\r\n", 5, "3:8 "},
	{"all faults at once", "\0\r\xff\n", 4, "3:15 "},
	{"exactly the limit", "123456\r\n", 8, "6:0 "},
	{"one byte past the limit", "1234567\r\n", 9, "long "},
	{"exactly the limit, by bare LF", "1234567\n", 8, "7:1 "},
	{"far past the limit, then a line", "1234567890123456789\r\nab\r\n", 25,
	 "long 2:0 "},
	{"past the limit twice", "123456789\n123456789\r\n", 21, "long long "},
	{"past the limit without an end", "1234567890", 10, ""},
};

/* Feeds as a reader of a socket does: what was not consumed stays in front. */
static void feed(const char *in, size_t len, size_t first, size_t then, struct fed *fed)
{
	struct line_scanner scanner;
	size_t dropped = 0;
	size_t received = first < len ? first : len;

	buf_init(&fed->buf, fed->text, sizeof(fed->text));
	line_scanner_init(&scanner, LINE_LIMIT);
	for (;;) {
		char moved[64]; /* the buffer moves between calls */
		enum line_result result;
		struct line line;

		memcpy(moved, in + dropped, received - dropped);
		result = line_next(&scanner, moved, received - dropped, &line);
		assert_true(line.consumed <= received - dropped);
		dropped += line.consumed;
		if (result == LINE_READY) {
			buf_printf(&fed->buf, "%zu:%u ", line.len, line.faults);
		} else if (result == LINE_TOO_LONG) {
			buf_puts(&fed->buf, "long ");
		} else {
			assert_true(received - dropped < LINE_LIMIT);
			if (received == len)
				return;
			received += then < len - received ? then : len - received;
		}
	}
}

static void rows_hold_at_every_cut(void **state)
{
	struct fed fed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].len; cut++) {
			feed(rows[i].in, rows[i].len, cut, rows[i].len, &fed);
			if (strcmp(fed.text, rows[i].want) != 0)
				fail_msg("%s: '%s' cut at %zu", rows[i].why, fed.text,
					 cut);
		}
		feed(rows[i].in, rows[i].len, 1, 1, &fed);
		if (strcmp(fed.text, rows[i].want) != 0)
			fail_msg("%s: '%s' byte by byte", rows[i].why, fed.text);
	}
}

static void the_limit_changes_between_lines(void **state)
{
	struct line_scanner scanner;
	struct line line;

	(void)state;
	line_scanner_init(&scanner, LINE_LIMIT);
	line_scanner_set_max(&scanner, LINE_LIMIT + 1);
	assert_int_equal(line_next(&scanner, "1234567\r\n", 9, &line), LINE_READY);
	line_scanner_set_max(&scanner, LINE_LIMIT);
	assert_int_equal(line_next(&scanner, "1234567\r\n", 9, &line), LINE_TOO_LONG);
	assert_int_equal(line.consumed, 9);
}

static void a_line_is_shown_without_its_end(void **state)
{
	static const struct {
		const char *why, *in;
		size_t want;
	} ends[] = {
		{"CRLF", "250 ok\r\n", 6},
		{"LF", "250 ok\n", 6},
		{"none", "250 ok", 6},
		{"several", "250 ok\r\r\n\n", 6},
		{"one inside stays", "250\rok\r\n", 6},
		{"nothing else", "\r\n", 0},
		{"nothing", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (line_without_end(ends[i].in, strlen(ends[i].in)) != ends[i].want)
			fail_msg("%s", ends[i].why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold_at_every_cut),
		cmocka_unit_test(the_limit_changes_between_lines),
		cmocka_unit_test(a_line_is_shown_without_its_end),
	};

	return cmocka_run_group_tests_name("wire/line", tests, NULL, NULL);
}
