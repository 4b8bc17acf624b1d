/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/text - values as people and as scripts read them. Pure: the time is an argument.
 */
#ifndef CLI_TEXT_H
#define CLI_TEXT_H

#include <stdint.h>

#include "base/buf.h"

#define TEXT_TIME_MAX 48 /* with the NUL */

/**
 * text_add_plain - text from a stranger, for a terminal.
 * Printable ASCII stays as it is (the daemon has escaped it once already); all else becomes \xHH.
 */
void text_add_plain(struct buf *buf, const char *text);

/* The same for a TSV field: UTF-8 stays, tab, newline and other controls become \xHH, '\' is doubled. */
void text_add_tsv(struct buf *buf, const char *text);

/* "42s", "59m", "5h12m", "6d23h", "143d": the two largest units, cut, not rounded. Returns out_text. */
const char *text_duration(int64_t seconds, char out_text[TEXT_TIME_MAX]);

/* "in 59m", "3m ago", "now". Returns out_text. */
const char *text_relative(int64_t time_s, int64_t now_s, char out_text[TEXT_TIME_MAX]);

/* "2026-11-22 19:05:41", local time. Returns out_text. */
const char *text_clock(int64_t time_s, char out_text[TEXT_TIME_MAX]);

/* "512", "12.3K", "1.5M", "2.0G" bytes. Returns out_text. */
const char *text_bytes(int64_t bytes, char out_text[TEXT_TIME_MAX]);

#endif
