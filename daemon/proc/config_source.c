/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_source - see config_source.h.
 */
#include "proc/config_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

#define DEPTH_MAX  8u /* sections do not even nest */
#define WORD_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:"

/* A walk over the text. */
struct scanner {
	const char *path;
	char *text;
	size_t at;
	unsigned int line, column;
	struct config_place open[DEPTH_MAX]; /* braces not closed yet */
	unsigned int depth;
	struct config_report *report;
};

static int source_load(const char *path, char **out_text, size_t *out_len)
{
	AUTO(free_mem) char *text = NULL;
	AUTO(close_fd) int fd = -1;
	struct stat st;
	size_t len = 0;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	if (st.st_size > CONFIG_SOURCE_MAX_BYTES)
		return -EFBIG;
	text = malloc(CONFIG_SOURCE_MAX_BYTES + 1);
	if (!text)
		return -ENOMEM;
	while (len < CONFIG_SOURCE_MAX_BYTES) {
		ssize_t got = read(fd, text + len, CONFIG_SOURCE_MAX_BYTES - len);

		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		len += (size_t)got;
	}
	text[len] = '\0';
	*out_text = TAKE_PTR(text);
	*out_len = len;
	return 0;
}

static struct config_place scanner_place(const struct scanner *s)
{
	return (struct config_place){s->path, s->line, s->column};
}

/* One byte on; blanked unless it is a newline. */
static void scanner_step(struct scanner *s, bool blank)
{
	char *byte = &s->text[s->at++];

	s->column++;
	if (*byte == '\n') {
		s->line++;
		s->column = 1;
	} else if (blank) {
		*byte = ' ';
	}
}

static bool scanner_sees(const struct scanner *s, const char *word)
{
	return strncmp(s->text + s->at, word, strlen(word)) == 0;
}

static void scan_line_comment(struct scanner *s)
{
	while (s->text[s->at] && s->text[s->at] != '\n')
		scanner_step(s, true);
}

static void scan_block_comment(struct scanner *s)
{
	struct config_place begin = scanner_place(s);

	scanner_step(s, true);
	scanner_step(s, true);
	while (s->text[s->at] && !scanner_sees(s, "*/"))
		scanner_step(s, true);
	if (!s->text[s->at]) {
		report_error(s->report, begin,
			     "this comment is never closed: */ is missing");
		return;
	}
	scanner_step(s, true);
	scanner_step(s, true);
}

/* A value ends on the line on which it begins: a forgotten quote is then found where it is. */
static void scan_quoted(struct scanner *s)
{
	struct config_place begin = scanner_place(s);
	char quote = s->text[s->at];

	scanner_step(s, false);
	while (s->text[s->at] && s->text[s->at] != quote && s->text[s->at] != '\n') {
		if (s->text[s->at] == '\\' && s->text[s->at + 1])
			scanner_step(s, false);
		scanner_step(s, false);
	}
	if (s->text[s->at] == quote)
		scanner_step(s, false);
	else
		report_error(s->report, begin,
			     "this quote (%c) is not closed on its line", quote);
}

static void scan_brace(struct scanner *s)
{
	if (s->text[s->at] == '{') {
		if (s->depth < DEPTH_MAX)
			s->open[s->depth] = scanner_place(s);
		s->depth++;
	} else if (s->depth > 0) {
		s->depth--;
	} else {
		report_error(s->report, scanner_place(s),
			     "this brace closes nothing: remove it");
	}
	scanner_step(s, false);
}

static void scan(struct scanner *s)
{
	while (s->text[s->at]) {
		char byte = s->text[s->at];

		if (byte == '#' || scanner_sees(s, "//"))
			scan_line_comment(s);
		else if (scanner_sees(s, "/*"))
			scan_block_comment(s);
		else if (byte == '"' || byte == '\'')
			scan_quoted(s);
		else if (byte == '{' || byte == '}')
			scan_brace(s);
		else
			scanner_step(s, byte == '\r');
	}
	if (s->depth > 0)
		report_error(
			s->report,
			s->open[s->depth <= DEPTH_MAX ? s->depth - 1 : DEPTH_MAX - 1],
			"this brace is never closed: } is missing");
}

int source_read(const char *path, struct config_report *report,
		struct config_source *out_source)
{
	struct config_place whole = {path, 0, 0};
	struct scanner scanner = {.path = path, .line = 1, .column = 1, .report = report};
	size_t errors = report->errors;
	size_t len = 0;
	int err;

	err = source_load(path, &scanner.text, &len);
	if (err == -EFBIG)
		report_error(
			report, whole,
			"larger than %u bytes: keep addresses in list files beside it",
			CONFIG_SOURCE_MAX_BYTES);
	else if (err)
		report_error(report, whole, "cannot be read: %s", strerror(-err));
	else if (strlen(scanner.text) != len)
		report_error(report, whole, "holds a NUL byte: not a text file");
	else
		scan(&scanner);
	if (report->errors != errors) {
		free(scanner.text);
		return -EINVAL;
	}
	*out_source = (struct config_source){.path = path, .text = scanner.text};
	return 0;
}

void source_free(struct config_source *source)
{
	free(source->text);
	source->text = NULL;
}

/* Where a line begins, from 1; NULL: there are not so many. */
static const char *line_begin(const struct config_source *source, unsigned int line)
{
	const char *begin = source->text;

	for (unsigned int i = 1; i < line && begin; i++) {
		begin = strchr(begin, '\n');
		if (begin)
			begin++;
	}
	return begin;
}

unsigned int source_column(const struct config_source *source, unsigned int line,
			   const char *value)
{
	const char *begin = line_begin(source, line);
	const char *end;
	const char *found;

	if (!begin || value[0] == '\0')
		return 0;
	end = strchrnul(begin, '\n');
	found = memmem(begin, (size_t)(end - begin), value, strlen(value));
	return found ? (unsigned int)(found - begin) + 1 : 0;
}

unsigned int source_word_column(const struct config_source *source, unsigned int line,
				const char *word)
{
	const char *begin = line_begin(source, line);
	size_t len = strlen(word);

	for (const char *at = begin; at && *at && *at != '\n';) {
		size_t run = strspn(at, WORD_CHARS);

		if (run == len && len > 0 && memcmp(at, word, len) == 0)
			return (unsigned int)(at - begin) + 1;
		at += run > 0 ? run : 1;
	}
	return 0;
}
