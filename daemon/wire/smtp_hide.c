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

/* Bytes of the address, if it stands there and ends there; 0. */
static size_t address_at(struct smtp_bytes line, size_t at, struct smtp_bytes to)
{
	const size_t end = at + to.len;

	return word_at(line, at, to) && (at == 0 || !is_joint(line, at - 1)) &&
			       (end == line.len || !is_joint(line, end))
		       ? to.len
		       : 0;
}

/* Bytes of the address, in one of its forms: with its quotes, and without; 0. */
static size_t any_form_at(struct smtp_bytes line, size_t at,
			  const struct smtp_bytes forms[2])
{
	const size_t len = address_at(line, at, forms[0]);

	return len > 0 ? len : address_at(line, at, forms[1]);
}

static bool has_address(struct smtp_bytes text, const struct smtp_bytes forms[2])
{
	for (size_t i = 0; i < text.len; i++)
		if (any_form_at(text, i, forms) > 0)
			return true;
	return false;
}

/*
 * Is the other address told, or a part of it (without quotes), that the client did not say itself? The address
 * can come about where what the client said meets what stands beside it.
 */
static bool tells(struct smtp_bytes text, const struct smtp_bytes forms[2],
		  struct smtp_bytes said)
{
	for (int is_domain = 0; is_domain < 2; is_domain++) {
		const struct smtp_bytes part = part_of(forms[1], is_domain);

		if (!has_word(said, part) && has_word(text, part))
			return true;
	}
	return has_address(text, forms) && !has_address(said, forms);
}

static void replace(struct buf *out, struct smtp_bytes text,
		    const struct smtp_bytes forms[2], struct smtp_bytes said)
{
	for (size_t i = 0; i < text.len;) {
		const size_t len = any_form_at(text, i, forms);

		if (len > 0)
			buf_add(out, said.bytes, said.len);
		else
			buf_add(out, text.bytes + i, 1);
		i += len > 0 ? len : 1;
	}
}

/* An enhanced code that stands there, and our own words. */
static void replace_all(struct buf *out, struct smtp_bytes text, unsigned int code)
{
	struct smtp_enhanced enhanced;
	const size_t enhanced_len =
		smtp_parse_enhanced(text.bytes, text.len, code, &enhanced);

	buf_add(out, text.bytes, enhanced_len);
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
	struct smtp_bytes text;
	struct buf before;

	if (line.len <= CODE_BYTES) {
		buf_add(out, line.bytes, line.len);
		return;
	}
	/* The code is no part of the first word, not even by its hyphen. */
	text = (struct smtp_bytes){line.bytes + CODE_BYTES, line.len - CODE_BYTES};
	buf_add(out, line.bytes, CODE_BYTES);
	before = *out;
	replace(out, text, forms, said);
	if (!out->overflow &&
	    !tells((struct smtp_bytes){out->text + before.len, out->len - before.len},
		   forms, said))
		return;
	*out = before;
	out->text[out->len] = '\0';
	replace_all(out, text, (unsigned int)(line.bytes[0] - '0') * 100);
}
