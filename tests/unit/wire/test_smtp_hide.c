/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Replies for the address that the client said (tests/golden/smtp_hide.tsv), and addresses written anew.
 *
 * link: golden.c
 */
#include "golden.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "wire/smtp_hide.h"

static struct smtp_bytes bytes_of(const char *text)
{
	return (struct smtp_bytes){text, strlen(text)};
}

static void the_golden_table_holds(void **state)
{
	struct golden golden;
	size_t rows = 0;

	(void)state;
	golden_open(&golden, "smtp_hide.tsv");
	while (golden_next(&golden)) {
		char memory[1024];
		struct buf out = BUF_OVER(memory);

		assert_true(golden.fields >= 5);
		buf_puts(&out, ">");
		smtp_hide(&out, bytes_of(golden.field[2]), bytes_of(golden.field[0]),
			  bytes_of(golden.field[1]));
		if (strcmp(memory + 1, golden.field[3]) != 0 || memory[0] != '>')
			fail_msg("line %u, %s: '%s'", golden.line, golden.field[4],
				 memory);
		rows++;
	}
	assert_true(rows >= 20);
}

static void a_line_that_grows_too_long_gets_our_words(void **state)
{
	char memory[80];
	struct buf out = BUF_OVER(memory);

	(void)state;
	smtp_hide(&out, bytes_of("550 5.1.1 a@b a@b a@b a@b a@b a@b a@b a@b"),
		  bytes_of("a@b"), bytes_of("somebody-else@example.org"));
	assert_false(out.overflow);
	assert_string_equal(memory,
			    "550 5.1.1 the mail host does not take this recipient");
}

static const struct {
	const char *why;
	const char *local, *domain;
	const char *mailbox;
	const char *orcpt; /* of the mailbox */
} rows[] = {
	{"plain", "anna", "example.org", "anna@example.org",
	 "ORCPT=rfc822;anna@example.org"},
	{"a tag", "a+b", "c", "a+b@c", "ORCPT=rfc822;a+2Bb@c"},
	{"dots", ".a..b.", "c", ".a..b.@c", "ORCPT=rfc822;.a..b.@c"},
	{"an equals sign", "a=b", "c", "a=b@c", "ORCPT=rfc822;a+3Db@c"},
	{"a blank is quoted", "a b", "c", "\"a b\"@c", "ORCPT=rfc822;\"a+20b\"@c"},
	{"an @ is quoted", "a@b", "c", "\"a@b\"@c", "ORCPT=rfc822;\"a@b\"@c"},
	{"quotes are escaped", "a\"\\", "c", "\"a\\\"\\\\\"@c",
	 "ORCPT=rfc822;\"a\\\"\\\\\"@c"},
	{"nothing at all", "", "c", "\"\"@c", "ORCPT=rfc822;\"\"@c"},
	{"a literal", "a", "[192.0.2.1]", "a@[192.0.2.1]", "ORCPT=rfc822;a@[192.0.2.1]"},
	{"UTF-8", "\xc3\xa4", "c", "\xc3\xa4@c", "ORCPT=utf-8;\\x{E4}@c"},
	{"UTF-8 and what is escaped", "a+=\xf0\x9f\x93\xa7", "c", "a+=\xf0\x9f\x93\xa7@c",
	 "ORCPT=utf-8;a\\x{2B}\\x{3D}\\x{1F4E7}@c"},
	{"UTF-8, quoted", "a b\xe2\x82\xac", "c", "\"a b\xe2\x82\xac\"@c",
	 "ORCPT=utf-8;\"a\\x{20}b\\x{20AC}\"@c"},
};

static void addresses_are_written_with_what_they_need(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char memory[256], orcpt_memory[256];
		struct buf out = BUF_OVER(memory);
		struct buf orcpt = BUF_OVER(orcpt_memory);

		smtp_write_mailbox(&out, bytes_of(rows[i].local),
				   bytes_of(rows[i].domain));
		smtp_write_orcpt(&orcpt, bytes_of(memory));
		if (strcmp(memory, rows[i].mailbox) != 0 ||
		    strcmp(orcpt_memory, rows[i].orcpt) != 0)
			fail_msg("%s: %s, %s", rows[i].why, memory, orcpt_memory);
	}
}

/* What is written is read back as the same. */
static void what_is_written_is_an_address(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char memory[300];
		struct buf out = BUF_OVER(memory);
		struct smtp_path path;

		buf_puts(&out, "TO:<");
		smtp_write_mailbox(&out, bytes_of(rows[i].local),
				   bytes_of(rows[i].domain));
		buf_puts(&out, "> ");
		smtp_write_orcpt(&out, bytes_of(rows[i].mailbox));
		if (smtp_parse_rcpt(memory, out.len, SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8,
				    &path))
			fail_msg("%s: %s", rows[i].why, memory);
		assert_int_equal(path.is_quoted, memory[4] == '"');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_table_holds),
		cmocka_unit_test(a_line_that_grows_too_long_gets_our_words),
		cmocka_unit_test(addresses_are_written_with_what_they_need),
		cmocka_unit_test(what_is_written_is_an_address),
	};

	return cmocka_run_group_tests_name("wire/smtp_hide", tests, NULL, NULL);
}
