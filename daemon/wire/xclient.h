/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/xclient - writes Postfix's XCLIENT: tells a backend who the client is.
 *
 * Pure. Used by proc/ (backend). Grammar: Postfix's XCLIENT_README; values in xtext,
 * RFC 3461 §4. A server answers each command with 220 and expects EHLO anew; the last
 * one holds ADDR, because after it the right to say XCLIENT may be gone.
 */
#ifndef WIRE_XCLIENT_H
#define WIRE_XCLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "wire/span.h"

#define XCLIENT_LINE_MAX_BYTES	512u /* with CRLF */
#define XCLIENT_VALUE_MAX_BYTES 255u /* before xtext, as a domain: longer is no name */

/* Attributes; bits. */
enum xclient_attr {
	XCLIENT_NAME = 1u << 0,
	XCLIENT_PORT = 1u << 1,
	XCLIENT_PROTO = 1u << 2,
	XCLIENT_HELO = 1u << 3,
	XCLIENT_LOGIN = 1u << 4,
	XCLIENT_DESTADDR = 1u << 5,
	XCLIENT_DESTPORT = 1u << 6,
	XCLIENT_ADDR = 1u << 7,
};

struct xclient {
	const char *name;  /* verified host name; NULL: [UNAVAILABLE] */
	const char *helo;  /* NULL: [UNAVAILABLE] */
	const char *login; /* NULL: [UNAVAILABLE] */
	size_t helo_len;   /* names from the wire are not terminated */
	size_t login_len;
	struct addr addr;
	uint16_t port;	       /* 0: [UNAVAILABLE] */
	struct addr dest_addr; /* ADDR_NONE: [UNAVAILABLE] */
	uint16_t dest_port;    /* 0: [UNAVAILABLE] */
	bool is_esmtp;	       /* the client said EHLO */
};

/* The attributes in the params of a backend's XCLIENT line; unknown ones are skipped. */
uint32_t xclient_parse_attrs(const char *text, struct span params);

/**
 * xclient_next - write the next command.
 * @client: what is known
 * @left: attributes still to be written; begin with those that the backend offers;
 *        those written are taken out
 * @out: receives one command with CRLF, not terminated
 * @out_len: its bytes; untouched unless 1 is returned
 *
 * A value too long for a line is [UNAVAILABLE], except a LOGIN: a cut or missing user
 * is not that user.
 *
 * Return: 1, a command was written, after its 220 say EHLO and call again; 0, none left;
 * -EINVAL, no address; -EMSGSIZE, LOGIN too long.
 */
int xclient_next(const struct xclient *client, uint32_t *left,
		 char out[XCLIENT_LINE_MAX_BYTES], size_t *out_len) MUST_CHECK;

#endif
