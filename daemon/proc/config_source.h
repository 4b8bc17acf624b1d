/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_source - the text of postern.conf, made ready for libconfuse.
 *
 * libconfuse 3.3 counts the lines of a file with comments wrongly and takes a section that is never
 * closed for a whole one. So the comments are blanked out here and the braces counted.
 */
#ifndef PROC_CONFIG_SOURCE_H
#define PROC_CONFIG_SOURCE_H

#include <stddef.h>

#include "base/cleanup.h"
#include "proc/config_report.h"

#define CONFIG_SOURCE_MAX_BYTES 1048576u /* addresses belong into list files */

struct config_source {
	const char *path; /* borrowed */
	char *text;	  /* NUL-terminated; comments are spaces */
};

/**
 * source_read - read a file, blank its comments, check its quotes and braces.
 * @path: borrowed for as long as the source lives
 * @report: receives what is wrong
 * @out_source: untouched on failure; source_free() it
 *
 * Return: 0; -EINVAL, it is in the report.
 */
int source_read(const char *path, struct config_report *report,
		struct config_source *out_source) MUST_CHECK;
void source_free(struct config_source *source);

/* Column of the first place in a line where a value stands; 0: nowhere. */
unsigned int source_column(const struct config_source *source, unsigned int line,
			   const char *value);

/* The same of a name: what stands around it is no part of it. */
unsigned int source_word_column(const struct config_source *source, unsigned int line,
				const char *word);

#endif
