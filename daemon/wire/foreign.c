/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/foreign - see the header.
 */
#include "wire/foreign.h"

#include <string.h>

static const struct {
	const char *name;
	const char *begin;
	size_t len;
} rows[] = {
	{"TLS", "\x16\x03", 2},		       /* a handshake, RFC 8446 5.1 */
	{"SSH", "SSH-", 4},		       /* RFC 4253 4.2 */
	{"SOCKS", "\x05\x01\x00", 3},	       /* RFC 1928 3: one method, none */
	{"SOCKS", "\x05\x02\x00", 3},	       /* two methods */
	{"SOCKS", "\x04\x01", 2},	       /* version 4, CONNECT */
	{"RDP", "\x03\x00\x00", 3},	       /* TPKT, RFC 1006 6 */
	{"SMB", "\x00\x00\x00", 3},	       /* a length in front of it */
	{"HTTP/2", "PRI * HTTP/2.0", 14},      /* RFC 9113 3.4 */
	{"PROXY", "\r\n\r\n\0\r\nQUIT\n", 12}, /* version 2, from nobody who may */
};

const char *foreign_protocol(const char *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (len >= rows[i].len && memcmp(bytes, rows[i].begin, rows[i].len) == 0)
			return rows[i].name;
	return NULL;
}
