/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/imap_write.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/imap_caps.h"
#include "wire/imap_read.h"

#define ID_VALUE_SHOWN_MAX 128u /* of a client's field */

/* Printable ASCII without what would need an escape. */
static bool is_plain(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (!chars_is(text[i], CHARS_PRINT) || text[i] == '"' || text[i] == '\\')
			return false;
	}
	return true;
}

static size_t string_len(const char *text, const struct imap_string *string)
{
	size_t len = string->span.len;

	for (size_t i = 0; string->has_escapes && i < string->span.len; i++) {
		if (text[string->span.at + i] == '\\') {
			len--;
			i++;
		}
	}
	return len;
}

static bool literal_goes_at_once(size_t len, uint32_t caps)
{
	return (caps & IMAP_CAP_LITERAL_PLUS) ||
	       ((caps & IMAP_CAP_LITERAL_MINUS) && len <= IMAP_LITERAL_MINUS_MAX_BYTES);
}

/* Return: false, only announced: the server's "+" has to come first. */
static bool write_string(const char *text, const struct imap_string *string,
			 uint32_t caps, struct buf *out)
{
	const size_t len = string_len(text, string);
	const bool at_once = literal_goes_at_once(len, caps);

	if (!string->has_escapes && is_plain(text + string->span.at, len)) {
		buf_puts(out, "\"");
		buf_add(out, text + string->span.at, len);
		buf_puts(out, "\"");
		return true;
	}
	buf_printf(out, "{%zu%s}\r\n", len, at_once ? "+" : "");
	if (at_once)
		imap_string_copy(text, string, out);
	return at_once;
}

bool imap_write_login(struct imap_login_writer *writer, const char *text,
		      const struct imap_login *login, uint32_t caps, struct buf *out)
{
	const struct imap_string *const strings[] = {&login->user, &login->secret};

	while (writer->strings_done < 2) {
		const struct imap_string *string = strings[writer->strings_done];

		if (writer->literal_waits) {
			imap_string_copy(text, string, out);
			writer->literal_waits = false;
		} else {
			buf_puts(out, writer->strings_done ? " " : "LOGIN ");
			writer->literal_waits = !write_string(text, string, caps, out);
		}
		if (writer->literal_waits)
			return false;
		writer->strings_done++;
	}
	buf_puts(out, "\r\n");
	return true;
}

static void put_addr(struct buf *out, const char *what, const struct addr *addr,
		     uint16_t port)
{
	char text[ADDR_TEXT_MAX];

	buf_printf(out, " \"x-%s-ip\" \"%s\" \"x-%s-port\" \"%u\"", what,
		   addr_format(addr, text), what, port);
}

void imap_write_id(const char *tag, const struct imap_client *client,
		   const struct buf *pairs, struct buf *out)
{
	size_t open;

	buf_printf(out, "%s ID ", tag);
	if (!client && (!pairs || pairs->len == 0)) {
		buf_puts(out, "NIL\r\n");
		return;
	}
	open = out->len;
	if (client) {
		put_addr(out, "originating", &client->addr, client->port);
		if (client->dest_addr.family != ADDR_NONE)
			put_addr(out, "connected", &client->dest_addr, client->dest_port);
		buf_printf(out, " \"x-session-id\" \"%016" PRIx64 "\"",
			   client->session_id);
	}
	if (pairs)
		buf_add(out, pairs->text, pairs->len);
	buf_puts(out, ")\r\n");
	if (!out->overflow)
		out->text[open] = '('; /* in the place of the first space */
}

/* A field without a value tells nothing. */
static bool pair_is_passed(const char *text, const struct imap_id_pair *pair)
{
	const char *key = text + pair->key.span.at;
	const char *value = text + pair->value.span.at;

	return pair->key.span.len > 0 && is_plain(key, pair->key.span.len) &&
	       strncasecmp(key, "x-", pair->key.span.len < 2 ? pair->key.span.len : 2) !=
		       0 &&
	       pair->value.kind != IMAP_STRING_NIL &&
	       pair->value.span.len <= ID_VALUE_SHOWN_MAX &&
	       is_plain(value, pair->value.span.len);
}

void imap_filter_id(const char *text, struct span pairs, struct buf *out)
{
	struct imap_id_pair pair;

	while (imap_next_id_pair(text, &pairs, &pair)) {
		if (!pair_is_passed(text, &pair))
			continue;
		if (out->cap_bytes - out->len <
		    (size_t)pair.key.span.len + pair.value.span.len + 8)
			continue;
		buf_puts(out, " \"");
		buf_add(out, text + pair.key.span.at, pair.key.span.len);
		buf_puts(out, "\" \"");
		buf_add(out, text + pair.value.span.at, pair.value.span.len);
		buf_puts(out, "\"");
	}
}
