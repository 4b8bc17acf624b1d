/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/smtp_reply.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "wire/chars.h"

#define CODE_MIN	 200u
#define CODE_MAX	 599u
#define CODE_LEN	 3u
#define ENHANCED_NUM_LEN 3u /* digits of subject and detail, RFC 3463 §2 */

void smtp_reply_init(struct smtp_reply_parser *parser)
{
	*parser = (struct smtp_reply_parser){0};
}

/* Up to max_digits digits; returns how many. */
static size_t reply_number(const char *text, size_t len, size_t max_digits,
			   unsigned int *out_number)
{
	unsigned int number = 0;
	size_t n = 0;

	while (n < len && n < max_digits && chars_is(text[n], CHARS_DIGIT))
		number = number * 10 + (unsigned int)(text[n++] - '0');
	*out_number = number;
	return n;
}

/*
 * Read one line without its end. Returns END for the last line of a reply, LINE for
 * another, BROKEN.
 */
static enum smtp_reply_result reply_read(const char *line, size_t len,
					 struct smtp_reply_line *out_line)
{
	unsigned int code;

	if (memchr(line, '\0', len) || memchr(line, '\r', len))
		return SMTP_REPLY_BROKEN;
	if (reply_number(line, len, CODE_LEN, &code) != CODE_LEN || code < CODE_MIN ||
	    code > CODE_MAX)
		return SMTP_REPLY_BROKEN;
	if (len > CODE_LEN && line[CODE_LEN] != ' ' && line[CODE_LEN] != '-')
		return SMTP_REPLY_BROKEN;

	out_line->code = (uint16_t)code;
	if (len > CODE_LEN) {
		out_line->text.at = CODE_LEN + 1;
		out_line->text.len = (uint32_t)(len - CODE_LEN - 1);
	}
	(void)smtp_parse_enhanced(line + out_line->text.at, out_line->text.len, code,
				  &out_line->enhanced); /* may have none */
	return len > CODE_LEN && line[CODE_LEN] == '-' ? SMTP_REPLY_LINE : SMTP_REPLY_END;
}

static enum smtp_reply_result reply_break(struct smtp_reply_parser *parser)
{
	parser->broken = true;
	return SMTP_REPLY_BROKEN;
}

enum smtp_reply_result smtp_reply_next(struct smtp_reply_parser *parser,
				       const char *bytes, size_t len,
				       struct smtp_reply_line *out_line)
{
	struct smtp_reply_line line = {0};
	enum smtp_reply_result result;
	const char *lf = NULL;
	size_t line_len;

	if (parser->broken)
		return SMTP_REPLY_BROKEN;
	if (parser->searched < len)
		lf = memchr(bytes + parser->searched, '\n', len - parser->searched);
	line.consumed = lf ? (size_t)(lf - bytes) + 1 : 0;
	if (line.consumed > SMTP_REPLY_LINE_MAX_BYTES ||
	    (!lf && len >= SMTP_REPLY_LINE_MAX_BYTES))
		return reply_break(parser);
	if (!lf) {
		parser->searched = len;
		return SMTP_REPLY_MORE;
	}

	line_len = line.consumed - 1;
	if (line_len > 0 && bytes[line_len - 1] == '\r')
		line_len--;
	result = reply_read(bytes, line_len, &line);
	if (result == SMTP_REPLY_BROKEN || parser->lines == SMTP_REPLY_LINES_MAX ||
	    (parser->code != 0 && parser->code != line.code))
		return reply_break(parser);

	line.number = (uint16_t)parser->lines;
	parser->searched = 0;
	parser->lines = result == SMTP_REPLY_END ? 0 : parser->lines + 1;
	parser->code = result == SMTP_REPLY_END ? 0 : line.code;
	*out_line = line;
	return result;
}

size_t smtp_parse_enhanced(const char *text, size_t len, unsigned int code,
			   struct smtp_enhanced *out_enhanced)
{
	unsigned int class;
	unsigned int subject;
	unsigned int detail;
	size_t at = 0;
	size_t n;

	*out_enhanced = (struct smtp_enhanced){0};

	/* status-code = class "." subject "." detail                      RFC 3463 §2 */
	n = reply_number(text, len, 1, &class);
	if (n == 0 || class != code / 100 || (class != 2 && class != 4 && class != 5))
		return 0;
	at = n;
	if (at == len || text[at] != '.')
		return 0;
	at++;
	n = reply_number(text + at, len - at, ENHANCED_NUM_LEN, &subject);
	at += n;
	if (n == 0 || at == len || text[at] != '.')
		return 0;
	at++;
	n = reply_number(text + at, len - at, ENHANCED_NUM_LEN, &detail);
	at += n;
	if (n == 0 || (at < len && text[at] != ' '))
		return 0;

	*out_enhanced = (struct smtp_enhanced){.class = (uint8_t) class,
					       .subject = (uint16_t)subject,
					       .detail = (uint16_t)detail};
	return at;
}

bool smtp_rcpt_is_strike(unsigned int code, struct smtp_enhanced enhanced)
{
	if (code < 500 || code > CODE_MAX)
		return false;
	return code == 550 || code == 551 || code == 553 ||
	       (enhanced.class == 5 && enhanced.subject == 1);
}
