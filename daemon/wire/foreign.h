/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/foreign - does a client of a mail port speak something else?
 *
 * Scanners and misdirected programs begin with bytes that no mail client sends, and often without a line end, so that
 * a server that reads lines would wait for nothing. Pure. Called by the gate on the first bytes of a client.
 */
#ifndef WIRE_FOREIGN_H
#define WIRE_FOREIGN_H

#include <stddef.h>

/**
 * foreign_protocol - name the protocol that begins so.
 * @bytes, @len: the first bytes of a client, as far as they have come
 *
 * HTTP is not among them: it comes in lines, and wire/smtp knows its verbs.
 *
 * Return: "TLS", "SSH", ...; NULL: none of them, or too short to tell.
 */
const char *foreign_protocol(const char *bytes, size_t len);

#endif
