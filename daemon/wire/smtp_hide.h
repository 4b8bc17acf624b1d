/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_hide - a reply to RCPT, for the address that the client said.
 *
 * The routing table has sent the recipient elsewhere. What the backend says of the other address must not
 * reach the client: it would name an address that is none of the client's business. Pure.
 */
#ifndef WIRE_SMTP_HIDE_H
#define WIRE_SMTP_HIDE_H

#include "wire/smtp.h"

struct buf;

/**
 * smtp_hide - write a line of a reply anew.
 * @out: receives it without line end; overflow is said there
 * @line: "550 5.1.1 <new@example.net>: unknown", without line end
 * @to: the address that the backend was asked for, "new@example.net"
 * @said: the one that the client said
 *
 * Where the address stands, the other one is put. A line that then still has its domain, or its local part as a
 * word, keeps its codes alone, and a text of our own.
 */
void smtp_hide(struct buf *out, struct smtp_bytes line, struct smtp_bytes to,
	       struct smtp_bytes said);

#endif
