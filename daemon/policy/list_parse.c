/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/list_parse.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "policy/flags.h"

/* What is still unread; a word is what stands between spaces. */
struct cursor {
	const char *line;
	size_t at, len;
};

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

static struct line_word word_next(struct cursor *cursor)
{
	struct line_word word;

	while (cursor->at < cursor->len && is_blank(cursor->line[cursor->at]))
		cursor->at++;
	word.text = cursor->line + cursor->at;
	word.at = cursor->at;
	while (cursor->at < cursor->len && !is_blank(cursor->line[cursor->at]))
		cursor->at++;
	word.len = (size_t)(cursor->line + cursor->at - word.text);
	return word;
}

static int problem_prefix(struct line_problem *problem, const struct line_word *word,
			  int err, const struct prefix *cleared)
{
	char text[PREFIX_TEXT_MAX];

	switch (err) {
	case -EDOM:
		return line_problem_set(
			problem, word,
			"bits are set behind the prefix length; did you mean %s?",
			prefix_format(cleared, text));
	case -ERANGE:
		return line_problem_set(problem, word, "prefix length is 0..%u",
					memchr(word->text, ':', word->len) ? 128u : 32u);
	default:
		return line_problem_set(
			problem, word,
			"not an address or prefix; write 203.0.113.0/24 or 2001:db8::/32");
	}
}

/* prefix = IPv4 or IPv6 address [ "/" length ] */
static int prefix_read(const struct line_word *word, struct prefix *out_prefix,
		       struct line_problem *out_problem)
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

static int flag_read(const struct line_word *word, uint16_t before, uint16_t *out_flags,
		     struct line_problem *out_problem)
{
	const uint16_t flag = flag_from_name(word->text, word->len);
	char all[FLAGS_TEXT_MAX];

	if (flag && before & flag)
		return line_problem_set(out_problem, word, "the flag stands here twice");
	if (flag) {
		*out_flags = before | flag;
		return 0;
	}
	if (word->len == 1 && word->text[0] == '-')
		return line_problem_set(
			out_problem, word,
			"means no flag at all, and stands alone behind the prefix");
	if (memchr(word->text, ',', word->len))
		return line_problem_set(
			out_problem, word,
			"unknown flag; flags are separated by spaces, as in PA AS LL");
	return line_problem_set(out_problem, word, "unknown flag; flags are %s",
				flags_format(FLAGS_ALL, all));
}

/* "-" alone, or 1*flag */
static int flags_read(struct cursor *cursor, uint16_t *out_flags,
		      struct line_problem *out_problem)
{
	const size_t behind_prefix = cursor->at;
	struct line_word word = word_next(cursor);
	uint16_t flags = 0;
	int err;

	if (word.len == 0) {
		word.at = behind_prefix;
		return line_problem_set(
			out_problem, &word,
			"no flag follows; write flags, as in PA AS LL, or - for none");
	}
	if (word.len == 1 && word.text[0] == '-') {
		word = word_next(cursor);
		if (word.len > 0)
			return line_problem_set(
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
		    struct line_problem *out_problem)
{
	const char *comment = len > 0 ? memchr(line, '#', len) : NULL;
	struct cursor cursor = {.line = line, .len = len};
	struct list_entry entry;
	struct line_word word;
	int err;

	if (len > LIST_LINE_MAX_BYTES) {
		word = (struct line_word){.at = LIST_LINE_MAX_BYTES};
		return line_problem_set(out_problem, &word,
					"the line is longer than %u bytes",
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
