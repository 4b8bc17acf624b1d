/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap_write - writes a client's LOGIN anew, and postern's own ID.
 *
 * Nothing that a client wrote reaches a server as it stood: one form, that every server reads
 * alike. Pure. Used by proc/ (gate). RFC 9051 §4.3, RFC 7888, RFC 2971.
 */
#ifndef WIRE_IMAP_WRITE_H
#define WIRE_IMAP_WRITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "wire/imap.h"

#define IMAP_WRITE_GROWTH_MAX \
	64u /* bytes that a LOGIN grows at most when it is written anew */

/* Which strings have been written; begin with 0. */
struct imap_login_writer {
	uint8_t strings_done;
	bool literal_waits; /* announced, and to be written after the server's "+" */
};

/**
 * imap_write_login - write the next part of a LOGIN.
 * @writer: state
 * @text: the command that the client sent
 * @login: its arguments
 * @caps: enum imap_cap of the server: which literals it takes
 * @out: receives the part, from "LOGIN " on: the tag stands before it; overflow is said there
 *
 * Printable ASCII without quotes and backslashes goes in quotes, all else as a literal: at once
 * if the server has LITERAL+ (LITERAL-: up to 4096 bytes), else after its "+".
 *
 * Return: true, all is written; false, a "+" has to come first: call again then.
 */
bool imap_write_login(struct imap_login_writer *writer, const char *text,
		      const struct imap_login *login, uint32_t caps, struct buf *out);

/* Who the client is, for Dovecot's login_trusted_networks. */
struct imap_client {
	uint64_t session_id;
	struct addr addr;
	uint16_t port;
	struct addr dest_addr; /* where it connected to; ADDR_NONE: not known */
	uint16_t dest_port;
};

/**
 * imap_write_id - write an ID command.
 * @tag: of postern's own
 * @client: what the server is to believe; NULL: nothing
 * @pairs: imap_filter_id()'s; NULL: none
 * @out: receives the command with its CRLF; overflow is said there
 *
 * x-originating-ip, x-originating-port, x-connected-ip, x-connected-port and x-session-id, then the client's own.
 */
void imap_write_id(const char *tag, const struct imap_client *client,
		   const struct buf *pairs, struct buf *out);

/**
 * imap_filter_id - the fields of a client's ID that a server may see.
 * @text: the command
 * @pairs: imap_parse_id()'s
 * @out: receives ` "key" "value"` for each; a field that does not fit is left out
 *
 * Never one that begins with "x-": a client does not say who it is. What is not printable ASCII,
 * or longer than a few words, is left out too: nothing depends on it.
 */
void imap_filter_id(const char *text, struct span pairs, struct buf *out);

#endif
