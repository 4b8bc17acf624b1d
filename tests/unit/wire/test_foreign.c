/* SPDX-License-Identifier: GPL-2.0-only */
/* wire/foreign: first bytes, and those that are one short. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "wire/foreign.h"

#define BYTES(text) text, sizeof(text) - 1

static const struct {
	const char *bytes;
	size_t len;
	const char *want; /* NULL: nothing foreign */
} rows[] = {
	{BYTES("\x16\x03\x01\x02\x00"), "TLS"},
	{BYTES("\x16\x03"), "TLS"},
	{BYTES("\x16"), NULL},
	{BYTES("\x16\x02"), NULL},
	{BYTES("SSH-2.0-Go\r\n"), "SSH"},
	{BYTES("SSH"), NULL},
	{BYTES("\x05\x01\x00"), "SOCKS"},
	{BYTES("\x05\x01"), NULL},
	{BYTES("\x04\x01\x00\x19"), "SOCKS"},
	{BYTES("\x03\x00\x00\x2f"), "RDP"},
	{BYTES("\x00\x00\x00\x90\xff"
	       "SMB"),
	 "SMB"},
	{BYTES("PRI * HTTP/2.0\r\n\r\nSM"), "HTTP/2"},
	{BYTES("\r\n\r\n\0\r\nQUIT\n\x21"), "PROXY"},
	{BYTES("\r\n\r\nQUIT\r\n"), NULL},
	{BYTES("EHLO client.example\r\n"), NULL},
	{BYTES("GET / HTTP/1.1\r\n"), NULL},
	{BYTES(""), NULL},
};

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *got = foreign_protocol(rows[i].bytes, rows[i].len);

		if (!got != !rows[i].want || (got && strcmp(got, rows[i].want) != 0))
			fail_msg("row %zu: %s", i, got ? got : "nothing");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
	};

	return cmocka_run_group_tests_name("wire/foreign", tests, NULL, NULL);
}
