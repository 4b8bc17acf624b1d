/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/dns_cache: what is kept, how long, and what goes when there is too much.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "checks/dns_cache.h"

#define ENTRIES 4u

static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static struct dns_cache *cache;

static int set_up(void **state)
{
	(void)state;
	cache = dns_cache_new(ENTRIES, seed);
	return cache ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	dns_cache_free(&cache);
	return 0;
}

static void put(const char *name, uint16_t type, uint64_t expires_ns, const char *text)
{
	const struct dns_kept kept = {
		.expires_ns = expires_ns,
		.type = type,
		.len = strlen(text),
		.bytes = (const uint8_t *)text,
	};

	dns_cache_put(cache, name, &kept);
}

/* Is it there, with this text? */
static bool has(const char *name, uint16_t type, uint64_t now_ns, const char *text)
{
	const struct dns_kept *kept = dns_cache_get(cache, name, type, now_ns);
	bool same;

	if (!kept)
		return false;
	same = kept->len == strlen(text) &&
	       (kept->len == 0 || memcmp(kept->bytes, text, kept->len) == 0);
	dns_cache_release(cache, kept);
	return same;
}

static void it_is_found_until_it_expires(void **state)
{
	(void)state;
	put("a.example", 1, 1000, "one");
	assert_true(has("a.example", 1, 999, "one"));
	assert_false(has("a.example", 1, 1000, "one"));
	assert_int_equal(dns_cache_count(cache), 0);
	assert_int_equal(dns_cache_bytes(cache), 0);
}

static void name_and_type_make_the_key(void **state)
{
	(void)state;
	put("a.example", 1, 1000, "one");
	put("a.example", 16, 1000, "sixteen");
	put("b.example", 1, 1000, "b");
	assert_true(has("a.example", 1, 0, "one"));
	assert_true(has("a.example", 16, 0, "sixteen"));
	assert_true(has("b.example", 1, 0, "b"));
	assert_false(has("b.example", 16, 0, ""));
	assert_null(dns_cache_get(cache, "a.exampl", 1, 0));
}

static void a_later_answer_takes_the_place(void **state)
{
	(void)state;
	put("a.example", 1, 1000, "one");
	put("a.example", 1, 500, "two");
	assert_int_equal(dns_cache_count(cache), 1);
	assert_true(has("a.example", 1, 499, "two"));
	assert_false(has("a.example", 1, 500, "two"));
}

static void the_one_not_used_for_longest_goes(void **state)
{
	(void)state;
	put("a", 1, 1000, "");
	put("b", 1, 1000, "");
	put("c", 1, 1000, "");
	put("d", 1, 1000, "");
	assert_true(has("a", 1, 0, ""));
	put("e", 1, 1000, "");
	assert_int_equal(dns_cache_count(cache), ENTRIES);
	assert_true(has("a", 1, 0, ""));
	assert_false(has("b", 1, 0, ""));
	assert_true(has("c", 1, 0, ""));
	assert_true(has("e", 1, 0, ""));
}

static void bytes_are_bounded_too(void **state)
{
	static char text[DNS_CACHE_ENTRY_BYTES * 2];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	put("a", 1, 1000, text);
	put("b", 1, 1000, text);
	assert_true(dns_cache_bytes(cache) <= ENTRIES * DNS_CACHE_ENTRY_BYTES);
	assert_int_equal(dns_cache_count(cache), 1);
	assert_true(has("b", 1, 0, text));
}

static void a_long_answer_is_not_kept(void **state)
{
	static char text[DNS_CACHE_ANSWER_MAX + 2];

	(void)state;
	dns_cache_resize(cache, 1000);
	memset(text, 'x', DNS_CACHE_ANSWER_MAX);
	put("a", 1, 1000, text);
	assert_true(has("a", 1, 0, text));
	text[DNS_CACHE_ANSWER_MAX] = 'x';
	put("a", 1, 1000, text);
	assert_int_equal(dns_cache_count(cache), 0);
}

static void a_smaller_limit_holds_at_once(void **state)
{
	(void)state;
	put("a", 1, 1000, "");
	put("b", 1, 1000, "");
	put("c", 1, 1000, "");
	dns_cache_resize(cache, 1);
	assert_int_equal(dns_cache_count(cache), 1);
	assert_true(has("c", 1, 0, ""));
}

static void what_is_held_stays_until_it_is_released(void **state)
{
	const struct dns_kept *kept;

	(void)state;
	put("a", 1, 1000, "held");
	kept = dns_cache_get(cache, "a", 1, 0);
	assert_non_null(kept);
	put("a", 1, 1000, "other");
	dns_cache_resize(cache, 0);
	assert_int_equal(dns_cache_count(cache), 0);
	assert_memory_equal(kept->bytes, "held", 4);
	dns_cache_release(cache, kept);
}

/* A list of its own says what has to be there; the names are few, so that they meet. */
static void it_agrees_with_a_plain_list(void **state)
{
	struct {
		uint64_t expires_ns, used;
		char text[8];
	} twin[16] = {0};
	uint32_t random = 12345;

	(void)state;
	for (uint64_t turn = 1; turn < 20000; turn++) {
		const unsigned int i = (random = random * 1103515245u + 12345u) >> 28;
		char name[8];
		size_t live = 0, oldest = 0;

		(void)snprintf(name, sizeof(name), "n%u", i);
		if (random >> 20 & 1) {
			const bool want = twin[i].used && twin[i].expires_ns > turn;

			if (has(name, 1, turn, twin[i].text) != want)
				fail_msg("turn %u: %s", (unsigned int)turn, name);
			twin[i].used = want ? turn : 0;
			continue;
		}
		(void)snprintf(twin[i].text, sizeof(twin[i].text), "%u",
			       (unsigned int)turn % 1000);
		twin[i].expires_ns = turn + (random >> 10 & 63);
		put(name, 1, twin[i].expires_ns, twin[i].text);
		twin[i].used = turn;
		for (size_t j = 0; j < 16; j++) {
			live += twin[j].used != 0;
			if (twin[j].used &&
			    (!twin[oldest].used || twin[j].used < twin[oldest].used))
				oldest = j;
		}
		if (live > ENTRIES)
			twin[oldest].used = 0;
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(it_is_found_until_it_expires),
		TEST(name_and_type_make_the_key),
		TEST(a_later_answer_takes_the_place),
		TEST(the_one_not_used_for_longest_goes),
		TEST(bytes_are_bounded_too),
		TEST(a_long_answer_is_not_kept),
		TEST(a_smaller_limit_holds_at_once),
		TEST(what_is_held_stays_until_it_is_released),
		TEST(it_agrees_with_a_plain_list),
	};

	return cmocka_run_group_tests_name("checks/dns_cache", tests, NULL, NULL);
}
