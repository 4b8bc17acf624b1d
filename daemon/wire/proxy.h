/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/proxy - the PROXY protocol: tells a backend who the client is.
 *
 * Writers for version 1 (text) and 2 (binary), and a strict parser of both for
 * connections from trusted proxies. Pure. Used by proc/ (backend).
 *
 * Standard: "The PROXY protocol", versions 1 and 2 (proxy-protocol.txt of HAProxy).
 */
#ifndef WIRE_PROXY_H
#define WIRE_PROXY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define PROXY_V1_MAX_BYTES 107u /* §2.1, with CRLF */
#define PROXY_NAME_MAX	   255u /* of the host that the client asked for */
#define PROXY_WORD_MAX	   64u	/* version and cipher of TLS */
/* What proxy_write_v2() writes: 16, 36 for IPv6, and four extensions. */
#define PROXY_V2_MAX_BYTES (52u + 8u + 3u * 3u + 2u * PROXY_WORD_MAX + PROXY_NAME_MAX)
#define PROXY_PARSE_MAX_BYTES \
	1024u /* a header with extensions that is longer is refused */

/* The client's TLS, which ends at whoever writes the header. Texts are borrowed. */
struct proxy_tls {
	const char *version; /* "TLSv1.3"; cut after PROXY_WORD_MAX */
	const char *cipher;
	const char *
		authority; /* the host that it asked for (SNI), cut after PROXY_NAME_MAX; "": none */
};

struct proxy_header {
	bool is_local; /* LOCAL (v2), UNKNOWN (v1): no client; addresses are ADDR_NONE */
	struct addr source;	     /* the client */
	struct addr dest;	     /* where it connected to; of the same family */
	uint16_t source_port;	     /* host order */
	uint16_t dest_port;	     /* host order */
	const struct proxy_tls *tls; /* version 2, written only; NULL: plain */
};

/**
 * proxy_write_v2 - write a binary header.
 * @header: both addresses IPv4, or both IPv6, or is_local
 * @out: receives the bytes
 * @cap: size of @out; PROXY_V2_MAX_BYTES always suffices
 * @out_len: bytes written; untouched on failure
 *
 * Return: 0; -EINVAL, the families differ or are none; -ENOSPC.
 */
int proxy_write_v2(const struct proxy_header *header, char *out, size_t cap,
		   size_t *out_len) MUST_CHECK;

/* The same in text, with CRLF and no NUL; PROXY_V1_MAX_BYTES always suffices. */
int proxy_write_v1(const struct proxy_header *header, char *out, size_t cap,
		   size_t *out_len) MUST_CHECK;

/**
 * proxy_parse - read a header of either version from the start of a connection.
 * @bytes, @len: received so far
 * @out_header: untouched unless a header was found
 * @out_consumed: its bytes with all extensions; untouched unless a header was found
 *
 * TCP over IPv4 and IPv6 only; extensions (TLV) are checked for their lengths and skipped.
 *
 * Return: 1, found; 0, receive more (at most PROXY_PARSE_MAX_BYTES); -EBADMSG, no header;
 * -EAFNOSUPPORT, a well-formed one of another protocol; -EMSGSIZE.
 */
int proxy_parse(const char *bytes, size_t len, struct proxy_header *out_header,
		size_t *out_consumed) MUST_CHECK;

#endif
