/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/line_problem.h"

#include <errno.h>
#include <stdarg.h>

#include "base/buf.h"

#define QUOTED_MAX 64u /* bytes of a wrong word that are quoted */

int line_problem_set(struct line_problem *problem, const struct line_word *word,
		     const char *format, ...)
{
	struct buf text;
	va_list args;

	problem->column = (unsigned int)word->at + 1;
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
