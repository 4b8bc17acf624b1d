/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/greylist_key.h"
#include "unit/seed.h"

static const struct {
	const char *why, *sender, *want;
} folds[] = {
	{"the null sender", "", ""},
	{"an ordinary sender", "anna@example.com", "anna@example.com"},
	{"case", "Anna.Miller@Example.COM", "anna.miller@example.com"},
	{"no domain", "Postmaster", "postmaster"},
	{"an extension", "anna+news@example.com", "anna@example.com"},
	{"a plus at the front is no extension", "+anna@example.com", "+anna@example.com"},
	{"the domain is left alone", "anna@mail-1234.example.com",
	 "anna@mail-1234.example.com"},
	{"a quoted local part is left alone", "\"a+1 2@3\"@example.com",
	 "\"a+1 2@3\"@example.com"},
	{"BATV", "prvs=0123abcdef=anna@example.com", "anna@example.com"},
	{"BATV, in any case", "PRVS=0123ABCDEF=Anna@example.com", "anna@example.com"},
	{"a tag one too short is none", "prvs=012abcdef=anna@example.com",
	 "prvs=#=anna@example.com"},
	{"BATV of another maker", "btv1==0123xyz0123==anna@example.com",
	 "anna@example.com"},
	{"with one equals sign it is not", "btv1=0123=anna@example.com",
	 "btv1=#=anna@example.com"},
	{"SRS: hash and time go", "SRS0=x9Yz=T2=example.net=anna@forwarder.example.com",
	 "srs0=example.net=anna@forwarder.example.com"},
	{"SRS with another separator",
	 "SRS0+x9Yz=T2=example.net=anna@forwarder.example.com",
	 "srs0=example.net=anna@forwarder.example.com"},
	{"SRS of a second forwarder",
	 "SRS1=aBcD=one.example.com==x9Yz=T2=example.net=anna@two.example.com",
	 "srs1=one.example.com=example.net=anna@two.example.com"},
	{"SRS that is cut short stays", "SRS0=x9Yz=T2=example.net@f.example.com",
	 "srs0=x9yz=t2=example.net@f.example.com"},
	{"SRS of a numbered sender", "SRS0=x9=T2=example.net=bounce-77@f.example.com",
	 "srs0=example.net=bounce-#@f.example.com"},
	{"a number", "bounce-1234@lists.example.com", "bounce-#@lists.example.com"},
	{"numbers beside each other are one", "bounce-12-345.6@lists.example.com",
	 "bounce-#@lists.example.com"},
	{"a number of another length", "bounce-9@lists.example.com",
	 "bounce-#@lists.example.com"},
	{"VERP of ezmlm: the recipient stays",
	 "list-return-77-bert=example.org@lists.example.com",
	 "list-return-#-bert=example.org@lists.example.com"},
	{"VERP of Mailman", "list-bounces+bert=example.org@lists.example.com",
	 "list-bounces@lists.example.com"},
	{"a digit in a name stays", "anna2@example.com", "anna2@example.com"},
	{"a year at a name stays", "anna1985@example.com", "anna1985@example.com"},
	{"a word of 11 with a digit stays", "abcdefghij1@example.com",
	 "abcdefghij1@example.com"},
	{"one of 12 does not", "xbcdefghijk1@example.com", "#@example.com"},
	{"without a digit it does", "abcdefghijklmnopqrstuvwxyz@example.com",
	 "abcdefghijklmnopqrstuvwxyz@example.com"},
	{"hexadecimal of 3 stays", "a1b@example.com", "a1b@example.com"},
	{"hexadecimal of 4 does not", "a1bc@example.com", "#@example.com"},
	{"a name that looks hexadecimal stays", "abba@example.com", "abba@example.com"},
	{"an identifier, with groups that have no digit",
	 "0102018d1f2a3b4c-5a6b7c8d-abcd-4eff-beef-001122334455-000000@mail.example.com",
	 "#@mail.example.com"},
	{"UTF-8 is part of a word", "\xc3\xa4nna1@example.com",
	 "\xc3\xa4nna1@example.com"},
	{"an at sign only", "@", "@"},
};

static void senders_are_folded(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		char memory[GREY_SENDER_MAX];
		struct buf out = BUF_OVER(memory);

		grey_sender_fold(folds[i].sender, strlen(folds[i].sender), &out);
		if (strcmp(memory, folds[i].want) != 0)
			fail_msg("%s: %s", folds[i].why, memory);
	}
}

static void folding_twice_is_folding_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(folds) / sizeof(folds[0]); i++) {
		char memory[GREY_SENDER_MAX];
		struct buf out = BUF_OVER(memory);

		if (strncmp(folds[i].want, "srs", 3) == 0 ||
		    strncmp(folds[i].want, "prvs", 4) == 0)
			continue; /* what is left of them is no tag any more */
		grey_sender_fold(folds[i].want, strlen(folds[i].want), &out);
		assert_string_equal(memory, folds[i].want);
	}
}

/* Any bytes, most of them from what tags are made of; what comes out is never longer. */
static void no_sender_is_too_strange(void **state)
{
	static const char letters[] = "aAf0199=+-.@\"s~\x80\xff";
	uint64_t seed = seed_start();

	(void)state;
	for (unsigned int run = 0; run < 20000; run++) {
		static const char *const heads[] = {"", "prvs=", "SRS0=", "SRS1+",
						    "btv1=="};
		const char *head = heads[seed_below(&seed, 5)];
		char sender[400], memory[GREY_SENDER_MAX];
		struct buf out = BUF_OVER(memory);
		size_t len = strlen(head) + seed_below(&seed, run % 2 ? 380 : 20);

		memcpy(sender, head, strlen(head));
		for (size_t i = strlen(head); i < len; i++)
			sender[i] = letters[seed_below(&seed,
						       sizeof(letters))]; /* NUL, too */
		grey_sender_fold(sender, len, &out);
		assert_true(out.len <= len);
		assert_false(out.overflow);
	}
}

static void digest_of(const char *sender, const char *recipient,
		      uint8_t out[GREY_DIGEST_BYTES])
{
	uint8_t digest[GREY_DIGEST_BYTES];

	grey_sender_digest(sender, strlen(sender), digest);
	grey_digest(digest, recipient, strlen(recipient), out);
}

static bool same(const char *s1, const char *r1, const char *s2, const char *r2)
{
	uint8_t a[GREY_DIGEST_BYTES], b[GREY_DIGEST_BYTES];

	digest_of(s1, r1, a);
	digest_of(s2, r2, b);
	return memcmp(a, b, sizeof(a)) == 0;
}

static void digests_tell_pairs_apart(void **state)
{
	(void)state;
	assert_true(
		same("a-1@x.example", "B@Y.example", "A-22@x.example", "b@y.example"));
	assert_false(same("a@x.example", "b@y.example", "a@x.example", "c@y.example"));
	assert_false(same("a@x.example", "b@y.example", "c@x.example", "b@y.example"));
	assert_false(same("", "b@y.example", "b@y.example", ""));
	assert_false(same("ab", "c", "a", "bc"));
	/* A recipient's extension is another mailbox. */
	assert_false(same("", "b@y.example", "", "b+x@y.example"));
}

/* The store holds them: they may never change, on no machine. */
static void digests_are_what_they_were(void **state)
{
	static const uint8_t want[GREY_DIGEST_BYTES] = {
		0x25, 0x07, 0x97, 0xaf, 0xb6, 0xed, 0xd1, 0xdc,
		0xfe, 0x06, 0xca, 0xe4, 0x8a, 0xe3, 0x5e, 0xfc};
	uint8_t got[GREY_DIGEST_BYTES];

	(void)state;
	digest_of("bounce-77@lists.example.com", "Anna@example.org", got);
	assert_memory_equal(got, want, sizeof(want));
}

static struct prefix network(const char *text)
{
	struct addr addr;

	assert_int_equal(addr_parse(text, &addr), 0);
	return grey_network_of(&addr);
}

static void a_network_is_a_24_or_a_64(void **state)
{
	struct prefix a = network("192.0.2.255"), b = network("192.0.2.0"),
		      c = network("192.0.3.0");
	struct prefix d = network("2001:db8::1"), e = network("2001:db8::ffff:0:0:1"),
		      f = network("2001:db8:0:1::");
	char text[PREFIX_TEXT_MAX];

	(void)state;
	assert_true(prefix_equal(&a, &b) && prefix_equal(&d, &e));
	assert_false(prefix_equal(&a, &c) || prefix_equal(&d, &f));
	assert_string_equal(prefix_format(&a, text), "192.0.2.0/24");
	assert_string_equal(prefix_format(&d, text), "2001:db8::/64");
	assert_true(grey_is_network(&a) && grey_is_network(&d));
	a.len = 25;
	assert_false(grey_is_network(&a));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(senders_are_folded),
		cmocka_unit_test(folding_twice_is_folding_once),
		cmocka_unit_test(no_sender_is_too_strange),
		cmocka_unit_test(digests_tell_pairs_apart),
		cmocka_unit_test(digests_are_what_they_were),
		cmocka_unit_test(a_network_is_a_24_or_a_64),
	};

	return cmocka_run_group_tests_name("policy/greylist_key", tests, NULL, NULL);
}
