/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/config_report - see config_report.h.
 */
#include "proc/config_report.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/buf.h"

__attribute__((format(printf, 4, 0))) static void
report_add(struct config_report *report, bool is_error, struct config_place at,
	   const char *format, va_list args)
{
	char text[CONFIG_NOTE_MAX_BYTES / 2];
	struct buf line;

	if (report->kept == CONFIG_NOTES_MAX)
		return;
	(void)vsnprintf(text, sizeof(text), format, args);
	buf_init(&line, report->notes[report->kept].text, CONFIG_NOTE_MAX_BYTES);
	if (at.file)
		buf_puts(&line, at.file);
	if (at.line)
		buf_printf(&line, ":%u", at.line);
	if (at.line && at.column)
		buf_printf(&line, ":%u", at.column);
	if (at.file)
		buf_puts(&line, ": ");
	buf_puts(&line, text);
	report->notes[report->kept++].is_error = is_error;
}

void report_error(struct config_report *report, struct config_place at,
		  const char *format, ...)
{
	va_list args;

	report->errors++;
	va_start(args, format);
	report_add(report, true, at, format, args);
	va_end(args);
}

void report_warning(struct config_report *report, struct config_place at,
		    const char *format, ...)
{
	va_list args;

	report->warnings++;
	va_start(args, format);
	report_add(report, false, at, format, args);
	va_end(args);
}
