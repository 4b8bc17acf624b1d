/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/chars.h"

#define LETTER                                                                    \
	(CHARS_ALPHA | CHARS_QTEXT | CHARS_DCONTENT | CHARS_VALUE | CHARS_PRINT | \
	 CHARS_XTEXT)
#define FIGURE                                                                    \
	(CHARS_DIGIT | CHARS_QTEXT | CHARS_DCONTENT | CHARS_VALUE | CHARS_PRINT | \
	 CHARS_XTEXT)
#define SPECIAL (CHARS_QTEXT | CHARS_DCONTENT | CHARS_VALUE | CHARS_PRINT | CHARS_XTEXT)
#define ATOMIC	(SPECIAL | CHARS_ATEXT)

static const uint8_t classes_of[256] = {
	[' '] = CHARS_QTEXT | CHARS_PRINT,
	['!'] = ATOMIC,
	['"'] = SPECIAL & ~CHARS_QTEXT,
	['#' ... '\''] = ATOMIC,
	['(' ... ')'] = SPECIAL,
	['*'] = ATOMIC,
	['+'] = ATOMIC & ~CHARS_XTEXT,
	[','] = SPECIAL,
	['-'] = ATOMIC,
	['.'] = SPECIAL,
	['/'] = ATOMIC,
	['0' ... '9'] = FIGURE,
	[':' ... '<'] = SPECIAL,
	['='] = ATOMIC & ~(CHARS_VALUE | CHARS_XTEXT),
	['>'] = SPECIAL,
	['?'] = ATOMIC,
	['@'] = SPECIAL,
	['A' ... 'Z'] = LETTER,
	['['] = SPECIAL & ~CHARS_DCONTENT,
	['\\'] = SPECIAL & ~(CHARS_DCONTENT | CHARS_QTEXT),
	[']'] = SPECIAL & ~CHARS_DCONTENT,
	['^' ... '`'] = ATOMIC,
	['a' ... 'z'] = LETTER,
	['{' ... '~'] = ATOMIC,
};

bool chars_is(char c, unsigned int classes)
{
	return (classes_of[(unsigned char)c] & classes) != 0;
}

size_t chars_count(const char *text, size_t len, unsigned int classes)
{
	size_t n = 0;

	while (n < len && chars_is(text[n], classes))
		n++;
	return n;
}

/* First byte, and the range of the second: RFC 3629 §4. */
static const struct {
	uint8_t first_low, first_high;
	uint8_t second_low, second_high;
	uint8_t len;
} utf8_forms[] = {
	{0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
	{0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3},
	{0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	{0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
};

size_t chars_utf8(const char *text, size_t len)
{
	const uint8_t *b = (const uint8_t *)text;

	for (size_t i = 0; i < sizeof(utf8_forms) / sizeof(utf8_forms[0]); i++) {
		if (len < utf8_forms[i].len || b[0] < utf8_forms[i].first_low ||
		    b[0] > utf8_forms[i].first_high)
			continue;
		if (b[1] < utf8_forms[i].second_low || b[1] > utf8_forms[i].second_high)
			return 0;
		for (size_t n = 2; n < utf8_forms[i].len; n++) {
			if ((b[n] & 0xc0) != 0x80)
				return 0;
		}
		return utf8_forms[i].len;
	}
	return 0;
}
