/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/addr.h"
#include "unit/seed.h"

static struct addr addr_of(const char *text)
{
	struct addr addr = {.family = ADDR_NONE};

	if (addr_parse(text, &addr) != 0)
		fail_msg("'%s' is no address", text);
	return addr;
}

static struct prefix prefix_of(const char *text)
{
	struct prefix prefix = {0};

	if (prefix_parse(text, &prefix) != 0)
		fail_msg("'%s' is no prefix", text);
	return prefix;
}

static const struct {
	const char *text;
	const char *want; /* as written back; NULL: -EINVAL */
} addresses[] = {
	{"192.0.2.1", "192.0.2.1"},
	{"0.0.0.0", "0.0.0.0"},
	{"255.255.255.255", "255.255.255.255"},
	{"2001:DB8::1", "2001:db8::1"},
	{"2001:db8:0:0:0:0:0:1", "2001:db8::1"},
	{"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"}, /* RFC 5952 section 4.2.2 */
	{"::", "::"},
	{"::1", "::1"},
	{"::ffff:192.0.2.1", "192.0.2.1"},
	{"::ffff:c000:201", "192.0.2.1"},
	{"64:ff9b::192.0.2.1", "64:ff9b::c000:201"},
	{"", NULL},
	{"192.0.2", NULL},
	{"192.0.2.1.", NULL},
	{"192.0.2.256", NULL},
	{"192.0.2.01", NULL},
	{"192.0.2.1 ", NULL},
	{" 192.0.2.1", NULL},
	{"0xc0000201", NULL},
	{"fe80::1%eth0", NULL},
	{"[2001:db8::1]", NULL},
	{"2001:db8:::1", NULL},
	{"1:2:3:4:5:6:7:8:9", NULL},
	{"mx.example.org", NULL},
};

static void addresses_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		struct addr addr = {.family = 99};
		char text[ADDR_TEXT_MAX];
		int err = addr_parse(addresses[i].text, &addr);

		if (!addresses[i].want) {
			if (err != -EINVAL || addr.family != 99)
				fail_msg("'%s' was taken", addresses[i].text);
			continue;
		}
		if (err != 0)
			fail_msg("'%s' was refused", addresses[i].text);
		assert_string_equal(addr_format(&addr, text), addresses[i].want);
	}
}

static void none_is_written_as_a_dash(void **state)
{
	const struct addr none = {.family = ADDR_NONE};
	char text[ADDR_TEXT_MAX];

	(void)state;
	assert_string_equal(addr_format(&none, text), "-");
}

static void socket_addresses_go_there_and_back(void **state)
{
	static const char *const texts[] = {"192.0.2.1", "2001:db8::1"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		const struct addr addr = addr_of(texts[i]);
		struct sockaddr_storage sa;
		struct addr back;
		uint16_t port = 0;

		assert_int_equal(addr_to_sockaddr(&addr, 2525, &sa),
				 i == 0 ? sizeof(struct sockaddr_in)
					: sizeof(struct sockaddr_in6));
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, &back, &port),
				 0);
		assert_true(addr_equal(&addr, &back));
		assert_int_equal(port, 2525);
		assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, &back, NULL),
				 0);
	}
}

static void a_mapped_socket_address_is_folded(void **state)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(25)};
	const struct addr want = addr_of("192.0.2.1");
	struct addr got;

	(void)state;
	memcpy(&sa.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\2\1", 16);
	assert_int_equal(addr_from_sockaddr((struct sockaddr *)&sa, &got, NULL), 0);
	assert_true(addr_equal(&got, &want));
}

static void other_socket_addresses_are_refused(void **state)
{
	const struct sockaddr_un sa = {.sun_family = AF_UNIX};
	const struct addr none = {.family = ADDR_NONE};
	struct addr got = {.family = 99};
	struct sockaddr_storage storage;
	uint16_t port = 7;

	(void)state;
	assert_int_equal(addr_from_sockaddr((const struct sockaddr *)&sa, &got, &port),
			 -EAFNOSUPPORT);
	assert_int_equal(got.family, 99);
	assert_int_equal(port, 7);
	assert_int_equal(addr_to_sockaddr(&none, 25, &storage), 0);
}

static const struct {
	const char *text;
	const char *addr; /* NULL: -EINVAL */
	uint16_t port;
} endpoints[] = {
	{"192.0.2.1:25", "192.0.2.1", 25},
	{"0.0.0.0:65535", "0.0.0.0", 65535},
	{"[2001:db8::1]:587", "2001:db8::1", 587},
	{"[::]:1", "::", 1},
	{"[::ffff:192.0.2.1]:25", "192.0.2.1", 25},
	{"192.0.2.1", NULL, 0},
	{"192.0.2.1:", NULL, 0},
	{"192.0.2.1:0", NULL, 0},
	{"192.0.2.1:65536", NULL, 0},
	{"192.0.2.1:25x", NULL, 0},
	{"192.0.2.1:-1", NULL, 0},
	{"2001:db8::1:25", NULL, 0},
	{"[2001:db8::1]", NULL, 0},
	{"[2001:db8::1]25", NULL, 0},
	{"[2001:db8::1:25", NULL, 0},
	{"[192.0.2.1]:25", NULL, 0},
	{":25", NULL, 0},
	{"[]:25", NULL, 0},
	{"", NULL, 0},
	{"[2001:0db8:0000:0000:0000:0000:0000:0000:0000:0000:0001]:25", NULL, 0},
};

static void endpoints_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(endpoints) / sizeof(endpoints[0]); i++) {
		struct addr addr = {.family = 99};
		char text[ADDR_TEXT_MAX];
		uint16_t port = 7;
		int err = endpoint_parse(endpoints[i].text, &addr, &port);

		if (!endpoints[i].addr) {
			if (err != -EINVAL || addr.family != 99 || port != 7)
				fail_msg("'%s' was taken", endpoints[i].text);
			continue;
		}
		if (err != 0)
			fail_msg("'%s' was refused", endpoints[i].text);
		assert_string_equal(addr_format(&addr, text), endpoints[i].addr);
		assert_int_equal(port, endpoints[i].port);
	}
}

static const struct {
	const char *text;
	int err;
	const char *want; /* NULL: untouched */
} prefixes[] = {
	{"203.0.113.0/24", 0, "203.0.113.0/24"},
	{"203.0.113.1", 0, "203.0.113.1"},
	{"203.0.113.1/32", 0, "203.0.113.1"},
	{"0.0.0.0/0", 0, "0.0.0.0/0"},
	{"128.0.0.0/1", 0, "128.0.0.0/1"},
	{"2001:db8::/32", 0, "2001:db8::/32"},
	{"2001:db8::1", 0, "2001:db8::1"},
	{"2001:db8::1/128", 0, "2001:db8::1"},
	{"::/0", 0, "::/0"},
	{"::ffff:192.0.2.0/120", 0, "192.0.2.0/24"},
	{"::ffff:192.0.2.1", 0, "192.0.2.1"},
	{"::ffff:0:0/96", 0, "0.0.0.0/0"},
	{"::ffff:0:0/95", -EDOM, "::fffe:0:0/95"},
	{"203.0.113.1/24", -EDOM, "203.0.113.0/24"},
	{"203.0.113.1/31", -EDOM, "203.0.113.0/31"},
	{"128.0.0.0/0", -EDOM, "0.0.0.0/0"},
	{"2001:db8::1/127", -EDOM, "2001:db8::/127"},
	{"2001:db8::1/64", -EDOM, "2001:db8::/64"},
	{"203.0.113.0/33", -ERANGE, NULL},
	{"203.0.113.0/99999999999999999999", -ERANGE, NULL},
	{"2001:db8::/129", -ERANGE, NULL},
	{"203.0.113.0/", -EINVAL, NULL},
	{"203.0.113.0/024", -EINVAL, NULL},
	{"203.0.113.0/-1", -EINVAL, NULL},
	{"203.0.113.0/24 ", -EINVAL, NULL},
	{"203.0.113.0/24/24", -EINVAL, NULL},
	{"203.0.113.0/255.255.255.0", -EINVAL, NULL},
	{"203.0.113/24", -EINVAL, NULL},
	{"/24", -EINVAL, NULL},
	{"", -EINVAL, NULL},
};

static void prefixes_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		struct prefix prefix = {.len = 99};
		char text[PREFIX_TEXT_MAX];
		int err = prefix_parse(prefixes[i].text, &prefix);

		if (err != prefixes[i].err)
			fail_msg("'%s': %d", prefixes[i].text, err);
		if (prefixes[i].want)
			assert_string_equal(prefix_format(&prefix, text),
					    prefixes[i].want);
		else
			assert_int_equal(prefix.len, 99);
	}
}

static void a_client_is_its_address_or_its_64(void **state)
{
	const struct addr v4 = addr_of("192.0.2.77");
	const struct addr v6 = addr_of("2001:db8:1:2:3:4:5:6");
	char text[PREFIX_TEXT_MAX];
	struct prefix client;

	(void)state;
	client = prefix_of_client(&v4);
	assert_string_equal(prefix_format(&client, text), "192.0.2.77");
	client = prefix_of_client(&v6);
	assert_string_equal(prefix_format(&client, text), "2001:db8:1:2::/64");
}

static void loopback_is_known(void **state)
{
	const struct {
		const char *text;
		bool want;
	} rows[] = {
		{"127.0.0.1", true},
		{"127.255.255.255", true},
		{"126.255.255.255", false},
		{"128.0.0.0", false},
		{"::1", true},
		{"::", false},
		{"::2", false},
		{"::ffff:127.0.0.1", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct addr addr = addr_of(rows[i].text);

		if (addr_is_loopback(&addr) != rows[i].want)
			fail_msg("%s", rows[i].text);
	}
}

static void flip(struct addr *addr, unsigned int bit)
{
	addr->bytes[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
}

/* The bit just inside and just outside of each boundary, of both families. */
static void a_prefix_ends_exactly_at_its_length(void **state)
{
	uint64_t random = seed_start();

	(void)state;
	for (unsigned int bits = 32; bits <= 128; bits += 96) {
		for (unsigned int len = 0; len <= bits; len++) {
			struct addr addr = {.family = bits == 32 ? ADDR_V4 : ADDR_V6};
			struct prefix prefix;
			struct addr probe;

			for (unsigned int i = 0; i < bits / 8; i++)
				addr.bytes[i] = (uint8_t)seed_next(&random);
			prefix = prefix_make(&addr, (uint8_t)len);
			assert_true(prefix_contains(&prefix, &addr));
			if (len > 0) {
				probe = addr;
				flip(&probe, len - 1);
				assert_false(prefix_contains(&prefix, &probe));
			}
			if (len < bits) {
				probe = addr;
				flip(&probe, len);
				assert_true(prefix_contains(&prefix, &probe));
				probe = prefix.addr;
				for (unsigned int i = len; i < bits; i++)
					assert_false(probe.bytes[i / 8] &
						     (0x80u >> (i % 8)));
			}
		}
	}
}

static void families_never_mix(void **state)
{
	const struct prefix all4 = prefix_of("0.0.0.0/0");
	const struct prefix all6 = prefix_of("::/0");
	const struct addr v4 = addr_of("0.0.0.0");
	const struct addr v6 = addr_of("::");

	(void)state;
	assert_false(prefix_contains(&all4, &v6));
	assert_false(prefix_contains(&all6, &v4));
	assert_false(prefix_covers(&all4, &all6));
	assert_false(prefix_equal(&all4, &all6));
	assert_false(addr_equal(&v4, &v6));
	assert_true(prefix_compare(&all4, &all6) < 0);
	assert_true(prefix_compare(&all6, &all4) > 0);
}

static void covering_is_containing_all_of_it(void **state)
{
	const struct prefix wide = prefix_of("203.0.112.0/23");
	const struct prefix narrow = prefix_of("203.0.113.0/24");
	const struct prefix beside = prefix_of("203.0.114.0/24");

	(void)state;
	assert_true(prefix_covers(&wide, &narrow));
	assert_true(prefix_covers(&wide, &wide));
	assert_false(prefix_covers(&narrow, &wide));
	assert_false(prefix_covers(&wide, &beside));
}

static void the_order_is_address_then_length(void **state)
{
	static const char *const in_order[] = {
		"0.0.0.0/0",	 "0.0.0.0/8",	  "192.0.2.0/24",   "192.0.2.0/25",
		"192.0.2.0",	 "192.0.2.1",	  "192.0.2.128/25", "::/0",
		"2001:db8::/32", "2001:db8::/64", "2001:db8::1"};
	const size_t count = sizeof(in_order) / sizeof(in_order[0]);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < count; j++) {
			const struct prefix a = prefix_of(in_order[i]);
			const struct prefix b = prefix_of(in_order[j]);
			const int want = (i > j) - (i < j);

			assert_int_equal(prefix_compare(&a, &b), want);
			assert_int_equal(prefix_equal(&a, &b), want == 0);
		}
	}
}

static void a_length_out_of_range_contains_nothing(void **state)
{
	const struct addr addr = addr_of("192.0.2.1");
	struct prefix broken = prefix_of("192.0.2.1");

	(void)state;
	broken.len = 33;
	assert_false(prefix_contains(&broken, &addr));
	broken.len = 255;
	assert_false(prefix_contains(&broken, &addr));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses_hold),
		cmocka_unit_test(none_is_written_as_a_dash),
		cmocka_unit_test(socket_addresses_go_there_and_back),
		cmocka_unit_test(a_mapped_socket_address_is_folded),
		cmocka_unit_test(other_socket_addresses_are_refused),
		cmocka_unit_test(endpoints_hold),
		cmocka_unit_test(prefixes_hold),
		cmocka_unit_test(a_client_is_its_address_or_its_64),
		cmocka_unit_test(loopback_is_known),
		cmocka_unit_test(a_prefix_ends_exactly_at_its_length),
		cmocka_unit_test(families_never_mix),
		cmocka_unit_test(covering_is_containing_all_of_it),
		cmocka_unit_test(the_order_is_address_then_length),
		cmocka_unit_test(a_length_out_of_range_contains_nothing),
	};

	return cmocka_run_group_tests_name("base/addr", tests, NULL, NULL);
}
