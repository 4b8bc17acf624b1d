/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/smtp_reply.h"
#include "wire/xclient.h"

#define ALL                                                                           \
	(XCLIENT_NAME | XCLIENT_PORT | XCLIENT_PROTO | XCLIENT_HELO | XCLIENT_LOGIN | \
	 XCLIENT_DESTADDR | XCLIENT_DESTPORT | XCLIENT_ADDR)

static struct xclient client_at(const char *addr)
{
	struct xclient client = {.is_esmtp = true};

	assert_int_equal(addr_parse(addr, &client.addr), 0);
	return client;
}

static void check_next(const struct xclient *client, uint32_t *left, const char *want)
{
	char out[XCLIENT_LINE_MAX_BYTES];
	size_t len = 0;

	assert_int_equal(xclient_next(client, left, out, &len), want ? 1 : 0);
	if (!want)
		return;
	if (len != strlen(want) || memcmp(out, want, len) != 0)
		fail_msg("'%.*s'", (int)len, out);
}

static void what_is_unknown_is_unavailable(void **state)
{
	struct xclient client = client_at("192.0.2.1");
	uint32_t left = ALL;

	(void)state;
	check_next(
		&client, &left,
		"XCLIENT NAME=[UNAVAILABLE] PORT=[UNAVAILABLE] PROTO=ESMTP HELO=[UNAVAILABLE] LOGIN=[UNAVAILABLE] DESTADDR=[UNAVAILABLE] DESTPORT=[UNAVAILABLE] ADDR=192.0.2.1\r\n");
	assert_int_equal(left, 0);
	check_next(&client, &left, NULL);
}

static void all_that_is_known_is_said(void **state)
{
	struct xclient client = client_at("2001:db8::1");
	uint32_t left = ALL;

	(void)state;
	client.name = "mail.example";
	client.helo = "h.example, and what lies behind";
	client.helo_len = 9;
	client.login = "u@example";
	client.login_len = 9;
	client.port = 40000;
	client.dest_port = 25;
	client.is_esmtp = false;
	assert_int_equal(addr_parse("2001:db8::2", &client.dest_addr), 0);
	check_next(
		&client, &left,
		"XCLIENT NAME=mail.example PORT=40000 PROTO=SMTP HELO=h.example LOGIN=u@example DESTADDR=IPV6:2001:db8::2 DESTPORT=25 ADDR=IPV6:2001:db8::1\r\n");
	check_next(&client, &left, NULL);
}

static void only_what_the_backend_offers(void **state)
{
	static const char text[] = "XCLIENT  NAME ADDR proto FOO";
	struct xclient client = client_at("192.0.2.1");
	struct smtp_ehlo_line line;
	uint32_t left;

	(void)state;
	assert_int_equal(smtp_parse_ehlo_line(text, strlen(text), &line), 0);
	left = xclient_parse_attrs(text, line.params);
	assert_int_equal(left, XCLIENT_NAME | XCLIENT_ADDR | XCLIENT_PROTO);
	check_next(&client, &left,
		   "XCLIENT NAME=[UNAVAILABLE] PROTO=ESMTP ADDR=192.0.2.1\r\n");
	check_next(&client, &left, NULL);
}

static void what_is_no_xchar_is_encoded(void **state)
{
	struct xclient client = client_at("192.0.2.1");
	uint32_t left = XCLIENT_HELO | XCLIENT_LOGIN;
	uint32_t port = XCLIENT_PORT;

	(void)state;
	client.helo = "a+b=c d\r\n\xc3\xa9~!";
	client.helo_len = 13;
	client.login = "u\0v";
	client.login_len = 3;
	check_next(&client, &left,
		   "XCLIENT HELO=a+2Bb+3Dc+20d+0D+0A+C3+A9~! LOGIN=u+00v\r\n");
	check_next(&client, &port, "XCLIENT PORT=[UNAVAILABLE]\r\n");
}

static void what_fits_no_line_goes_into_the_next_and_addr_last(void **state)
{
	struct xclient client = client_at("192.0.2.1");
	uint32_t left = XCLIENT_NAME | XCLIENT_HELO | XCLIENT_LOGIN | XCLIENT_ADDR;
	char name[XCLIENT_VALUE_MAX_BYTES + 1];
	char out[XCLIENT_LINE_MAX_BYTES];
	size_t len;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	client.name = client.helo = client.login = name;
	client.helo_len = client.login_len = XCLIENT_VALUE_MAX_BYTES;

	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(left, XCLIENT_HELO | XCLIENT_LOGIN | XCLIENT_ADDR);
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(left, XCLIENT_LOGIN | XCLIENT_ADDR);
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(left, 0);
	assert_memory_equal(out + len - 17, " ADDR=192.0.2.1\r\n", 17);
	assert_int_equal(xclient_next(&client, &left, out, &len), 0);
}

/* "XCLIENT" " HELO=" value CRLF <= 512: the last that fits, the first that does not. */
static void exactly_one_line_and_one_byte_more(void **state)
{
	struct xclient client = client_at("192.0.2.1");
	uint32_t left = XCLIENT_HELO;
	char helo[200];
	char out[XCLIENT_LINE_MAX_BYTES];
	size_t len;

	(void)state;
	memset(helo, ' ', sizeof(helo)); /* three bytes each */
	memset(helo, 'h', 2);
	client.helo = helo;
	client.helo_len = 167; /* 2 + 3 * 165 = 497 = 512 - 15 */
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(len, XCLIENT_LINE_MAX_BYTES);
	helo[2] = 'h';
	helo[3] = 'h';
	helo[4] = 'h';
	left = XCLIENT_HELO;
	client.helo_len = 169; /* 5 + 3 * 164 = 497 */
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(len, XCLIENT_LINE_MAX_BYTES);
	helo[5] = 'h';
	helo[6] = 'h';
	left = XCLIENT_HELO;
	client.helo_len = 170; /* 7 + 3 * 163 = 496, and one more */
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	assert_int_equal(len, XCLIENT_LINE_MAX_BYTES - 1);
	client.helo_len = 171;
	left = XCLIENT_HELO;
	check_next(&client, &left, "XCLIENT HELO=[UNAVAILABLE]\r\n");
}

static void a_login_is_never_cut(void **state)
{
	struct xclient client = client_at("192.0.2.1");
	uint32_t left = XCLIENT_LOGIN;
	char login[XCLIENT_VALUE_MAX_BYTES + 1];
	char out[XCLIENT_LINE_MAX_BYTES];
	size_t len;

	(void)state;
	memset(login, 'u', sizeof(login));
	client.login = login;
	client.login_len = XCLIENT_VALUE_MAX_BYTES + 1;
	assert_int_equal(xclient_next(&client, &left, out, &len), -EMSGSIZE);
	client.login_len = XCLIENT_VALUE_MAX_BYTES;
	assert_int_equal(xclient_next(&client, &left, out, &len), 1);
	memset(login, ' ', sizeof(login)); /* short enough, but not in xtext */
	client.login_len = 170;
	left = XCLIENT_LOGIN;
	assert_int_equal(xclient_next(&client, &left, out, &len), -EMSGSIZE);
}

static void no_address_is_an_error(void **state)
{
	struct xclient client = {.port = 1};
	char out[XCLIENT_LINE_MAX_BYTES];
	uint32_t left = ALL;
	size_t len;

	(void)state;
	assert_int_equal(xclient_next(&client, &left, out, &len), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_unknown_is_unavailable),
		cmocka_unit_test(all_that_is_known_is_said),
		cmocka_unit_test(only_what_the_backend_offers),
		cmocka_unit_test(what_is_no_xchar_is_encoded),
		cmocka_unit_test(what_fits_no_line_goes_into_the_next_and_addr_last),
		cmocka_unit_test(exactly_one_line_and_one_byte_more),
		cmocka_unit_test(a_login_is_never_cut),
		cmocka_unit_test(no_address_is_an_error),
	};

	return cmocka_run_group_tests_name("wire/xclient", tests, NULL, NULL);
}
