/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/xclient.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "wire/chars.h"

#define UNAVAILABLE "[UNAVAILABLE]"
#define COMMAND	    "XCLIENT"

/* In the order they are written: ADDR last. */
static const struct {
	const char *name;
	uint32_t attr;
} attr_rows[] = {
	{"NAME", XCLIENT_NAME},		{"PORT", XCLIENT_PORT},
	{"PROTO", XCLIENT_PROTO},	{"HELO", XCLIENT_HELO},
	{"LOGIN", XCLIENT_LOGIN},	{"DESTADDR", XCLIENT_DESTADDR},
	{"DESTPORT", XCLIENT_DESTPORT}, {"ADDR", XCLIENT_ADDR},
};

#define ATTR_ROWS (sizeof(attr_rows) / sizeof(attr_rows[0]))

uint32_t xclient_parse_attrs(const char *text, struct span params)
{
	struct span rest = params;
	uint32_t attrs = 0;

	while (rest.len > 0) {
		struct span word = {.at = rest.at};

		while (word.len < rest.len && text[rest.at + word.len] != ' ')
			word.len++;
		for (size_t i = 0; i < ATTR_ROWS; i++) {
			if (span_is(text, word, attr_rows[i].name))
				attrs |= attr_rows[i].attr;
		}
		rest.at += word.len + (word.len < rest.len);
		rest.len -= word.len + (word.len < rest.len);
	}
	return attrs;
}

/* xtext = *( xchar / hexchar ); hexchar = "+" 2HEXDIG, upper case    RFC 3461 §4 */
static void xclient_add_xtext(struct buf *out, const char *value, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (chars_is(value[i], CHARS_XTEXT))
			buf_add(out, &value[i], 1);
		else
			buf_printf(out, "+%02X", (unsigned int)(unsigned char)value[i]);
	}
}

static void xclient_add_text(struct buf *out, const char *value, size_t len)
{
	if (!value || len == 0 || len > XCLIENT_VALUE_MAX_BYTES)
		buf_puts(out, UNAVAILABLE);
	else
		xclient_add_xtext(out, value, len);
}

static void xclient_add_port(struct buf *out, uint16_t port)
{
	if (port == 0)
		buf_puts(out, UNAVAILABLE);
	else
		buf_printf(out, "%u", port);
}

static void xclient_add_addr(struct buf *out, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	if (addr->family == ADDR_NONE)
		buf_puts(out, UNAVAILABLE);
	else
		buf_printf(out, "%s%s", addr->family == ADDR_V6 ? "IPV6:" : "",
			   addr_format(addr, text));
}

static void xclient_add_value(struct buf *out, const struct xclient *client,
			      uint32_t attr)
{
	if (attr == XCLIENT_NAME)
		xclient_add_text(out, client->name,
				 client->name ? strlen(client->name) : 0);
	else if (attr == XCLIENT_PORT)
		xclient_add_port(out, client->port);
	else if (attr == XCLIENT_PROTO)
		buf_puts(out, client->is_esmtp ? "ESMTP" : "SMTP");
	else if (attr == XCLIENT_HELO)
		xclient_add_text(out, client->helo, client->helo_len);
	else if (attr == XCLIENT_LOGIN)
		xclient_add_text(out, client->login, client->login_len);
	else if (attr == XCLIENT_DESTADDR)
		xclient_add_addr(out, &client->dest_addr);
	else if (attr == XCLIENT_DESTPORT)
		xclient_add_port(out, client->dest_port);
	else
		xclient_add_addr(out, &client->addr);
}

/*
 * " NAME=value" in memory of its own, so that an attribute goes in whole or not at all.
 * Returns 0; -EMSGSIZE, a LOGIN that fits no line.
 */
static int xclient_attr(const struct xclient *client, size_t row, struct buf *out)
{
	size_t room = XCLIENT_LINE_MAX_BYTES - strlen(COMMAND) - strlen("\r\n");
	uint32_t attr = attr_rows[row].attr;

	buf_printf(out, " %s=", attr_rows[row].name);
	xclient_add_value(out, client, attr);
	if (!out->overflow && out->len <= room &&
	    (attr != XCLIENT_LOGIN || client->login_len <= XCLIENT_VALUE_MAX_BYTES))
		return 0;
	if (attr == XCLIENT_LOGIN)
		return -EMSGSIZE;
	out->len = 0;
	out->overflow = false;
	buf_printf(out, " %s=%s", attr_rows[row].name, UNAVAILABLE);
	return 0;
}

int xclient_next(const struct xclient *client, uint32_t *left,
		 char out[XCLIENT_LINE_MAX_BYTES], size_t *out_len)
{
	char line_text[XCLIENT_LINE_MAX_BYTES + 1];
	struct buf line = BUF_OVER(line_text);
	uint32_t written = 0;

	if (client->addr.family == ADDR_NONE)
		return -EINVAL;

	buf_puts(&line, COMMAND);
	for (size_t i = 0; i < ATTR_ROWS; i++) {
		char attr_text[XCLIENT_LINE_MAX_BYTES + 1];
		struct buf attr = BUF_OVER(attr_text);
		int err;

		if (!(*left & attr_rows[i].attr))
			continue;
		err = xclient_attr(client, i, &attr);
		if (err)
			return err;
		if (line.len + attr.len + strlen("\r\n") > XCLIENT_LINE_MAX_BYTES)
			break;
		buf_add(&line, attr.text, attr.len);
		written |= attr_rows[i].attr;
	}
	if (written == 0)
		return 0;

	buf_puts(&line, "\r\n");
	memcpy(out, line.text, line.len);
	*out_len = line.len;
	*left &= ~written;
	return 1;
}
