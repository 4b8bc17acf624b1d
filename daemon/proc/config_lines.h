/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_lines - the lines of a file that postern.conf names, up to millions of them.
 *
 * Read once, through one buffer. What a line means is the caller's business: proc/config_list,
 * proc/config_names.
 */
#ifndef PROC_CONFIG_LINES_H
#define PROC_CONFIG_LINES_H

#include <stddef.h>

#include "proc/config_report.h"

/* One line, without its newline, not NUL-terminated. Return: 0; other: the rest is not read. */
typedef int (*lines_fn)(void *context, const char *line, size_t len);

/**
 * lines_read - read a file.
 * @report: receives why it cannot be read
 * @path: of it
 * @named_at: where it is named
 *
 * A line as long as the buffer, 256 KiB, is the last one that is handed over.
 */
void lines_read(struct config_report *report, const char *path,
		struct config_place named_at, lines_fn on_line, void *context);

#endif
