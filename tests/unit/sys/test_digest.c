/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Digests of credentials: the same for the same, different for all else, nothing without a key.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sys/digest.h"

static const uint8_t key_a[DIGEST_KEY_BYTES] = {1, 2, 3};
static const uint8_t key_b[DIGEST_KEY_BYTES] = {1, 2, 4};
static const uint8_t zero[DIGEST_BYTES];

static void digest_of(struct digest *digest, const char *user, const char *password,
		      uint8_t out[DIGEST_BYTES])
{
	const struct digest_text u = {user, strlen(user)};
	const struct digest_text p = {password, strlen(password)};

	digest_credential(digest, &u, &p, out);
}

static const struct {
	const char *why;
	const char *user, *password;
} rows[] = {
	{"the credential itself", "anna", "secret"},
	{"another password", "anna", "secres"},
	{"another user", "annb", "secret"},
	{"the border moved to the right", "annas", "ecret"},
	{"the border moved to the left", "ann", "asecret"},
	{"no password", "annasecret", ""},
	{"no user", "", "annasecret"},
	{"nothing", "", ""},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

static void each_credential_has_its_own(void **state)
{
	AUTO(digest_free) struct digest *digest = digest_new();
	uint8_t first[ROWS][DIGEST_BYTES];
	uint8_t again[DIGEST_BYTES];

	(void)state;
	assert_non_null(digest);
	digest_set_key(digest, key_a);
	for (size_t i = 0; i < ROWS; i++) {
		digest_of(digest, rows[i].user, rows[i].password, first[i]);
		digest_of(digest, rows[i].user, rows[i].password, again);
		assert_memory_equal(first[i], again, DIGEST_BYTES);
		assert_memory_not_equal(first[i], zero, DIGEST_BYTES);
		for (size_t j = 0; j < i; j++)
			if (memcmp(first[i], first[j], DIGEST_BYTES) == 0)
				fail_msg("same digest: %s, %s", rows[i].why, rows[j].why);
	}
}

static void the_key_decides(void **state)
{
	AUTO(digest_free) struct digest *digest = digest_new();
	AUTO(digest_free) struct digest *other = digest_new();
	uint8_t a[DIGEST_BYTES];
	uint8_t b[DIGEST_BYTES];

	(void)state;
	digest_of(digest, "anna", "secret", a);
	assert_memory_equal(a, zero, DIGEST_BYTES);

	digest_set_key(digest, key_a);
	digest_set_key(other, key_b);
	digest_of(digest, "anna", "secret", a);
	digest_of(other, "anna", "secret", b);
	assert_memory_not_equal(a, b, DIGEST_BYTES);
	digest_set_key(other, key_a);
	digest_of(other, "anna", "secret", b);
	assert_memory_equal(a, b, DIGEST_BYTES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_credential_has_its_own),
		cmocka_unit_test(the_key_decides),
	};

	return cmocka_run_group_tests_name("sys/digest", tests, NULL, NULL);
}
