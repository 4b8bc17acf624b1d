/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_macro: grammar, expansion, and what happens to what does not fit.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/spf_macro.h"

#define TEXT(literal)                                       \
	{                                                   \
		.text = literal, .len = sizeof(literal) - 1 \
	}

static const struct spf_values values = {
	.local = TEXT("strong-bad"),
	.sender_domain = TEXT("email.example.com"),
	.domain = TEXT("inc.example.org"),
	.helo = TEXT("mx.example.org"),
	.client_name = TEXT("unknown"),
	.receiver = TEXT("gate.example.net"),
	.client = {.family = ADDR_V4, .bytes = {192, 0, 2, 3}},
	.now_s = 1700000000,
};

#define DOMAIN	    (1u << SPF_TEXT_DOMAIN_SPEC)
#define MODIFIER    (1u << SPF_TEXT_MODIFIER)
#define EXPLANATION (1u << SPF_TEXT_EXPLANATION)

static const struct {
	const char *why;
	const char *text;
	unsigned int good; /* bits: kinds of text that it is */
} grammar[] = {
	{"a name", "x.example", DOMAIN | MODIFIER | EXPLANATION},
	{"a final dot", "x.example.", DOMAIN | MODIFIER | EXPLANATION},
	{"two final dots", "x.example..", MODIFIER | EXPLANATION},
	{"a dot and a last label", ".example", DOMAIN | MODIFIER | EXPLANATION},
	{"a single label", "example", MODIFIER | EXPLANATION},
	{"nothing", "", MODIFIER | EXPLANATION},
	{"a macro", "%{d}", DOMAIN | MODIFIER | EXPLANATION},
	{"a macro behind a name", "x.example%{d}", DOMAIN | MODIFIER | EXPLANATION},
	{"a label behind a macro", "%{d}.example", DOMAIN | MODIFIER | EXPLANATION},
	{"letters behind a macro", "%{d}example", MODIFIER | EXPLANATION},
	{"a dot behind a macro", "%{d}.", MODIFIER | EXPLANATION},
	{"%% at the end", "x%%", DOMAIN | MODIFIER | EXPLANATION},
	{"%_ at the end", "x%_", DOMAIN | MODIFIER | EXPLANATION},
	{"%- at the end", "x%-", DOMAIN | MODIFIER | EXPLANATION},
	{"% at the end", "x%", 0},
	{"% and something else", "x%d.example", 0},
	{"a brace at the end", "%{", 0},
	{"no letter", "%{}", 0},
	{"no brace at the end", "%{d", 0},
	{"a number", "%{d2}", DOMAIN | MODIFIER | EXPLANATION},
	{"a reversal", "%{dr}", DOMAIN | MODIFIER | EXPLANATION},
	{"a reversal in upper case", "%{dR}", DOMAIN | MODIFIER | EXPLANATION},
	{"everything", "%{D128r.-+,/_=}", DOMAIN | MODIFIER | EXPLANATION},
	{"no parts", "%{d0}", 0},
	{"no parts, twice", "%{d00}", 0},
	{"a part with a zero in front", "%{d01}", DOMAIN | MODIFIER | EXPLANATION},
	{"the number behind the r", "%{dr2}", 0},
	{"another delimiter", "%{d!}", 0},
	{"another letter", "%{z}", 0},
	{"a macro for explanations", "%{c}", EXPLANATION},
	{"another", "%{R}", EXPLANATION},
	{"another", "x.%{t}", EXPLANATION},
	{"a space", "see x.example", EXPLANATION},
	{"a tab", "see\tx.example", 0},
	{"a byte above 127", "caf\xc3\xa9.example", 0},
	{"a last label of digits", "x.123", MODIFIER | EXPLANATION},
	{"of digits and a letter", "x.12a3", DOMAIN | MODIFIER | EXPLANATION},
	{"of digits and a hyphen", "x.1-2", DOMAIN | MODIFIER | EXPLANATION},
	{"that begins with a hyphen", "x.-a", MODIFIER | EXPLANATION},
	{"that ends with one", "x.a-", MODIFIER | EXPLANATION},
	{"with an underscore", "x.a_b", MODIFIER | EXPLANATION},
	{"the last visible characters", "!$&*/@[]{}~.example",
	 DOMAIN | MODIFIER | EXPLANATION},
};

static void the_grammar_holds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(grammar) / sizeof(grammar[0]); i++)
		for (unsigned int kind = 0; kind <= SPF_TEXT_EXPLANATION; kind++)
			if (spf_text_is_valid((enum spf_text_kind)kind, grammar[i].text,
					      strlen(grammar[i].text)) !=
			    ((grammar[i].good >> kind & 1) != 0))
				fail_msg("%s: %s, kind %u", grammar[i].why,
					 grammar[i].text, kind);
}

static const struct {
	const char *text;
	const char *want;
} expansions[] = {
	{"%{s}", "strong-bad@email.example.com"},
	{"%{S}", "strong-bad%40email.example.com"},
	{"%{o}", "email.example.com"},
	{"%{d}", "inc.example.org"},
	{"%{h}", "mx.example.org"},
	{"%{p}", "unknown"},
	{"%{i}", "192.0.2.3"},
	{"%{v}", "in-addr"},
	{"%{o2}", "example.com"},
	{"%{o3}", "email.example.com"},
	{"%{o4}", "email.example.com"},
	{"%{or}", "com.example.email"},
	{"%{o2r}", "example.email"},
	{"%{o1r}", "email"},
	{"%{l-}.x", "strong.bad.x"},
	{"%{lr-}.x", "bad.strong.x"},
	{"%{l1r-}.x", "strong.x"},
	{"%{s1r-}", "strong"},
	{"%{s-}", "strong.bad@email.example.com"},
	{"x.%{ir}.%{v}.y", "x.3.2.0.192.in-addr.y"},
	{"%{o}.", "email.example.com"},
	{"a%%b.x", "a%b.x"},
	{"a%_b.x", "a b.x"},
	{"a%-b.x", "a%20b.x"},
};

static void names_are_expanded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(expansions) / sizeof(expansions[0]); i++) {
		char name[SPF_NAME_MAX] = "";
		const char *text = expansions[i].text;

		assert_true(spf_text_is_valid(SPF_TEXT_MODIFIER, text, strlen(text)));
		if (spf_expand_name(&values, text, strlen(text), name) ||
		    strcmp(name, expansions[i].want) != 0)
			fail_msg("%s: %s, not %s", text, name, expansions[i].want);
	}
}

static void ipv6_is_nibbles_in_names_and_short_in_words(void **state)
{
	struct spf_values v6 = values;
	char words[SPF_EXPLANATION_MAX];
	char name[SPF_NAME_MAX];

	(void)state;
	assert_int_equal(addr_parse("2001:db8::cb01", &v6.client), 0);
	assert_int_equal(spf_expand_name(&v6, "%{ir}.%{v}", 10, name), 0);
	assert_string_equal(name,
			    "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1."
			    "0.0.2.ip6");
	spf_expand_explanation(&v6, "%{c} for %{r}, %{t}", 19, words);
	assert_string_equal(words, "2001:db8::cb01 for gate.example.net, 1700000000");
}

static const struct {
	const char *why;
	const char *text;
	size_t len;
} impossible[] = {
	{"an empty label", "a..b", 4},
	{"an empty label in front", ".a.b", 4},
	{"two final dots", "a.b..", 5},
	{"a label of 64",
	 "a234567890123456789012345678901234567890123456789012345678901234.b", 66},
	{"a NUL", "a\0b.c", 5},
	{"nothing", "", 0},
	{"a dot", ".", 1},
};

static void names_that_cannot_be_are_refused(void **state)
{
	struct spf_values odd = values;

	(void)state;
	for (size_t i = 0; i < sizeof(impossible) / sizeof(impossible[0]); i++) {
		char name[SPF_NAME_MAX] = "untouched";

		odd.helo = (struct spf_text){impossible[i].text, impossible[i].len};
		if (spf_expand_name(&odd, "%{h}", 4, name) != -EBADMSG ||
		    strcmp(name, "untouched") != 0)
			fail_msg("%s: %s", impossible[i].why, name);
	}
}

/* Names of exactly so many characters: what is cut is the smallest number of labels. */
static void long_names_lose_labels_on_the_left(void **state)
{
	char text[1200], name[SPF_NAME_MAX];

	(void)state;
	for (size_t len = 240; len < sizeof(text); len++) {
		size_t want = len;

		/* "bbb.bbb. ... .bbbb": labels of three, the last of 4..7 fills it up. */
		for (size_t i = 0; i < len; i++)
			text[i] = i % 4 == 3 && i + 4 < len ? '.' : 'b';
		while (want > 253)
			want -= 4;
		assert_int_equal(spf_expand_name(&values, text, len, name), 0);
		assert_int_equal(strlen(name), want);
		assert_memory_equal(name, text + len - want, want);
	}
}

static void a_name_without_a_dot_at_its_end_cannot_be_cut(void **state)
{
	char text[400], name[SPF_NAME_MAX];

	(void)state;
	memset(text, 'b', sizeof(text));
	text[100] = '.';
	assert_int_equal(spf_expand_name(&values, text, sizeof(text), name), -EBADMSG);
}

static void explanations_are_cut_and_made_printable(void **state)
{
	struct spf_values odd = values;
	char words[SPF_EXPLANATION_MAX + 1];
	char text[1000];

	(void)state;
	odd.local = (struct spf_text){"a\r\n250 \xc3\xa9\0\x7f", 11};
	spf_expand_explanation(&odd, "%{l};", 5, words);
	assert_string_equal(words, "a??250 ????;");
	spf_expand_explanation(&odd, "%{L}", 4, words);
	assert_string_equal(words, "a%0D%0A250%20%C3%A9%00%7F");

	memset(text, 'x', sizeof(text));
	words[SPF_EXPLANATION_MAX] = '#';
	spf_expand_explanation(&values, text, SPF_EXPLANATION_MAX - 1, words);
	assert_int_equal(strlen(words), SPF_EXPLANATION_MAX - 1);
	spf_expand_explanation(&values, text, sizeof(text), words);
	assert_int_equal(strlen(words), SPF_EXPLANATION_MAX - 1);
	assert_int_equal(words[SPF_EXPLANATION_MAX], '#');
}

static void a_value_may_have_as_many_parts_as_it_has_bytes(void **state)
{
	struct spf_values odd = values;
	char dots[600], name[SPF_NAME_MAX];

	(void)state;
	memset(dots, '.', sizeof(dots));
	odd.helo = (struct spf_text){dots, sizeof(dots)};
	assert_int_equal(spf_expand_name(&odd, "%{hr}", 5, name), -EBADMSG);
	odd.helo.len = 351;
	assert_int_equal(spf_expand_name(&odd, "%{h999r}.x", 10, name), -EBADMSG);
	for (size_t i = 0; i < sizeof(dots); i += 2)
		dots[i] = 'a';
	assert_int_equal(spf_expand_name(&odd, "%{h2}.x", 7, name), 0);
	assert_string_equal(name, "a.a.x");
}

static void letters_in_use_are_found(void **state)
{
	(void)state;
	assert_true(spf_text_uses("x.%{L1r-}.y", 11, "sl"));
	assert_true(spf_text_uses("%{s}", 4, "sl"));
	assert_false(spf_text_uses("%%{s}.%{d}", 10, "sl"));
	assert_false(spf_text_uses("lsp", 3, "lsp"));
}

static void names_lie_within_domains(void **state)
{
	(void)state;
	assert_true(spf_name_is_within("mail.Example.org", "example.ORG"));
	assert_true(spf_name_is_within("example.org", "example.org"));
	assert_false(spf_name_is_within("badexample.org", "example.org"));
	assert_false(spf_name_is_within("org", "example.org"));
	assert_false(spf_name_is_within("example.org.evil", "example.org"));
	assert_false(spf_name_is_within("x", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_grammar_holds),
		cmocka_unit_test(names_are_expanded),
		cmocka_unit_test(ipv6_is_nibbles_in_names_and_short_in_words),
		cmocka_unit_test(names_that_cannot_be_are_refused),
		cmocka_unit_test(long_names_lose_labels_on_the_left),
		cmocka_unit_test(a_name_without_a_dot_at_its_end_cannot_be_cut),
		cmocka_unit_test(explanations_are_cut_and_made_printable),
		cmocka_unit_test(a_value_may_have_as_many_parts_as_it_has_bytes),
		cmocka_unit_test(letters_in_use_are_found),
		cmocka_unit_test(names_lie_within_domains),
	};

	return cmocka_run_group_tests_name("wire/spf_macro", tests, NULL, NULL);
}
