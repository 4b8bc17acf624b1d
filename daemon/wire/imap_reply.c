/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/imap_reply.h"

#include <string.h>

#include "wire/imap.h"

/* A place in a line that is being read. */
struct cursor {
	const char *text;
	size_t at, end;
};

static const struct {
	const char *word;
	enum imap_status status;
	bool may_be_tagged;
} status_rows[] = {
	{"OK", IMAP_STATUS_OK, true},
	{"NO", IMAP_STATUS_NO, true},
	{"BAD", IMAP_STATUS_BAD, true},
	{"BYE", IMAP_STATUS_BYE, false},
	{"PREAUTH", IMAP_STATUS_PREAUTH, false},
	{"CAPABILITY", IMAP_STATUS_CAPABILITY, false},
};

static const struct {
	const char *word;
	enum imap_code code;
} code_rows[] = {
	{"ALERT", IMAP_CODE_ALERT},
	{"CAPABILITY", IMAP_CODE_CAPABILITY},
	{"AUTHENTICATIONFAILED", IMAP_CODE_AUTHENTICATIONFAILED},
	{"AUTHORIZATIONFAILED", IMAP_CODE_AUTHORIZATIONFAILED},
	{"CANNOT", IMAP_CODE_CANNOT},
	{"CLIENTBUG", IMAP_CODE_CLIENTBUG},
	{"CONTACTADMIN", IMAP_CODE_CONTACTADMIN},
	{"EXPIRED", IMAP_CODE_EXPIRED},
	{"INUSE", IMAP_CODE_INUSE},
	{"LIMIT", IMAP_CODE_LIMIT},
	{"NOPERM", IMAP_CODE_NOPERM},
	{"OVERQUOTA", IMAP_CODE_OVERQUOTA},
	{"PRIVACYREQUIRED", IMAP_CODE_PRIVACYREQUIRED},
	{"REFERRAL", IMAP_CODE_REFERRAL},
	{"SERVERBUG", IMAP_CODE_SERVERBUG},
	{"UNAVAILABLE", IMAP_CODE_UNAVAILABLE},
	{"WEBALERT", IMAP_CODE_WEBALERT},
};

void imap_reply_init(struct imap_reply_parser *parser)
{
	*parser = (struct imap_reply_parser){0};
}

/* The word at the cursor, up to a space, a bracket or the end; the cursor stands behind it. */
static struct span take_word(struct cursor *cursor, char stop)
{
	struct span word = {.at = (uint32_t)cursor->at};

	while (cursor->at < cursor->end && cursor->text[cursor->at] != ' ' &&
	       cursor->text[cursor->at] != stop)
		cursor->at++;
	word.len = (uint32_t)cursor->at - word.at;
	return word;
}

static void skip_space(struct cursor *cursor)
{
	if (cursor->at < cursor->end && cursor->text[cursor->at] == ' ')
		cursor->at++;
}

static struct span take_rest(const struct cursor *cursor)
{
	return (struct span){.at = (uint32_t)cursor->at,
			     .len = (uint32_t)(cursor->end - cursor->at)};
}

static enum imap_code code_find(const char *text, struct span word)
{
	for (size_t i = 0; i < sizeof(code_rows) / sizeof(code_rows[0]); i++) {
		if (span_is(text, word, code_rows[i].word))
			return code_rows[i].code;
	}
	return IMAP_CODE_OTHER;
}

/* resp-text = ["[" resp-text-code "]" SP] [text] */
static void read_text(struct cursor *cursor, struct imap_reply_line *line)
{
	const char *close = NULL;

	if (cursor->at < cursor->end && cursor->text[cursor->at] == '[')
		close = memchr(cursor->text + cursor->at, ']', cursor->end - cursor->at);
	if (close) {
		struct cursor code = {cursor->text, cursor->at + 1,
				      (size_t)(close - cursor->text)};

		line->code = code_find(cursor->text, take_word(&code, ']'));
		skip_space(&code);
		line->code_args = take_rest(&code);
		cursor->at = code.end + 1;
		skip_space(cursor);
	}
	line->text = take_rest(cursor);
}

/* Data that goes on in a literal: nothing of the kind comes before a login. */
static bool has_literal(const struct cursor *cursor)
{
	return cursor->end > 0 && cursor->text[cursor->end - 1] == '}' &&
	       memrchr(cursor->text, '{', cursor->end);
}

static bool read_status(struct cursor *cursor, struct imap_reply_line *line)
{
	const struct span word = take_word(cursor, '\0');

	skip_space(cursor);
	for (size_t i = 0; i < sizeof(status_rows) / sizeof(status_rows[0]); i++) {
		if (!span_is(cursor->text, word, status_rows[i].word))
			continue;
		if (line->kind == IMAP_REPLY_TAGGED && !status_rows[i].may_be_tagged)
			return false;
		line->status = status_rows[i].status;
		if (line->status == IMAP_STATUS_CAPABILITY)
			line->text = take_rest(cursor);
		else
			read_text(cursor, line);
		return true;
	}
	line->text = take_rest(cursor);
	return line->kind == IMAP_REPLY_UNTAGGED && word.len > 0 && !has_literal(cursor);
}

static bool read_reply(const char *bytes, size_t len, struct imap_reply_line *line)
{
	struct cursor cursor = {.text = bytes, .end = len};
	struct span first;

	if (memchr(bytes, '\0', len) || memchr(bytes, '\r', len))
		return false;
	first = take_word(&cursor, '\0');
	skip_space(&cursor);
	if (span_is(bytes, first, "+")) {
		line->kind = IMAP_REPLY_GO_ON;
		line->text = take_rest(&cursor);
		return true;
	}
	if (span_is(bytes, first, "*")) {
		line->kind = IMAP_REPLY_UNTAGGED;
		return read_status(&cursor, line);
	}
	line->kind = IMAP_REPLY_TAGGED;
	line->tag = first;
	return first.len > 0 && first.len <= IMAP_TAG_MAX_BYTES &&
	       read_status(&cursor, line);
}

enum imap_reply_result imap_reply_next(struct imap_reply_parser *parser,
				       const char *bytes, size_t len,
				       struct imap_reply_line *out_line)
{
	struct imap_reply_line line = {0};
	const char *lf = NULL;

	if (parser->broken)
		return IMAP_REPLY_BROKEN;
	if (parser->searched < len)
		lf = memchr(bytes + parser->searched, '\n', len - parser->searched);
	line.consumed = lf ? (size_t)(lf - bytes) + 1 : 0;
	if (line.consumed > IMAP_REPLY_LINE_MAX_BYTES ||
	    (!lf && len >= IMAP_REPLY_LINE_MAX_BYTES)) {
		parser->broken = true;
		return IMAP_REPLY_BROKEN;
	}
	if (!lf) {
		parser->searched = len;
		return IMAP_REPLY_MORE;
	}
	line.len = line.consumed - 1;
	if (line.len > 0 && bytes[line.len - 1] == '\r')
		line.len--;
	parser->searched = 0;
	if (!read_reply(bytes, line.len, &line)) {
		parser->broken = true;
		return IMAP_REPLY_BROKEN;
	}
	*out_line = line;
	return IMAP_REPLY_LINE;
}
