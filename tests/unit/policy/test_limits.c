/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>

#include "policy/flags.h"
#include "policy/limits.h"

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

static const struct {
	const char *why;
	const char *ban;
	const char *want; /* NULL: allowed */
} rows[] = {
	{"the protected address itself", "192.0.2.25", "backend"},
	{"a range that holds it", "192.0.2.0/24", "backend"},
	{"everything", "0.0.0.0/0", "backend"},
	{"the neighbour before", "192.0.2.24", NULL},
	{"the neighbour behind", "192.0.2.26", NULL},
	{"one address of a protected range", "198.51.100.7", "never-ban"},
	{"the last address of it", "198.51.100.255", "never-ban"},
	{"the first one outside", "198.51.101.0", NULL},
	{"a part of it", "198.51.100.128/25", "never-ban"},
	{"the /64 around a protected address", "2001:db8::/64", "own address"},
	{"the /64 beside it", "2001:db8:0:1::/64", NULL},
	{"all of the other family", "::/1", "own address"},
};

static void what_is_protected_cannot_be_banned(void **state)
{
	static struct protected_set set;
	const struct prefix backend = prefix_of("192.0.2.25");
	const struct prefix range = prefix_of("198.51.100.0/24");
	const struct prefix own = prefix_of("2001:db8::25");

	(void)state;
	set.count = 0;
	assert_int_equal(protected_add(&set, &backend, "backend"), 0);
	assert_int_equal(protected_add(&set, &range, "never-ban"), 0);
	assert_int_equal(protected_add(&set, &own, "own address"), 0);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct prefix ban = prefix_of(rows[i].ban);
		const struct protected_prefix *found = protected_find(&set, &ban);

		if ((found != NULL) != (rows[i].want != NULL))
			fail_msg("%s", rows[i].why);
		if (found)
			assert_string_equal(found->why, rows[i].want);
	}
}

static void a_full_set_says_so(void **state)
{
	static struct protected_set set;
	const struct prefix prefix = prefix_of("192.0.2.25");

	(void)state;
	set.count = 0;
	for (unsigned int i = 0; i < LIMITS_PROTECTED_MAX; i++)
		assert_int_equal(protected_add(&set, &prefix, "x"), 0);
	assert_int_equal(protected_add(&set, &prefix, "x"), -ENOSPC);
	assert_int_equal(set.count, LIMITS_PROTECTED_MAX);
}

static void a_long_reason_is_cut(void **state)
{
	static struct protected_set set;
	const struct prefix prefix = prefix_of("192.0.2.25");
	char why[2 * LIMITS_WHY_MAX];

	(void)state;
	set.count = 0;
	memset(why, 'x', sizeof(why) - 1);
	why[sizeof(why) - 1] = '\0';
	assert_int_equal(protected_add(&set, &prefix, why), 0);
	assert_int_equal(strlen(set.items[0].why), LIMITS_WHY_MAX - 1);
}

static void a_wide_ban_is_shorter_than_8_or_32(void **state)
{
	const struct prefix wide4 = prefix_of("10.0.0.0/7"),
			    fine4 = prefix_of("10.0.0.0/8");
	const struct prefix wide6 = prefix_of("2001:db8::/31"),
			    fine6 = prefix_of("2001:db8::/32");

	(void)state;
	assert_true(ban_is_wide(&wide4));
	assert_false(ban_is_wide(&fine4));
	assert_true(ban_is_wide(&wide6));
	assert_false(ban_is_wide(&fine6));
}

static const struct {
	const char *prefix;
	uint16_t flags;
	bool needs_ar;
	bool want;
} relays[] = {
	{"0.0.0.0/0", FLAG_PA | FLAG_AA | FLAG_AR, true, true},
	{"::/0", FLAG_PA | FLAG_AA | FLAG_AR | FLAG_LL, true, true},
	{"128.0.0.0/7", FLAG_PA | FLAG_AA | FLAG_AR, true, true},
	{"10.0.0.0/8", FLAG_PA | FLAG_AA | FLAG_AR, true, false},
	{"2000::/15", FLAG_PA | FLAG_AA | FLAG_AR, true, true},
	{"2001::/16", FLAG_PA | FLAG_AA | FLAG_AR, true, false},
	{"fc00::/7", FLAG_PA | FLAG_AA | FLAG_AR, true, false},
	{"fc00::/6", FLAG_PA | FLAG_AA | FLAG_AR, true, true},
	{"fd00::/8", FLAG_PA | FLAG_AA | FLAG_AR, true, false},
	{"0.0.0.0/0", FLAG_PA | FLAG_AA, true, false},
	{"0.0.0.0/0", FLAG_PA | FLAG_AR, true, false},
	{"0.0.0.0/0", FLAG_AA | FLAG_AR, true, false},
	{"0.0.0.0/0", FLAG_PA | FLAG_AA, false, true},
	{"0.0.0.0/0", FLAG_PA | FLAG_AA | FLAG_AR, false, true},
	{"10.0.0.0/8", FLAG_PA | FLAG_AA, false, false},
	{"fc00::/7", FLAG_PA | FLAG_AA, false, false},
	{"0.0.0.0/0", FLAG_PA | FLAG_AR, false, false},
	{"0.0.0.0/0", FLAG_AA, false, false},
};

static void an_open_relay_is_seen(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(relays) / sizeof(relays[0]); i++) {
		struct prefix prefix = {0};
		int err = prefix_parse(relays[i].prefix, &prefix);

		if (err != 0)
			fail_msg("'%s' is no prefix", relays[i].prefix);
		if (entry_is_open_relay(&prefix, relays[i].flags, relays[i].needs_ar) !=
		    relays[i].want)
			fail_msg("%s with %#x", relays[i].prefix, relays[i].flags);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_protected_cannot_be_banned),
		cmocka_unit_test(a_full_set_says_so),
		cmocka_unit_test(a_long_reason_is_cut),
		cmocka_unit_test(a_wide_ban_is_shorter_than_8_or_32),
		cmocka_unit_test(an_open_relay_is_seen),
	};

	return cmocka_run_group_tests_name("policy/limits", tests, NULL, NULL);
}
