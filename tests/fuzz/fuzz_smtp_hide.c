/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_smtp_hide - whatever a backend says of a recipient that was routed, the client does not hear the other address.
 *
 * The input is a byte for the room of the output, then lines: the local part and the domain that the backend was
 * asked for, the address that the client said, and the reply.
 *
 * Invariants: a reply keeps its code, its place amid the lines, and its buffer; in which neither part of the hidden
 * address stands, it stays as it is; and one that is not our own words tells neither the address nor a part of it that
 * the client had not said itself.
 *
 * link: target.c
 */
#include <ctype.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "target.h"
#include "wire/smtp_hide.h"
#include "wire/smtp_reply.h"

#define OUR_WORDS_MAX_BYTES 80u /* with the codes in front of them */

struct hide_case {
	struct smtp_bytes local, domain, said, line;
	struct smtp_bytes to,
		to_bare; /* with the quotes that it needs, and without any */
};

/* Of a longer word, if it stands beside one. */
static bool is_of_word(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' ||
	       (unsigned char)c > 127;
}

/* From this place on: where the bytes stand, in any case; the length of the text, if nowhere. */
static size_t find(struct smtp_bytes text, size_t at, struct smtp_bytes bytes)
{
	for (; bytes.len > 0 && at + bytes.len <= text.len; at++)
		if (strncasecmp(text.bytes + at, bytes.bytes, bytes.len) == 0)
			return at;
	return text.len;
}

static bool has(struct smtp_bytes text, struct smtp_bytes bytes)
{
	return find(text, 0, bytes) < text.len;
}

/* Do the bytes stand as a word? */
static bool has_word(struct smtp_bytes text, struct smtp_bytes bytes)
{
	size_t at = 0;

	while ((at = find(text, at, bytes)) < text.len) {
		const size_t end = at + bytes.len;

		if ((at == 0 || !is_of_word(text.bytes[at - 1])) &&
		    (end == text.len || !is_of_word(text.bytes[end])))
			return true;
		at++;
	}
	return false;
}

/* Is this the end of a longer dotted name, or its beginning? */
static bool is_longer(struct smtp_bytes text, size_t at, size_t end)
{
	return (at > 1 && text.bytes[at - 1] == '.' && is_of_word(text.bytes[at - 2])) ||
	       (end + 1 < text.len && text.bytes[end] == '.' &&
		is_of_word(text.bytes[end + 1]));
}

/* Does the address stand there, and is it not the piece of a longer one? */
static bool has_address(struct smtp_bytes text, struct smtp_bytes address)
{
	size_t at = 0;

	while ((at = find(text, at, address)) < text.len) {
		const size_t end = at + address.len;
		const struct smtp_bytes around = {text.bytes + (at > 0 ? at - 1 : 0),
						  address.len + (at > 0) +
							  (end < text.len)};

		if (!is_longer(text, at, end) && has_word(around, address))
			return true;
		at++;
	}
	return false;
}

static bool is_our_own(struct smtp_bytes text)
{
	static const char *const endings[] = {
		"ok", "the mail host cannot take this recipient now",
		"the mail host does not take this recipient"};

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		const size_t len = strlen(endings[i]);

		if (text.len >= len && text.len < len + 14 && text.bytes[0] != ' ' &&
		    memcmp(text.bytes + text.len - len, endings[i], len) == 0)
			return strspn(text.bytes, "0123456789. ") >= text.len - len;
	}
	return false;
}

static void check_is_hidden(const struct hide_case *hide, struct smtp_bytes text)
{
	const struct smtp_bytes forms[] = {hide->to, hide->to_bare};
	const struct smtp_bytes parts[] = {hide->local, hide->domain};

	for (size_t i = 0; i < 2; i++) {
		target_check(!has_address(text, forms[i]) ||
				     has_address(hide->said, forms[i]),
			     "the address is not told");
		target_check(!has_word(text, parts[i]) || has_word(hide->said, parts[i]),
			     "nor a part of it");
	}
}

static void check_case(const struct hide_case *hide, size_t room)
{
	const size_t before_len = 3;
	char *memory = malloc(before_len + room + 1);
	struct smtp_bytes got;
	struct buf out;

	if (!memory)
		return;
	buf_init(&out, memory, before_len + room + 1);
	buf_puts(&out, "250");
	smtp_hide(&out, hide->line, hide->to, hide->said);
	target_check(out.len <= before_len + room && memory[out.len] == '\0' &&
			     strncmp(memory, "250", before_len) == 0,
		     "inside its buffer, behind what was there");
	got = (struct smtp_bytes){memory + before_len, out.len - before_len};

	target_check(!out.overflow || room < OUR_WORDS_MAX_BYTES, "our own words fit");
	if (!out.overflow) {
		target_check(got.len >= 4 && memcmp(got.bytes, hide->line.bytes, 4) == 0,
			     "the code stays");
		if (!has(hide->line, hide->local) && !has(hide->line, hide->domain) &&
		    room >= hide->line.len)
			target_check(
				got.len == hide->line.len &&
					memcmp(got.bytes, hide->line.bytes, got.len) == 0,
				"nothing to hide");
		got = (struct smtp_bytes){got.bytes + 4, got.len - 4};
		if (!is_our_own(got))
			check_is_hidden(hide, got);
	}
	free(memory);
}

/* Takes a line off the input. */
static struct smtp_bytes next_line(const uint8_t **data, size_t *size)
{
	const uint8_t *lf = *size > 0 ? memchr(*data, '\n', *size) : NULL;
	const struct smtp_bytes line = {(const char *)*data,
					lf ? (size_t)(lf - *data) : *size};

	*data += line.len + (lf != NULL);
	*size -= line.len + (lf != NULL);
	return line;
}

/* What smtp_reply_next() lets through, with a text. */
static bool is_reply(struct smtp_bytes line)
{
	struct smtp_reply_parser parser;
	struct smtp_reply_line parsed;
	char whole[SMTP_REPLY_LINE_MAX_BYTES];

	if (line.len < 4 || line.len + 2 > sizeof(whole))
		return false;
	memcpy(whole, line.bytes, line.len);
	memcpy(whole + line.len, "\r\n", 2);
	smtp_reply_init(&parser);
	switch (smtp_reply_next(&parser, whole, line.len + 2, &parsed)) {
	case SMTP_REPLY_LINE:
	case SMTP_REPLY_END:
		return true;
	case SMTP_REPLY_MORE:
	case SMTP_REPLY_BROKEN:
		break;
	}
	return false;
}

/* What a client or a route may have for a mailbox. */
static bool is_mailbox(struct smtp_bytes mailbox)
{
	char memory[SMTP_PATH_MAX_BYTES + 8];
	struct buf arg = BUF_OVER(memory);
	struct smtp_path path;

	buf_puts(&arg, "TO:<");
	buf_add(&arg, mailbox.bytes, mailbox.len);
	buf_puts(&arg, ">");
	return !arg.overflow &&
	       smtp_parse_rcpt(arg.text, arg.len, SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8,
			       &path) == 0 &&
	       path.mailbox.len == mailbox.len && !path.is_null;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char to_memory[SMTP_PATH_MAX_BYTES + 1], bare_memory[SMTP_PATH_MAX_BYTES + 1];
	struct buf to = BUF_OVER(to_memory), bare = BUF_OVER(bare_memory);
	struct hide_case hide;
	size_t room;

	if (size < 1)
		return 0;
	room = 8u * *data++;
	size--;
	hide.local = next_line(&data, &size);
	hide.domain = next_line(&data, &size);
	hide.said = next_line(&data, &size);
	hide.line = next_line(&data, &size);
	smtp_write_mailbox(&to, hide.local, hide.domain);
	buf_printf(&bare, "%.*s@%.*s", (int)hide.local.len, hide.local.bytes,
		   (int)hide.domain.len, hide.domain.bytes);
	hide.to = (struct smtp_bytes){to.text, to.len};
	hide.to_bare = (struct smtp_bytes){bare.text, bare.len};
	/* An @ in a domain is that of a general literal, which no route has. */
	if (to.overflow || memchr(hide.domain.bytes, '@', hide.domain.len) ||
	    !is_mailbox(hide.to) || !is_mailbox(hide.said) || !is_reply(hide.line))
		return 0;
	check_case(&hide, room);
	return 0;
}
