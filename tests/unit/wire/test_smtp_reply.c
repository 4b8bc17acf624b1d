/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link: golden.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "golden.h"
#include "wire/smtp_reply.h"

static const struct {
	const char *why;
	const char *in;
	size_t len;
	const char *
		want; /* lines as code:number:text:enhanced, "." ends a reply, "!" broken */
} rows[] = {
	{"one line", "250 ok\r\n", 8, "250:0:ok:0.0.0 ."},
	{"three lines", "250-a\r\n250-b\r\n250 c\r\n", 21,
	 "250:0:a:0.0.0 250:1:b:0.0.0 250:2:c:0.0.0 ."},
	{"a code alone", "250\r\n", 5, "250:0::0.0.0 ."},
	{"code and space alone", "250 \r\n", 6, "250:0::0.0.0 ."},
	{"code and hyphen alone, then the end", "250-\r\n250\r\n", 11,
	 "250:0::0.0.0 250:1::0.0.0 ."},
	{"two replies, pipelined", "250 a\r\n550 b\r\n", 14,
	 "250:0:a:0.0.0 .550:0:b:0.0.0 ."},
	{"a bare LF ends a line", "250-a\n250 b\n", 12, "250:0:a:0.0.0 250:1:b:0.0.0 ."},
	{"enhanced code", "550 5.1.1 no\r\n", 14, "550:0:5.1.1 no:5.1.1 ."},
	{"enhanced code alone", "550 5.7.139\r\n", 13, "550:0:5.7.139:5.7.139 ."},
	{"class of another code", "550 4.1.1 no\r\n", 14, "550:0:4.1.1 no:0.0.0 ."},
	{"a number that is none", "550 5.1.1.2 no\r\n", 16, "550:0:5.1.1.2 no:0.0.0 ."},
	{"four digits", "550 5.1.1000 no\r\n", 17, "550:0:5.1.1000 no:0.0.0 ."},
	{"8 bit text", "550 \xc3\xa9\r\n", 8, "550:0:\xc3\xa9:0.0.0 ."},
	{"the lowest code", "200 a\r\n", 7, "200:0:a:0.0.0 ."},
	{"the highest code", "599 a\r\n", 7, "599:0:a:0.0.0 ."},
	{"below the lowest", "199 a\r\n", 7, "!"},
	{"above the highest", "600 a\r\n", 7, "!"},
	{"another code inside", "250-a\r\n251 b\r\n", 14, "250:0:a:0.0.0 !"},
	{"two digits", "25 a\r\n", 6, "!"},
	{"four digits of code", "2500 a\r\n", 8, "!"},
	{"no code", "hello\r\n", 7, "!"},
	{"an empty line", "\r\n", 2, "!"},
	{"a tab behind the code", "250\ta\r\n", 7, "!"},
	{"NUL inside", "250 a\0b\r\n", 9, "!"},
	{"CR inside", "250 a\rb\r\n", 9, "!"},
	{"CR before CRLF", "250 a\r\r\n", 8, "!"},
	{"not yet", "250 a\r", 6, ""},
	{"not yet, after a line", "250-a\r\n250", 10, "250:0:a:0.0.0 "},
};

static void feed(const char *in, size_t len, size_t first, size_t then, struct buf *seen)
{
	struct smtp_reply_parser parser;
	size_t dropped = 0;
	size_t received = first < len ? first : len;

	smtp_reply_init(&parser);
	for (;;) {
		enum smtp_reply_result result;
		struct smtp_reply_line line;
		char moved[64];

		memcpy(moved, in + dropped, received - dropped);
		result = smtp_reply_next(&parser, moved, received - dropped, &line);
		if (result == SMTP_REPLY_BROKEN) {
			buf_puts(seen, "!");
			return;
		}
		if (result == SMTP_REPLY_MORE) {
			if (received == len)
				return;
			received += then < len - received ? then : len - received;
			continue;
		}
		buf_printf(seen, "%u:%u:", line.code, line.number);
		buf_add(seen, moved + line.text.at, line.text.len);
		buf_printf(seen, ":%u.%u.%u ", line.enhanced.class, line.enhanced.subject,
			   line.enhanced.detail);
		if (result == SMTP_REPLY_END)
			buf_puts(seen, ".");
		dropped += line.consumed;
	}
}

static void replies_at_every_cut(void **state)
{
	char text[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t cut = 0; cut <= rows[i].len + 1; cut++) {
			bool bytewise = cut > rows[i].len;
			struct buf seen = BUF_OVER(text);

			feed(rows[i].in, rows[i].len, bytewise ? 1 : cut,
			     bytewise ? 1 : 64, &seen);
			if (strcmp(text, rows[i].want) != 0)
				fail_msg("%s: '%s' cut at %zu", rows[i].why, text, cut);
		}
	}
}

static void the_longest_line_and_one_more(void **state)
{
	static char text[SMTP_REPLY_LINE_MAX_BYTES + 1];
	struct smtp_reply_parser parser;
	struct smtp_reply_line line;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "250 ", 4);
	memcpy(text + SMTP_REPLY_LINE_MAX_BYTES - 2, "\r\n", 2);
	smtp_reply_init(&parser);
	assert_int_equal(smtp_reply_next(&parser, text, sizeof(text), &line),
			 SMTP_REPLY_END);
	assert_int_equal(line.consumed, SMTP_REPLY_LINE_MAX_BYTES);

	memcpy(text + SMTP_REPLY_LINE_MAX_BYTES - 2, "a\r\n", 3);
	smtp_reply_init(&parser);
	assert_int_equal(smtp_reply_next(&parser, text, sizeof(text), &line),
			 SMTP_REPLY_BROKEN);
	smtp_reply_init(&parser);
	assert_int_equal(smtp_reply_next(&parser, text, sizeof(text) - 2, &line),
			 SMTP_REPLY_MORE);
	assert_int_equal(smtp_reply_next(&parser, text, sizeof(text) - 1, &line),
			 SMTP_REPLY_BROKEN);
	assert_int_equal(smtp_reply_next(&parser, "250 a\r\n", 7, &line),
			 SMTP_REPLY_BROKEN);
}

static void the_most_lines_and_one_more(void **state)
{
	struct smtp_reply_parser parser;
	struct smtp_reply_line line;

	(void)state;
	smtp_reply_init(&parser);
	for (unsigned int i = 0; i < SMTP_REPLY_LINES_MAX; i++)
		assert_int_equal(smtp_reply_next(&parser, "250-a\r\n", 7, &line),
				 SMTP_REPLY_LINE);
	assert_int_equal(line.number, SMTP_REPLY_LINES_MAX - 1);
	assert_int_equal(smtp_reply_next(&parser, "250 a\r\n", 7, &line),
			 SMTP_REPLY_BROKEN);
}

static const struct {
	const char *text;
	int err;
	uint32_t cap;
	const char *params;
	uint64_t size_max;
	bool old_auth;
} offers[] = {
	{"PIPELINING", 0, SMTP_CAP_PIPELINING, "", 0, false},
	{"8bitmime", 0, SMTP_CAP_8BITMIME, "", 0, false},
	{"SIZE 10240000", 0, SMTP_CAP_SIZE, "10240000", 10240000, false},
	{"SIZE", 0, SMTP_CAP_SIZE, "", 0, false},
	{"SIZE 0", 0, SMTP_CAP_SIZE, "0", 0, false},
	{"SIZE 18446744073709551615", 0, SMTP_CAP_SIZE, "18446744073709551615",
	 UINT64_MAX, false},
	{"SIZE 18446744073709551616", 0, SMTP_CAP_SIZE, "18446744073709551616", 0, false},
	{"SIZE many", -EBADMSG, 0, "", 0, false},
	{"DSN", 0, SMTP_CAP_DSN, "", 0, false},
	{"SMTPUTF8", 0, SMTP_CAP_SMTPUTF8, "", 0, false},
	{"ENHANCEDSTATUSCODES", 0, SMTP_CAP_ENHANCEDSTATUSCODES, "", 0, false},
	{"CHUNKING", 0, SMTP_CAP_CHUNKING, "", 0, false},
	{"BINARYMIME", 0, SMTP_CAP_BINARYMIME, "", 0, false},
	{"STARTTLS", 0, SMTP_CAP_STARTTLS, "", 0, false},
	{"AUTH PLAIN LOGIN", 0, SMTP_CAP_AUTH, "PLAIN LOGIN", 0, false},
	{"AUTH=PLAIN LOGIN", 0, SMTP_CAP_AUTH, "PLAIN LOGIN", 0, true},
	{"AUTH", 0, SMTP_CAP_AUTH, "", 0, false},
	{"VRFY", 0, SMTP_CAP_VRFY, "", 0, false},
	{"ETRN", 0, SMTP_CAP_ETRN, "", 0, false},
	{"EXPN", 0, SMTP_CAP_EXPN, "", 0, false},
	{"HELP", 0, SMTP_CAP_HELP, "", 0, false},
	{"XCLIENT NAME ADDR PORT", 0, SMTP_CAP_XCLIENT, "NAME ADDR PORT", 0, false},
	{"XFORWARD NAME", 0, SMTP_CAP_XFORWARD, "NAME", 0, false},
	{"DELIVERBY 120", 0, SMTP_CAP_DELIVERBY, "120", 0, false},
	{"MT-PRIORITY MIXER", 0, SMTP_CAP_MTPRIORITY, "MIXER", 0, false},
	{"REQUIRETLS", 0, SMTP_CAP_REQUIRETLS, "", 0, false},
	{"LIMITS RCPTMAX=10", 0, SMTP_CAP_LIMITS, "RCPTMAX=10", 0, false},
	{"FUTURERELEASE 1 2", 0, SMTP_CAP_FUTURERELEASE, "1 2", 0, false},
	{"X-EXPS=LOGIN", 0, 0, "LOGIN", 0, false},
	{"SIZE=10", 0, 0, "10", 0, false},
	{"XEXCH50", 0, 0, "", 0, false},
	{"PIPELININGX", 0, 0, "", 0, false},
	{"", -EBADMSG, 0, "", 0, false},
	{"-X", -EBADMSG, 0, "", 0, false},
	{"A_B", -EBADMSG, 0, "", 0, false},
	{"AUTH PL\x01IN", -EBADMSG, 0, "", 0, false},
};

static void lines_of_ehlo(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		struct smtp_ehlo_line got = {.cap = 77};
		const char *text = offers[i].text;
		int err = smtp_parse_ehlo_line(text, strlen(text), &got);

		if (err != offers[i].err)
			fail_msg("'%s': %d", text, err);
		if (err) {
			assert_int_equal(got.cap, 77);
			continue;
		}
		if (got.cap != offers[i].cap || got.size_max != offers[i].size_max ||
		    got.old_auth != offers[i].old_auth ||
		    !span_is(text, got.params, offers[i].params))
			fail_msg("'%s': cap %x", text, got.cap);
	}
}

static void words_are_walked(void **state)
{
	static const char text[] = "AUTH  PLAIN   LOGIN ";
	struct smtp_ehlo_line line;
	struct span word;
	struct span rest;

	(void)state;
	assert_int_equal(smtp_parse_ehlo_line(text, strlen(text), &line), 0);
	rest = line.params;
	assert_true(smtp_next_word(text, &rest, &word) && span_is(text, word, "PLAIN"));
	assert_true(smtp_next_word(text, &rest, &word) && span_is(text, word, "LOGIN"));
	assert_false(smtp_next_word(text, &rest, &word));
}

static void the_table_of_rcpt_replies_holds(void **state)
{
	struct golden golden;
	size_t count = 0;

	(void)state;
	golden_open(&golden, "smtp_rcpt.tsv");
	for (; golden_next(&golden); count++) {
		struct smtp_enhanced enhanced;
		bool is_strike;

		assert_int_equal(golden.fields, 4);
		golden_enhanced(golden.field[1], &enhanced);
		is_strike = smtp_rcpt_is_strike(
			(unsigned int)strtoul(golden.field[0], NULL, 10), enhanced);
		if (strcmp(golden.field[2], is_strike ? "strike" : "no") != 0)
			fail_msg("smtp_rcpt.tsv:%u: %s", golden.line, golden.field[3]);
	}
	assert_true(count > 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_at_every_cut),
		cmocka_unit_test(the_longest_line_and_one_more),
		cmocka_unit_test(the_most_lines_and_one_more),
		cmocka_unit_test(lines_of_ehlo),
		cmocka_unit_test(words_are_walked),
		cmocka_unit_test(the_table_of_rcpt_replies_holds),
	};

	return cmocka_run_group_tests_name("wire/smtp_reply", tests, NULL, NULL);
}
