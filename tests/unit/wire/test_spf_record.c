/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_record: which records are well formed, and what their terms say. The meaning of whole records is in
 * tests/golden/spf.tsv.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/spf_record.h"

static const struct {
	const char *why;
	const char *text;
	size_t len; /* 0: strlen() */
	bool want;
} versions[] = {
	{"nothing but the version", "v=spf1", 0, true},
	{"a space behind it", "v=spf1 -all", 0, true},
	{"any case", "V=SpF1 -all", 0, true},
	{"another digit behind it", "v=spf10", 0, false},
	{"a letter behind it", "v=spf1-all", 0, false},
	{"a tab behind it", "v=spf1\t-all", 0, false},
	{"a NUL behind it", "v=spf1\0-all", 11, false},
	{"cut short", "v=spf", 0, false},
	{"a space in front", " v=spf1", 0, false},
	{"nothing", "", 0, false},
};

static void versions_are_told_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		size_t len = versions[i].len ? versions[i].len : strlen(versions[i].text);

		if (spf_is_record(versions[i].text, len) != versions[i].want)
			fail_msg("%s", versions[i].why);
	}
}

/* @want: "kind qualifier len4 len6 domain-spec or network" of the only term; NULL: an error */
static const struct {
	const char *why;
	const char *term;
	const char *want;
} terms[] = {
	{"all", "all", "all pass"},
	{"its qualifier", "-all", "all fail"},
	{"another", "~all", "all softfail"},
	{"another", "?all", "all neutral"},
	{"the one that need not be", "+all", "all pass"},
	{"a name in upper case", "-ALL", "all fail"},
	{"a name that goes on", "alle", NULL},
	{"a name cut short", "al", NULL},
	{"a without anything", "a", "a pass 32 128"},
	{"a with a domain", "a:x.example", "a pass 32 128 x.example"},
	{"a length", "a/24", "a pass 24 128"},
	{"a length of IPv6", "a//64", "a pass 32 64"},
	{"both", "a/24//64", "a pass 24 64"},
	{"all three", "a:x.example/24//64", "a pass 24 64 x.example"},
	{"the smallest lengths", "a/0//0", "a pass 0 0"},
	{"the largest lengths", "a/32//128", "a pass 32 128"},
	{"IPv4, one too large", "a/33", NULL},
	{"IPv6, one too large", "a//129", NULL},
	{"IPv4, far too large", "a/288", NULL},
	{"IPv6, far too large", "a//18446744073709551744", NULL},
	{"a leading zero", "a/01", NULL},
	{"no digits", "a/", NULL},
	{"no digits of IPv6", "a//", NULL},
	{"no digits between", "a///64", NULL},
	{"one slash for IPv6", "a/24/64", NULL},
	{"the other way round", "a//64/24", NULL},
	{"a slash inside the domain", "a:x/24.example", "a pass 32 128 x/24.example"},
	{"a macro in front of the length", "a:%{d}/24", "a pass 24 128 %{d}"},
	{"a macro and two lengths of one kind", "a:%{d}/24/24", NULL},
	{"an empty domain", "a:", NULL},
	{"an empty domain with a length", "a:/24", NULL},
	{"mx", "-mx:x.example//64", "mx fail 32 64 x.example"},
	{"ptr", "?ptr:x.example", "ptr neutral 32 128 x.example"},
	{"ptr has no length", "ptr/24", NULL},
	{"include", "include:x.example", "include pass 32 128 x.example"},
	{"include without a domain", "include", NULL},
	{"include has no length", "include:x.example/24", NULL},
	{"exists", "exists:%{i}.x.example", "exists pass 32 128 %{i}.x.example"},
	{"exists without a domain", "exists", NULL},
	{"ip4", "ip4:192.0.2.77/24", "ip4 192.0.2.0/24"},
	{"ip4, one host", "ip4:192.0.2.77", "ip4 192.0.2.77"},
	{"ip4, all", "ip4:0.0.0.0/0", "ip4 0.0.0.0/0"},
	{"ip4, one too large", "ip4:192.0.2.77/33", NULL},
	{"ip4, a number too large", "ip4:192.0.2.256", NULL},
	{"ip4, a number too few", "ip4:192.0.2", NULL},
	{"ip4, a number too many", "ip4:192.0.2.1.1", NULL},
	{"ip4, too long for any address",
	 "ip4:192.000000000000000000000000000000000000000000000000.0.2.1", NULL},
	{"ip6", "ip6:2001:DB8::1/32", "ip6 2001:db8::/32"},
	{"ip6, one host", "ip6:::1", "ip6 ::1"},
	{"ip6, all", "ip6:::/0", "ip6 ::/0"},
	{"ip6, one too large", "ip6:::1/129", NULL},
	{"ip6, a mapped one stays IPv6", "ip6:::ffff:192.0.2.1", "ip6 ::ffff:192.0.2.1"},
	{"redirect", "redirect=x.example", "redirect x.example"},
	{"exp", "EXP=%{d}", "exp %{d}"},
	{"redirect with a bad domain is no other modifier", "redirect=x", NULL},
	{"exp with a bad domain is no other modifier", "exp=x", NULL},
	{"a modifier that nobody knows", "x=y", "other y"},
	{"an empty one", "x-y_z.0=", "other"},
	{"its macros", "x=%{d", NULL},
	{"a qualifier in front of it", "+x=y", NULL},
	{"a name that begins with a digit", "0x=y", NULL},
	{"no name", "=y", NULL},
	{"a qualifier alone", "-", NULL},
	{"a byte above 127", "x=\xc3\xa9", NULL},
	{"a control character", "x=\x01", NULL},
};

static void term_print(const char *record, const struct spf_term *term, char out[128])
{
	static const char *const kinds[] = {"all",	"include", "a",	   "mx",
					    "ptr",	"ip4",	   "ip6",  "exists",
					    "redirect", "exp",	   "other"};
	char network[PREFIX_TEXT_MAX];
	int len = 0;

	if (term->kind == SPF_TERM_IP4 || term->kind == SPF_TERM_IP6)
		(void)snprintf(out, 128, "%s %s", kinds[term->kind],
			       prefix_format(&term->network, network));
	else if (term->kind >= SPF_TERM_REDIRECT)
		len = snprintf(out, 128, "%s", kinds[term->kind]);
	else if (term->kind == SPF_TERM_ALL)
		(void)snprintf(out, 128, "all %s", spf_result_name(term->qualifier));
	else
		len = snprintf(out, 128, "%s %s %u %u", kinds[term->kind],
			       spf_result_name(term->qualifier), term->len4, term->len6);
	if (term->domain_spec.len > 0)
		(void)snprintf(out + len, 128 - (size_t)len, " %.*s",
			       (int)term->domain_spec.len, record + term->domain_spec.at);
}

static void terms_are_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		char record[256], got[128] = "";
		struct spf_record whole;
		struct spf_term term;
		struct span wrong;
		size_t at = 0, len;
		int err;

		len = (size_t)snprintf(record, sizeof(record), "v=spf1 %s",
				       terms[i].term);
		err = spf_read_record(record, len, &whole, &wrong);
		if (err != (terms[i].want ? 0 : -EBADMSG))
			fail_msg("%s: %s: %d", terms[i].why, terms[i].term, err);
		if (err) {
			if (!span_is(record, wrong, terms[i].term))
				fail_msg("%s: another term is named", terms[i].why);
			continue;
		}
		assert_true(spf_next_term(record, len, &at, &term));
		term_print(record, &term, got);
		if (strcmp(got, terms[i].want) != 0)
			fail_msg("%s: %s, not %s", terms[i].why, got, terms[i].want);
		assert_false(spf_next_term(record, len, &at, &term));
	}
}

static void modifiers_may_stand_once(void **state)
{
	static const char good[] = "v=spf1 exp=e.example a redirect=r.example x=1 x=2";
	static const char twice[] = "v=spf1 redirect=r.example a Redirect=q.example";
	struct spf_record record;
	struct span wrong;

	(void)state;
	assert_int_equal(spf_read_record(good, strlen(good), &record, &wrong), 0);
	assert_true(span_is(good, record.exp, "e.example"));
	assert_true(span_is(good, record.redirect, "r.example"));
	assert_int_equal(spf_read_record(twice, strlen(twice), &record, &wrong), -EEXIST);
	assert_true(span_is(twice, wrong, "Redirect=q.example"));
	assert_true(span_is(good, record.exp, "e.example")); /* untouched */
}

static void a_record_has_a_largest_size(void **state)
{
	static char text[SPF_RECORD_MAX + 1] = "v=spf1";
	struct span wrong = {.len = 1};
	struct spf_record record;

	(void)state;
	memset(text + 6, ' ', sizeof(text) - 6);
	assert_int_equal(spf_read_record(text, SPF_RECORD_MAX, &record, &wrong), 0);
	assert_int_equal(spf_read_record(text, SPF_RECORD_MAX + 1, &record, &wrong),
			 -EMSGSIZE);
	assert_int_equal(wrong.len, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions_are_told_apart),
		cmocka_unit_test(terms_are_read),
		cmocka_unit_test(modifiers_may_stand_once),
		cmocka_unit_test(a_record_has_a_largest_size),
	};

	return cmocka_run_group_tests_name("wire/spf_record", tests, NULL, NULL);
}
