/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/base64.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "wire/chars.h"

#define NO_SEXTET 64u

/* Digits taken so far that make no whole byte yet. */
struct base64_state {
	uint32_t bits;
	unsigned int bit_count; /* 0, 6, 4, 2 after whole digits */
	char *out;
	size_t cap;
	size_t out_len;
};

static unsigned int base64_sextet(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (unsigned int)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (unsigned int)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (unsigned int)(c - '0') + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : NO_SEXTET;
}

static int base64_take(struct base64_state *state, unsigned int sextet)
{
	state->bits = (state->bits << 6 | sextet) & 0xfff;
	state->bit_count += 6;
	if (state->bit_count < 8)
		return 0;
	if (state->out_len == state->cap)
		return -ENOSPC;
	state->bit_count -= 8;
	state->out[state->out_len++] = (char)(state->bits >> state->bit_count & 0xff);
	return 0;
}

static bool base64_has_bits_left(const struct base64_state *state)
{
	return (state->bits & ((1u << state->bit_count) - 1)) != 0;
}

int base64_decode(const char *text, size_t len, char *out, size_t cap, size_t *out_len)
{
	struct base64_state state = {.out = out, .cap = cap};
	size_t pads = 0;

	if (len % 4 != 0)
		return -EBADMSG;
	while (pads < 2 && pads < len && text[len - 1 - pads] == '=')
		pads++;
	for (size_t i = 0; i < len - pads; i++) {
		unsigned int sextet = base64_sextet(text[i]);
		int err = sextet == NO_SEXTET ? -EBADMSG : base64_take(&state, sextet);

		if (err)
			return err;
	}
	if (base64_has_bits_left(&state))
		return -EBADMSG;
	*out_len = state.out_len;
	return 0;
}

int base64_decode_lenient(const char *text, size_t len, char *out, size_t cap,
			  size_t *out_len)
{
	struct base64_state state = {.out = out, .cap = cap};

	for (size_t i = 0; i < len && text[i] != '='; i++) {
		unsigned int sextet = base64_sextet(text[i]);
		int err;

		if (text[i] == ' ' || text[i] == '\t')
			continue;
		err = sextet == NO_SEXTET ? -EBADMSG : base64_take(&state, sextet);
		if (err)
			return err;
	}
	*out_len = state.out_len;
	return 0;
}

void base64_encode(const void *bytes, size_t len, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789+/";
	const uint8_t *in = bytes;

	for (size_t i = 0; i < len; i += 3) {
		const uint32_t bits = (uint32_t)in[i] << 16 |
				      (i + 1 < len ? (uint32_t)in[i + 1] << 8 : 0) |
				      (i + 2 < len ? in[i + 2] : 0);

		*out++ = digits[bits >> 18];
		*out++ = digits[bits >> 12 & 63];
		*out++ = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		*out++ = i + 2 < len ? digits[bits & 63] : '=';
	}
	*out = '\0';
}
