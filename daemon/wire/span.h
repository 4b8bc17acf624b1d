/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/span - a piece of a text that somebody else holds.
 *
 * Parsers return spans, not copies: a place and a length inside the text that they
 * were given. Valid as long as that text stays where it is. Used by all of wire/.
 */
#ifndef WIRE_SPAN_H
#define WIRE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
	uint32_t at;  /* bytes from the start of the text that was parsed */
	uint32_t len; /* 0: empty, or not there */
};

/* Is the span, byte for byte except for the case of ASCII letters, this word? */
bool span_is(const char *text, struct span span, const char *word);

#endif
