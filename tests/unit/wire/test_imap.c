/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/imap.h"

#define TAG_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	const char *why;
	const char *text;
	int err;
	enum imap_verb verb;
	const char *tag;
	const char *args;
} commands[] = {
	{"plain", "a1 CAPABILITY", 0, IMAP_CAPABILITY, "a1", ""},
	{"any case", "a1 cApability", 0, IMAP_CAPABILITY, "a1", ""},
	{"arguments", "a1 LOGIN anna pw", 0, IMAP_LOGIN, "a1", "anna pw"},
	{"spaces around", "a1  LOGIN   anna pw  ", 0, IMAP_LOGIN, "a1", "anna pw  "},
	{"a trailing space", "a1 NOOP ", 0, IMAP_NOOP, "a1", ""},
	{"for later", "a1 SELECT INBOX", 0, IMAP_LATER, "a1", "INBOX"},
	{"for later, two words", "a1 UID FETCH 1 ALL", 0, IMAP_LATER, "a1",
	 "FETCH 1 ALL"},
	{"unknown", "a1 X-DEBUG on", 0, IMAP_UNKNOWN, "a1", "on"},
	{"a tag with much in it", "A.1-_]['#$&/:;<=>?@^`|}~ NOOP", 0, IMAP_NOOP,
	 "A.1-_]['#$&/:;<=>?@^`|}~", ""},
	{"the longest tag", TAG_64 " NOOP", 0, IMAP_NOOP, TAG_64, ""},
	{"one byte more", TAG_64 "0 NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"empty", "", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"only a tag", "a1", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a tag and a space", "a1 ", -EBADMSG, IMAP_UNKNOWN, "a1", ""},
	{"no tag", " NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a plus in the tag", "a+1 NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a star", "* NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a quote in the tag", "a\"1 NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a backslash in the tag", "a\\1 NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"8-bit in the tag", "\xe4 NOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a tab is no space", "a1\tNOOP", -EBADMSG, IMAP_UNKNOWN, "", ""},
	{"a verb in quotes", "a1 \"NOOP\"", -EBADMSG, IMAP_UNKNOWN, "a1", ""},
	{"a verb with a quote", "a1 NO\"OP", -EBADMSG, IMAP_UNKNOWN, "a1", ""},
	{"a CR within", "a1 NO\rOP", -EBADMSG, IMAP_UNKNOWN, "a1", ""},
	{"a browser", "GET / HTTP/1.1", 0, IMAP_HTTP, "GET", ""},
	{"a browser's post", "post /x HTTP/1.0", 0, IMAP_HTTP, "post", ""},
	{"a tag that looks like one", "GET NOOP", 0, IMAP_NOOP, "GET", ""},
};

static bool span_equal(const char *text, struct span span, const char *want)
{
	return span.len == strlen(want) && memcmp(text + span.at, want, span.len) == 0;
}

static void commands_are_split(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		const char *text = commands[i].text;
		struct imap_command command;

		if (imap_parse_command(text, strlen(text), &command) != commands[i].err ||
		    command.verb != commands[i].verb ||
		    !span_equal(text, command.tag, commands[i].tag) ||
		    !span_equal(text, command.args, commands[i].args))
			fail_msg("%s: verb %d, tag '%.*s', arguments '%.*s'",
				 commands[i].why, command.verb, (int)command.tag.len,
				 text + command.tag.at, (int)command.args.len,
				 text + command.args.at);
	}
}

static void a_nul_is_no_part_of_a_command(void **state)
{
	static const char text[] = "a1 NO\0OP";
	struct imap_command command;

	(void)state;
	assert_int_equal(imap_parse_command(text, sizeof(text) - 1, &command), -EBADMSG);
}

static struct span all_of(const char *text)
{
	return (struct span){.len = (uint32_t)strlen(text)};
}

static void copied(const char *text, const struct imap_string *string, char out[64])
{
	struct buf buf;

	buf_init(&buf, out, 64);
	imap_string_copy(text, string, &buf);
	assert_false(buf.overflow);
}

static const struct {
	const char *why;
	const char *args;
	const char *user; /* NULL: refused */
	const char *secret;
} logins[] = {
	{"atoms", "anna pw", "anna", "pw"},
	{"an atom with ]", "anna p]w", "anna", "p]w"},
	{"atoms with what people use", "an%na p*w\\x", "an%na", "p*w\\x"},
	{"quoted", "\"an na\" \"p w\"", "an na", "p w"},
	{"empty", "\"\" \"\"", "", ""},
	{"escapes", "\"a\\\"b\" \"c\\\\d\"", "a\"b", "c\\d"},
	{"8-bit in quotes", "\"\xc3\xa4\" \"\xe4\"", "\xc3\xa4", "\xe4"},
	{"a tab in quotes", "anna \"a\tb\"", "anna", "a\tb"},
	{"literals", "{4}\r\nanna {5}\r\np\r\nw!", "anna", "p\r\nw!"},
	{"literals, the other forms", "{4+}\r\nanna {2-}\r\npw", "anna", "pw"},
	{"literals behind LF", "{4}\nanna {2}\npw", "anna", "pw"},
	{"an empty literal", "anna {0+}\r\n", "anna", ""},
	{"spaces behind", "anna pw  ", "anna", "pw"},
	{"a literal that ends with a space", "anna {3}\r\npw ", "anna", "pw "},
	{"mixed", "\"anna\" {2}\r\npw", "anna", "pw"},
	{"NIL is a name here", "NIL nil", "NIL", "nil"},
	{"more spaces", "anna   pw", "anna", "pw"},
	{"nothing", "", NULL, NULL},
	{"only a name", "anna", NULL, NULL},
	{"only a name and a space", "anna ", NULL, NULL},
	{"three words", "anna pw x", NULL, NULL},
	{"no space between", "\"anna\"\"pw\"", NULL, NULL},
	{"an open quote", "anna \"pw", NULL, NULL},
	{"an escape at the end", "anna \"pw\\", NULL, NULL},
	{"an escape of something else", "anna \"p\\w\"", NULL, NULL},
	{"a line end in quotes", "anna \"p\r\nw\"", NULL, NULL},
	{"a quote within an atom", "anna p\"w", NULL, NULL},
	{"8-bit in an atom", "anna p\xe4", NULL, NULL},
	{"a parenthesis", "(anna pw)", NULL, NULL},
	{"a brace in an atom", "anna p{w", NULL, NULL},
	{"a literal cut short", "anna {3}\r\npw", NULL, NULL},
	{"a literal without its line end", "anna {2}pw", NULL, NULL},
	{"a literal without number", "anna {}\r\npw", NULL, NULL},
	{"a literal without bounds", "anna {18446744073709551618}\r\npw", NULL, NULL},
	{"text behind a literal", "{4}\r\nannax pw", NULL, NULL},
	{"a control character", "anna p\x01w", NULL, NULL},
	{"DEL", "anna p\x7fw", NULL, NULL},
};

static void logins_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		const char *args = logins[i].args;
		struct imap_login login;
		char user[64], secret[64];
		int err = imap_parse_login(args, all_of(args), &login);

		if (err != (logins[i].user ? 0 : -EBADMSG))
			fail_msg("%s: %d", logins[i].why, err);
		if (err)
			continue;
		copied(args, &login.user, user);
		copied(args, &login.secret, secret);
		if (strcmp(user, logins[i].user) != 0 ||
		    strcmp(secret, logins[i].secret) != 0)
			fail_msg("%s: '%s' '%s'", logins[i].why, user, secret);
	}
}

static void no_login_holds_a_nul(void **state)
{
	static const char quoted[] = "anna \"p\0w\"";
	static const char literal[] = "anna {3}\r\np\0w";
	static const char atom[] = "anna p\0w";
	struct imap_login login;

	(void)state;
	assert_int_equal(imap_parse_login(quoted,
					  (struct span){.len = sizeof(quoted) - 1},
					  &login),
			 -EBADMSG);
	assert_int_equal(imap_parse_login(literal,
					  (struct span){.len = sizeof(literal) - 1},
					  &login),
			 -EBADMSG);
	assert_int_equal(
		imap_parse_login(atom, (struct span){.len = sizeof(atom) - 1}, &login),
		-EBADMSG);
}

static void a_password_has_a_limit(void **state)
{
	static char args[IMAP_LOGIN_MAX_BYTES + 8];
	struct imap_login login;

	(void)state;
	memset(args, 'x', sizeof(args) - 1);
	memcpy(args, "anna ", 5);
	args[5 + IMAP_LOGIN_MAX_BYTES] = '\0';
	assert_int_equal(imap_parse_login(args, all_of(args), &login), 0);
	args[5 + IMAP_LOGIN_MAX_BYTES] = 'x';
	assert_int_equal(imap_parse_login(args, all_of(args), &login), -EMSGSIZE);
}

static const struct {
	const char *why;
	const char *args;
	const char *mechanism; /* NULL: refused */
	const char *initial;   /* NULL: none */
} authentications[] = {
	{"a mechanism", "PLAIN", "PLAIN", NULL},
	{"any case", "cram-md5", "cram-md5", NULL},
	{"an initial response", "PLAIN AHUAcHc=", "PLAIN", "AHUAcHc="},
	{"an empty one", "EXTERNAL =", "EXTERNAL", "="},
	{"not base64, which is not for here", "PLAIN !!!", "PLAIN", "!!!"},
	{"twenty bytes", "ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNOPQRST", NULL},
	{"one more", "ABCDEFGHIJKLMNOPQRSTU", NULL, NULL},
	{"nothing", "", NULL, NULL},
	{"quoted", "\"PLAIN\"", NULL, NULL},
	{"a third word", "PLAIN AA== x", NULL, NULL},
	{"8-bit", "PLAIN \xe4", NULL, NULL},
	{"a line end", "PLAIN A\r\nb", NULL, NULL},
};

static void authentications_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(authentications) / sizeof(authentications[0]);
	     i++) {
		const char *args = authentications[i].args;
		const char *initial = authentications[i].initial;
		struct imap_authenticate found;
		int err = imap_parse_authenticate(args, all_of(args), &found);

		if (err != (authentications[i].mechanism ? 0 : -EBADMSG))
			fail_msg("%s: %d", authentications[i].why, err);
		if (err)
			continue;
		assert_true(
			span_equal(args, found.mechanism, authentications[i].mechanism));
		assert_int_equal(found.has_initial, initial != NULL);
		assert_true(span_equal(args, found.initial, initial ? initial : ""));
	}
}

static const struct {
	const char *why;
	const char *args;
	int err;
	const char *pairs; /* "key=value;", NIL for none */
} ids[] = {
	{"nothing to say", "NIL", 0, ""},
	{"nothing in a list", "()", 0, ""},
	{"one", "(\"name\" \"mutt\")", 0, "name=mutt;"},
	{"two", "(\"name\" \"mutt\" \"version\" \"1\")", 0, "name=mutt;version=1;"},
	{"NIL for a value", "(\"os\" NIL \"name\" nil)", 0, "os=NIL;name=NIL;"},
	{"literals", "({4+}\r\nname {1}\r\n;)", 0, "name=;;"},
	{"spaces inside", "( \"a\" \"b\" )", 0, "a=b;"},
	{"an atom as key", "(name \"mutt\")", -EBADMSG, NULL},
	{"an atom as value", "(\"name\" mutt)", -EBADMSG, NULL},
	{"NIL as key", "(NIL \"mutt\")", -EBADMSG, NULL},
	{"no value", "(\"name\")", -EBADMSG, NULL},
	{"three strings", "(\"a\" \"b\" \"c\")", -EBADMSG, NULL},
	{"no space", "(\"a\" \"b\"\"c\" \"d\")", -EBADMSG, NULL},
	{"open", "(\"a\" \"b\"", -EBADMSG, NULL},
	{"text behind", "(\"a\" \"b\") x", -EBADMSG, NULL},
	{"nothing at all", "", -EBADMSG, NULL},
	{"a list in a list", "((\"a\" \"b\"))", -EBADMSG, NULL},
	{"a key of 31 bytes", "(\"0123456789012345678901234567890\" \"\")", -EMSGSIZE,
	 NULL},
};

static void ids_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		const char *args = ids[i].args;
		char shown[128], text[64];
		struct buf got = BUF_OVER(shown);
		struct imap_id_pair pair;
		struct span pairs;
		int err = imap_parse_id(args, all_of(args), &pairs);

		if (err != ids[i].err)
			fail_msg("%s: %d", ids[i].why, err);
		while (!err && imap_next_id_pair(args, &pairs, &pair)) {
			copied(args, &pair.key, text);
			buf_printf(&got, "%s=", text);
			copied(args, &pair.value, text);
			buf_printf(&got, "%s;",
				   pair.value.kind == IMAP_STRING_NIL ? "NIL" : text);
		}
		if (!err && strcmp(got.text, ids[i].pairs) != 0)
			fail_msg("%s: %s", ids[i].why, got.text);
	}
}

static void an_id_has_limits(void **state)
{
	static char memory[4096];
	struct span pairs;
	struct buf args;

	(void)state;
	buf_init(&args, memory, sizeof(memory));
	buf_puts(&args, "(\"a\" \"b\"");
	for (size_t i = 1; i < IMAP_ID_PAIRS_MAX; i++)
		buf_puts(&args, " \"a\" \"b\"");
	buf_puts(&args, ")");
	assert_int_equal(imap_parse_id(args.text, all_of(args.text), &pairs), 0);
	args.text[args.len - 1] = ' ';
	buf_puts(&args, "\"a\" \"b\")");
	assert_int_equal(imap_parse_id(args.text, all_of(args.text), &pairs), -EMSGSIZE);

	buf_init(&args, memory, sizeof(memory));
	buf_puts(&args, "(\"a\" \"");
	for (size_t i = 0; i < IMAP_ID_VALUE_MAX_BYTES; i++)
		buf_puts(&args, "x");
	buf_puts(&args, "\")");
	assert_int_equal(imap_parse_id(args.text, all_of(args.text), &pairs), 0);
	args.text[args.len - 2] = 'x';
	args.text[args.len - 1] = '"';
	buf_puts(&args, ")");
	assert_int_equal(imap_parse_id(args.text, all_of(args.text), &pairs), -EMSGSIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_split),
		cmocka_unit_test(a_nul_is_no_part_of_a_command),
		cmocka_unit_test(logins_are_read),
		cmocka_unit_test(no_login_holds_a_nul),
		cmocka_unit_test(a_password_has_a_limit),
		cmocka_unit_test(authentications_are_read),
		cmocka_unit_test(ids_are_read),
		cmocka_unit_test(an_id_has_limits),
	};

	return cmocka_run_group_tests_name("wire/imap", tests, NULL, NULL);
}
