/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/line - finds command lines in a receive buffer.
 *
 * A line ends with CRLF; a bare LF ends it too, and is said so. The state is a few
 * numbers: how far the buffer was searched, and whether a line that is too long is
 * being skipped. Pure. Used by proc/ for all line protocols (RFC 5321 §2.3.8).
 */
#ifndef WIRE_LINE_H
#define WIRE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is wrong with a line; bits. */
enum line_fault {
	LINE_BARE_LF = 1u << 0, /* ended by LF without CR */
	LINE_BARE_CR = 1u << 1, /* a CR inside, or CRs before its CRLF */
	LINE_NUL = 1u << 2,	/* a NUL inside */
	LINE_8BIT = 1u << 3,	/* a byte above 127 inside; no fault under SMTPUTF8 */
};

enum line_result {
	LINE_MORE,     /* no end yet: drop `consumed`, receive more */
	LINE_READY,    /* a line: use it, then drop `consumed` */
	LINE_TOO_LONG, /* end of a line past the limit: drop `consumed`, complain once */
};

struct line_scanner {
	size_t max_bytes; /* limit of a line with its CRLF; > 2 */
	size_t searched;  /* bytes at the start of the buffer that hold no LF */
	bool skipping;	  /* inside a line that is too long */
};

struct line {
	size_t len;	 /* without its end; LINE_READY only, else 0 */
	size_t consumed; /* bytes to drop from the front of the buffer now */
	uint8_t faults;	 /* enum line_fault; LINE_READY only, else 0 */
};

/* Begin. @max_bytes: limit of a line with its CRLF (RFC 5321 §4.5.3.1.4: 512). */
void line_scanner_init(struct line_scanner *scanner, size_t max_bytes);

/* Change the limit between two lines (AUTH: RFC 4954 §4 wants 12288). */
void line_scanner_set_max(struct line_scanner *scanner, size_t max_bytes);

/**
 * line_next - find the end of the first line in the buffer.
 * @scanner: state; knows what it has already searched
 * @bytes: the buffer, from the first byte not dropped yet; may be moved between calls
 * @len: bytes in it; what was there before is unchanged
 * @out_line: always written
 *
 * The buffer must be able to hold max_bytes: after LINE_MORE with consumed == 0 it has
 * fewer. In a line that is too long all bytes are consumed as they come.
 *
 * Return: enum line_result.
 */
enum line_result line_next(struct line_scanner *scanner, const char *bytes, size_t len,
			   struct line *out_line);

/* Bytes of a line without the CRs and LFs at its end. */
size_t line_without_end(const char *bytes, size_t len);

#endif
