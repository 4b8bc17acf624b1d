/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/chars - character classes of the mail grammars, and well-formed UTF-8.
 *
 * ASCII only and independent of any locale. Used inside wire/.
 */
#ifndef WIRE_CHARS_H
#define WIRE_CHARS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits, so that a class may be a sum of others. */
enum chars_class {
	CHARS_ALPHA = 1u << 0,
	CHARS_DIGIT = 1u << 1,
	CHARS_ATEXT = 1u << 2,	  /* besides letters and digits; RFC 5322 §3.2.3 */
	CHARS_QTEXT = 1u << 3,	  /* qtextSMTP, RFC 5321 §4.1.2 */
	CHARS_DCONTENT = 1u << 4, /* RFC 5321 §4.1.3 */
	CHARS_VALUE = 1u << 5,	  /* esmtp-value, RFC 5321 §4.1.2 */
	CHARS_PRINT = 1u << 6,	  /* %d32-126 */
	CHARS_XTEXT = 1u << 7,	  /* xchar, RFC 3461 §4 */
	CHARS_LET_DIG = CHARS_ALPHA | CHARS_DIGIT,
	CHARS_ATOM = CHARS_LET_DIG | CHARS_ATEXT,
};

bool chars_is(char c, unsigned int classes);

/* How many bytes at the start of a text belong to the classes. */
size_t chars_count(const char *text, size_t len, unsigned int classes);

/**
 * chars_utf8 - length of one non-ASCII character.
 * @text, @len: where it should begin
 *
 * UTF8-2 / UTF8-3 / UTF8-4 of RFC 3629 §4: no overlong form, no surrogate.
 *
 * Return: 2..4; 0, there is none.
 */
size_t chars_utf8(const char *text, size_t len);

#endif
