/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/spf_macro - see the header.
 */
#include "wire/spf_macro.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"

#define LABEL_MAX 63u
#define PARTS_MAX \
	352u /* of a value: a sender has 64 octets, "@" and 255; section 7.3 splits it */
#define NUMBER_MAX 1000u /* of parts; larger numbers mean the same: all of them */
#define VALUE_MAX  (PARTS_MAX - 1)
#define PIECE_MAX  (3 * VALUE_MAX) /* each byte of a value as "%HH" */
#define TAIL_BYTES (2 * SPF_NAME_MAX)

/* macro-expand, taken apart. */
struct macro {
	char letter;   /* in lower case; '%', '_' or '-' for the three without braces */
	bool is_upper; /* its value is escaped as in a URL */
	bool is_reversed;
	unsigned int parts; /* how many from the right; 0: all */
	struct spf_text delimiters;
};

static bool is_delimiter(char c)
{
	return c != '\0' && strchr(".-+,/_=", c) != NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

/* Reads macro-expand where it should begin. Returns its length; 0: there is none. */
static size_t macro_read(const char *text, size_t len, struct macro *out_macro)
{
	size_t at = 3, digits_at;

	*out_macro = (struct macro){0};
	if (len < 2 || text[0] != '%')
		return 0;
	if (text[1] == '%' || text[1] == '_' || text[1] == '-') {
		out_macro->letter = text[1];
		return 2;
	}
	if (len < 4 || text[1] != '{')
		return 0;
	out_macro->letter = lower(text[2]);
	out_macro->is_upper = out_macro->letter != text[2];
	if (!chars_is(text[2], CHARS_ALPHA) || !strchr("slodiphcrtv", out_macro->letter))
		return 0;
	digits_at = at;
	for (; at < len && chars_is(text[at], CHARS_DIGIT); at++)
		if (out_macro->parts < NUMBER_MAX)
			out_macro->parts =
				out_macro->parts * 10 + (unsigned int)(text[at] - '0');
	if (at > digits_at && out_macro->parts == 0)
		return 0;
	if (at < len && lower(text[at]) == 'r') {
		out_macro->is_reversed = true;
		at++;
	}
	out_macro->delimiters.text = text + at;
	while (at < len && is_delimiter(text[at])) {
		out_macro->delimiters.len++;
		at++;
	}
	return at < len && text[at] == '}' ? at + 1 : 0;
}

/* ---- grammar --------------------------------------------------------------------------------- */

/*
 * toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" ) alphanum )
 *
 * So digits alone are none, but digits with a hyphen between them are.
 */
static bool is_toplabel(const char *text, size_t len)
{
	bool has_digits_only = true;

	if (len == 0 || text[0] == '-' || text[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!chars_is(text[i], CHARS_LET_DIG) && text[i] != '-')
			return false;
		has_digits_only &= chars_is(text[i], CHARS_DIGIT);
	}
	return !has_digits_only;
}

/* @text: what stands behind the last macro. */
static bool ends_like_a_domain(const char *text, size_t len)
{
	size_t at;

	if (len > 0 && text[len - 1] == '.')
		len--;
	for (at = len; at > 0; at--)
		if (text[at - 1] == '.')
			return is_toplabel(text + at, len - at);
	return false;
}

bool spf_text_is_valid(enum spf_text_kind kind, const char *text, size_t len)
{
	const char smallest = kind == SPF_TEXT_EXPLANATION ? ' ' : '!';
	size_t literal_at = 0;
	struct macro macro;

	for (size_t at = 0; at < len;) {
		size_t used;

		if (text[at] != '%') {
			if (text[at] < smallest || text[at] > '~')
				return false;
			at++;
			continue;
		}
		used = macro_read(text + at, len - at, &macro);
		if (used == 0 ||
		    (kind != SPF_TEXT_EXPLANATION && strchr("crt", macro.letter)))
			return false;
		at += used;
		literal_at = at;
	}
	if (kind != SPF_TEXT_DOMAIN_SPEC)
		return true;
	return len > 0 && (literal_at == len ||
			   ends_like_a_domain(text + literal_at, len - literal_at));
}

bool spf_text_uses(const char *text, size_t len, const char *letters)
{
	struct macro macro;

	for (size_t at = 0; at < len;) {
		size_t used = macro_read(text + at, len - at, &macro);

		if (used > 0 && strchr(letters, macro.letter))
			return true;
		at += used > 0 ? used : 1;
	}
	return false;
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Where an expansion goes; what does not fit is left out. */
struct sink {
	char *bytes;
	size_t len, cap_bytes;
};

static void sink_put(struct sink *sink, char c)
{
	if (sink->len < sink->cap_bytes)
		sink->bytes[sink->len++] = c;
}

/* unreserved = ALPHA / DIGIT / "-" / "." / "_" / "~"   RFC 3986 section 2.3 */
static bool is_unreserved(char c)
{
	return chars_is(c, CHARS_LET_DIG) || (c != '\0' && strchr("-._~", c));
}

static void sink_put_value(struct sink *sink, const struct macro *macro,
			   struct spf_text value)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0; i < value.len; i++) {
		const unsigned char c = (unsigned char)value.text[i];

		if (!macro->is_upper || is_unreserved((char)c)) {
			sink_put(sink, (char)c);
			continue;
		}
		sink_put(sink, '%');
		sink_put(sink, hex[c >> 4]);
		sink_put(sink, hex[c & 0xf]);
	}
}

/* "192.0.2.1", and for IPv6 every nibble: "2.0.0.1.0.d.b.8. ..."   section 7.3 */
static void put_dotted(struct buf *out, const struct addr *addr)
{
	char text[ADDR_TEXT_MAX];

	if (addr->family == ADDR_V4) {
		buf_puts(out, addr_format(addr, text));
		return;
	}
	for (size_t i = 0; i < sizeof(addr->bytes); i++)
		buf_printf(out, "%s%x.%x", i ? "." : "", addr->bytes[i] >> 4,
			   addr->bytes[i] & 0xfu);
}

/* @room: holds the value where it has to be put together. */
static struct spf_text macro_value(const struct spf_values *values, char letter,
				   struct buf *room)
{
	char text[ADDR_TEXT_MAX];

	switch (letter) {
	case 'l':
		return values->local;
	case 'o':
		return values->sender_domain;
	case 'd':
		return values->domain;
	case 'h':
		return values->helo;
	case 'p':
		return values->client_name;
	case 'r':
		return values->receiver;
	case 's':
		buf_add(room, values->local.text, values->local.len);
		buf_puts(room, "@");
		buf_add(room, values->sender_domain.text, values->sender_domain.len);
		break;
	case 'i':
		put_dotted(room, &values->client);
		break;
	case 'c':
		buf_puts(room, addr_format(&values->client, text));
		break;
	case 'v':
		buf_puts(room, values->client.family == ADDR_V4 ? "in-addr" : "ip6");
		break;
	case 't':
		buf_printf(room, "%" PRId64, values->now_s);
		break;
	case '%':
		buf_puts(room, "%");
		break;
	case '_':
		buf_puts(room, " ");
		break;
	case '-':
		buf_puts(room, "%20");
		break;
	default:
		break;
	}
	return (struct spf_text){room->text, room->len};
}

static bool splits(const struct macro *macro, char c)
{
	if (macro->delimiters.len == 0)
		return c == '.';
	return memchr(macro->delimiters.text, c, macro->delimiters.len) != NULL;
}

/* Split, reversed, cut to its right-hand parts and joined by dots; section 7.3. */
static void sink_put_parts(struct sink *sink, const struct macro *macro,
			   struct spf_text value)
{
	uint16_t begins[PARTS_MAX + 1];
	size_t count = 0, first;

	if (value.len > VALUE_MAX)
		value.len = VALUE_MAX;
	begins[count++] = 0;
	for (size_t i = 0; i < value.len; i++)
		if (splits(macro, value.text[i]))
			begins[count++] = (uint16_t)(i + 1);
	begins[count] = (uint16_t)(value.len + 1); /* as if a delimiter stood behind it */

	first = macro->parts > 0 && macro->parts < count ? count - macro->parts : 0;
	for (size_t i = first; i < count; i++) {
		size_t part = macro->is_reversed ? count - 1 - i : i;

		if (i > first)
			sink_put(sink, '.');
		sink_put_value(sink, macro,
			       (struct spf_text){value.text + begins[part],
						 begins[part + 1] - begins[part] - 1u});
	}
}

/* One byte, or one macro. Returns how much of the text it was. */
static size_t expand_element(struct sink *sink, const struct spf_values *values,
			     const char *text, size_t len)
{
	char memory[VALUE_MAX + 1];
	struct buf room = BUF_OVER(memory);
	struct spf_text value;
	struct macro macro;
	size_t used = macro_read(text, len, &macro);

	if (used == 0) {
		sink_put(sink, text[0]);
		return 1;
	}
	value = macro_value(values, macro.letter, &room);
	if (macro.parts > 0 || macro.is_reversed || macro.delimiters.len > 0)
		sink_put_parts(sink, &macro, value);
	else
		sink_put_value(sink, &macro, value);
	return used;
}

/* ---- names and explanations ------------------------------------------------------------------ */

bool spf_name_is_valid(const char *name, size_t len)
{
	size_t label = 0;

	if (len == 0 || len >= SPF_NAME_MAX)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (name[i] == '\0')
			return false;
		label = name[i] == '.' ? 0 : label + 1;
		if (label > LABEL_MAX || (label == 0 && (i == 0 || name[i - 1] == '.')))
			return false;
	}
	return label > 0;
}

bool spf_domain_is_valid(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (name[i] <= ' ' || name[i] > '~')
			return false;
	return spf_name_is_valid(name, len) && memchr(name, '.', len) && name[0] != '[';
}

bool spf_text_is_ascii(struct spf_text text)
{
	for (size_t i = 0; i < text.len; i++)
		if ((unsigned char)text.text[i] > 127)
			return false;
	return true;
}

bool spf_name_is_within(const char *name, const char *domain)
{
	const size_t name_len = strlen(name), domain_len = strlen(domain);

	if (domain_len == 0 || name_len < domain_len ||
	    strcasecmp(name + name_len - domain_len, domain) != 0)
		return false;
	return name_len == domain_len || name[name_len - domain_len - 1] == '.';
}

/*
 * Expands a text from its right end, until there is more than a name can have. @bytes: filled from its end.
 * Returns where the expansion begins in it.
 */
static size_t expand_end(const struct spf_values *values, const char *text, size_t len,
			 char bytes[TAIL_BYTES])
{
	uint16_t begins[SPF_TEXT_MAX];
	char piece[PIECE_MAX];
	size_t count = 0, at = TAIL_BYTES;

	for (size_t i = 0; i < len;) {
		struct macro macro;
		size_t used = macro_read(text + i, len - i, &macro);

		begins[count++] = (uint16_t)i;
		i += used > 0 ? used : 1;
	}
	while (count > 0 && TAIL_BYTES - at <= SPF_NAME_MAX) {
		struct sink sink = {.bytes = piece, .cap_bytes = sizeof(piece)};
		size_t fits;

		count--;
		(void)expand_element(&sink, values, text + begins[count],
				     len - begins[count]);
		fits = sink.len < at ? sink.len : at;
		memcpy(bytes + at - fits, piece + sink.len - fits, fits);
		at -= fits;
	}
	return at;
}

int spf_expand_name(const struct spf_values *values, const char *text, size_t len,
		    char out_name[SPF_NAME_MAX])
{
	char bytes[TAIL_BYTES];
	const char *name;
	size_t name_len, at;

	if (len > SPF_TEXT_MAX)
		return -EBADMSG;
	at = expand_end(values, text, len, bytes);
	name = bytes + at;
	name_len = TAIL_BYTES - at;
	if (name_len > 0 && name[name_len - 1] == '.')
		name_len--;
	if (name_len >= SPF_NAME_MAX) {
		/* The first dot with not more than the largest name behind it. */
		const char *from = name + name_len - SPF_NAME_MAX;
		const char *dot = memchr(from, '.', SPF_NAME_MAX);

		if (!dot)
			return -EBADMSG;
		name_len -= (size_t)(dot + 1 - name);
		name = dot + 1;
	}
	if (!spf_name_is_valid(name, name_len))
		return -EBADMSG;
	memcpy(out_name, name, name_len);
	out_name[name_len] = '\0';
	return 0;
}

void spf_expand_explanation(const struct spf_values *values, const char *text, size_t len,
			    char out_text[SPF_EXPLANATION_MAX])
{
	struct sink sink = {.bytes = out_text, .cap_bytes = SPF_EXPLANATION_MAX - 1};

	for (size_t at = 0; at < len && sink.len < sink.cap_bytes;)
		at += expand_element(&sink, values, text + at, len - at);
	for (size_t i = 0; i < sink.len; i++)
		if (out_text[i] < ' ' || out_text[i] > '~')
			out_text[i] = '?';
	out_text[sink.len] = '\0';
}
