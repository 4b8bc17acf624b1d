/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/log - one line an event, logfmt, on standard error.
 *
 * Used by proc/, cli/ and main.c only. Every line begins with event=NAME; the list of
 * events and keys is in posternd(8). Remote text goes through
 * buf_add_escaped() first. Under journald lines carry the priority prefix "<N>".
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR, /* something is broken; the admin must act */
	LOG_LEVEL_WARN,	 /* something is wrong; postern goes on */
	LOG_LEVEL_INFO,	 /* what happened */
	LOG_LEVEL_DEBUG, /* how it happened */
};

#define LOG_LINE_MAX_BYTES 2048

/**
 * log_open - name the process in every line, and choose what is written.
 * @process: "keeper", "gate0", ...; copied, at most 15 bytes
 * @level: the last level that is written
 *
 * The first call finds out whether standard error is journald's; a child opens again to
 * change the name. Before any call lines go out without a name, up to LOG_LEVEL_INFO.
 */
void log_open(const char *process, enum log_level level);

/**
 * log_line - write one line, with one write(2), to standard error.
 * @level: left out if past that of log_open()
 * @format: "event=NAME key=value ..."
 *
 * " proc=NAME" is appended, and outside journald " time=" (RFC 3339, UTC) before it.
 * Control bytes come out as \xHH. Longer than LOG_LINE_MAX_BYTES: cut before what is
 * appended. After the first log_open() it needs no file and no system call but write(2).
 * Keeps errno.
 */
void log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

/* A budget for lines that an attacker can provoke: so many a minute. */
struct log_limit {
	uint32_t per_minute; /* > 0 */
	uint32_t used;
	uint32_t dropped;
	uint64_t minute;
};

/**
 * log_limit_take - may one more line of this kind be written now?
 * @limit: its budget
 * @now_mono_ns: current time
 * @out_dropped: lines left out since the last one written; say it in the line
 *
 * Return: true if the line may be written.
 */
bool log_limit_take(struct log_limit *limit, uint64_t now_mono_ns, uint32_t *out_dropped);

#endif
