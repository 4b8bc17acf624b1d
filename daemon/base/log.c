/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"

#define PROCESS_NAME_MAX 16u
#define TAIL_MAX	 64u /* " time=... proc=..." */
#define WRITE_TRIES \
	3 /* a signal may interrupt; a full pipe loses the line, never blocks us */

static struct {
	char process[PROCESS_NAME_MAX];
	enum log_level level;
	bool opened;
	bool journal; /* standard error is journald's: wants "<N>", adds the time */
} logger = {.level = LOG_LEVEL_INFO};

/* Syslog severities, RFC 5424 section 6.2.1. */
static const char severity[] = {
	[LOG_LEVEL_ERROR] = '3',
	[LOG_LEVEL_WARN] = '4',
	[LOG_LEVEL_INFO] = '6',
	[LOG_LEVEL_DEBUG] = '7',
};

/* JOURNAL_STREAM = device ":" inode of what journald gave: systemd.exec(5) */
static bool log_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char text[48];
	struct stat st;

	if (!stream || fstat(STDERR_FILENO, &st) != 0)
		return false;
	(void)snprintf(text, sizeof(text), "%ju:%ju", (uintmax_t)st.st_dev,
		       (uintmax_t)st.st_ino);
	return strcmp(stream, text) == 0;
}

void log_open(const char *process, enum log_level level)
{
	/* Once for the program: a child that opens again may be in its sandbox. */
	if (!logger.opened)
		logger.journal = log_is_journal();
	logger.opened = true;
	logger.level = level;
	(void)text_copy(logger.process, sizeof(logger.process),
			process); /* cut is fine */
}

/*
 * RFC 3339 in UTC, by hand: gmtime_r() reads the time zone file, which the gate's chroot
 * does not have. Days to a civil date: years begin in March, so that a leap day is last.
 */
static void log_add_time(struct buf *line)
{
	struct timespec now = {0};
	int64_t day, era, day_of_era, year_of_era, day_of_year, month;
	int second;

	(void)clock_gettime(CLOCK_REALTIME, &now); /* cannot fail for this clock */
	day = now.tv_sec / 86400 + 719468;
	second = (int)(now.tv_sec % 86400);
	era = day / 146097;
	day_of_era = day % 146097;
	year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 -
		       day_of_era / 146096) /
		      365;
	day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	month = (5 * day_of_year + 2) / 153;
	buf_printf(line, " time=%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
		   (int)(era * 400 + year_of_era + (month >= 10)),
		   (int)(month < 10 ? month + 3 : month - 9),
		   (int)(day_of_year - (153 * month + 2) / 5 + 1), second / 3600,
		   second / 60 % 60, second % 60,
		   (int)(now.tv_nsec / (int64_t)NS_PER_MS));
}

/* The caller escaped what is remote; a control byte that slipped through ends here. */
static void log_add_event(struct buf *line, const char *text)
{
	for (const char *at = text; *at && !line->overflow; at++) {
		const unsigned char byte = (unsigned char)*at;

		if (byte >= ' ' && byte != 0x7f)
			buf_add(line, at, 1);
		else
			buf_printf(line, "\\x%02x", byte);
	}
}

static void log_write(const char *bytes, size_t len)
{
	for (int i = 0; i < WRITE_TRIES; i++) {
		if (write(STDERR_FILENO, bytes, len) >= 0 || errno != EINTR)
			return;
	}
}

void log_line(enum log_level level, const char *format, ...)
{
	const int errno_before = errno;
	char event_text[LOG_LINE_MAX_BYTES];
	char line_text[LOG_LINE_MAX_BYTES];
	char tail_text[TAIL_MAX];
	struct buf line = BUF_OVER(line_text);
	struct buf tail = BUF_OVER(tail_text);
	va_list args;

	if (level > logger.level)
		return;
	va_start(args, format);
	if (vsnprintf(event_text, sizeof(event_text), format, args) < 0)
		event_text[0] = '\0';
	va_end(args);

	if (!logger.journal)
		log_add_time(&tail);
	if (logger.process[0])
		buf_printf(&tail, " proc=%s", logger.process);
	buf_puts(&tail, "\n");

	if (logger.journal)
		buf_printf(&line, "<%c>", severity[level]);
	line.cap_bytes -= tail.len; /* a line that is cut still says whose it is */
	log_add_event(&line, event_text);
	line.cap_bytes += tail.len;
	buf_add(&line, tail.text, tail.len);
	log_write(line.text, line.len);
	errno = errno_before;
}

bool log_limit_take(struct log_limit *limit, uint64_t now_mono_ns, uint32_t *out_dropped)
{
	const uint64_t minute = now_mono_ns / (60 * NS_PER_S);

	if (minute != limit->minute) {
		limit->minute = minute;
		limit->used = 0;
	}
	if (limit->used >= limit->per_minute) {
		if (limit->dropped < UINT32_MAX)
			limit->dropped++;
		return false;
	}
	limit->used++;
	*out_dropped = limit->dropped;
	limit->dropped = 0;
	return true;
}
