/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/imap_caps.h"
#include "wire/imap_reply.h"

#define BYTES_MAX 10000u

/* A line as "kind status code tag|args|text"; "!" broken. */
struct fed {
	char text[1024];
	struct buf buf;
};

static const struct {
	const char *why;
	const char *in;
	const char *want;
} rows[] = {
	{"a greeting", "* OK ready\r\n", "u OK 0 ||ready;"},
	{"with what it offers", "* OK [CAPABILITY IMAP4rev1 ID] ready\r\n",
	 "u OK 3 |IMAP4rev1 ID|ready;"},
	{"logged in already", "* PREAUTH hello\r\n", "u PREAUTH 0 ||hello;"},
	{"not wanted", "* BYE go away\r\n", "u BYE 0 ||go away;"},
	{"any case", "* ok [capability X] y\r\n", "u OK 3 |X|y;"},
	{"a code of no standard", "a NO [XYZZY 1 2] no\r\n", "t NO 1 a|1 2|no;"},
	{"a code alone", "a NO [ALERT]\r\n", "t NO 2 a||;"},
	{"a code without space", "a NO [ALERT]x\r\n", "t NO 2 a||x;"},
	{"a bracket in the text", "a NO not [ALERT]\r\n", "t NO 0 a||not [ALERT];"},
	{"an open bracket", "a NO [ALERT\r\n", "t NO 0 a||[ALERT;"},
	{"no text", "a OK\r\n", "t OK 0 a||;"},
	{"no text, a space", "a OK \r\n", "t OK 0 a||;"},
	{"LF alone", "a OK x\na NO y\n", "t OK 0 a||x;t NO 0 a||y;"},
	{"capabilities", "* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n",
	 "u CAPABILITY 0 ||IMAP4rev1 AUTH=PLAIN;"},
	{"data", "* ID (\"name\" \"Dovecot\")\r\n", "u - 0 ||(\"name\" \"Dovecot\");"},
	{"go on", "+ OK\r\n", "g - 0 ||OK;"},
	{"go on with a challenge", "+ PDEuMg==\r\n", "g - 0 ||PDEuMg==;"},
	{"go on, without a word", "+ \r\n+\r\n", "g - 0 ||;g - 0 ||;"},
	{"a tag with a bracket", "a] OK x\r\n", "t OK 0 a]||x;"},
	{"a text with a brace is no literal", "a NO {5}\r\n", "t NO 0 a||{5};"},
	{"data with a literal", "* ID (\"name\" {7}\r\n", "!"},
	{"BYE has no tag", "a BYE x\r\n", "!"},
	{"PREAUTH has no tag", "a PREAUTH x\r\n", "!"},
	{"a tag alone", "a\r\n", "!"},
	{"a tag and data", "a ID x\r\n", "!"},
	{"empty", "\r\n", "!"},
	{"a star alone", "*\r\n", "!"},
	{"SMTP", "220 mail ESMTP\r\n", "!"},
	{"POP3", "+OK ready\r\n", "!"},
	{"HTTP", "HTTP/1.1 400 Bad Request\r\n", "!"},
	{"a CR within", "* OK x\ry\r\n", "!"},
	{"a space first", " OK x\r\n", "!"},
	{"broken stays broken", "\r\n* OK x\r\n", "!"},
	{"not ended", "* OK x\r", ""},
};

static const char *status_name(enum imap_status status)
{
	static const char *const names[] = {
		[IMAP_STATUS_NONE] = "-",
		[IMAP_STATUS_OK] = "OK",
		[IMAP_STATUS_NO] = "NO",
		[IMAP_STATUS_BAD] = "BAD",
		[IMAP_STATUS_BYE] = "BYE",
		[IMAP_STATUS_PREAUTH] = "PREAUTH",
		[IMAP_STATUS_CAPABILITY] = "CAPABILITY",
	};

	return names[status];
}

static void add_span(struct buf *buf, const char *bytes, struct span span, char end)
{
	buf_add(buf, bytes + span.at, span.len);
	buf_add(buf, &end, 1);
}

static void feed(const char *in, size_t len, size_t first, size_t then, struct fed *fed)
{
	struct imap_reply_parser parser;
	size_t dropped = 0;
	size_t received = first < len ? first : len;

	buf_init(&fed->buf, fed->text, sizeof(fed->text));
	imap_reply_init(&parser);
	for (;;) {
		static char moved[BYTES_MAX]; /* the buffer moves between calls */
		enum imap_reply_result result;
		struct imap_reply_line line;

		memcpy(moved, in + dropped, received - dropped);
		result = imap_reply_next(&parser, moved, received - dropped, &line);
		if (result == IMAP_REPLY_BROKEN) {
			buf_puts(&fed->buf, "!");
			return;
		}
		if (result == IMAP_REPLY_MORE) {
			assert_true(received - dropped < IMAP_REPLY_LINE_MAX_BYTES);
			if (received == len)
				return;
			received += then < len - received ? then : len - received;
			continue;
		}
		buf_printf(&fed->buf, "%c %s %u ", "gut"[line.kind],
			   status_name(line.status), line.code);
		add_span(&fed->buf, moved, line.tag, '|');
		add_span(&fed->buf, moved, line.code_args, '|');
		add_span(&fed->buf, moved, line.text, ';');
		dropped += line.consumed;
	}
}

static void rows_hold_at_every_cut(void **state)
{
	struct fed fed;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const size_t len = strlen(rows[i].in);

		for (size_t cut = 0; cut <= len + 1; cut++) {
			feed(rows[i].in, len, cut > len ? 1 : cut, cut > len ? 1 : len,
			     &fed);
			if (strcmp(fed.text, rows[i].want) != 0)
				fail_msg("%s: '%s' cut at %zu", rows[i].why, fed.text,
					 cut);
		}
	}
}

static void a_nul_is_broken(void **state)
{
	struct fed fed;

	(void)state;
	feed("* OK x\0y\r\n", 10, 10, 1, &fed);
	assert_string_equal(fed.text, "!");
}

static void a_line_has_a_limit(void **state)
{
	static char bytes[BYTES_MAX];
	struct imap_reply_parser parser;
	struct imap_reply_line line;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	memcpy(bytes, "* OK ", 5);
	bytes[IMAP_REPLY_LINE_MAX_BYTES - 1] = '\n';
	imap_reply_init(&parser);
	assert_int_equal(imap_reply_next(&parser, bytes, sizeof(bytes), &line),
			 IMAP_REPLY_LINE);
	bytes[IMAP_REPLY_LINE_MAX_BYTES - 1] = 'x';
	bytes[IMAP_REPLY_LINE_MAX_BYTES] = '\n';
	imap_reply_init(&parser);
	assert_int_equal(imap_reply_next(&parser, bytes, sizeof(bytes), &line),
			 IMAP_REPLY_BROKEN);
}

/* ---- what is offered ------------------------------------------------------------------------- */

static const struct {
	const char *why;
	const char *list;
	struct imap_view view;
	const char *want;
} offers[] = {
	{"nothing known", "", {0}, "IMAP4rev1 SASL-IR ID"},
	{"Dovecot",
	 "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE LITERAL+ STARTTLS AUTH=PLAIN",
	 {0},
	 "IMAP4rev1 SASL-IR ID ENABLE IDLE LITERAL+ AUTH=PLAIN"},
	{"TLS wanted first",
	 "IMAP4rev1 IDLE AUTH=PLAIN AUTH=CRAM-MD5",
	 {.offers_starttls = true, .hides_login = true},
	 "IMAP4rev1 SASL-IR ID STARTTLS LOGINDISABLED IDLE"},
	{"TLS offered",
	 "IMAP4rev1 AUTH=PLAIN",
	 {.offers_starttls = true},
	 "IMAP4rev1 SASL-IR ID STARTTLS AUTH=PLAIN"},
	{"the backend's own wish for TLS",
	 "IMAP4rev1 LOGINDISABLED STARTTLS",
	 {0},
	 "IMAP4rev1 SASL-IR ID LOGINDISABLED"},
	{"what leads around the gate",
	 "IMAP4rev1 UNAUTHENTICATE LOGIN-REFERRALS AUTH=EXTERNAL AUTH=SCRAM-SHA-1-PLUS X",
	 {0},
	 "IMAP4rev1 SASL-IR ID X"},
	{"IMAP4rev2 stays", "IMAP4rev2 IMAP4rev1", {0}, "IMAP4rev1 SASL-IR ID IMAP4rev2"},
	{"a control character", "IMAP4rev1 X\x01Y Z", {0}, "IMAP4rev1 SASL-IR ID Z"},
	{"many spaces", "  IMAP4rev1   Z ", {0}, "IMAP4rev1 SASL-IR ID Z"},
};

static void offers_are_filtered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		char memory[256];
		struct buf out = BUF_OVER(memory);

		imap_caps_write(offers[i].list, strlen(offers[i].list), &offers[i].view,
				&out);
		if (strcmp(out.text, offers[i].want) != 0)
			fail_msg("%s: %s", offers[i].why, out.text);
	}
}

static void offers_are_known(void **state)
{
	static const char list[] =
		"IMAP4rev1 sasl-ir ID LITERAL+ AUTH=PLAIN auth=scram-sha-1-plus AUTH= LITERAL";
	const size_t len = sizeof(list) - 1;

	(void)state;
	assert_int_equal(imap_caps_parse(list, len),
			 IMAP_CAP_REV1 | IMAP_CAP_SASL_IR | IMAP_CAP_ID |
				 IMAP_CAP_LITERAL_PLUS | IMAP_CAP_AUTH);
	assert_true(imap_caps_parse("IMAP4rev2", 9) & IMAP_CAP_LITERAL_MINUS);
	assert_true(imap_caps_has_mechanism(list, len, "plain", 5));
	assert_false(imap_caps_has_mechanism(list, len, "PLAI", 4));
	assert_false(imap_caps_has_mechanism(list, len, "LOGIN", 5));
	assert_false(imap_caps_has_mechanism(list, len, "", 0));
	assert_false(imap_caps_has_mechanism(list, len, "SCRAM-SHA-1-PLUS", 16));
	assert_false(imap_caps_has_mechanism("AUTH=EXTERNAL", 13, "external", 8));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold_at_every_cut),
		cmocka_unit_test(a_nul_is_broken),
		cmocka_unit_test(a_line_has_a_limit),
		cmocka_unit_test(offers_are_filtered),
		cmocka_unit_test(offers_are_known),
	};

	return cmocka_run_group_tests_name("wire/imap_reply", tests, NULL, NULL);
}
