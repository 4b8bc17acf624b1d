/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "proc/mail_name.h"

static const struct {
	const char *why;
	const char *arg; /* of RCPT */
	const char *local;
	const char *domain; /* NULL: no name */
} rows[] = {
	{"as it is", "TO:<anna@example.org>", "anna", "example.org"},
	{"letters of a domain are folded", "TO:<Anna@EXAMPLE.org>", "Anna",
	 "example.org"},
	{"a dot at the end is none", "TO:<a@example.org.>", "a", "example.org"},
	{"quotes say nothing", "TO:<\"anna\"@b.example>", "anna", "b.example"},
	{"escapes say nothing", "TO:<\"\\a\\n\\\\\\\"\"@b>", "an\\\"", "b"},
	{"empty quotes", "TO:<\"\"@b>", "", "b"},
	{"a backslash is the last", "TO:<\"a\\\\\"@b>", "a\\", "b"},
	{"a U-label is its A-label", "TO:<a@m\xc3\xbcnchen.example>", "a",
	 "xn--mnchen-3ya.example"},
	{"a capital U-label as well", "TO:<a@M\xc3\x9cNCHEN.example>", "a",
	 "xn--mnchen-3ya.example"},
	{"not composed", "TO:<a@mu\xcc\x88nchen.example>", "a", "xn--mnchen-3ya.example"},
	{"an A-label stays", "TO:<a@XN--MNCHEN-3YA.example>", "a",
	 "xn--mnchen-3ya.example"},
	{"a sharp s is itself",
	 "TO:<a@stra\xc3\x9f"
	 "e.example>",
	 "a", "xn--strae-oqa.example"},
	{"a U-label with a dot at the end", "TO:<a@m\xc3\xbcnchen.example.>", "a",
	 "xn--mnchen-3ya.example"},
	{"a full-width dot parts labels",
	 "TO:<a@b\xef\xbc\x8e"
	 "example>",
	 "a", "b.example"},
	{"no name of the DNS", "TO:<a@\xe2\x80\xae.example>", "a", NULL},
	{"an underscore", "TO:<a@_x.example>", "a", "_x.example"},
	{"a literal", "TO:<a@[192.0.2.1]>", "a", "[192.0.2.1]"},
	{"a literal of IPv6, in another way", "TO:<a@[IPV6:2001:DB8:0::1]>", "a",
	 "[ipv6:2001:db8::1]"},
	{"a literal of another kind", "TO:<a@[Tag:X]>", "a", "[tag:x]"},
	{"digits are a name", "TO:<a@192.0.2.1>", "a", "192.0.2.1"},
	{"no domain", "TO:<Postmaster>", "Postmaster", ""},
	{"8 bits in a local part stay", "TO:<\xc3\x84@b>", "\xc3\x84", "b"},
};

static void names_have_one_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *arg = rows[i].arg;
		struct mail_name local, domain = {.text = "untouched"};
		struct smtp_path path;
		int err;

		assert_int_equal(smtp_parse_rcpt(arg, strlen(arg),
						 SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8,
						 &path),
				 0);
		mail_name_local(arg, path.local, path.is_quoted, &local);
		if (strcmp(local.text, rows[i].local) != 0 ||
		    local.len != strlen(rows[i].local))
			fail_msg("%s: '%s'", rows[i].why, local.text);
		err = mail_name_domain(arg, &path.domain, &domain);
		if (!rows[i].domain) {
			assert_int_equal(err, -EINVAL);
			assert_string_equal(domain.text, "untouched");
		} else if (err || strcmp(domain.text, rows[i].domain) != 0 ||
			   domain.len != strlen(rows[i].domain)) {
			fail_msg("%s: %d '%s'", rows[i].why, err, domain.text);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_have_one_form),
	};

	return cmocka_run_group_tests_name("proc/mail_name", tests, NULL, NULL);
}
