/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static size_t buf_room(const struct buf *buf)
{
	return buf->cap_bytes - buf->len - 1;
}

void buf_init(struct buf *buf, char *memory, size_t cap_bytes)
{
	assert(cap_bytes > 0);
	*buf = (struct buf){.text = memory, .cap_bytes = cap_bytes};
	memory[0] = '\0';
}

void buf_add(struct buf *buf, const void *bytes, size_t len)
{
	if (len > buf_room(buf)) {
		buf->overflow = true;
		return;
	}
	if (len > 0)
		memcpy(buf->text + buf->len, bytes, len);
	buf->len += len;
	buf->text[buf->len] = '\0';
}

void buf_puts(struct buf *buf, const char *text)
{
	buf_add(buf, text, strlen(text));
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	buf_vprintf(buf, format, args);
	va_end(args);
}

void buf_vprintf(struct buf *buf, const char *format, va_list args)
{
	int want;

	want = vsnprintf(buf->text + buf->len, buf_room(buf) + 1, format, args);
	if (want < 0 || (size_t)want > buf_room(buf)) {
		buf->text[buf->len] = '\0';
		buf->overflow = true;
		return;
	}
	buf->len += (size_t)want;
}

static size_t escape_byte(unsigned char byte, char out_text[4])
{
	static const char hex[] = "0123456789abcdef";

	if (byte == '"' || byte == '\\') {
		out_text[0] = '\\';
		out_text[1] = (char)byte;
		return 2;
	}
	if (byte >= ' ' && byte <= '~') {
		out_text[0] = (char)byte;
		return 1;
	}
	out_text[0] = '\\';
	out_text[1] = 'x';
	out_text[2] = hex[byte >> 4];
	out_text[3] = hex[byte & 15];
	return 4;
}

void buf_add_escaped(struct buf *buf, const void *bytes, size_t len, size_t max_len)
{
	const unsigned char *at = bytes;
	const size_t shown = len < max_len ? len : max_len;
	const size_t start = buf->len;
	const bool overflow_before = buf->overflow;

	buf->overflow = false;
	for (size_t i = 0; i < shown && !buf->overflow; i++) {
		char text[4];

		buf_add(buf, text, escape_byte(at[i], text));
	}
	if (shown < len)
		buf_add(buf, "...", 3);

	if (buf->overflow) { /* whole or not at all */
		buf->len = start;
		buf->text[start] = '\0';
	}
	buf->overflow = buf->overflow || overflow_before;
}

bool text_copy(char *dest, size_t cap_bytes, const char *src)
{
	const size_t len = strnlen(src, cap_bytes);
	const bool fits = len < cap_bytes;
	const size_t copied = fits ? len : cap_bytes - 1;

	assert(cap_bytes > 0);
	memcpy(dest, src, copied);
	dest[copied] = '\0';
	return fits;
}
