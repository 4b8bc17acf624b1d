/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/imap.h"
#include "wire/imap_caps.h"
#include "wire/imap_read.h"
#include "wire/imap_write.h"

static struct span all_of(const char *text)
{
	return (struct span){.len = (uint32_t)strlen(text)};
}

static const struct {
	const char *why;
	const char *args;
	uint32_t caps;
	const char *want; /* "|" where a "+" has to come */
} logins[] = {
	{"atoms are quoted", "anna pw", 0, "LOGIN \"anna\" \"pw\"\r\n"},
	{"quoted stay so", "\"an na\" \"p w\"", 0, "LOGIN \"an na\" \"p w\"\r\n"},
	{"nothing is quoted, too", "\"\" {0}\r\n", 0, "LOGIN \"\" \"\"\r\n"},
	{"a literal that needs none", "{4}\r\nanna {2}\r\npw", 0,
	 "LOGIN \"anna\" \"pw\"\r\n"},
	{"an escape becomes a literal", "anna \"p\\\"w\"", 0,
	 "LOGIN \"anna\" {3}\r\n|p\"w\r\n"},
	{"a backslash becomes a literal", "anna p\\w", 0,
	 "LOGIN \"anna\" {3}\r\n|p\\w\r\n"},
	{"both wait", "\"\xc3\xa4\" {4}\r\np\r\nw", 0,
	 "LOGIN {2}\r\n|\xc3\xa4 {4}\r\n|p\r\nw\r\n"},
	{"only the name waits", "\"\xc3\xa4\" pw", 0,
	 "LOGIN {2}\r\n|\xc3\xa4 \"pw\"\r\n"},
	{"LITERAL+ waits for nothing", "\"\xc3\xa4\" {4}\r\np\r\nw",
	 IMAP_CAP_LITERAL_PLUS, "LOGIN {2+}\r\n\xc3\xa4 {4+}\r\np\r\nw\r\n"},
	{"LITERAL- neither", "anna \"\xc3\xa4\"", IMAP_CAP_LITERAL_MINUS,
	 "LOGIN \"anna\" {2+}\r\n\xc3\xa4\r\n"},
	{"a tab becomes a literal", "anna \"\t\"", 0, "LOGIN \"anna\" {1}\r\n|\t\r\n"},
};

static void logins_are_written_in_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(logins) / sizeof(logins[0]); i++) {
		struct imap_login_writer writer = {0};
		struct imap_login login;
		char memory[128];
		struct buf out = BUF_OVER(memory);

		assert_int_equal(
			imap_parse_login(logins[i].args, all_of(logins[i].args), &login),
			0);
		while (!imap_write_login(&writer, logins[i].args, &login, logins[i].caps,
					 &out))
			buf_puts(&out, "|");
		if (strcmp(out.text, logins[i].want) != 0)
			fail_msg("%s: %s", logins[i].why, out.text);
	}
}

static void literal_minus_has_a_limit(void **state)
{
	static char args[IMAP_LITERAL_MINUS_MAX_BYTES + 16];
	static char memory[IMAP_COMMAND_MAX_BYTES + IMAP_WRITE_GROWTH_MAX];

	(void)state;
	for (size_t len = IMAP_LITERAL_MINUS_MAX_BYTES;
	     len <= IMAP_LITERAL_MINUS_MAX_BYTES + 1; len++) {
		struct imap_login_writer writer = {0};
		struct imap_login login;
		struct buf out = BUF_OVER(memory);

		memset(args, 0x80, sizeof(args));
		memcpy(args, "anna \"", 6);
		args[6 + len] = '"';
		args[7 + len] = '\0';
		assert_int_equal(imap_parse_login(args, all_of(args), &login), 0);
		assert_int_equal(imap_write_login(&writer, args, &login,
						  IMAP_CAP_LITERAL_MINUS, &out),
				 len == IMAP_LITERAL_MINUS_MAX_BYTES);
	}
}

static void the_longest_login_fits(void **state)
{
	static char args[IMAP_COMMAND_MAX_BYTES];
	static char memory[IMAP_COMMAND_MAX_BYTES + IMAP_WRITE_GROWTH_MAX];
	struct imap_login_writer writer = {0};
	struct imap_login login;
	struct buf out = BUF_OVER(memory);

	(void)state;
	memset(args, '\\', sizeof(args));
	args[sizeof(args) / 2] = ' ';
	args[sizeof(args) - 1] = '\0';
	assert_int_equal(imap_parse_login(args, all_of(args), &login), 0);
	assert_true(imap_write_login(&writer, args, &login, IMAP_CAP_LITERAL_PLUS, &out));
	assert_false(out.overflow);
}

static void an_id_says_who_the_client_is(void **state)
{
	struct imap_client client = {
		.session_id = 0xabcdef, .port = 1234, .dest_port = 143};
	char memory[512], pairs_memory[64];
	struct buf out = BUF_OVER(memory);
	struct buf pairs = BUF_OVER(pairs_memory);

	(void)state;
	assert_int_equal(addr_parse("192.0.2.9", &client.addr), 0);
	imap_write_id("p", &client, NULL, &out);
	assert_string_equal(out.text, "p ID (\"x-originating-ip\" \"192.0.2.9\" "
				      "\"x-originating-port\" \"1234\" \"x-session-id\" "
				      "\"0000000000abcdef\")\r\n");

	assert_int_equal(addr_parse("2001:db8::1", &client.dest_addr), 0);
	buf_puts(&pairs, " \"name\" \"mutt\"");
	buf_init(&out, memory, sizeof(memory));
	imap_write_id("p", &client, &pairs, &out);
	assert_string_equal(
		out.text, "p ID (\"x-originating-ip\" \"192.0.2.9\" "
			  "\"x-originating-port\" \"1234\" \"x-connected-ip\" "
			  "\"2001:db8::1\" \"x-connected-port\" \"143\" "
			  "\"x-session-id\" \"0000000000abcdef\" \"name\" \"mutt\")\r\n");

	buf_init(&out, memory, sizeof(memory));
	imap_write_id("p", NULL, &pairs, &out);
	assert_string_equal(out.text, "p ID (\"name\" \"mutt\")\r\n");
	buf_init(&out, memory, sizeof(memory));
	imap_write_id("p", NULL, NULL, &out);
	assert_string_equal(out.text, "p ID NIL\r\n");
}

static const struct {
	const char *why;
	const char *args;
	const char *want;
} filtered[] = {
	{"passed", "(\"name\" \"mutt\" \"os\" \"x y\")",
	 " \"name\" \"mutt\" \"os\" \"x y\""},
	{"nobody says who he is",
	 "(\"x-originating-ip\" \"192.0.2.1\" \"name\" \"m\" \"X-Session-Id\" \"1\")",
	 " \"name\" \"m\""},
	{"not behind an escape either", "(\"x\\\\-originating-ip\" \"192.0.2.1\")", ""},
	{"not as a literal either", "({16+}\r\nx-originating-ip \"192.0.2.1\")", ""},
	{"no value", "(\"name\" NIL)", ""},
	{"no key", "(\"\" \"a\")", ""},
	{"a quote in it", "(\"name\" \"a\\\"b\")", ""},
	{"a line end in it", "(\"name\" {5+}\r\na\r\nb!)", ""},
	{"8-bit", "(\"name\" \"\xc3\xa4\")", ""},
	{"NIL", "NIL", ""},
	{"what does not fit is left out whole",
	 "(\"name\" \"0123456789012345678901234567890123456789012345\" \"a\" \"b\")",
	 " \"a\" \"b\""},
};

static void an_id_is_filtered(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(filtered) / sizeof(filtered[0]); i++) {
		const char *args = filtered[i].args;
		char memory[48];
		struct buf out = BUF_OVER(memory);
		struct span pairs;

		assert_int_equal(imap_parse_id(args, all_of(args), &pairs), 0);
		imap_filter_id(args, pairs, &out);
		assert_false(out.overflow);
		if (strcmp(out.text, filtered[i].want) != 0)
			fail_msg("%s: %s", filtered[i].why, out.text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(logins_are_written_in_one_form),
		cmocka_unit_test(literal_minus_has_a_limit),
		cmocka_unit_test(the_longest_login_fits),
		cmocka_unit_test(an_id_says_who_the_client_is),
		cmocka_unit_test(an_id_is_filtered),
	};

	return cmocka_run_group_tests_name("wire/imap_write", tests, NULL, NULL);
}
