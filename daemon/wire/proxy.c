/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/proxy.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define V2_SIGNATURE	   "\r\n\r\n\0\r\nQUIT\n"
#define V2_SIGNATURE_BYTES 12u
#define V2_HEAD_BYTES	   16u
#define V2_VERSION	   0x20u /* upper half of byte 13 */
#define V2_COMMAND_LOCAL   0x0u
#define V2_COMMAND_PROXY   0x1u
#define V2_FAMILY_TCP4	   0x11u
#define V2_FAMILY_TCP6	   0x21u
#define V2_TCP4_BYTES	   12u /* two addresses, two ports */
#define V2_TCP6_BYTES	   36u
#define V2_TLV_HEAD_BYTES  3u
#define V2_AUTHORITY	   0x02u /* extensions, §2.2 */
#define V2_SSL		   0x20u
#define V2_SSL_VERSION	   0x21u
#define V2_SSL_CIPHER	   0x23u
#define V2_SSL_HEAD_BYTES \
	5u /* flags of the client, and whether its certificate is good */
#define V2_CLIENT_SSL	0x01u
#define V1_START	"PROXY "
#define V1_START_BYTES	6u
#define PORT_DIGITS_MAX 5u

static bool proxy_families_agree(const struct proxy_header *header)
{
	return header->source.family == header->dest.family &&
	       (header->source.family == ADDR_V4 || header->source.family == ADDR_V6);
}

static char *proxy_put(char *at, const void *bytes, size_t len)
{
	memcpy(at, bytes, len);
	return at + len;
}

static char *proxy_put_u16(char *at, unsigned int number)
{
	const uint8_t be[2] = {(uint8_t)(number >> 8), (uint8_t)number};

	return proxy_put(at, be, sizeof(be));
}

static unsigned int proxy_get_u16(const char *at)
{
	return (unsigned int)(uint8_t)at[0] << 8 | (uint8_t)at[1];
}

static char *proxy_put_tlv(char *at, uint8_t kind, const char *text, size_t len)
{
	at = proxy_put(at, &kind, sizeof(kind));
	at = proxy_put_u16(at, (unsigned int)len);
	return proxy_put(at, text, len);
}

static size_t proxy_ssl_len(const struct proxy_tls *tls)
{
	return V2_SSL_HEAD_BYTES + 2 * V2_TLV_HEAD_BYTES +
	       strnlen(tls->version, PROXY_WORD_MAX) +
	       strnlen(tls->cipher, PROXY_WORD_MAX);
}

static size_t proxy_tls_len(const struct proxy_tls *tls)
{
	const size_t name_len = strnlen(tls->authority, PROXY_NAME_MAX);

	return V2_TLV_HEAD_BYTES + proxy_ssl_len(tls) +
	       (name_len ? V2_TLV_HEAD_BYTES + name_len : 0);
}

/* It is inside TLS, and has shown no certificate. */
static char *proxy_put_tls(char *at, const struct proxy_tls *tls)
{
	static const uint8_t head[V2_SSL_HEAD_BYTES] = {V2_CLIENT_SSL, 0, 0, 0, 1};
	const size_t name_len = strnlen(tls->authority, PROXY_NAME_MAX);
	const uint8_t kind = V2_SSL;

	if (name_len)
		at = proxy_put_tlv(at, V2_AUTHORITY, tls->authority, name_len);
	at = proxy_put(at, &kind, sizeof(kind));
	at = proxy_put_u16(at, (unsigned int)proxy_ssl_len(tls));
	at = proxy_put(at, head, sizeof(head));
	at = proxy_put_tlv(at, V2_SSL_VERSION, tls->version,
			   strnlen(tls->version, PROXY_WORD_MAX));
	return proxy_put_tlv(at, V2_SSL_CIPHER, tls->cipher,
			     strnlen(tls->cipher, PROXY_WORD_MAX));
}

int proxy_write_v2(const struct proxy_header *header, char *out, size_t cap,
		   size_t *out_len)
{
	bool is_v6 = header->source.family == ADDR_V6;
	size_t body = is_v6 ? V2_TCP6_BYTES : V2_TCP4_BYTES;
	size_t addr_len = is_v6 ? 16 : 4;
	uint8_t kind[2];
	char *at = out;

	if (header->is_local)
		body = 0;
	else if (!proxy_families_agree(header))
		return -EINVAL;
	else if (header->tls)
		body += proxy_tls_len(header->tls);
	if (cap < V2_HEAD_BYTES + body)
		return -ENOSPC;

	kind[0] = V2_VERSION | (header->is_local ? V2_COMMAND_LOCAL : V2_COMMAND_PROXY);
	kind[1] = header->is_local ? 0 : is_v6 ? V2_FAMILY_TCP6 : V2_FAMILY_TCP4;
	at = proxy_put(at, V2_SIGNATURE, V2_SIGNATURE_BYTES);
	at = proxy_put(at, kind, sizeof(kind));
	at = proxy_put_u16(at, (unsigned int)body);
	if (body) {
		at = proxy_put(at, header->source.bytes, addr_len);
		at = proxy_put(at, header->dest.bytes, addr_len);
		at = proxy_put_u16(at, header->source_port);
		at = proxy_put_u16(at, header->dest_port);
		if (header->tls)
			at = proxy_put_tls(at, header->tls);
	}
	*out_len = (size_t)(at - out);
	return 0;
}

int proxy_write_v1(const struct proxy_header *header, char *out, size_t cap,
		   size_t *out_len)
{
	char text[PROXY_V1_MAX_BYTES + 1];
	char source[ADDR_TEXT_MAX];
	char dest[ADDR_TEXT_MAX];
	struct buf buf = BUF_OVER(text);

	if (header->is_local) {
		buf_puts(&buf, "PROXY UNKNOWN\r\n");
	} else if (proxy_families_agree(header)) {
		buf_printf(&buf, "PROXY TCP%c %s %s %u %u\r\n",
			   header->source.family == ADDR_V6 ? '6' : '4',
			   addr_format(&header->source, source),
			   addr_format(&header->dest, dest), header->source_port,
			   header->dest_port);
	} else {
		return -EINVAL;
	}
	if (buf.overflow || cap < buf.len)
		return -ENOSPC;
	memcpy(out, text, buf.len);
	*out_len = buf.len;
	return 0;
}

/* A word of a version 1 line and the space or CR behind it. */
static bool proxy_word(const char **at, const char *end, char *out, size_t cap)
{
	size_t n = 0;

	while (*at + n < end && (*at)[n] != ' ' && (*at)[n] != '\0')
		n++;
	if (n == 0 || n >= cap)
		return false;
	memcpy(out, *at, n);
	out[n] = '\0';
	*at += n;
	return true;
}

static bool proxy_space(const char **at, const char *end)
{
	if (*at == end || **at != ' ')
		return false;
	(*at)++;
	return true;
}

/* 0..65535 without a zero in front, §2.1 */
static bool proxy_port(const char **at, const char *end, uint16_t *out_port)
{
	char text[PORT_DIGITS_MAX + 1];
	unsigned int port = 0;

	if (!proxy_word(at, end, text, sizeof(text)) || (text[0] == '0' && text[1]))
		return false;
	for (size_t i = 0; text[i]; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		port = port * 10 + (unsigned int)(text[i] - '0');
	}
	if (port > UINT16_MAX)
		return false;
	*out_port = (uint16_t)port;
	return true;
}

static bool proxy_addr(const char **at, const char *end, bool is_v6,
		       struct addr *out_addr)
{
	char text[ADDR_TEXT_MAX];

	return proxy_word(at, end, text, sizeof(text)) &&
	       (strchr(text, ':') != NULL) == is_v6 && addr_parse(text, out_addr) == 0 &&
	       proxy_space(at, end);
}

/* "PROXY TCP4" or 6 SP source SP dest SP port SP port CRLF, or UNKNOWN; §2.1 */
static int proxy_read_v1(const char *line, size_t len, struct proxy_header *header)
{
	const char *at = line + V1_START_BYTES;
	const char *end = line + len;
	char word[8]; /* "UNKNOWN" */
	bool is_v6;

	if (!proxy_word(&at, end, word, sizeof(word)))
		return -EBADMSG;
	if (strcmp(word, "UNKNOWN") == 0) {
		/* What follows it is to be ignored. */
		header->is_local = true;
		return at == end || *at == ' ' ? 0 : -EBADMSG;
	}
	is_v6 = strcmp(word, "TCP6") == 0;
	if (!is_v6 && strcmp(word, "TCP4") != 0)
		return -EBADMSG;
	if (!proxy_space(&at, end) || !proxy_addr(&at, end, is_v6, &header->source) ||
	    !proxy_addr(&at, end, is_v6, &header->dest) ||
	    !proxy_port(&at, end, &header->source_port) || !proxy_space(&at, end) ||
	    !proxy_port(&at, end, &header->dest_port) || at != end)
		return -EBADMSG;
	return 0;
}

static int proxy_parse_v1(const char *bytes, size_t len, struct proxy_header *header,
			  size_t *out_consumed)
{
	size_t max = len < PROXY_V1_MAX_BYTES ? len : PROXY_V1_MAX_BYTES;
	const char *lf = memchr(bytes, '\n', max);
	size_t line_len;
	int err;

	if (!lf)
		return len < PROXY_V1_MAX_BYTES ? 0 : -EMSGSIZE;
	line_len = (size_t)(lf - bytes);
	if (line_len == 0 || bytes[line_len - 1] != '\r' ||
	    memchr(bytes, '\r', line_len - 1))
		return -EBADMSG;
	err = proxy_read_v1(bytes, line_len - 1, header);
	if (err)
		return err;
	*out_consumed = line_len + 1;
	return 1;
}

/* Extensions: type, length, value, and nothing left over; §2.2 */
static bool proxy_tlvs_are_whole(const char *at, size_t len)
{
	while (len > 0) {
		size_t tlv;

		if (len < V2_TLV_HEAD_BYTES)
			return false;
		tlv = V2_TLV_HEAD_BYTES + proxy_get_u16(at + 1);
		if (tlv > len)
			return false;
		at += tlv;
		len -= tlv;
	}
	return true;
}

static struct addr proxy_get_addr(const char *at, bool is_v6)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct addr addr = {.family = is_v6 ? ADDR_V6 : ADDR_V4};

	if (is_v6 && memcmp(at, mapped, sizeof(mapped)) == 0) {
		addr.family = ADDR_V4; /* one host has one address: base/addr */
		at += sizeof(mapped);
	}
	memcpy(addr.bytes, at, addr.family == ADDR_V6 ? 16 : 4);
	return addr;
}

static int proxy_read_v2(const char *bytes, size_t body, struct proxy_header *header)
{
	unsigned int command = (uint8_t)bytes[12] & 0x0fu;
	unsigned int family = (uint8_t)bytes[13];
	bool is_v6 = family == V2_FAMILY_TCP6;
	size_t addr_len = is_v6 ? 16 : 4;
	size_t used = is_v6 ? V2_TCP6_BYTES : V2_TCP4_BYTES;
	const char *at = bytes + V2_HEAD_BYTES;

	if (command == V2_COMMAND_LOCAL) {
		header->is_local = true; /* whatever follows is to be ignored */
		return 0;
	}
	if (command != V2_COMMAND_PROXY)
		return -EBADMSG;
	if (!is_v6 && family != V2_FAMILY_TCP4)
		return family >> 4 > 3 || (family & 0x0f) > 2 ? -EBADMSG : -EAFNOSUPPORT;
	if (body < used || !proxy_tlvs_are_whole(at + used, body - used))
		return -EBADMSG;
	header->source = proxy_get_addr(at, is_v6);
	header->dest = proxy_get_addr(at + addr_len, is_v6);
	header->source_port = (uint16_t)proxy_get_u16(at + 2 * addr_len);
	header->dest_port = (uint16_t)proxy_get_u16(at + 2 * addr_len + 2);
	return 0;
}

static int proxy_parse_v2(const char *bytes, size_t len, struct proxy_header *header,
			  size_t *out_consumed)
{
	size_t body;
	int err;

	if (len > 12 && ((uint8_t)bytes[12] & 0xf0u) != V2_VERSION)
		return -EBADMSG;
	if (len < V2_HEAD_BYTES)
		return 0;
	body = proxy_get_u16(bytes + 14);
	if (V2_HEAD_BYTES + body > PROXY_PARSE_MAX_BYTES)
		return -EMSGSIZE;
	if (len < V2_HEAD_BYTES + body)
		return 0;
	err = proxy_read_v2(bytes, body, header);
	if (err)
		return err;
	*out_consumed = V2_HEAD_BYTES + body;
	return 1;
}

/* Do all bytes there are agree with this beginning? */
static bool proxy_begins(const char *bytes, size_t len, const char *start,
			 size_t start_len)
{
	return memcmp(bytes, start, len < start_len ? len : start_len) == 0;
}

int proxy_parse(const char *bytes, size_t len, struct proxy_header *out_header,
		size_t *out_consumed)
{
	struct proxy_header header = {0};
	int found;

	if (len == 0)
		return 0;
	if (proxy_begins(bytes, len, V2_SIGNATURE, V2_SIGNATURE_BYTES))
		found = proxy_parse_v2(bytes, len, &header, out_consumed);
	else if (proxy_begins(bytes, len, V1_START, V1_START_BYTES))
		found = proxy_parse_v1(bytes, len, &header, out_consumed);
	else
		return -EBADMSG;
	if (found == 1)
		*out_header = header;
	return found;
}
