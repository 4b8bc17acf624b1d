/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/imap_read.h"

#define BYTES_MAX 20000u

/* What a stream of commands becomes: length of each, P for a prompt, L too long, ! the end. */
struct fed {
	char text[256];
	struct buf buf;
};

static const struct {
	const char *why;
	const char *in;
	const char *want;
	const char *refusing; /* when each prompt is refused; NULL: the same */
} rows[] = {
	{"a command", "a NOOP\r\n", "6 ", NULL},
	{"two in one segment", "a NOOP\r\nb LOGOUT\r\n", "6 8 ", NULL},
	{"ended by LF alone", "a NOOP\nb NOOP\r\n", "6 6 ", NULL},
	{"an empty line", "\r\n\na NOOP\r\n", "0 0 6 ", NULL},
	{"not ended", "a NOOP\r", "", NULL},
	{"a literal that waits", "a LOGIN x {3}\r\nabc\r\n", "P18 ", "P3 "},
	{"two that wait", "a LOGIN {1}\r\nx {2}\r\nyz\r\n", "PP22 ", "PP2 "},
	{"one that does not wait", "a LOGIN x {3+}\r\nabc\r\nb NOOP\r\n", "19 6 ", NULL},
	{"LITERAL- in its own form", "a LOGIN x {3-}\r\nabc\r\n", "19 ", NULL},
	{"a literal with line ends in it", "a LOGIN x {6+}\r\n\r\n{5}\r\r\n", "22 ",
	 NULL},
	{"a literal of nothing", "a LOGIN x {0+}\r\n\r\n", "16 ", NULL},
	{"ended by LF alone, with a literal", "a LOGIN x {3}\nabc\n", "P17 ", "P3 "},
	{"a list with literals", "a ID ({1+}\r\nx {1+}\r\ny)\r\n", "22 ", NULL},
	{"no literal: part of an atom", "a LOGIN x y{3}\r\n", "14 ", NULL},
	{"no literal: no number", "a LOGIN x {}\r\n", "12 ", NULL},
	{"no literal: not at the end", "a LOGIN x {3} y\r\n", "15 ", NULL},
	{"no literal: the line begins with it", "{3}\r\n", "3 ", NULL},
	{"no literal: two signs", "a LOGIN x {3++}\r\n", "15 ", NULL},
	{"no literal: it is quoted", "a LOGIN x \"{3}\"\r\n", "15 ", NULL},
	{"the largest that waits", "a LOGIN x {8192}\r\n", "P", "P"},
	{"one byte more, refused at once", "a LOGIN x {8193}\r\na NOOP\r\n", "L6 ", NULL},
	{"one byte more that does not wait: the end", "a LOGIN x {8193+}\r\n", "!", NULL},
	{"the largest of LITERAL-", "a LOGIN x {4096-}\r\n", "", NULL},
	{"one byte more of LITERAL-", "a LOGIN x {4097-}\r\n", "!", NULL},
	{"a number without end", "a LOGIN x {99999999999999999999}\r\n", "L", NULL},
	{"past 32 bits", "a LOGIN x {4294967297+}\r\n", "!", NULL},
};

/* Feeds as a reader of a socket does: what was not consumed stays in front. */
static void feed(const char *in, size_t len, size_t first, size_t then, struct fed *fed)
{
	const bool refuses = fed->text[0] == 'r';
	struct imap_reader reader;
	size_t dropped = 0;
	size_t received = first < len ? first : len;

	buf_init(&fed->buf, fed->text, sizeof(fed->text));
	imap_reader_init(&reader);
	for (;;) {
		static char moved[BYTES_MAX]; /* the buffer moves between calls */
		enum imap_read_result result;
		struct imap_read read;

		memcpy(moved, in + dropped, received - dropped);
		result = imap_read_next(&reader, moved, received - dropped, &read);
		assert_true(read.consumed <= received - dropped);
		assert_true(read.len <= received - dropped);
		if (result == IMAP_READ_PROMPT) {
			buf_puts(&fed->buf, "P");
			if (refuses) {
				dropped += read.consumed;
				imap_reader_init(&reader);
			}
		} else if (result == IMAP_READ_COMMAND) {
			buf_printf(&fed->buf, "%zu ", read.len);
			dropped += read.consumed;
		} else if (result == IMAP_READ_TOO_LONG) {
			buf_puts(&fed->buf, read.consumed ? "L" : "!");
			if (!read.consumed)
				return;
			dropped += read.consumed;
		} else {
			assert_true(received - dropped < IMAP_COMMAND_MAX_BYTES);
			if (received == len)
				return;
			received += then < len - received ? then : len - received;
		}
	}
}

static void expect(size_t row, const char *how, struct fed *fed, const char *want)
{
	if (strcmp(fed->text, want) != 0)
		fail_msg("%s, %s: '%s'", rows[row].why, how, fed->text);
}

static void rows_hold_at_every_cut(void **state)
{
	struct fed fed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t len = strlen(rows[i].in);
		const char *want = rows[i].want;

		for (int refuses = 0; refuses < 2; refuses++) {
			if (refuses && rows[i].refusing)
				want = rows[i].refusing;
			for (size_t cut = 0; cut <= len; cut++) {
				fed.text[0] = refuses ? 'r' : 'a';
				feed(rows[i].in, len, cut, len, &fed);
				expect(i, "cut", &fed, want);
			}
			fed.text[0] = refuses ? 'r' : 'a';
			feed(rows[i].in, len, 1, 1, &fed);
			expect(i, "byte by byte", &fed, want);
		}
	}
}

static void a_literal_may_hold_anything(void **state)
{
	static const char in[] = "a APPEND x ~{3+}\r\n\0\xff\n\r\nb NOOP\r\n";
	struct fed fed = {.text = "a"};

	(void)state;
	feed(in, sizeof(in) - 1, 1, 1, &fed);
	assert_string_equal(fed.text, "21 6 ");
}

static void filled(char *bytes, size_t len, const char *end)
{
	memset(bytes, 'x', len);
	memcpy(bytes, "a LOGIN ", 8);
	memcpy(bytes + len - strlen(end), end, strlen(end));
}

static void a_line_has_a_limit(void **state)
{
	static char bytes[BYTES_MAX];
	struct fed fed = {.text = "a"};

	(void)state;
	filled(bytes, IMAP_LINE_MAX_BYTES, "\r\n");
	feed(bytes, IMAP_LINE_MAX_BYTES, 1, 1000, &fed);
	assert_string_equal(fed.text, "12286 ");
	filled(bytes, IMAP_LINE_MAX_BYTES + 1, "\r\n");
	feed(bytes, IMAP_LINE_MAX_BYTES + 1, 1, 1000, &fed);
	assert_string_equal(fed.text, "!");
	filled(bytes, BYTES_MAX, "");
	feed(bytes, BYTES_MAX, BYTES_MAX, 1, &fed);
	assert_string_equal(fed.text, "!");
}

static void a_command_has_a_limit(void **state)
{
	static char bytes[BYTES_MAX];
	const char *end = " {8192+}\r\n";
	const size_t most = IMAP_COMMAND_MAX_BYTES - 8192 - 2;
	struct fed fed = {.text = "a"};

	(void)state;
	filled(bytes, most, end);
	memset(bytes + most, 'y', 8192);
	memcpy(bytes + most + 8192, "\r\n", 2);
	feed(bytes, most + 8194, 1, 1000, &fed);
	assert_string_equal(fed.text, "15998 ");
	filled(bytes, most + 1, end);
	feed(bytes, most + 1, 1, 1000, &fed);
	assert_string_equal(fed.text, "!");
}

static void literals_are_counted(void **state)
{
	static char bytes[BYTES_MAX];
	struct fed fed = {.text = "a"};
	struct buf in;

	(void)state;
	buf_init(&in, bytes, sizeof(bytes));
	buf_puts(&in, "a ID (");
	for (size_t i = 0; i < IMAP_LITERALS_MAX; i++)
		buf_puts(&in, "{1+}\r\nx ");
	feed(in.text, in.len, in.len, 1, &fed);
	assert_string_equal(fed.text, "");
	buf_puts(&in, "{1+}\r\nx ");
	feed(in.text, in.len, in.len, 1, &fed);
	assert_string_equal(fed.text, "!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold_at_every_cut),
		cmocka_unit_test(a_literal_may_hold_anything),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(a_command_has_a_limit),
		cmocka_unit_test(literals_are_counted),
	};

	return cmocka_run_group_tests_name("wire/imap_read", tests, NULL, NULL);
}
