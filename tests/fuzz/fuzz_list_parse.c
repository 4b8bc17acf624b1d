/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_list_parse - any bytes as the lines of an address list.
 *
 * Invariants: an entry that was read can be written and read again as the same; a problem
 * has a column inside the line (or just behind it) and a text that is fit for a terminal.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/flags.h"
#include "policy/list_parse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	abort();
}

static void check_entry(const struct list_entry *entry)
{
	const uint8_t bits = addr_bits(entry->prefix.addr.family);
	char prefix[PREFIX_TEXT_MAX], flags[FLAGS_TEXT_MAX];
	char line[PREFIX_TEXT_MAX + FLAGS_TEXT_MAX];
	struct list_problem problem;
	struct list_entry again;
	struct prefix clean;
	int len;

	check(bits > 0 && entry->prefix.len <= bits, "a length of the family");
	clean = prefix_make(&entry->prefix.addr, entry->prefix.len);
	check(prefix_equal(&clean, &entry->prefix), "no bits behind the length");
	check((entry->flags & ~FLAGS_ALL) == 0, "known flags only");

	len = snprintf(line, sizeof(line), "%s %s", prefix_format(&entry->prefix, prefix),
		       flags_format(entry->flags, flags));
	check(list_parse_line(line, (size_t)len, &again, &problem) == 1, "reads back");
	check(prefix_equal(&again.prefix, &entry->prefix), "the same prefix");
	check(again.flags == entry->flags, "the same flags");
}

static void check_problem(const struct list_problem *problem, size_t line_len)
{
	const size_t text_len = strnlen(problem->text, sizeof(problem->text));

	check(problem->column >= 1 && problem->column <= line_len + 1,
	      "a column of the line");
	check(text_len > 0 && text_len < sizeof(problem->text), "a text");
	for (size_t i = 0; i < text_len; i++)
		check(problem->text[i] >= ' ' && problem->text[i] <= '~', "printable");
}

static void check_line(const char *line, size_t len)
{
	struct list_problem problem = {.column = 0};
	struct list_entry entry;

	switch (list_parse_line(line, len, &entry, &problem)) {
	case 0:
		break;
	case 1:
		check_entry(&entry);
		break;
	case -EINVAL:
		check_problem(&problem, len);
		break;
	default:
		check(0, "0, 1 or -EINVAL");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *line = (const char *)data;
	size_t left = size;

	while (left > 0) {
		const char *newline = memchr(line, '\n', left);
		const size_t len = newline ? (size_t)(newline - line) : left;
		/* Exactly as large as the line, so that ASan sees a step beyond it. */
		char *exact = malloc(len ? len : 1);

		if (!exact)
			return 0;
		memcpy(exact, line, len);
		check_line(exact, len);
		free(exact);
		line += newline ? len + 1 : len;
		left -= newline ? len + 1 : len;
	}
	return 0;
}
