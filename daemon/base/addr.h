/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/addr - IPv4 and IPv6 addresses and prefixes, as values.
 *
 * Plain data without pointers, so that they travel in messages and shared
 * memory as they are. An IPv4-mapped IPv6 address (::ffff:0:0/96) is folded to
 * IPv4 wherever one enters, so that one host has one address.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct sockaddr;
struct sockaddr_storage;

enum addr_family {
	ADDR_NONE = 0,
	ADDR_V4 = 4,
	ADDR_V6 = 6,
};

#define ADDR_TEXT_MAX	46 /* INET6_ADDRSTRLEN, with the NUL */
#define PREFIX_TEXT_MAX 50 /* ADDR_TEXT_MAX and "/128" */
#define CLIENT_V6_LEN	64 /* an IPv6 client is its /64: it owns all of it */

struct addr {
	uint8_t bytes[16]; /* network order; IPv4 in the first 4, the rest 0 */
	uint8_t family;	   /* enum addr_family */
};

struct prefix {
	struct addr addr; /* bits behind len are 0 */
	uint8_t len;	  /* 0..32 or 0..128 */
};

/**
 * addr_parse - read an address in presentation form.
 * @text: NUL-terminated; no brackets, no zone, no surrounding space
 * @out_addr: untouched on failure
 *
 * Return: 0; -EINVAL.
 */
int addr_parse(const char *text, struct addr *out_addr) MUST_CHECK;

/**
 * addr_format - write an address in presentation form (RFC 5952 for IPv6).
 * @addr: any; ADDR_NONE gives "-"
 * @out_text: receives a NUL-terminated string
 *
 * Return: @out_text.
 */
const char *addr_format(const struct addr *addr, char out_text[ADDR_TEXT_MAX]);

/**
 * addr_from_sockaddr - address and port of a socket address, mapped ones folded.
 * @sa: AF_INET or AF_INET6
 * @out_addr: untouched on failure
 * @out_port: host order; may be NULL
 *
 * Return: 0; -EAFNOSUPPORT.
 */
int addr_from_sockaddr(const struct sockaddr *sa, struct addr *out_addr,
		       uint16_t *out_port) MUST_CHECK;

/**
 * addr_to_sockaddr - the opposite.
 * @addr: IPv4 or IPv6
 * @port: host order
 * @out_sa: always written
 *
 * Return: length of the socket address for bind() and connect(); 0 for ADDR_NONE.
 */
unsigned int addr_to_sockaddr(const struct addr *addr, uint16_t port,
			      struct sockaddr_storage *out_sa);

bool addr_equal(const struct addr *a, const struct addr *b);

/* Number of bits of an address of this family: 32 or 128. */
uint8_t addr_bits(enum addr_family family);

/* Address of loopback (127.0.0.0/8, ::1)? */
bool addr_is_loopback(const struct addr *addr);

/**
 * endpoint_parse - "192.0.2.1:25" or "[2001:db8::1]:25".
 * @text: NUL-terminated
 * @out_addr, @out_port: untouched on failure
 *
 * Return: 0; -EINVAL.
 */
int endpoint_parse(const char *text, struct addr *out_addr,
		   uint16_t *out_port) MUST_CHECK;

/**
 * prefix_parse - "203.0.113.0/24", "2001:db8::/32", or an address alone (/32, /128).
 * @text: NUL-terminated
 * @out_prefix: untouched on failure, except -EDOM
 *
 * Return: 0; -EINVAL, not a prefix; -ERANGE, length past the family's; -EDOM,
 * bits set behind the length (then @out_prefix has them cleared, for the message).
 */
int prefix_parse(const char *text, struct prefix *out_prefix) MUST_CHECK;

/* Writes "addr/len", without "/len" for a host prefix. Returns @out_text. */
const char *prefix_format(const struct prefix *prefix, char out_text[PREFIX_TEXT_MAX]);

/* The prefix of this length around an address; bits behind it cleared. */
struct prefix prefix_make(const struct addr *addr, uint8_t len);

/* What a strike or a ban of this client is counted for: IPv4 /32, IPv6 /64. */
struct prefix prefix_of_client(const struct addr *addr);

bool prefix_contains(const struct prefix *prefix, const struct addr *addr);

/* Does outer contain every address of inner (equal ones included)? */
bool prefix_covers(const struct prefix *outer, const struct prefix *inner);

bool prefix_equal(const struct prefix *a, const struct prefix *b);

/* A total order: family, address, then length; shorter ones come first. */
int prefix_compare(const struct prefix *a, const struct prefix *b);

#endif
