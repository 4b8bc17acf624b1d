/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/mail_list.h"

#define D63 "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *why;
	const char *line;
	int result;
	const char *domain;
	bool is_subdomains;
	unsigned int column; /* of the problem */
} domains[] = {
	{"a domain", "example.org", 1, "example.org", false, 0},
	{"what lies below one", ".example.net", 1, "example.net", true, 0},
	{"one label", "localhost", 1, "localhost", false, 0},
	{"the case stays as it is written", "Example.ORG", 1, "Example.ORG", false, 0},
	{"blanks and a comment", " \texample.org \t# ours", 1, "example.org", false, 0},
	{"a comment without a blank", "example.org#ours", 1, "example.org", false, 0},
	{"written on Windows", "example.org\r", 1, "example.org", false, 0},
	{"a dot at the end", "example.org.", 1, "example.org.", false, 0},
	{"a U-label", "m\xc3\xbcnchen.example", 1, "m\xc3\xbcnchen.example", false, 0},
	{"an A-label", "xn--mnchen-3ya.example", 1, "xn--mnchen-3ya.example", false, 0},
	{"an underscore", "_a.example", 1, "_a.example", false, 0},
	{"a literal", "[192.0.2.1]", 1, "[192.0.2.1]", false, 0},
	{"a literal of IPv6", "[IPv6:2001:db8::1]", 1, "[IPv6:2001:db8::1]", false, 0},
	{"a label of 63", D63 ".example", 1, D63 ".example", false, 0},
	{"an empty line", "", 0, "", false, 0},
	{"blanks alone", "  \t", 0, "", false, 0},
	{"a comment alone", "# example.org", 0, "", false, 0},
	{"a comment from Windows", "\r", 0, "", false, 0},

	{"a label of 64", D63 "d.example", -EINVAL, "", false, 1},
	{"a dot alone", ".", -EINVAL, "", false, 1},
	{"two dots", "example..org", -EINVAL, "", false, 1},
	{"two dots in front", "..example.org", -EINVAL, "", false, 1},
	{"an address", "anna@example.org", -EINVAL, "", false, 1},
	{"a wildcard is written as a dot", "*.example.org", -EINVAL, "", false, 1},
	{"below a literal lies nothing", ".[192.0.2.1]", -EINVAL, "", false, 1},
	{"a literal that is none", "[192.0.2.300]", -EINVAL, "", false, 1},
	{"two domains", "example.org example.net", -EINVAL, "", false, 13},
	{"a comma", "  example.org,example.net", -EINVAL, "", false, 3},
	{"no UTF-8", "m\xfcnchen.example", -EINVAL, "", false, 1},
	{"a control", "exa\x01mple.org", -EINVAL, "", false, 1},
	{"a hyphen at the end", "example-.org", -EINVAL, "", false, 1},
};

static const struct {
	const char *why;
	const char *line;
	int result;
	const char *from; /* local|domain */
	const char *to;
	unsigned int column;
} routes[] = {
	{"an address", "old@example.org -> new@example.net", 1, "old|example.org",
	 "new|example.net", 0},
	{"a whole domain", "@old.example -> @new.example", 1, "|old.example",
	 "|new.example", 0},
	{"a domain to one mailbox", "@old.example -> all@new.example", 1, "|old.example",
	 "all|new.example", 0},
	{"no blanks", "a@b->c@d", 1, "a|b", "c|d", 0},
	{"blanks and a comment", "\ta@b\t->\tc@d\t# moved", 1, "a|b", "c|d", 0},
	{"written on Windows", "a@b -> c@d\r", 1, "a|b", "c|d", 0},
	{"a tag of its own", "a+x@b -> c+y@d", 1, "a+x|b", "c+y|d", 0},
	{"a hyphen is no arrow", "a-b@c-d -> e-@f", 1, "a-b|c-d", "e-|f", 0},
	{"quoted, with an arrow", "\"a -> b\"@c -> d@e", 1, "\"a -> b\"|c", "d|e", 0},
	{"quoted, with a # and a quote", "\"a#\\\"\"@c -> d@e", 1, "\"a#\\\"\"|c", "d|e",
	 0},
	{"to a literal", "a@b -> c@[192.0.2.1]", 1, "a|b", "c|[192.0.2.1]", 0},
	{"UTF-8", "\xc3\xa9@b\xc3\xa9 -> c@d", 1, "\xc3\xa9|b\xc3\xa9", "c|d", 0},
	{"a local part of 64", A64 "@b -> c@d", 1, A64 "|b", "c|d", 0},
	{"an empty line", "", 0, "", "", 0},
	{"a comment", "  # a@b -> c@d", 0, "", "", 0},

	{"a local part of 65", A64 "a@b -> c@d", -EINVAL, "", "", 1},
	{"no arrow", "a@b c@d", -EINVAL, "", "", 5},
	{"half an arrow", "a@b - c@d", -EINVAL, "", "", 5},
	{"an arrow alone", "->", -EINVAL, "", "", 1},
	{"nothing in front", "-> c@d", -EINVAL, "", "", 1},
	{"nothing behind", "a@b ->", -EINVAL, "", "", 7},
	{"a comment instead", "a@b -> # c@d", -EINVAL, "", "", 8},
	{"no domain", "a -> c@d", -EINVAL, "", "", 1},
	{"no domain: not even postmaster", "postmaster -> c@d", -EINVAL, "", "", 1},
	{"an empty domain", "a@ -> c@d", -EINVAL, "", "", 1},
	{"an @ alone", "@ -> @d", -EINVAL, "", "", 1},
	{"a source route", "@x:a@b -> c@d", -EINVAL, "", "", 1},
	{"brackets", "<a@b> -> c@d", -EINVAL, "", "", 1},
	{"an address to a domain", "a@b -> @d", -EINVAL, "", "", 8},
	{"two targets", "a@b -> c@d e@f", -EINVAL, "", "", 12},
	{"a second step", "a@b -> c@d -> e@f", -EINVAL, "", "", 12},
	{"a quote that never ends", "\"a -> c@d", -EINVAL, "", "", 1},
};

static void check_problem(const char *why, const struct line_problem *problem,
			  unsigned int column)
{
	if (problem->column != column || problem->text[0] == '\0')
		fail_msg("%s: column %u: %s", why, problem->column, problem->text);
}

static void domain_lines_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		const char *line = domains[i].line;
		struct mail_list_domain found = {.is_subdomains = true};
		struct line_problem problem = {.column = 0};
		const int result =
			mail_list_parse_domain(line, strlen(line), &found, &problem);

		if (result != domains[i].result)
			fail_msg("%s: %d, %s", domains[i].why, result, problem.text);
		if (result == 1 && (found.is_subdomains != domains[i].is_subdomains ||
				    found.domain.text.len != strlen(domains[i].domain) ||
				    memcmp(line + found.domain.text.at, domains[i].domain,
					   found.domain.text.len) != 0))
			fail_msg("%s: %.*s", domains[i].why, (int)found.domain.text.len,
				 line + found.domain.text.at);
		if (result < 0)
			check_problem(domains[i].why, &problem, domains[i].column);
	}
}

static bool address_is(const char *line, const struct mail_list_address *address,
		       const char *want)
{
	const size_t local_len = strcspn(want, "|");

	return address->local.len == local_len &&
	       memcmp(line + address->local.at, want, local_len) == 0 &&
	       span_is(line, address->domain.text, want + local_len + 1) &&
	       address->is_quoted == (want[0] == '"');
}

static void route_lines_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		const char *line = routes[i].line;
		struct line_problem problem = {.column = 0};
		struct mail_list_route found;
		const int result =
			mail_list_parse_route(line, strlen(line), &found, &problem);

		if (result != routes[i].result)
			fail_msg("%s: %d, %s", routes[i].why, result, problem.text);
		if (result == 1 && (!address_is(line, &found.from, routes[i].from) ||
				    !address_is(line, &found.to, routes[i].to)))
			fail_msg("%s: another route", routes[i].why);
		if (result < 0)
			check_problem(routes[i].why, &problem, routes[i].column);
	}
}

static void a_line_has_1024_bytes_at_most(void **state)
{
	char line[MAIL_LIST_LINE_MAX_BYTES + 1];
	struct line_problem problem;
	struct mail_list_domain domain;
	struct mail_list_route route;

	(void)state;
	memset(line, ' ', sizeof(line));
	line[0] = 'a';
	assert_int_equal(
		mail_list_parse_domain(line, MAIL_LIST_LINE_MAX_BYTES, &domain, &problem),
		1);
	assert_int_equal(mail_list_parse_domain(line, MAIL_LIST_LINE_MAX_BYTES + 1,
						&domain, &problem),
			 -EINVAL);
	check_problem("domain", &problem, MAIL_LIST_LINE_MAX_BYTES + 1);
	memcpy(line, "a@b->c@d", 8);
	assert_int_equal(
		mail_list_parse_route(line, MAIL_LIST_LINE_MAX_BYTES, &route, &problem),
		1);
	assert_int_equal(mail_list_parse_route(line, MAIL_LIST_LINE_MAX_BYTES + 1, &route,
					       &problem),
			 -EINVAL);
	check_problem("route", &problem, MAIL_LIST_LINE_MAX_BYTES + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domain_lines_hold),
		cmocka_unit_test(route_lines_hold),
		cmocka_unit_test(a_line_has_1024_bytes_at_most),
	};

	return cmocka_run_group_tests_name("wire/mail_list", tests, NULL, NULL);
}
