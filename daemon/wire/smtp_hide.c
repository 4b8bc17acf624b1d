/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_hide - see smtp_hide.h.
 */
#include "wire/smtp_hide.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"
#include "wire/smtp_reply.h"

#define CODE_BYTES 4u /* "550 " or "550-" */

/* Characters that a word may have inside: beside anything else it ends. */
static bool is_inside(char c)
{
	return chars_is(c, CHARS_LET_DIG) || c == '-' || c == '_' ||
	       (unsigned char)c > 127;
}

/* A dot between two characters of words: of a longer name, not the end of a sentence. */
static bool is_joint(struct smtp_bytes text, size_t at)
{
	return text.bytes[at] == '.' && at > 0 && is_inside(text.bytes[at - 1]) &&
	       at + 1 < text.len && is_inside(text.bytes[at + 1]);
}

/* Do these bytes stand at a place, in any case, and as a word? */
static bool word_at(struct smtp_bytes text, size_t at, struct smtp_bytes word)
{
	const size_t end = at + word.len;

	if (word.len == 0 || end > text.len ||
	    strncasecmp(text.bytes + at, word.bytes, word.len) != 0)
		return false;
	return (at == 0 || !is_inside(text.bytes[at - 1])) &&
	       (end == text.len || !is_inside(text.bytes[end]));
}

static bool has_word(struct smtp_bytes text, struct smtp_bytes word)
{
	for (size_t i = 0; i < text.len; i++)
		if (word_at(text, i, word))
			return true;
	return false;
}

/* A mailbox without the quotes of its local part: so some servers show it. */
static struct smtp_bytes unquoted(struct smtp_bytes mailbox,
				  char memory[SMTP_PATH_MAX_BYTES])
{
	bool is_quoted = mailbox.len > 0 && mailbox.bytes[0] == '"';
	size_t len = 0;

	if (!is_quoted || mailbox.len > SMTP_PATH_MAX_BYTES)
		return mailbox;
	for (size_t i = 1; i < mailbox.len; i++) {
		if (is_quoted && mailbox.bytes[i] == '"') {
			is_quoted = false;
			continue;
		}
		if (is_quoted && mailbox.bytes[i] == '\\' && i + 1 < mailbox.len)
			i++;
		memory[len++] = mailbox.bytes[i];
	}
	return (struct smtp_bytes){memory, len};
}

/* The part of a mailbox in front of its last @, or behind it. */
static struct smtp_bytes part_of(struct smtp_bytes mailbox, bool is_domain)
{
	const char *at = mailbox.len ? memrchr(mailbox.bytes, '@', mailbox.len) : NULL;
	const size_t local_len = at ? (size_t)(at - mailbox.bytes) : mailbox.len;

	if (!is_domain)
		return (struct smtp_bytes){mailbox.bytes, local_len};
	if (!at)
		return (struct smtp_bytes){mailbox.bytes, 0};
	return (struct smtp_bytes){at + 1, mailbox.len - local_len - 1};
}

/* Is a part of the other address (without quotes) told, that the client did not say itself? */
static bool tells(struct smtp_bytes text, struct smtp_bytes to, struct smtp_bytes said)
{
	for (int is_domain = 0; is_domain < 2; is_domain++) {
		const struct smtp_bytes part = part_of(to, is_domain);

		if (!has_word(said, part) && has_word(text, part))
			return true;
	}
	return false;
}

/* Bytes of the address, if it stands there and ends there; 0. */
static size_t address_at(struct smtp_bytes line, size_t at, struct smtp_bytes to)
{
	const size_t end = at + to.len;

	return word_at(line, at, to) && (at == 0 || !is_joint(line, at - 1)) &&
			       (end == line.len || !is_joint(line, end))
		       ? to.len
		       : 0;
}

/* forms: with its quotes, and without */
static void replace(struct buf *out, struct smtp_bytes line,
		    const struct smtp_bytes forms[2], struct smtp_bytes said)
{
	for (size_t i = 0; i < line.len;) {
		size_t len = address_at(line, i, forms[0]);

		if (len == 0)
			len = address_at(line, i, forms[1]);
		if (len > 0)
			buf_add(out, said.bytes, said.len);
		else
			buf_add(out, line.bytes + i, 1);
		i += len > 0 ? len : 1;
	}
}

/* The codes, and our own words. */
static void replace_all(struct buf *out, struct smtp_bytes line)
{
	const char *text = line.bytes + CODE_BYTES;
	const unsigned int code = (unsigned int)(line.bytes[0] - '0') * 100;
	struct smtp_enhanced enhanced;
	const size_t enhanced_len =
		smtp_parse_enhanced(text, line.len - CODE_BYTES, code, &enhanced);

	buf_add(out, line.bytes, CODE_BYTES + enhanced_len);
	if (enhanced_len > 0)
		buf_puts(out, " ");
	buf_puts(out, code < 400   ? "ok"
		      : code < 500 ? "the mail host cannot take this recipient now"
				   : "the mail host does not take this recipient");
}

void smtp_hide(struct buf *out, struct smtp_bytes line, struct smtp_bytes to,
	       struct smtp_bytes said)
{
	char memory[SMTP_PATH_MAX_BYTES];
	const struct smtp_bytes forms[2] = {to, unquoted(to, memory)};
	const struct buf before = *out;

	if (line.len <= CODE_BYTES) {
		buf_add(out, line.bytes, line.len);
		return;
	}
	replace(out, line, forms, said);
	if (!out->overflow &&
	    !tells((struct smtp_bytes){out->text + before.len, out->len - before.len},
		   forms[1], said))
		return;
	*out = before;
	out->text[out->len] = '\0';
	replace_all(out, line);
}
