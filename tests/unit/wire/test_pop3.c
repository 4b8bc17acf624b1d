/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link: golden.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "golden.h"
#include "wire/line.h"
#include "wire/pop3.h"

/* ---- the table of outcomes ------------------------------------------------------------------- */

/* "USER name|PASS password", "APOP name digest" or "AUTH ...", as the client sent it. */
static void play(const char *client, bool is_offered, struct sasl_dialogue *dialogue)
{
	static struct sasl_scratch scratch;
	const char *at = client + strcspn(client, "|");
	const char *pass = strstr(client, "PASS ");

	if (strncmp(client, "AUTH ", 5) != 0) {
		const char *name = strncmp(client, "PASS", 4) != 0 ? client + 5 : "";

		pop3_login_plain(dialogue, name, strcspn(name, "| "),
				 !pass || pass[5] != '\0');
		return;
	}
	client += 5;
	sasl_begin(dialogue, client, strcspn(client, " |"), is_offered);
	at = client + strcspn(client, " |");
	while (*at) {
		size_t len = strcspn(++at, "|");

		sasl_client_line(dialogue, at, len, &scratch);
		at += len;
	}
}

static void the_table_of_logins_holds(void **state)
{
	struct golden golden;
	size_t count = 0;

	(void)state;
	golden_open(&golden, "pop3_login.tsv");
	for (; golden_next(&golden); count++) {
		struct sasl_dialogue dialogue;
		struct pop3_reply reply;
		const char *user;
		const char *got;

		assert_int_equal(golden.fields, 6);
		assert_int_equal(pop3_parse_reply(golden.field[0],
						  strlen(golden.field[0]), &reply),
				 0);
		play(golden.field[1], strcmp(golden.field[2], "yes") == 0, &dialogue);
		got = sasl_outcome_name(pop3_outcome(&reply, golden.field[0], &dialogue));
		if (strcmp(golden.field[3], got) != 0)
			fail_msg("pop3_login.tsv:%u: %s: %s", golden.line,
				 golden.field[5], got);
		user = strcmp(golden.field[4], "-") != 0 ? golden.field[4] : "";
		if (dialogue.user_len != strlen(user) ||
		    memcmp(dialogue.user, user, dialogue.user_len) != 0)
			fail_msg("pop3_login.tsv:%u: user '%.*s'", golden.line,
				 dialogue.user_len, dialogue.user);
	}
	assert_true(count >= 45);
}

/* ---- streams, cut in every way --------------------------------------------------------------- */

typedef void (*show_fn)(const char *line, size_t len, struct buf *seen);

static void show_command(const char *line, size_t len, struct buf *seen)
{
	struct pop3_command command;

	pop3_parse_command(line, len, &command);
	assert_true(command.arg.at + command.arg.len <= len);
	buf_printf(seen, "%u:%.*s.", command.verb, (int)command.arg.len,
		   line + command.arg.at);
}

static void show_reply(const char *line, size_t len, struct buf *seen)
{
	struct pop3_reply reply;

	if (pop3_parse_reply(line, len, &reply)) {
		buf_puts(seen, "!");
		return;
	}
	assert_true(reply.text.at + reply.text.len <= len);
	buf_printf(seen, "%u:%u:%.*s.", reply.status, reply.code, (int)reply.text.len,
		   line + reply.text.at);
}

static void show_capa(const char *line, size_t len, struct buf *seen)
{
	struct pop3_capa_line capa;

	if (pop3_is_end(line, len)) {
		buf_puts(seen, "END");
		return;
	}
	if (pop3_parse_capa(line, len, &capa)) {
		buf_puts(seen, "!");
		return;
	}
	buf_printf(seen, "%u:%.*s:%.*s.", capa.capability, (int)capa.text.len,
		   line + capa.text.at, (int)capa.params.len, line + capa.params.at);
}

static const struct {
	const char *why;
	show_fn show;
	const char *in;
	const char *want;
} streams[] = {
	{"no argument", show_command, "CAPA\r\nQUIT\r\n", "1:.7:."},
	{"in any case", show_command, "uSeR anna\r\n", "2:anna."},
	{"a name with spaces at its ends", show_command, "USER  anna \r\n", "2:anna."},
	{"a name with a space within", show_command, "USER anna b\r\n", "2:anna b."},
	{"a password is all that follows one space", show_command, "PASS  a b \r\n",
	 "3: a b ."},
	{"an empty password", show_command, "PASS \r\nPASS\r\n", "3:.3:."},
	{"a tab parts, too", show_command, "USER\tanna\r\n", "2:anna."},
	{"APOP", show_command, "APOP anna 0123\r\n", "4:anna 0123."},
	{"AUTH alone and with more", show_command, "AUTH\r\nAUTH PLAIN =\r\n",
	 "5:.5:PLAIN =."},
	{"a bare LF ends a line", show_command, "STLS\nNOOP\n", "6:.8:."},
	{"UTF8 and LANG", show_command, "UTF8\r\nLANG en\r\n", "9:.10:en."},
	{"what is not for clients", show_command,
	 "XCLIENT ADDR=192.0.2.1\r\nPROXY TCP4 a\r\n", "11:ADDR=192.0.2.1.12:TCP4 a."},
	{"what needs a login", show_command, "STAT\r\nRETR 1\r\nTOP 1 0\r\nUIDL\r\n",
	 "13:.13:1.13:1 0.13:."},
	{"a browser", show_command, "GET / HTTP/1.1\r\n", "14:/ HTTP/1.1."},
	{"nothing, space, unknown", show_command, "\r\n USER a\r\nUSERX a\r\nUSE a\r\n",
	 "0:.0:USER a.0:a.0:a."},
	{"8 bit", show_command, "USER \xc3\xa9\r\n", "2:\xc3\xa9."},
	{"plain replies", show_reply, "+OK\r\n-ERR\r\n+\r\n", "0:0:.1:0:.2:0:."},
	{"in any case, with text", show_reply, "+ok a b\r\n-err c\r\n", "0:0:a b.1:0:c."},
	{"a challenge", show_reply, "+ VXNlcg==\r\n+ [AUTH] x\r\n",
	 "2:0:VXNlcg==.2:0:[AUTH] x."},
	{"codes", show_reply,
	 "-ERR [AUTH] a\r\n-ERR [SYS/TEMP] b\r\n-ERR [SYS/PERM]\r\n-ERR [IN-USE]c\r\n"
	 "-ERR [login-delay] d\r\n",
	 "1:1:a.1:2:b.1:3:.1:4:c.1:5:d."},
	{"other codes", show_reply, "-ERR [X] a\r\n+OK [XCLIENT] b\r\n-ERR [] c\r\n",
	 "1:6:a.0:6:b.1:6:c."},
	{"a code that does not end", show_reply, "-ERR [AUTH a\r\n", "1:0:[AUTH a."},
	{"no replies", show_reply, "\r\nOK\r\n+OKAY\r\n* OK\r\n-ERROR x\r\n220 a\r\n",
	 "!!!!!!"},
	{"capabilities", show_capa,
	 "TOP\r\nSASL PLAIN LOGIN\r\nUSER\r\nstls\r\nXCLIENT ADDR PORT\r\n"
	 "IMPLEMENTATION Dovecot\r\nEXPIRE NEVER\r\n.\r\n",
	 "0:TOP:.1:SASL PLAIN LOGIN: PLAIN LOGIN.2:USER:.3:stls:."
	 "4:XCLIENT ADDR PORT: ADDR PORT.5:IMPLEMENTATION Dovecot: Dovecot."
	 "0:EXPIRE NEVER: NEVER.END"},
	{"what is no capability", show_capa, "\r\n..\r\n.X\r\n\x01\r\nA\xc3\xa9\r\n",
	 "!!!!!"},
};

static void feed(show_fn show, const char *in, size_t first, size_t then,
		 struct buf *seen)
{
	const size_t len = strlen(in);
	struct line_scanner scanner;
	size_t received = first;
	size_t dropped = 0;

	line_scanner_init(&scanner, 512);
	for (;;) {
		struct line line;

		if (line_next(&scanner, in + dropped, received - dropped, &line) ==
		    LINE_READY) {
			show(in + dropped, line.len, seen);
			dropped += line.consumed;
		} else if (received == len) {
			return;
		} else {
			received = received + then < len ? received + then : len;
		}
	}
}

static void streams_read_alike_however_they_are_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(streams) / sizeof(streams[0]); i++) {
		const size_t len = strlen(streams[i].in);

		/* Whole (first == len), byte by byte (first == 0), and split at each place. */
		for (size_t first = 0; first <= len; first++) {
			char memory[1024];
			struct buf seen = BUF_OVER(memory);

			feed(streams[i].show, streams[i].in, first, first ? len : 1,
			     &seen);
			if (strcmp(seen.text, streams[i].want) != 0)
				fail_msg("%s, cut at %zu: %s", streams[i].why, first,
					 seen.text);
		}
	}
}

/* ---- arguments ------------------------------------------------------------------------------- */

static const struct {
	const char *why;
	const char *arg;
	int err;
	const char *mechanism, *initial;
} auths[] = {
	{"a list is wanted", "", 0, "", ""},
	{"a mechanism", "PLAIN", 0, "PLAIN", ""},
	{"an initial response", "PLAIN AHUAcHc=", 0, "PLAIN", "AHUAcHc="},
	{"an empty one", "PLAIN =", 0, "PLAIN", "="},
	{"spaces", "PLAIN   AHUAcHc= ", 0, "PLAIN", "AHUAcHc="},
	{"the longest name", "ABCDEFGHIJ-_01234567", 0, "ABCDEFGHIJ-_01234567", ""},
	{"a longer one", "ABCDEFGHIJ-_012345678", -EBADMSG, NULL, NULL},
	{"three words", "PLAIN a b", -EBADMSG, NULL, NULL},
	{"no mechanism's letters", "PL@IN", -EBADMSG, NULL, NULL},
	{"a response alone", "=", -EBADMSG, NULL, NULL},
};

static void auth_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(auths) / sizeof(auths[0]); i++) {
		const char *arg = auths[i].arg;
		struct pop3_auth auth = {.mechanism.len = 99};
		const int err = pop3_parse_auth(arg, strlen(arg), &auth);

		if (err != auths[i].err)
			fail_msg("%s: %d", auths[i].why, err);
		if (err) {
			assert_int_equal(auth.mechanism.len, 99);
			continue;
		}
		if (!span_is(arg, auth.mechanism, auths[i].mechanism) ||
		    !span_is(arg, auth.initial, auths[i].initial) ||
		    auth.has_initial != (auths[i].initial[0] != '\0'))
			fail_msg("%s", auths[i].why);
	}
}

#define MD5_TEXT "0123456789abcdefABCDEF0123456789"

static void apop_is_read(void **state)
{
	struct pop3_apop apop;

	(void)state;
	assert_int_equal(pop3_parse_apop("anna " MD5_TEXT, 37, &apop), 0);
	assert_int_equal(apop.name.len, 4);
	assert_int_equal(apop.digest.at, 5);
	assert_int_equal(pop3_parse_apop("a b " MD5_TEXT, 36, &apop), 0);
	assert_int_equal(apop.name.len, 3);
	assert_int_equal(pop3_parse_apop("anna " MD5_TEXT, 36, &apop), -EBADMSG);
	assert_int_equal(pop3_parse_apop("anna 0" MD5_TEXT, 38, &apop), -EBADMSG);
	assert_int_equal(pop3_parse_apop(" " MD5_TEXT, 33, &apop), -EBADMSG);
	assert_int_equal(pop3_parse_apop(MD5_TEXT, 32, &apop), -EBADMSG);
	assert_int_equal(
		pop3_parse_apop("anna 0123456789abcdefABCDEF012345678x", 37, &apop),
		-EBADMSG);
	assert_int_equal(pop3_parse_apop("", 0, &apop), -EBADMSG);
}

static const struct {
	const char *greeting;
	const char *stamp; /* "": none */
} greetings[] = {
	{"+OK POP3 ready <1896.697170952@dbc.mtview.ca.us>",
	 "<1896.697170952@dbc.mtview.ca.us>"},
	{"+OK <a@b> more", "<a@b>"},
	{"+OK ready", ""},
	{"+OK <>", ""},
	{"+OK <a b@c>", ""},
	{"+OK <no-at>", ""},
	{"+OK <a@b", ""},
	{"+OK >a@b<", ""},
};

static void timestamps_are_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(greetings) / sizeof(greetings[0]); i++) {
		const char *text = greetings[i].greeting;
		struct span stamp = {0};
		const bool found = pop3_find_timestamp(text, strlen(text), &stamp);

		assert_int_equal(found, greetings[i].stamp[0] != '\0');
		if (!span_is(text, stamp, greetings[i].stamp))
			fail_msg("%s", text);
	}
	assert_true(pop3_greets_xclient("+OK [XCLIENT] ready", 19));
	assert_false(pop3_greets_xclient("+OK [XCLIENT ready", 18));
}

static void xclient_names_the_client(void **state)
{
	char out[POP3_XCLIENT_MAX_BYTES];
	struct addr addr;
	size_t len;

	(void)state;
	assert_int_equal(addr_parse("2001:db8::1", &addr), 0);
	len = pop3_write_xclient(&addr, 4711, 0x1234, out);
	assert_int_equal(len, strlen(out));
	assert_string_equal(out, "XCLIENT ADDR=2001:db8::1 PORT=4711 "
				 "SESSION=postern-0000000000001234\r\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_logins_holds),
		cmocka_unit_test(streams_read_alike_however_they_are_cut),
		cmocka_unit_test(auth_is_read),
		cmocka_unit_test(apop_is_read),
		cmocka_unit_test(timestamps_are_found),
		cmocka_unit_test(xclient_names_the_client),
	};

	return cmocka_run_group_tests_name("wire/pop3", tests, NULL, NULL);
}
