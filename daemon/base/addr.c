/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/num.h"

#define MAPPED_LEN 96 /* ::ffff:0:0/96, RFC 4291 section 2.5.5.2 */

static const uint8_t mapped_head[12] = {[10] = 0xff, [11] = 0xff};

static bool addr_is_mapped(const struct addr *addr)
{
	return addr->family == ADDR_V6 &&
	       memcmp(addr->bytes, mapped_head, sizeof(mapped_head)) == 0;
}

static struct addr addr_fold(const struct addr *addr)
{
	struct addr folded = {.family = ADDR_V4};

	if (!addr_is_mapped(addr))
		return *addr;
	memcpy(folded.bytes, addr->bytes + sizeof(mapped_head), 4);
	return folded;
}

/* As written: a mapped address stays IPv6. */
static int addr_parse_raw(const char *text, struct addr *out_addr)
{
	struct addr addr = {.family = ADDR_NONE};

	if (inet_pton(AF_INET, text, addr.bytes) == 1)
		addr.family = ADDR_V4;
	else if (inet_pton(AF_INET6, text, addr.bytes) == 1)
		addr.family = ADDR_V6;
	else
		return -EINVAL;
	*out_addr = addr;
	return 0;
}

int addr_parse(const char *text, struct addr *out_addr)
{
	struct addr addr;
	int err;

	err = addr_parse_raw(text, &addr);
	if (err)
		return err;
	*out_addr = addr_fold(&addr);
	return 0;
}

const char *addr_format(const struct addr *addr, char out_text[ADDR_TEXT_MAX])
{
	const char *text = NULL;

	if (addr->family == ADDR_V4)
		text = inet_ntop(AF_INET, addr->bytes, out_text, ADDR_TEXT_MAX);
	else if (addr->family == ADDR_V6)
		text = inet_ntop(AF_INET6, addr->bytes, out_text, ADDR_TEXT_MAX);
	return text ? text : memcpy(out_text, "-", sizeof("-"));
}

int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out_addr,
		       uint16_t *out_port)
{
	struct addr addr = {.family = ADDR_NONE};
	uint16_t port_be;

	if (sa->sa_family == AF_INET) {
		struct sockaddr_in in;

		memcpy(&in, sa, sizeof(in));
		addr.family = ADDR_V4;
		memcpy(addr.bytes, &in.sin_addr, 4);
		port_be = in.sin_port;
	} else if (sa->sa_family == AF_INET6) {
		struct sockaddr_in6 in6;

		memcpy(&in6, sa, sizeof(in6));
		addr.family = ADDR_V6;
		memcpy(addr.bytes, &in6.sin6_addr, 16);
		port_be = in6.sin6_port;
	} else {
		return -EAFNOSUPPORT;
	}

	*out_addr = addr_fold(&addr);
	if (out_port)
		*out_port = ntohs(port_be);
	return 0;
}

unsigned int addr_to_sockaddr(const struct addr *addr, uint16_t port,
			      struct sockaddr_storage *out_sa)
{
	memset(out_sa, 0, sizeof(*out_sa));
	if (addr->family == ADDR_V4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

		memcpy(&in.sin_addr, addr->bytes, 4);
		memcpy(out_sa, &in, sizeof(in));
		return sizeof(in);
	}
	if (addr->family == ADDR_V6) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
					   .sin6_port = htons(port)};

		memcpy(&in6.sin6_addr, addr->bytes, 16);
		memcpy(out_sa, &in6, sizeof(in6));
		return sizeof(in6);
	}
	return 0;
}

bool addr_equal(const struct addr *a, const struct addr *b)
{
	return a->family == b->family &&
	       memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

uint8_t addr_bits(enum addr_family family)
{
	return family == ADDR_V4 ? 32 : family == ADDR_V6 ? 128 : 0;
}

bool addr_is_loopback(const struct addr *addr)
{
	static const uint8_t loopback6[16] = {[15] = 1};

	if (addr->family == ADDR_V4)
		return addr->bytes[0] == 127;
	return addr->family == ADDR_V6 && memcmp(addr->bytes, loopback6, 16) == 0;
}

/* endpoint = IPv4 ":" port / "[" IPv6 "]" ":" port */
int endpoint_parse(const char *text, struct addr *out_addr, uint16_t *out_port)
{
	const bool bracketed = text[0] == '[';
	const char *start = bracketed ? text + 1 : text;
	const char *end = strchr(start, bracketed ? ']' : ':');
	const char *colon = end && bracketed ? end + 1 : end;
	char host[ADDR_TEXT_MAX];
	struct addr addr;
	uint64_t port = 0;

	if (!end || *colon != ':' || (size_t)(end - start) >= sizeof(host))
		return -EINVAL;
	memcpy(host, start, (size_t)(end - start));
	host[end - start] = '\0';

	if (addr_parse_raw(host, &addr) != 0 || (addr.family == ADDR_V6) != bracketed)
		return -EINVAL;
	if (num_parse_u64(colon + 1, UINT16_MAX, &port) != 0 || port == 0)
		return -EINVAL;
	*out_addr = addr_fold(&addr);
	*out_port = (uint16_t)port;
	return 0;
}

/* Decimal without leading zeros, so that a prefix is written in one way only. */
static int length_parse(const char *text, uint8_t bits, uint8_t *out_len)
{
	uint64_t len = 0;
	int err;

	if (text[0] == '0' && text[1] != '\0')
		return -EINVAL;
	err = num_parse_u64(text, bits, &len);
	if (err)
		return err;
	*out_len = (uint8_t)len;
	return 0;
}

int prefix_parse(const char *text, struct prefix *out_prefix)
{
	const size_t host_len = strcspn(text, "/");
	char host[ADDR_TEXT_MAX];
	struct prefix prefix;
	struct addr addr;
	uint8_t len;
	int err;

	if (host_len >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, host_len);
	host[host_len] = '\0';
	err = addr_parse_raw(host, &addr);
	if (err)
		return err;
	len = addr_bits(addr.family);
	if (text[host_len] == '/') {
		err = length_parse(text + host_len + 1, len, &len);
		if (err)
			return err;
	}

	prefix = prefix_make(&addr, len);
	err = addr_equal(&prefix.addr, &addr) ? 0 : -EDOM;
	if (len >= MAPPED_LEN && addr_is_mapped(&prefix.addr)) {
		prefix.addr = addr_fold(&prefix.addr);
		prefix.len = (uint8_t)(len - MAPPED_LEN);
	}
	*out_prefix = prefix;
	return err;
}

const char *prefix_format(const struct prefix *prefix, char out_text[PREFIX_TEXT_MAX])
{
	char text[ADDR_TEXT_MAX];

	addr_format(&prefix->addr, text);
	if (prefix->len == addr_bits(prefix->addr.family))
		(void)snprintf(out_text, PREFIX_TEXT_MAX, "%s", text);
	else
		(void)snprintf(out_text, PREFIX_TEXT_MAX, "%s/%u", text, prefix->len);
	return out_text;
}

struct prefix prefix_make(const struct addr *addr, uint8_t len)
{
	const uint8_t bits = addr_bits(addr->family);
	struct prefix prefix = {.addr = *addr, .len = len < bits ? len : bits};
	const size_t whole = prefix.len / 8;
	const unsigned int rest = prefix.len % 8;

	if (whole < sizeof(prefix.addr.bytes)) {
		prefix.addr.bytes[whole] &= (uint8_t)(0xff00u >> rest);
		memset(prefix.addr.bytes + whole + 1, 0,
		       sizeof(prefix.addr.bytes) - whole - 1);
	}
	return prefix;
}

struct prefix prefix_of_client(const struct addr *addr)
{
	return prefix_make(addr, addr->family == ADDR_V6 ? CLIENT_V6_LEN : 32);
}

bool prefix_contains(const struct prefix *prefix, const struct addr *addr)
{
	const size_t whole = prefix->len / 8;
	const unsigned int rest = prefix->len % 8;

	if (prefix->len > addr_bits(prefix->addr.family) ||
	    prefix->addr.family != addr->family ||
	    memcmp(prefix->addr.bytes, addr->bytes, whole) != 0)
		return false;
	return rest == 0 ||
	       (prefix->addr.bytes[whole] ^ addr->bytes[whole]) >> (8 - rest) == 0;
}

bool prefix_covers(const struct prefix *outer, const struct prefix *inner)
{
	return outer->len <= inner->len && prefix_contains(outer, &inner->addr);
}

bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal(&a->addr, &b->addr);
}

int prefix_compare(const struct prefix *a, const struct prefix *b)
{
	int order;

	if (a->addr.family != b->addr.family)
		return a->addr.family < b->addr.family ? -1 : 1;
	order = memcmp(a->addr.bytes, b->addr.bytes, sizeof(a->addr.bytes));
	if (order != 0)
		return order < 0 ? -1 : 1;
	return (a->len > b->len) - (a->len < b->len);
}
