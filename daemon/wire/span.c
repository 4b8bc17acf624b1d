/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/span.h"

#include <string.h>
#include <strings.h>

bool span_is(const char *text, struct span span, const char *word)
{
	return strlen(word) == span.len &&
	       strncasecmp(text + span.at, word, span.len) == 0;
}
