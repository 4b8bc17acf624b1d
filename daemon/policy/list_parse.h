/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/list_parse - one line of an address list.
 *
 *     line    = [ prefix ( "-" / 1*flag ) ] [ comment ] [ CR ]
 *     prefix  = IPv4 or IPv6 address [ "/" length ]
 *     comment = "#" anything
 *
 * Fields are separated by spaces or tabs. A pure parser: proc/config reads the file.
 */
#ifndef POLICY_LIST_PARSE_H
#define POLICY_LIST_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/line_problem.h"

#define LIST_LINE_MAX_BYTES 1024u

struct list_entry {
	struct prefix prefix;
	uint16_t flags;
};

/**
 * list_parse_line - read one line.
 * @line: without its newline; not NUL-terminated
 * @len: bytes
 * @out_entry: untouched unless 1 is returned
 * @out_problem: written on -EINVAL
 *
 * A prefix needs at least one flag ("-" alone says: no flag at all, a rejected range).
 *
 * Return: 1, an entry; 0, empty or comment; -EINVAL.
 */
int list_parse_line(const char *line, size_t len, struct list_entry *out_entry,
		    struct line_problem *out_problem) MUST_CHECK;

#endif
