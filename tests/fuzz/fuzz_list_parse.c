/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_list_parse - any bytes as the lines of an address list.
 *
 * Invariants: an entry that was read can be written and read again as the same; a problem
 * has a column inside the line (or just behind it) and a text that is fit for a terminal.
 *
 * link: target.c
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "policy/flags.h"
#include "policy/list_parse.h"
#include "target.h"

static void check_entry(const struct list_entry *entry)
{
	const uint8_t bits = addr_bits(entry->prefix.addr.family);
	char prefix[PREFIX_TEXT_MAX], flags[FLAGS_TEXT_MAX];
	char line[PREFIX_TEXT_MAX + FLAGS_TEXT_MAX];
	struct line_problem problem;
	struct list_entry again;
	struct prefix clean;
	int len;

	target_check(bits > 0 && entry->prefix.len <= bits, "a length of the family");
	clean = prefix_make(&entry->prefix.addr, entry->prefix.len);
	target_check(prefix_equal(&clean, &entry->prefix), "no bits behind the length");
	target_check((entry->flags & ~FLAGS_ALL) == 0, "known flags only");

	len = snprintf(line, sizeof(line), "%s %s", prefix_format(&entry->prefix, prefix),
		       flags_format(entry->flags, flags));
	target_check(list_parse_line(line, (size_t)len, &again, &problem) == 1,
		     "reads back");
	target_check(prefix_equal(&again.prefix, &entry->prefix), "the same prefix");
	target_check(again.flags == entry->flags, "the same flags");
}

static void check_line(const char *line, size_t len)
{
	struct line_problem problem = {.column = 0};
	struct list_entry entry;

	switch (list_parse_line(line, len, &entry, &problem)) {
	case 0:
		break;
	case 1:
		check_entry(&entry);
		break;
	case -EINVAL:
		target_check_problem(&problem, len);
		break;
	default:
		target_check(0, "0, 1 or -EINVAL");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	target_each_line(data, size, check_line);
	return 0;
}
