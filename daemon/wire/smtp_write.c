/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_write - addresses written anew (wire/smtp.h).
 */
#include <string.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/smtp.h"

/* Dot-string = Atom *( "." Atom ), with the dots anywhere: what clients say, and hosts take. */
static bool is_dot_string(struct smtp_bytes local)
{
	for (size_t i = 0; i < local.len; i++)
		if (!chars_is(local.bytes[i], CHARS_ATOM) && local.bytes[i] != '.' &&
		    (unsigned char)local.bytes[i] <= 127)
			return false;
	return local.len > 0;
}

void smtp_write_mailbox(struct buf *out, struct smtp_bytes local,
			struct smtp_bytes domain)
{
	if (is_dot_string(local)) {
		buf_add(out, local.bytes, local.len);
	} else {
		buf_puts(out, "\"");
		for (size_t i = 0; i < local.len; i++) {
			if (local.bytes[i] == '"' || local.bytes[i] == '\\')
				buf_puts(out, "\\");
			buf_add(out, local.bytes + i, 1);
		}
		buf_puts(out, "\"");
	}
	buf_puts(out, "@");
	buf_add(out, domain.bytes, domain.len);
}

/* xtext = *( xchar / "+" 2HEXDIG )    RFC 3461 §4 */
static void write_xtext(struct buf *out, struct smtp_bytes text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (chars_is(text.bytes[i], CHARS_XTEXT) && text.bytes[i] != ' ')
			buf_add(out, text.bytes + i, 1);
		else
			buf_printf(out, "+%02X", (unsigned char)text.bytes[i]);
	}
}

/* The code point of a character of UTF-8 that is well formed. */
static unsigned int code_point(const char *bytes, size_t len)
{
	unsigned int point = (unsigned char)bytes[0] & (0xffu >> (len + 1));

	for (size_t i = 1; i < len; i++)
		point = point << 6 | ((unsigned char)bytes[i] & 0x3fu);
	return point;
}

/* utf-8-addr-xtext = 1*( QCHAR / "\x{" HEXPOINT "}" )    RFC 6533 §3 */
static void write_utf8_xtext(struct buf *out, struct smtp_bytes text)
{
	for (size_t i = 0; i < text.len;) {
		const size_t len = chars_utf8(text.bytes + i, text.len - i);
		const char c = text.bytes[i];

		if (len > 0)
			buf_printf(out, "\\x{%X}", code_point(text.bytes + i, len));
		else if (c > ' ' && c <= '~' && c != '+' && c != '=' && c != '\\')
			buf_add(out, &c, 1);
		else
			buf_printf(out, "\\x{%X}", (unsigned char)c);
		i += len > 0 ? len : 1;
	}
}

void smtp_write_orcpt(struct buf *out, struct smtp_bytes mailbox)
{
	bool has_8bit = false;

	for (size_t i = 0; i < mailbox.len; i++)
		has_8bit |= (unsigned char)mailbox.bytes[i] > 127;
	buf_puts(out, has_8bit ? "ORCPT=utf-8;" : "ORCPT=rfc822;");
	if (has_8bit)
		write_utf8_xtext(out, mailbox);
	else
		write_xtext(out, mailbox);
}
