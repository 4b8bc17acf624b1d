/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/mail_list - see mail_list.h.
 */
#include "wire/mail_list.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "wire/smtp_domain.h"

#define ALLOWED	       (SMTP_ALLOW_UTF8 | SMTP_ALLOW_UNDERSCORE | SMTP_ALLOW_DOTS)
#define ADDRESS_PREFIX "TO:<"

static const char arrow[] = "->";

/* What is still unread. */
struct cursor {
	const char *line;
	size_t at, len;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static bool cursor_sees(const struct cursor *cursor, const char *text)
{
	const size_t len = strlen(text);

	return cursor->len - cursor->at >= len &&
	       memcmp(cursor->line + cursor->at, text, len) == 0;
}

static void cursor_skip_blanks(struct cursor *cursor)
{
	while (cursor->at < cursor->len && is_blank(cursor->line[cursor->at]))
		cursor->at++;
}

/* A word ends at a blank, a comment or an arrow; within quotes none of them is one. */
static struct line_word word_next(struct cursor *cursor)
{
	struct line_word word;
	bool is_quoted = false;

	cursor_skip_blanks(cursor);
	word.at = cursor->at;
	word.text = cursor->line + cursor->at;
	for (; cursor->at < cursor->len; cursor->at++) {
		const char byte = cursor->line[cursor->at];

		if (!is_quoted && (is_blank(byte) || byte == '#' ||
				   (byte == '-' && cursor_sees(cursor, arrow))))
			break;
		if (byte == '\\' && is_quoted && cursor->at + 1 < cursor->len)
			cursor->at++;
		else if (byte == '"')
			is_quoted = !is_quoted;
	}
	word.len = cursor->at - word.at;
	return word;
}

static bool cursor_is_done(struct cursor *cursor)
{
	cursor_skip_blanks(cursor);
	return cursor->at == cursor->len || cursor->line[cursor->at] == '#';
}

/* Begin with a line. 1, there is something in it; 0; -EINVAL. */
static int line_open(const char *line, size_t len, struct cursor *out_cursor,
		     struct line_problem *out_problem)
{
	struct cursor cursor = {.line = line, .len = len};

	if (len > MAIL_LIST_LINE_MAX_BYTES) {
		const struct line_word end = {.at = MAIL_LIST_LINE_MAX_BYTES};

		return line_problem_set(out_problem, &end,
					"the line is longer than %u bytes",
					MAIL_LIST_LINE_MAX_BYTES);
	}
	if (len > 0 && line[len - 1] == '\r') /* written on Windows */
		cursor.len--;
	if (cursor_is_done(&cursor))
		return 0;
	*out_cursor = cursor;
	return 1;
}

/* All of these bytes as a domain. */
static bool domain_read(const char *line, size_t at, size_t len,
			struct smtp_domain *out_domain)
{
	struct smtp_domain domain;

	if (len == 0 || len > SMTP_DOMAIN_MAX_BYTES ||
	    smtp_scan_domain(line + at, len, ALLOWED, &domain) != len)
		return false;
	domain.text.at = (uint32_t)at;
	*out_domain = domain;
	return true;
}

int mail_list_parse_domain(const char *line, size_t len,
			   struct mail_list_domain *out_domain,
			   struct line_problem *out_problem)
{
	struct mail_list_domain found = {.is_subdomains = false};
	struct cursor cursor = {.line = line};
	struct line_word word;
	int result = line_open(line, len, &cursor, out_problem);

	if (result <= 0)
		return result;
	word = word_next(&cursor);
	found.is_subdomains = word.len > 0 && word.text[0] == '.';
	if (!domain_read(line, word.at + found.is_subdomains,
			 word.len - found.is_subdomains, &found.domain) ||
	    (found.is_subdomains && word.text[1] == '['))
		return line_problem_set(
			out_problem, &word,
			"no domain; write example.org, .example.org for what lies below it, "
			"or [192.0.2.1]");
	if (!cursor_is_done(&cursor)) {
		word = word_next(&cursor);
		return line_problem_set(out_problem, &word, "one domain a line");
	}
	*out_domain = found;
	return 1;
}

/* ---- routes ---- */

static int address_problem(struct line_problem *problem, const struct line_word *word)
{
	return line_problem_set(
		problem, word,
		"no address; write anna@example.org, or @example.org for a "
		"whole domain");
}

/* "@domain", or an address as RCPT has it. */
static int address_read(const struct cursor *cursor, const struct line_word *word,
			struct mail_list_address *out_address)
{
	const size_t prefix_len = sizeof(ADDRESS_PREFIX) - 1;
	char memory[MAIL_LIST_LINE_MAX_BYTES + sizeof(ADDRESS_PREFIX) + 1];
	struct buf text = BUF_OVER(memory);
	struct smtp_path path;

	if (word->len > 0 && word->text[0] == '@') {
		*out_address = (struct mail_list_address){.local.at = (uint32_t)word->at};
		return domain_read(cursor->line, word->at + 1, word->len - 1,
				   &out_address->domain)
			       ? 0
			       : -EBADMSG;
	}
	buf_puts(&text, ADDRESS_PREFIX);
	buf_add(&text, word->text, word->len);
	buf_puts(&text, ">");
	if (smtp_parse_rcpt(memory, text.len, ALLOWED, &path) ||
	    path.mailbox.len != word->len || path.domain.text.len == 0 ||
	    path.params.len > 0)
		return -EBADMSG;
	*out_address = (struct mail_list_address){
		.local = {.at = (uint32_t)(path.local.at - prefix_len + word->at),
			  .len = path.local.len},
		.is_quoted = path.is_quoted,
		.domain = path.domain,
	};
	out_address->domain.text.at =
		(uint32_t)(path.domain.text.at - prefix_len + word->at);
	return 0;
}

static int arrow_read(struct cursor *cursor, struct line_problem *out_problem)
{
	struct line_word word;

	cursor_skip_blanks(cursor);
	if (cursor_sees(cursor, arrow)) {
		cursor->at += strlen(arrow);
		return 0;
	}
	word = (struct line_word){.text = cursor->line + cursor->at, .at = cursor->at};
	return line_problem_set(
		out_problem, &word,
		"-> is missing; write old@example.org -> new@example.net");
}

int mail_list_parse_route(const char *line, size_t len, struct mail_list_route *out_route,
			  struct line_problem *out_problem)
{
	struct mail_list_route found;
	struct cursor cursor = {.line = line};
	struct line_word word;
	int result = line_open(line, len, &cursor, out_problem);

	if (result <= 0)
		return result;
	word = word_next(&cursor);
	if (address_read(&cursor, &word, &found.from))
		return address_problem(out_problem, &word);
	if (arrow_read(&cursor, out_problem))
		return -EINVAL;
	word = word_next(&cursor);
	if (address_read(&cursor, &word, &found.to))
		return address_problem(out_problem, &word);
	if (found.from.local.len > 0 && found.to.local.len == 0)
		return line_problem_set(
			out_problem, &word,
			"a single address leads to a single one; write it in full");
	if (!cursor_is_done(&cursor)) {
		word = word_next(&cursor);
		return line_problem_set(out_problem, &word, "one route a line");
	}
	*out_route = found;
	return 1;
}
