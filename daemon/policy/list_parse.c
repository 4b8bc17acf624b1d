/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/list_parse.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "policy/flags.h"

#define QUOTED_MAX 64u /* bytes of a wrong word that a problem quotes */

/* What is still unread; a word is what stands between spaces. */
struct cursor {
	const char *line;
	size_t at, len;
};

struct word {
	const char *text; /* inside the line */
	size_t len;	  /* 0: there is no more */
	size_t column;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct word word_next(struct cursor *cursor)
{
	struct word word;

	while (cursor->at < cursor->len && is_blank(cursor->line[cursor->at]))
		cursor->at++;
	word.text = cursor->line + cursor->at;
	word.column = cursor->at + 1;
	while (cursor->at < cursor->len && !is_blank(cursor->line[cursor->at]))
		cursor->at++;
	word.len = (size_t)(cursor->line + cursor->at - word.text);
	return word;
}

__attribute__((format(printf, 3, 4))) static int problem_set(struct list_problem *problem,
							     const struct word *word,
							     const char *format, ...)
{
	struct buf text;
	va_list args;

	problem->column = (unsigned int)word->column;
	buf_init(&text, problem->text, sizeof(problem->text));
	if (word->len > 0) {
		buf_puts(&text, "'");
		buf_add_escaped(&text, word->text, word->len, QUOTED_MAX);
		buf_puts(&text, "': ");
	}
	va_start(args, format);
	buf_vprintf(&text, format, args);
	va_end(args);
	return -EINVAL;
}

static int problem_prefix(struct list_problem *problem, const struct word *word, int err,
			  const struct prefix *cleared)
{
	char text[PREFIX_TEXT_MAX];

	switch (err) {
	case -EDOM:
		return problem_set(
			problem, word,
			"bits are set behind the prefix length; did you mean %s?",
			prefix_format(cleared, text));
	case -ERANGE:
		return problem_set(problem, word, "prefix length is 0..%u",
				   memchr(word->text, ':', word->len) ? 128u : 32u);
	default:
		return problem_set(
			problem, word,
			"not an address or prefix; write 203.0.113.0/24 or 2001:db8::/32");
	}
}

/* prefix = IPv4 or IPv6 address [ "/" length ] */
static int prefix_read(const struct word *word, struct prefix *out_prefix,
		       struct list_problem *out_problem)
{
	char text[PREFIX_TEXT_MAX] = "";
	struct prefix prefix = {0};
	int err = -EINVAL;

	if (word->len < sizeof(text) && !memchr(word->text, '\0', word->len)) {
		memcpy(text, word->text, word->len);
		err = prefix_parse(text, &prefix);
	}
	if (err)
		return problem_prefix(out_problem, word, err, &prefix);
	*out_prefix = prefix;
	return 0;
}

static int flag_read(const struct word *word, uint16_t before, uint16_t *out_flags,
		     struct list_problem *out_problem)
{
	const uint16_t flag = flag_from_name(word->text, word->len);
	char all[FLAGS_TEXT_MAX];

	if (flag && before & flag)
		return problem_set(out_problem, word, "the flag stands here twice");
	if (flag) {
		*out_flags = before | flag;
		return 0;
	}
	if (word->len == 1 && word->text[0] == '-')
		return problem_set(
			out_problem, word,
			"means no flag at all, and stands alone behind the prefix");
	if (memchr(word->text, ',', word->len))
		return problem_set(
			out_problem, word,
			"unknown flag; flags are separated by spaces, as in PA AS LL");
	return problem_set(out_problem, word, "unknown flag; flags are %s",
			   flags_format(FLAGS_ALL, all));
}

/* "-" alone, or 1*flag */
static int flags_read(struct cursor *cursor, uint16_t *out_flags,
		      struct list_problem *out_problem)
{
	const size_t behind_prefix = cursor->at + 1;
	struct word word = word_next(cursor);
	uint16_t flags = 0;
	int err;

	if (word.len == 0) {
		word.column = behind_prefix;
		return problem_set(
			out_problem, &word,
			"no flag follows; write flags, as in PA AS LL, or - for none");
	}
	if (word.len == 1 && word.text[0] == '-') {
		word = word_next(cursor);
		if (word.len > 0)
			return problem_set(
				out_problem, &word,
				"nothing may follow -, which means no flag at all");
	}
	for (; word.len > 0; word = word_next(cursor)) {
		err = flag_read(&word, flags, &flags, out_problem);
		if (err)
			return err;
	}
	*out_flags = flags;
	return 0;
}

int list_parse_line(const char *line, size_t len, struct list_entry *out_entry,
		    struct list_problem *out_problem)
{
	const char *comment = len > 0 ? memchr(line, '#', len) : NULL;
	struct cursor cursor = {.line = line, .len = len};
	struct list_entry entry;
	struct word word;
	int err;

	if (len > LIST_LINE_MAX_BYTES) {
		word = (struct word){.column = LIST_LINE_MAX_BYTES + 1};
		return problem_set(out_problem, &word, "the line is longer than %u bytes",
				   LIST_LINE_MAX_BYTES);
	}
	if (comment)
		cursor.len = (size_t)(comment - line);
	else if (len > 0 && line[len - 1] == '\r') /* written on Windows */
		cursor.len--;

	word = word_next(&cursor);
	if (word.len == 0)
		return 0;
	err = prefix_read(&word, &entry.prefix, out_problem);
	if (err)
		return err;
	err = flags_read(&cursor, &entry.flags, out_problem);
	if (err)
		return err;
	*out_entry = entry;
	return 1;
}
