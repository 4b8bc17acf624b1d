/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/smtp.h"

#define A64  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define D60  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb."
#define D186 D60 D60 D60 "cccccc"

static const struct {
	const char *why;
	const char *arg;
	unsigned int allow;
	int err;
	const char *local;  /* with quotes */
	const char *domain; /* "" for none */
	const char *params;
} rows[] = {
	/* MAIL */
	{"plain", "FROM:<a@b.example>", 0, 0, "a", "b.example", ""},
	{"any case", "from:<a@b.example>", 0, 0, "a", "b.example", ""},
	{"null path", "FROM:<>", 0, 0, "", "", ""},
	{"null path with parameters", "FROM:<> SIZE=1", 0, 0, "", "", "SIZE=1"},
	{"all of atext", "FROM:<!#$%&'*+-/=?^_`{|}~@b>", 0, 0, "!#$%&'*+-/=?^_`{|}~", "b",
	 ""},
	{"dots between", "FROM:<a.b.c@d>", 0, 0, "a.b.c", "d", ""},
	{"quoted", "FROM:<\"a b\"@c>", 0, 0, "\"a b\"", "c", ""},
	{"quoted, with > and @ and an escaped quote", "FROM:<\"a>@\\\"b\"@c>", 0, 0,
	 "\"a>@\\\"b\"", "c", ""},
	{"quoted and empty", "FROM:<\"\"@c>", 0, 0, "\"\"", "c", ""},
	{"literal", "FROM:<a@[192.0.2.1]>", 0, 0, "a", "[192.0.2.1]", ""},
	{"literal of IPv6", "FROM:<a@[IPv6:2001:db8::1]>", 0, 0, "a",
	 "[IPv6:2001:db8::1]", ""},
	{"a route is dropped", "FROM:<@x,@y.example:a@b>", 0, 0, "a", "b", ""},
	{"parameters", "FROM:<a@b> SIZE=1000 BODY=8BITMIME SMTPUTF8", 0, 0, "a", "b",
	 "SIZE=1000 BODY=8BITMIME SMTPUTF8"},
	{"sixteen parameters", "FROM:<a@b> A B C D E F G H I J K L M N O P", 0, 0, "a",
	 "b", "A B C D E F G H I J K L M N O P"},
	{"one more", "FROM:<a@b> A B C D E F G H I J K L M N O P Q", 0, -EMSGSIZE, "", "",
	 ""},
	{"spaces between are made one", "FROM:<a@b>  A=1   B ", 0, 0, "a", "b", "A=1 B"},
	{"local part of 64", "FROM:<" A64 "@b>", 0, 0, A64, "b", ""},
	{"local part of 65", "FROM:<" A64 "a@b>", 0, -EMSGSIZE, "", "", ""},
	{"65, allowed", "FROM:<" A64 "a@b>", SMTP_ALLOW_LONG_LOCAL, 0, A64 "a", "b", ""},
	{"path of 256", "FROM:<" A64 "@" D186 "ddd>", 0, 0, A64, D186 "ddd", ""},
	{"path of 257", "FROM:<" A64 "@" D186 "dddd>", 0, -EMSGSIZE, "", "", ""},
	{"domain of 256", "FROM:<a@" D186 "." D60 "012345678>", 0, -EMSGSIZE, "", "", ""},

	{"a space is a fault", "FROM: <a@b>", 0, -EBADMSG, "", "", ""},
	{"a space, allowed", "FROM: <a@b>", SMTP_ALLOW_SPACE, 0, "a", "b", ""},
	{"a space before the colon", "FROM :<a@b>", SMTP_ALLOW_SPACE, -EBADMSG, "", "",
	 ""},
	{"no brackets is a fault", "FROM:a@b", 0, -EBADMSG, "", "", ""},
	{"no brackets, allowed", "FROM:a@b", SMTP_ALLOW_NO_BRACKETS, 0, "a", "b", ""},
	{"no brackets, with a parameter", "FROM:a@b SIZE=1", SMTP_ALLOW_NO_BRACKETS, 0,
	 "a", "b", "SIZE=1"},
	{"nothing at all", "FROM:", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"one bracket", "FROM:<a@b", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"the other bracket", "FROM:a@b>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"a second path", "FROM:<a@b><c@d>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"no domain", "FROM:<a>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"empty domain", "FROM:<a@>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"empty local part", "FROM:<@b>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"two @", "FROM:<a@b@c>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"space inside", "FROM:<a b@c>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"control inside", "FROM:<a\x01@c>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"open quote", "FROM:<\"a@c>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"two dots", "FROM:<a..b@c>", 0, -EBADMSG, "", "", ""},
	{"dot at the end", "FROM:<a.@c>", 0, -EBADMSG, "", "", ""},
	{"dot in front", "FROM:<.a@c>", 0, -EBADMSG, "", "", ""},
	{"dots everywhere, allowed", "FROM:<.a..b.@c>", SMTP_ALLOW_DOTS, 0, ".a..b.", "c",
	 ""},
	{"another word", "FORM:<a@b>", 0, -EBADMSG, "", "", ""},
	{"value is missing", "FROM:<a@b> SIZE=", 0, -EBADMSG, "", "", ""},
	{"keyword is missing", "FROM:<a@b> =1", 0, -EBADMSG, "", "", ""},
	{"keyword begins with -", "FROM:<a@b> -A", 0, -EBADMSG, "", "", ""},
	{"= in a value", "FROM:<a@b> A=b=c", 0, -EBADMSG, "", "", ""},
	{"no space before a parameter", "FROM:<a@b>SIZE=1", 0, -EBADMSG, "", "", ""},

	{"8 bit, not allowed", "FROM:<\xc3\xa9@b>", 0, -EILSEQ, "", "", ""},
	{"8 bit, allowed", "FROM:<\xc3\xa9@b>", SMTP_ALLOW_UTF8, 0, "\xc3\xa9", "b", ""},
	{"8 bit in a quoted string", "FROM:<\"\xc3\xa9\"@b>", SMTP_ALLOW_UTF8, 0,
	 "\"\xc3\xa9\"", "b", ""},
	{"8 bit in the domain", "FROM:<a@b\xc3\xa9.example>", SMTP_ALLOW_UTF8, 0, "a",
	 "b\xc3\xa9.example", ""},
	{"8 bit in the domain, not allowed", "FROM:<a@b\xc3\xa9.example>", 0, -EILSEQ, "",
	 "", ""},
	{"no UTF-8", "FROM:<\xc3@b>", SMTP_ALLOW_UTF8, -EILSEQ, "", "", ""},
	{"an overlong form", "FROM:<\xc0\xaf@b>", SMTP_ALLOW_UTF8, -EILSEQ, "", "", ""},
	{"a surrogate", "FROM:<\xed\xa0\x80@b>", SMTP_ALLOW_UTF8, -EILSEQ, "", "", ""},
	{"four bytes", "FROM:<\xf0\x9f\x93\xa7@b>", SMTP_ALLOW_UTF8, 0,
	 "\xf0\x9f\x93\xa7", "b", ""},
	{"past the last character", "FROM:<\xf4\x90\x80\x80@b>", SMTP_ALLOW_UTF8, -EILSEQ,
	 "", "", ""},

	/* RCPT */
	{"plain", "TO:<a@b.example>", 0, 0, "a", "b.example", ""},
	{"postmaster alone", "TO:<PostMaster>", 0, 0, "PostMaster", "", ""},
	{"anybody else alone", "TO:<root>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"null path", "TO:<>", SMTP_ALLOW_USUAL, -EBADMSG, "", "", ""},
	{"DSN", "TO:<a@b> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bc@b", 0, 0, "a", "b",
	 "NOTIFY=SUCCESS,DELAY ORCPT=rfc822;a+2Bc@b"},
	{"a route is dropped", "TO:<@x:a@b>", 0, 0, "a", "b", ""},
	{"a route without its colon", "TO:<@x a@b>", 0, -EBADMSG, "", "", ""},
	{"old tricks with %", "TO:<a%b@c>", 0, 0, "a%b", "c", ""},
};

static int parse(const char *arg, size_t len, unsigned int allow,
		 struct smtp_path *out_path)
{
	if (len > 0 && (arg[0] == 'T' || arg[0] == 't'))
		return smtp_parse_rcpt(arg, len, allow, out_path);
	return smtp_parse_mail(arg, len, allow, out_path);
}

static void check_written(size_t row, const struct smtp_path *path)
{
	bool is_rcpt = rows[row].arg[0] == 'T';
	char want_text[1024];
	char got_text[1024];
	struct buf want = BUF_OVER(want_text);
	struct buf got = BUF_OVER(got_text);
	const char *at = rows[row].domain[0] ? "@" : "";
	const char *space = rows[row].params[0] ? " " : "";

	buf_printf(&want, "%s:<%s%s%s>%s%s", is_rcpt ? "RCPT TO" : "MAIL FROM",
		   rows[row].local, at, rows[row].domain, space, rows[row].params);
	smtp_write_path(&got, is_rcpt ? SMTP_RCPT : SMTP_MAIL, rows[row].arg, path);
	assert_string_equal(got.text, want.text);
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct smtp_path path = {.local = {.at = 7}};
		int err;

		err = parse(rows[i].arg, strlen(rows[i].arg), rows[i].allow, &path);
		if (err != rows[i].err)
			fail_msg("%s, '%s': %d", rows[i].why, rows[i].arg, err);
		if (err) {
			assert_int_equal(path.local.at, 7);
			continue;
		}
		if (!span_is(rows[i].arg, path.local, rows[i].local) ||
		    !span_is(rows[i].arg, path.domain.text, rows[i].domain))
			fail_msg("%s: '%.*s'", rows[i].why, (int)path.mailbox.len,
				 rows[i].arg + path.mailbox.at);
		assert_int_equal(path.is_quoted, rows[i].local[0] == '"');
		assert_int_equal(path.is_null, rows[i].local[0] == '\0');
		check_written(i, &path);
	}
}

/* A text cut anywhere is read without a look behind the cut; ASan watches. */
static void a_cut_text_is_read_to_its_end_and_no_further(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= strlen(rows[i].arg); len++) {
			char *copy = test_malloc(len ? len : 1);
			struct smtp_path path;

			memcpy(copy, rows[i].arg, len);
			(void)parse(copy, len, SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8, &path);
			test_free(copy);
		}
	}
}

static void parameters_are_walked(void **state)
{
	static const char arg[] = "FROM:<a@b> SIZE=10  SMTPUTF8 BODY=7BIT";
	struct smtp_param param;
	struct smtp_path path;
	struct span rest;

	(void)state;
	assert_int_equal(smtp_parse_mail(arg, strlen(arg), 0, &path), 0);
	rest = path.params;
	assert_true(smtp_next_param(arg, &rest, &param));
	assert_true(span_is(arg, param.keyword, "size") &&
		    span_is(arg, param.value, "10"));
	assert_true(smtp_next_param(arg, &rest, &param));
	assert_true(span_is(arg, param.keyword, "SMTPUTF8") && !param.has_value);
	assert_true(smtp_next_param(arg, &rest, &param));
	assert_true(span_is(arg, param.keyword, "BODY") &&
		    span_is(arg, param.value, "7BIT"));
	assert_false(smtp_next_param(arg, &rest, &param));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(a_cut_text_is_read_to_its_end_and_no_further),
		cmocka_unit_test(parameters_are_walked),
	};

	return cmocka_run_group_tests_name("wire/smtp_path", tests, NULL, NULL);
}
