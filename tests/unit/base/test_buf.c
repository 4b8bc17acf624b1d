/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void text_is_appended_and_terminated(void **state)
{
	char memory[16];
	struct buf buf = BUF_OVER(memory);

	(void)state;
	assert_string_equal(memory, "");
	buf_puts(&buf, "ab");
	buf_add(&buf, "cdx", 2);
	buf_printf(&buf, "%d", 17);
	assert_string_equal(memory, "abcd17");
	assert_int_equal(buf.len, 6);
	assert_false(buf.overflow);
}

static void the_last_byte_that_fits_and_the_first_that_does_not(void **state)
{
	char memory[5];
	struct buf buf;

	(void)state;
	buf_init(&buf, memory, sizeof(memory));
	buf_puts(&buf, "abcd");
	assert_string_equal(memory, "abcd");
	assert_false(buf.overflow);
	buf_puts(&buf, "e");
	assert_string_equal(memory, "abcd");
	assert_true(buf.overflow);

	buf_init(&buf, memory, sizeof(memory));
	buf_printf(&buf, "%s", "abcd");
	assert_false(buf.overflow);
	buf_init(&buf, memory, sizeof(memory));
	buf_printf(&buf, "%s", "abcde");
	assert_true(buf.overflow);
	assert_string_equal(memory, "");
	assert_int_equal(buf.len, 0);
}

static void overflow_stays_though_something_shorter_fits(void **state)
{
	char memory[5];
	struct buf buf = BUF_OVER(memory);

	(void)state;
	buf_puts(&buf, "abcdefgh");
	buf_puts(&buf, "xy");
	assert_string_equal(memory, "xy");
	assert_true(buf.overflow);
	buf_add_escaped(&buf, "z", 1, 8);
	assert_string_equal(memory, "xyz");
	assert_true(buf.overflow);
}

static const struct {
	const char *why;
	const char *bytes;
	size_t len, max_len;
	const char *want;
} escapes[] = {
	{"plain ASCII stays", "user@example.org", 16, 64, "user@example.org"},
	{"first and last printable", " ~", 2, 64, " ~"},
	{"just outside of them", "\x1f\x7f", 2, 64, "\\x1f\\x7f"},
	{"a line cannot be forged", "a\r\nevent=ban", 12, 64, "a\\x0d\\x0aevent=ban"},
	{"quotes cannot end a value", "a\"b\\c", 5, 64, "a\\\"b\\\\c"},
	{"NUL is a byte like any other", "a\0b", 3, 64, "a\\x00b"},
	{"bytes past 127", "\xc3\xa4\xff", 3, 64, "\\xc3\\xa4\\xff"},
	{"exactly the longest is not cut", "abcd", 4, 4, "abcd"},
	{"one more is cut, and it says so", "abcde", 5, 4, "abcd..."},
	{"nothing", "", 0, 4, ""},
};

static void escapes_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++) {
		char memory[128];
		struct buf buf = BUF_OVER(memory);

		buf_add_escaped(&buf, escapes[i].bytes, escapes[i].len,
				escapes[i].max_len);
		if (strcmp(memory, escapes[i].want) != 0 || buf.overflow)
			fail_msg("%s: got %s", escapes[i].why, memory);
	}
}

static void an_escape_is_never_left_half(void **state)
{
	(void)state;
	for (size_t cap = 1; cap <= 8; cap++) {
		char memory[8];
		struct buf buf;

		buf_init(&buf, memory, cap);
		buf_add_escaped(&buf, "ab\n", 3, 64);
		assert_string_equal(memory, cap >= 7 ? "ab\\x0a" : "");
		assert_int_equal(buf.overflow, cap < 7);
	}
}

static void a_copy_is_cut_and_says_so(void **state)
{
	char dest[4];

	(void)state;
	assert_true(text_copy(dest, sizeof(dest), "abc"));
	assert_string_equal(dest, "abc");
	assert_false(text_copy(dest, sizeof(dest), "abcd"));
	assert_string_equal(dest, "abc");
	assert_true(text_copy(dest, sizeof(dest), ""));
	assert_string_equal(dest, "");
	assert_false(text_copy(dest, 1, "a"));
	assert_string_equal(dest, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_appended_and_terminated),
		cmocka_unit_test(the_last_byte_that_fits_and_the_first_that_does_not),
		cmocka_unit_test(overflow_stays_though_something_shorter_fits),
		cmocka_unit_test(escapes_hold),
		cmocka_unit_test(an_escape_is_never_left_half),
		cmocka_unit_test(a_copy_is_cut_and_says_so),
	};

	return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
