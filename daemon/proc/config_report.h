/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_report - what is wrong with a configuration, and what is doubtful about it.
 *
 * Collected rather than logged: --check prints it, a reload hands it to the admin, a start logs it.
 */
#ifndef PROC_CONFIG_REPORT_H
#define PROC_CONFIG_REPORT_H

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_NOTES_MAX      64u /* an admin mends the first few and tries again */
#define CONFIG_NOTE_MAX_BYTES 1024u

/* Where in a file; line and column count from 1, 0: unknown or not one place. */
struct config_place {
	const char *file;
	unsigned int line;
	unsigned int column;
};

struct config_report {
	size_t errors;	 /* found in all */
	size_t warnings; /* found in all */
	size_t kept;	 /* notes below; errors that found no place are counted only */
	struct {
		bool is_error;
		char text
			[CONFIG_NOTE_MAX_BYTES]; /* "FILE:LINE:COLUMN: what, and what would be right" */
	} notes[CONFIG_NOTES_MAX];
};

void report_error(struct config_report *report, struct config_place at,
		  const char *format, ...) __attribute__((format(printf, 3, 4)));
void report_warning(struct config_report *report, struct config_place at,
		    const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
