/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/imap_read.h"

#include <string.h>

#include "wire/chars.h"

#define LITERAL_DIGITS_MAX 10u /* more is past every limit */

/* What a line announces at its end. */
struct literal {
	uint32_t len_bytes; /* UINT32_MAX: more than can be counted */
	bool is_there;
	bool waits;    /* for "+" */
	bool is_minus; /* "{5-}" */
};

void imap_reader_init(struct imap_reader *reader)
{
	*reader = (struct imap_reader){0};
}

/* A line may end with "}" and announce nothing: an atom, a quoted string with text behind. */
static bool literal_may_begin(const char *line, size_t at)
{
	return at > 0 &&
	       (line[at - 1] == ' ' || line[at - 1] == '(' || line[at - 1] == '~');
}

/* literal = "{" number ["+" / "-"] "}", at the end of a line */
static struct literal literal_find(const char *line, size_t len)
{
	struct literal found = {.waits = true};
	uint64_t number = 0;
	size_t at;

	if (len < 3 || line[len - 1] != '}')
		return found;
	len--;
	if (line[len - 1] == '+' || line[len - 1] == '-') {
		found.is_minus = line[len - 1] == '-';
		found.waits = false;
		len--;
	}
	at = len;
	while (at > 0 && chars_is(line[at - 1], CHARS_DIGIT))
		at--;
	if (at == len || at == 0 || line[at - 1] != '{' ||
	    !literal_may_begin(line, at - 1))
		return (struct literal){0};
	for (size_t i = at; i < len && number < UINT32_MAX; i++)
		number = number * 10 + (uint64_t)(line[i] - '0');
	found.len_bytes = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
	found.is_there = true;
	return found;
}

static bool literal_fits(const struct imap_reader *reader, const struct literal *literal,
			 size_t at)
{
	const uint32_t max =
		literal->is_minus ? IMAP_LITERAL_MINUS_MAX_BYTES : IMAP_LITERAL_MAX_BYTES;

	return literal->len_bytes <= max &&
	       at + literal->len_bytes + 2 <= IMAP_COMMAND_MAX_BYTES &&
	       reader->literals < IMAP_LITERALS_MAX;
}

static enum imap_read_result read_too_long(struct imap_reader *reader)
{
	imap_reader_init(reader);
	return IMAP_READ_TOO_LONG;
}

/* One line that has its end at bytes[end - 1]. Return: MORE, the command goes on behind it. */
static enum imap_read_result read_line(struct imap_reader *reader, const char *bytes,
				       size_t end, struct imap_read *out_read)
{
	const char *line = bytes + reader->part_at;
	size_t len = end - 1 - reader->part_at;
	struct literal literal;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	out_read->len = reader->part_at + len;
	if (end - reader->part_at > IMAP_LINE_MAX_BYTES || end > IMAP_COMMAND_MAX_BYTES)
		return read_too_long(reader);
	literal = literal_find(line, len);
	if (!literal.is_there) {
		out_read->consumed = end;
		imap_reader_init(reader);
		return IMAP_READ_COMMAND;
	}
	if (!literal_fits(reader, &literal, end)) {
		out_read->consumed = literal.waits ? end : 0;
		return read_too_long(reader);
	}
	reader->literals++;
	reader->part_at = (uint32_t)end + literal.len_bytes;
	reader->searched = reader->part_at;
	if (!literal.waits)
		return IMAP_READ_MORE;
	out_read->consumed = end;
	return IMAP_READ_PROMPT;
}

enum imap_read_result imap_read_next(struct imap_reader *reader, const char *bytes,
				     size_t len, struct imap_read *out_read)
{
	enum imap_read_result result = IMAP_READ_MORE;

	*out_read = (struct imap_read){0};
	while (result == IMAP_READ_MORE && reader->searched < len) {
		const char *lf =
			memchr(bytes + reader->searched, '\n', len - reader->searched);

		if (!lf) {
			reader->searched = (uint32_t)len;
			if (len - reader->part_at < IMAP_LINE_MAX_BYTES &&
			    len < IMAP_COMMAND_MAX_BYTES)
				break;
			out_read->len = len;
			return read_too_long(reader);
		}
		result = read_line(reader, bytes, (size_t)(lf - bytes) + 1, out_read);
	}
	if (result == IMAP_READ_MORE)
		*out_read = (struct imap_read){0};
	return result;
}
