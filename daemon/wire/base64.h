/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/base64 - base64 (RFC 4648 §4). Pure. Used by wire/sasl, proc/ (gate).
 */
#ifndef WIRE_BASE64_H
#define WIRE_BASE64_H

#include <stddef.h>

#include "base/cleanup.h"

/**
 * base64_decode - strict in alphabet, padding and bits left over (RFC 4648 §3.2 to §3.5).
 * @text, @len: no line ends
 * @out, @cap: receives the bytes; may be partly written on failure
 * @out_len: untouched on failure
 *
 * Return: 0; -EBADMSG, no base64; -ENOSPC.
 */
int base64_decode(const char *text, size_t len, char *out, size_t cap,
		  size_t *out_len) MUST_CHECK;

/**
 * base64_decode_lenient - what any server might make of it.
 *
 * As base64_decode(), but spaces and tabs are skipped, padding may be missing, bits may be
 * left over, and what stands behind the padding is ignored.
 */
int base64_decode_lenient(const char *text, size_t len, char *out, size_t cap,
			  size_t *out_len) MUST_CHECK;

/**
 * base64_encode - one line, with padding.
 * @out: NUL-terminated; 4 * ((@len + 2) / 3) + 1 bytes
 */
void base64_encode(const void *bytes, size_t len, char *out);

#endif
