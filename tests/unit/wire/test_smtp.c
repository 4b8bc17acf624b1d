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

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz01234567890"
#define NAME_254                               \
	LABEL_63 "." LABEL_63 "." LABEL_63 "." \
		 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz0123456789"
#define LOCAL_64 LABEL_63 "x"

static const struct {
	const char *line;
	enum smtp_verb verb;
	const char *arg;
} commands[] = {
	{"EHLO a.example", SMTP_EHLO, "a.example"},
	{"ehlo  a.example  ", SMTP_EHLO, "a.example"},
	{"helo\ta", SMTP_HELO, "a"},
	{"MAIL FROM:<a@b>", SMTP_MAIL, "FROM:<a@b>"},
	{"RcPt TO:<a@b> X=1", SMTP_RCPT, "TO:<a@b> X=1"},
	{"DATA", SMTP_DATA, ""},
	{"BDAT 12 LAST", SMTP_BDAT, "12 LAST"},
	{"RSET", SMTP_RSET, ""},
	{"NOOP x", SMTP_NOOP, "x"},
	{"QUIT ", SMTP_QUIT, ""},
	{"VRFY x", SMTP_VRFY, "x"},
	{"EXPN x", SMTP_EXPN, "x"},
	{"HELP", SMTP_HELP, ""},
	{"AUTH PLAIN", SMTP_AUTH, "PLAIN"},
	{"STARTTLS", SMTP_STARTTLS, ""},
	{"ETRN x", SMTP_ETRN, "x"},
	{"TURN", SMTP_TURN, ""},
	{"ATRN a.example", SMTP_ATRN, "a.example"},
	{"LHLO x", SMTP_LHLO, "x"},
	{"XCLIENT ADDR=192.0.2.1", SMTP_XCLIENT, "ADDR=192.0.2.1"},
	{"XFORWARD NAME=x", SMTP_XFORWARD, "NAME=x"},
	{"PROXY TCP4 192.0.2.1 192.0.2.2 1 2", SMTP_PROXY,
	 "TCP4 192.0.2.1 192.0.2.2 1 2"},
	{"GET / HTTP/1.1", SMTP_HTTP, "/ HTTP/1.1"},
	{"POST /x HTTP/1.0", SMTP_HTTP, "/x HTTP/1.0"},
	{"CONNECT a:25 HTTP/1.1", SMTP_HTTP, "a:25 HTTP/1.1"},
	{"", SMTP_UNKNOWN, ""},
	{" EHLO a", SMTP_UNKNOWN, "EHLO a"},
	{"MAILFROM:<a@b>", SMTP_UNKNOWN, ""},
	{"MAI FROM:<a@b>", SMTP_UNKNOWN, "FROM:<a@b>"},
	{"Subject: x", SMTP_UNKNOWN, "x"},
};

static void commands_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		struct smtp_command got;
		const char *line = commands[i].line;

		smtp_parse_command(line, strlen(line), &got);
		if (got.verb != commands[i].verb ||
		    got.arg.len != strlen(commands[i].arg) ||
		    memcmp(line + got.arg.at, commands[i].arg, got.arg.len) != 0)
			fail_msg("'%s': %s, '%.*s'", line, smtp_verb_name(got.verb),
				 (int)got.arg.len, line + got.arg.at);
	}
}

static void every_verb_has_a_name_and_a_rule(void **state)
{
	(void)state;
	for (int verb = SMTP_UNKNOWN + 1; verb < SMTP_VERB_COUNT; verb++)
		assert_string_not_equal(smtp_verb_name(verb), "unknown");
	assert_string_equal(smtp_verb_name(SMTP_UNKNOWN), "unknown");
	assert_string_equal(smtp_verb_name(SMTP_HTTP), "http");
	assert_int_equal(smtp_verb_arg_rule(SMTP_DATA), SMTP_ARG_NONE);
	assert_int_equal(smtp_verb_arg_rule(SMTP_MAIL), SMTP_ARG_REQUIRED);
	assert_int_equal(smtp_verb_arg_rule(SMTP_NOOP), SMTP_ARG_OPTIONAL);
	assert_int_equal(smtp_verb_arg_rule(SMTP_UNKNOWN), SMTP_ARG_OPTIONAL);
}

static const struct {
	const char *arg;
	unsigned int allow;
	int err;
	enum smtp_domain_kind kind;
	const char *addr; /* NULL: none */
} names[] = {
	{"a.example", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{"localhost", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{"1and1.example", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{"a--b.example", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{"-a.example", 0, -EBADMSG, 0, NULL},
	{"a-.example", 0, -EBADMSG, 0, NULL},
	{"a..example", 0, -EBADMSG, 0, NULL},
	{".example", 0, -EBADMSG, 0, NULL},
	{"a.example.", 0, -EBADMSG, 0, NULL},
	{"a.example.", SMTP_ALLOW_UNDERSCORE, 0, SMTP_DOMAIN_NAME, NULL},
	{"a.example..", SMTP_ALLOW_UNDERSCORE, -EBADMSG, 0, NULL},
	{"my_pc.example", 0, -EBADMSG, 0, NULL},
	{"my_pc.example", SMTP_ALLOW_UNDERSCORE, 0, SMTP_DOMAIN_NAME, NULL},
	{"a example", 0, -EBADMSG, 0, NULL},
	{"", 0, -EBADMSG, 0, NULL},
	{"a\xc3\xa9.example", SMTP_ALLOW_UTF8, -EBADMSG, 0, NULL},
	{LABEL_63 ".example", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{LABEL_63 "a.example", 0, -EBADMSG, 0, NULL},
	{NAME_254, 0, 0, SMTP_DOMAIN_NAME, NULL},
	{NAME_254 "ab", 0, -EMSGSIZE, 0, NULL},
	{"192.0.2.1", 0, 0, SMTP_DOMAIN_DIGITS, "192.0.2.1"},
	{"192.0.2.256", 0, 0, SMTP_DOMAIN_NAME, NULL},
	{"[192.0.2.1]", 0, 0, SMTP_DOMAIN_IPV4, "192.0.2.1"},
	{"[192.0.2]", 0, -EBADMSG, 0, NULL},
	{"[192.0.2.256]", 0, -EBADMSG, 0, NULL},
	{"[192.0.2.1", 0, -EBADMSG, 0, NULL},
	{"[192.0.2.1]x", 0, -EBADMSG, 0, NULL},
	{"[]", 0, -EBADMSG, 0, NULL},
	{"[", 0, -EBADMSG, 0, NULL},
	{"[IPv6:2001:db8::1]", 0, 0, SMTP_DOMAIN_IPV6, "2001:db8::1"},
	{"[ipv6:2001:DB8::1]", 0, 0, SMTP_DOMAIN_IPV6, "2001:db8::1"},
	{"[2001:db8::1]", 0, 0, SMTP_DOMAIN_GENERAL, NULL},
	{"[IPv6:2001:db8::g]", 0, -EBADMSG, 0, NULL},
	{"[IPv6:192.0.2.1]", 0, -EBADMSG, 0, NULL},
	{"[IPv6:]", 0, -EBADMSG, 0, NULL},
	{"[x-tag:some!thing]", 0, 0, SMTP_DOMAIN_GENERAL, NULL},
	{"[x-tag-:some]", 0, -EBADMSG, 0, NULL},
	{"[x-tag:]", 0, -EBADMSG, 0, NULL},
	{"[:x]", 0, -EBADMSG, 0, NULL},
	{"[x:a b]", 0, -EBADMSG, 0, NULL},
	{"JUMPIN' JUPITER", SMTP_ALLOW_ANY_NAME, 0, SMTP_DOMAIN_ODD, NULL},
	{"J\xfcrgens-PC", SMTP_ALLOW_ANY_NAME, 0, SMTP_DOMAIN_ODD, NULL},
	{"[192.0.2.256]", SMTP_ALLOW_ANY_NAME, 0, SMTP_DOMAIN_ODD, NULL},
	{"[192.0.2.1]", SMTP_ALLOW_ANY_NAME, 0, SMTP_DOMAIN_IPV4, "192.0.2.1"},
	{"a.example", SMTP_ALLOW_ANY_NAME, 0, SMTP_DOMAIN_NAME, NULL},
	{"a\tb", SMTP_ALLOW_ANY_NAME, -EBADMSG, 0, NULL},
	{"a\x1b[2J", SMTP_ALLOW_ANY_NAME, -EBADMSG, 0, NULL},
	{"a\x7f", SMTP_ALLOW_ANY_NAME, -EBADMSG, 0, NULL},
	{"", SMTP_ALLOW_ANY_NAME, -EBADMSG, 0, NULL},
	{NAME_254 "ab", SMTP_ALLOW_ANY_NAME, -EMSGSIZE, 0, NULL},
};

static void names_of_ehlo(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct smtp_domain got = {.text = {.at = 7, .len = 7}};
		const char *arg = names[i].arg;
		char text[ADDR_TEXT_MAX];
		int err = smtp_parse_ehlo(arg, strlen(arg), names[i].allow, &got);

		if (err != names[i].err)
			fail_msg("'%s': %d", arg, err);
		if (err) {
			assert_int_equal(got.text.at, 7);
			continue;
		}
		assert_int_equal(got.text.at, 0);
		assert_int_equal(got.text.len, strlen(arg));
		if (got.kind != names[i].kind)
			fail_msg("'%s': kind %d", arg, got.kind);
		assert_string_equal(addr_format(&got.addr, text),
				    names[i].addr ? names[i].addr : "-");
	}
}

static const struct {
	const char *arg;
	int err;
	const char *mechanism;
	const char *initial; /* NULL: none */
} auths[] = {
	{"PLAIN", 0, "PLAIN", NULL},
	{"plain AGEAYg==", 0, "plain", "AGEAYg=="},
	{"LOGIN =", 0, "LOGIN", "="},
	{"SCRAM-SHA-256-PLUS", 0, "SCRAM-SHA-256-PLUS", NULL},
	{"ABCDEFGHIJKLMNOPQRST", 0, "ABCDEFGHIJKLMNOPQRST", NULL},
	{"ABCDEFGHIJKLMNOPQRSTU", -EBADMSG, NULL, NULL},
	{"", -EBADMSG, NULL, NULL},
	{"PLA!N", -EBADMSG, NULL, NULL},
	{"PLAIN a b", -EBADMSG, NULL, NULL},
	{"PLAIN\tAGEAYg==", -EBADMSG, NULL, NULL},
	{"PLAIN \xc3\xa9", -EBADMSG, NULL, NULL},
};

static void arguments_of_auth(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(auths) / sizeof(auths[0]); i++) {
		const char *arg = auths[i].arg;
		struct smtp_auth got;
		int err = smtp_parse_auth(arg, strlen(arg), &got);

		if (err != auths[i].err)
			fail_msg("'%s': %d", arg, err);
		if (err)
			continue;
		assert_true(span_is(arg, got.mechanism, auths[i].mechanism));
		assert_int_equal(got.has_initial, auths[i].initial != NULL);
		if (got.has_initial)
			assert_true(span_is(arg, got.initial, auths[i].initial));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_told_apart),
		cmocka_unit_test(every_verb_has_a_name_and_a_rule),
		cmocka_unit_test(names_of_ehlo),
		cmocka_unit_test(arguments_of_auth),
	};

	return cmocka_run_group_tests_name("wire/smtp", tests, NULL, NULL);
}
