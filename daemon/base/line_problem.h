/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/line_problem - what is wrong with a line of a file: where, in which word, and what would be right.
 *
 * Filled by the parsers of lines (policy/list_parse, wire/mail_list); proc/config adds file and line.
 */
#ifndef BASE_LINE_PROBLEM_H
#define BASE_LINE_PROBLEM_H

#include <stddef.h>

#define LINE_PROBLEM_MAX 256u

struct line_problem {
	unsigned int column; /* 1 = first byte of the line */
	/* What is wrong, quoting it, and what would be right; printable ASCII. */
	char text[LINE_PROBLEM_MAX];
};

/* A piece of the line. */
struct line_word {
	const char *text; /* inside the line; not NUL-terminated */
	size_t len;	  /* 0: there is none, and none is quoted */
	size_t at;	  /* bytes in front of it */
};

/* "'WORD': TEXT", the word escaped and cut. Return: -EINVAL, for the parser to return. */
int line_problem_set(struct line_problem *problem, const struct line_word *word,
		     const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
