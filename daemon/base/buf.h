/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/buf - text appended to memory of a fixed size.
 *
 * The memory is the caller's. What does not fit sets `overflow` and is left
 * out whole; the text is NUL-terminated at every moment (capacity > 0).
 */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct buf {
	char *text;	  /* borrowed; NUL-terminated */
	size_t len;	  /* without the NUL */
	size_t cap_bytes; /* with the NUL */
	bool overflow;	  /* something did not fit; sticky */
};

/* A buf over a char array that is in scope. */
#define BUF_OVER(array)                                         \
	{                                                       \
		.text = ((array)[0] = '\0', (array)), .len = 0, \
		.cap_bytes = sizeof(array), .overflow = false   \
	}

void buf_init(struct buf *buf, char *memory, size_t cap_bytes);
void buf_add(struct buf *buf, const void *bytes, size_t len);
void buf_puts(struct buf *buf, const char *text);
void buf_printf(struct buf *buf, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *buf, const char *format, va_list args)
	__attribute__((format(printf, 2, 0)));

/**
 * buf_add_escaped - append bytes from a stranger, fit for a log line or a terminal.
 * @buf: where to
 * @bytes: any bytes, NUL included
 * @len: how many
 * @max_len: cut after this many input bytes, and say so with "..."
 *
 * Printable ASCII stays, except '"' and '\' which get a backslash; all else
 * becomes \xHH. What does not fit is left out whole, as everywhere here.
 */
void buf_add_escaped(struct buf *buf, const void *bytes, size_t len, size_t max_len);

/**
 * text_copy - copy a string into an array, cut if need be, always terminated.
 * @dest: receives the text
 * @cap_bytes: size of @dest, > 0
 * @src: NUL-terminated
 *
 * Return: true if all of it fitted.
 */
bool text_copy(char *dest, size_t cap_bytes, const char *src);

#endif
