/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "unit/seed.h"
#include "wire/proxy.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct proxy_header header_of(const char *source, const char *dest)
{
	struct proxy_header header = {.source_port = 56324, .dest_port = 25};

	assert_int_equal(addr_parse(source, &header.source), 0);
	assert_int_equal(addr_parse(dest, &header.dest), 0);
	return header;
}

/* The bytes as §2.2 of the protocol lays them out. */
static void version_2_to_the_byte(void **state)
{
	static const char want[] =
		SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19";
	struct proxy_header header = header_of("192.0.2.1", "198.51.100.2");
	char out[PROXY_V2_MAX_BYTES];
	size_t len = 0;

	(void)state;
	assert_int_equal(proxy_write_v2(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, sizeof(want) - 1);
	assert_memory_equal(out, want, len);

	header = header_of("2001:db8::1", "2001:db8::2");
	assert_int_equal(proxy_write_v2(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, 16 + 36);
	assert_memory_equal(out + 12, "\x21\x21\0\x24\x20\1\xd\xb8", 8);

	header = (struct proxy_header){.is_local = true};
	assert_int_equal(proxy_write_v2(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, 16);
	assert_memory_equal(out + 12, "\x20\0\0\0", 4);
}

static void version_2_says_that_the_client_is_inside_tls(void **state)
{
	static const char want[] =
		SIGNATURE "\x21\x11\0\x3e\xc0\0\2\1\xc6\x33\x64\2\xdc\4\0\x19"
			  "\x02\0\x0emx.example.org"
			  "\x20\0\x1e\x01\0\0\0\x01"
			  "\x21\0\x07TLSv1.3"
			  "\x23\0\x0c"
			  "AES_128_GCM_";
	const struct proxy_tls tls = {"TLSv1.3", "AES_128_GCM_", "mx.example.org"};
	struct proxy_header header = header_of("192.0.2.1", "198.51.100.2");
	struct proxy_header read;
	char out[PROXY_V2_MAX_BYTES];
	size_t consumed = 0;
	size_t len = 0;

	(void)state;
	header.tls = &tls;
	assert_int_equal(proxy_write_v2(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, sizeof(want) - 1);
	assert_memory_equal(out, want, len);
	assert_int_equal(proxy_parse(out, len, &read, &consumed), 1);
	assert_int_equal(consumed, len);
	assert_int_equal(proxy_write_v2(&header, out, len - 1, &len), -ENOSPC);
}

static void the_longest_header_of_version_2_fits(void **state)
{
	static char long_text[1000];
	const struct proxy_tls tls = {long_text, long_text, long_text};
	struct proxy_header header = header_of("2001:db8::1", "2001:db8::2");
	char out[PROXY_V2_MAX_BYTES];
	size_t len = 0;

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	header.tls = &tls;
	assert_int_equal(proxy_write_v2(&header, out, sizeof(out), &len), 0);
	assert_in_range(len, sizeof(out) - 8, sizeof(out));
}

static void version_1_to_the_byte(void **state)
{
	static const char want_v4[] = "PROXY TCP4 192.0.2.1 198.51.100.2 56324 25\r\n";
	static const char want_v6[] = "PROXY TCP6 2001:db8::1 2001:db8::2 56324 25\r\n";
	struct proxy_header header = header_of("192.0.2.1", "198.51.100.2");
	char out[PROXY_V1_MAX_BYTES];
	size_t len = 0;

	(void)state;
	assert_int_equal(proxy_write_v1(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, strlen(want_v4));
	assert_memory_equal(out, want_v4, len);
	header = header_of("2001:db8::1", "2001:db8::2");
	assert_int_equal(proxy_write_v1(&header, out, sizeof(out), &len), 0);
	assert_int_equal(len, strlen(want_v6));
	assert_memory_equal(out, want_v6, len);
	header.is_local = true;
	assert_int_equal(proxy_write_v1(&header, out, sizeof(out), &len), 0);
	assert_memory_equal(out, "PROXY UNKNOWN\r\n", len);
}

static void families_must_agree_and_room_must_do(void **state)
{
	struct proxy_header mixed = header_of("192.0.2.1", "2001:db8::2");
	struct proxy_header none = {.source_port = 1};
	struct proxy_header good = header_of("192.0.2.1", "192.0.2.2");
	char out[PROXY_V1_MAX_BYTES];
	size_t len = 7;

	(void)state;
	assert_int_equal(proxy_write_v2(&mixed, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(proxy_write_v1(&mixed, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(proxy_write_v2(&none, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(proxy_write_v1(&none, out, sizeof(out), &len), -EINVAL);
	assert_int_equal(proxy_write_v2(&good, out, 27, &len), -ENOSPC);
	assert_int_equal(proxy_write_v1(&good, out, 40, &len), -ENOSPC);
	assert_int_equal(len, 7);
}

static const struct {
	const char *why;
	const char *in;
	size_t len;
	int want;
	size_t consumed; /* if want is 1 */
} rows[] = {
#define ROW(why, in, want, consumed)                    \
	{                                               \
		why, in, sizeof(in) - 1, want, consumed \
	}
	ROW("v1", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\nEHLO", 1, 40),
	ROW("v1 unknown", "PROXY UNKNOWN\r\n", 1, 15),
	ROW("v1 unknown, with what is to be ignored", "PROXY UNKNOWN a b c\r\n", 1, 21),
	ROW("v1 unknown, run on", "PROXY UNKNOWNS\r\n", -EBADMSG, 0),
	ROW("v1, other protocol", "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", -EBADMSG, 0),
	ROW("v1, port too high", "PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", -EBADMSG,
	    0),
	ROW("v1, port far too high", "PROXY TCP4 192.0.2.1 192.0.2.2 1 655360\r\n",
	    -EBADMSG, 0),
	ROW("v1, zero in front", "PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", -EBADMSG, 0),
	ROW("v1, sign", "PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", -EBADMSG, 0),
	ROW("v1, two spaces", "PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", -EBADMSG, 0),
	ROW("v1, something behind", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n", -EBADMSG,
	    0),
	ROW("v1, one address", "PROXY TCP4 192.0.2.1 1 2\r\n", -EBADMSG, 0),
	ROW("v1, IPv6 said to be 4", "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
	    -EBADMSG, 0),
	ROW("v1, IPv4 said to be 6", "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", -EBADMSG,
	    0),
	ROW("v1, bare LF", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", -EBADMSG, 0),
	ROW("v1, CR inside", "PROXY TCP4 192.0.2.1\r192.0.2.2 1 2\r\n", -EBADMSG, 0),
	ROW("v1, NUL inside", "PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n", -EBADMSG, 0),
	ROW("v1, lower case", "proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", -EBADMSG, 0),
	ROW("v1, not yet", "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r", 0, 0),
	ROW("v1, hardly begun", "PRO", 0, 0),
	ROW("neither", "EHLO a\r\n", -EBADMSG, 0),
	ROW("nothing", "", 0, 0),
	ROW("v2 local", SIGNATURE "\x20\0\0\0x", 1, 16),
	ROW("v2 local, with something", SIGNATURE "\x20\x11\0\2abx", 1, 18),
	ROW("v2, not yet", SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1", 0, 0),
	ROW("v2, hardly begun", "\r\n\r", 0, 0),
	ROW("v2, version 3", SIGNATURE "\x31", -EBADMSG, 0),
	ROW("v2, unknown command",
	    SIGNATURE "\x22\x11\0\x0c"
		      "aaaabbbbccdd",
	    -EBADMSG, 0),
	ROW("v2, UDP",
	    SIGNATURE "\x21\x12\0\x0c"
		      "aaaabbbbccdd",
	    -EAFNOSUPPORT, 0),
	ROW("v2, no family", SIGNATURE "\x21\0\0\0", -EAFNOSUPPORT, 0),
	ROW("v2, no such family",
	    SIGNATURE "\x21\x41\0\x0c"
		      "aaaabbbbccdd",
	    -EBADMSG, 0),
	ROW("v2, too short for its addresses",
	    SIGNATURE "\x21\x11\0\x0b"
		      "aaaabbbbccd",
	    -EBADMSG, 0),
	ROW("v2, an extension",
	    SIGNATURE "\x21\x11\0\x10"
		      "aaaabbbbccdd\1\0\1xy",
	    1, 32),
	ROW("v2, an extension that is cut",
	    SIGNATURE "\x21\x11\0\x10"
		      "aaaabbbbccdd\1\0\2x",
	    -EBADMSG, 0),
	ROW("v2, half a head of an extension",
	    SIGNATURE "\x21\x11\0\x0e"
		      "aaaabbbbccdd\1\0",
	    -EBADMSG, 0),
	ROW("v2, the longest", SIGNATURE "\x21\x11\3\xf0", 0, 0),
	ROW("v2, longer than that", SIGNATURE "\x21\x11\3\xf1", -EMSGSIZE, 0),
};

static void rows_hold_at_every_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (size_t len = 0; len <= rows[i].len; len++) {
			struct proxy_header header = {.source_port = 7};
			size_t consumed = 9;
			char copy[128];
			int got;

			memset(copy, '?',
			       sizeof(copy)); /* what comes later must not matter */
			memcpy(copy, rows[i].in, len);
			got = proxy_parse(copy, len, &header, &consumed);
			if (len == rows[i].len && got != rows[i].want)
				fail_msg("%s: %d", rows[i].why, got);
			if (rows[i].want == 1 && got != (len >= rows[i].consumed))
				fail_msg("%s: %d at %zu", rows[i].why, got, len);
			assert_int_equal(consumed, got == 1 ? rows[i].consumed : 9);
			if (got != 1)
				assert_int_equal(header.source_port, 7);
		}
	}
}

static void a_line_without_end_is_refused_in_time(void **state)
{
	char text[PROXY_V1_MAX_BYTES];
	struct proxy_header header;
	size_t consumed;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, "PROXY UNKNOWN ", 14);
	assert_int_equal(proxy_parse(text, sizeof(text) - 1, &header, &consumed), 0);
	assert_int_equal(proxy_parse(text, sizeof(text), &header, &consumed), -EMSGSIZE);
	memcpy(text + sizeof(text) - 2, "\r\n", 2);
	assert_int_equal(proxy_parse(text, sizeof(text), &header, &consumed), 1);
}

static void random_addr(uint64_t *seed, bool is_v6, struct addr *addr)
{
	*addr = (struct addr){.family = is_v6 ? ADDR_V6 : ADDR_V4};
	for (size_t i = 0; i < (is_v6 ? 16 : 4); i++)
		addr->bytes[i] = (uint8_t)seed_below(seed, 256);
}

static void what_is_written_is_read_back(void **state)
{
	uint64_t seed = seed_start();

	(void)state;
	for (int round = 0; round < 2000; round++) {
		bool is_v6 = seed_below(&seed, 2);
		struct proxy_header header = {
			.source_port = (uint16_t)seed_below(&seed, 65536),
			.dest_port = (uint16_t)seed_below(&seed, 65536)};
		struct proxy_header got;
		char out[PROXY_V1_MAX_BYTES];
		size_t consumed;
		size_t len;
		int err;

		random_addr(&seed, is_v6, &header.source);
		random_addr(&seed, is_v6, &header.dest);
		err = round & 1 ? proxy_write_v1(&header, out, sizeof(out), &len)
				: proxy_write_v2(&header, out, sizeof(out), &len);
		assert_int_equal(err, 0);
		assert_int_equal(proxy_parse(out, len, &got, &consumed), 1);
		assert_int_equal(consumed, len);
		assert_true(addr_equal(&got.source, &header.source));
		assert_true(addr_equal(&got.dest, &header.dest));
		assert_int_equal(got.source_port, header.source_port);
		assert_int_equal(got.dest_port, header.dest_port);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_2_to_the_byte),
		cmocka_unit_test(version_2_says_that_the_client_is_inside_tls),
		cmocka_unit_test(the_longest_header_of_version_2_fits),
		cmocka_unit_test(version_1_to_the_byte),
		cmocka_unit_test(families_must_agree_and_room_must_do),
		cmocka_unit_test(rows_hold_at_every_cut),
		cmocka_unit_test(a_line_without_end_is_refused_in_time),
		cmocka_unit_test(what_is_written_is_read_back),
	};

	return cmocka_run_group_tests_name("wire/proxy", tests, NULL, NULL);
}
