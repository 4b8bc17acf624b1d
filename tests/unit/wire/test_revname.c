/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname: names of hosts, and the names under which the DNS is asked about addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "wire/revname.h"

#define QUESTION "7.2.0.192.in-addr.arpa"

static const struct {
	const char *addr, *want;
} name_rows[] = {
	{"192.0.2.7", QUESTION},
	{"0.0.0.0", "0.0.0.0.in-addr.arpa"},
	{"255.254.253.252", "252.253.254.255.in-addr.arpa"},
	{"2001:db8::567:89ab",
	 "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
};

static void an_address_has_its_name(void **state)
{
	char name[REVNAME_TEXT_MAX];
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(name_rows) / sizeof(name_rows[0]); i++) {
		assert_int_equal(addr_parse(name_rows[i].addr, &addr), 0);
		assert_string_equal(revname_of_addr(&addr, name), name_rows[i].want);
	}
}

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *name;
	const char *want; /* words in the problem; NULL: it is a host's name */
} host_rows[] = {
	{"mail.example.org", NULL},
	{"mail.example.org.", NULL},
	{"a.b", NULL},
	{"3com.example", NULL},
	{"1.2.3.4.example", NULL},
	{"xn--mnchen-3ya.example", NULL},
	{L63 ".example", NULL},
	{L63 "a.example", "63"},
	{L63 "." L63 "." L63
	     ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 NULL},
	{L63 "." L63 "." L63
	     ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 "255"},
	{"", "empty"},
	{".", "empty"},
	{"localhost", "single label"},
	{"localhost.", "single label"},
	{"mail..example", "empty label"},
	{".example.org", "empty label"},
	{"example.org..", "empty label"},
	{"-a.example", "hyphen"},
	{"a-.example", "hyphen"},
	{"a_b.example", "letters"},
	{"a b.example", "letters"},
	{"m\xc3\xbcnchen.example", "letters"},
	{"192.0.2.7", "an address"},
	{"1.2.3", "digits only"},
	{"example.123", "digits only"},
	{"example.12a", NULL},
};

static void rows_of_host_names_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(host_rows) / sizeof(host_rows[0]); i++) {
		const char *got =
			hostname_problem(host_rows[i].name, strlen(host_rows[i].name));
		const char *want = host_rows[i].want;

		if (want ? !got || !strstr(got, want) : got != NULL)
			fail_msg("'%s': %s", host_rows[i].name, got ? got : "taken");
	}
}

static void a_nul_in_a_host_name_is_seen(void **state)
{
	(void)state;
	assert_non_null(hostname_problem("a\0.example", 10));
}

static void lists_have_their_own_zone(void **state)
{
	char zone[REVNAME_TEXT_MAX];
	char name[REVNAME_TEXT_MAX];
	struct addr addr;

	(void)state;
	assert_int_equal(addr_parse("192.0.2.99", &addr), 0);
	assert_string_equal(revname_in_zone(&addr, "bad.example.com", name),
			    "99.2.0.192.bad.example.com");
	/* RFC 5782 2.4 */
	assert_int_equal(addr_parse("2001:db8:1:2:3:4:567:89ab", &addr), 0);
	assert_string_equal(
		revname_in_zone(&addr, "ugly.example.com", name),
		"b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2.ugly.example.com");
	/* 64 octets of nibbles: the last zone that fits, and the first that does not. */
	memset(zone, 'a', sizeof(zone));
	zone[REVNAME_TEXT_MAX - 1 - 64] = '\0';
	assert_int_equal(strlen(revname_in_zone(&addr, zone, name)),
			 REVNAME_TEXT_MAX - 1);
	zone[REVNAME_TEXT_MAX - 1 - 64] = 'a';
	zone[REVNAME_TEXT_MAX - 64] = '\0';
	assert_string_equal(revname_in_zone(&addr, zone, name), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_its_name),
		cmocka_unit_test(lists_have_their_own_zone),
		cmocka_unit_test(rows_of_host_names_hold),
		cmocka_unit_test(a_nul_in_a_host_name_is_seen),
	};

	return cmocka_run_group_tests_name("wire/revname", tests, NULL, NULL);
}
