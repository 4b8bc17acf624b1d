/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/text - see the header.
 */
#include "cli/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#define MINUTE_S 60
#define HOUR_S	 3600
#define DAY_S	 86400

void text_add_plain(struct buf *buf, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p >= 0x20 && *p < 0x7f)
			buf_add(buf, p, 1);
		else
			buf_printf(buf, "\\x%02x", *p);
	}
}

void text_add_tsv(struct buf *buf, const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '\\')
			buf_puts(buf, "\\\\");
		else if (*p < 0x20 || *p == 0x7f)
			buf_printf(buf, "\\x%02x", *p);
		else
			buf_add(buf, p, 1);
	}
}

const char *text_duration(int64_t seconds, char out_text[TEXT_TIME_MAX])
{
	static const struct {
		int64_t until_s; /* used below this */
		int64_t unit_s, part_s;
		char unit, part;
	} scales[] = {
		{MINUTE_S, 1, 0, 's', 0},
		{HOUR_S, MINUTE_S, 0, 'm', 0},
		{DAY_S, HOUR_S, MINUTE_S, 'h', 'm'},
		{100 * (int64_t)DAY_S, DAY_S, HOUR_S, 'd', 'h'},
		{INT64_MAX, DAY_S, 0, 'd', 0},
	};
	size_t i = 0;
	int64_t part;

	if (seconds < 0)
		seconds = 0;
	while (i < sizeof(scales) / sizeof(scales[0]) - 1 && seconds >= scales[i].until_s)
		i++;
	part = scales[i].part_s ? seconds % scales[i].unit_s / scales[i].part_s : 0;
	if (part)
		(void)snprintf(out_text, TEXT_TIME_MAX, "%" PRId64 "%c%" PRId64 "%c",
			       seconds / scales[i].unit_s, scales[i].unit, part,
			       scales[i].part);
	else
		(void)snprintf(out_text, TEXT_TIME_MAX, "%" PRId64 "%c",
			       seconds / scales[i].unit_s, scales[i].unit);
	return out_text;
}

const char *text_relative(int64_t time_s, int64_t now_s, char out_text[TEXT_TIME_MAX])
{
	char duration[TEXT_TIME_MAX];
	int64_t distance_s;

	if (__builtin_sub_overflow(time_s, now_s, &distance_s) || distance_s == INT64_MIN)
		distance_s = time_s < now_s ? -INT64_MAX : INT64_MAX;
	if (distance_s == 0)
		(void)snprintf(out_text, TEXT_TIME_MAX, "now");
	else if (distance_s > 0)
		(void)snprintf(out_text, TEXT_TIME_MAX, "in %.40s",
			       text_duration(distance_s, duration));
	else
		(void)snprintf(out_text, TEXT_TIME_MAX, "%.40s ago",
			       text_duration(-distance_s, duration));
	return out_text;
}

const char *text_clock(int64_t time_s, char out_text[TEXT_TIME_MAX])
{
	time_t time = (time_t)time_s;
	struct tm tm;

	if (!localtime_r(&time, &tm) ||
	    strftime(out_text, TEXT_TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm) == 0)
		(void)snprintf(out_text, TEXT_TIME_MAX, "%" PRId64, time_s);
	return out_text;
}

const char *text_bytes(int64_t bytes, char out_text[TEXT_TIME_MAX])
{
	static const char units[] = "KMGT";
	double value = (double)bytes;
	size_t i = 0;

	if (bytes < 1024) {
		(void)snprintf(out_text, TEXT_TIME_MAX, "%" PRId64 " B", bytes);
		return out_text;
	}
	for (value /= 1024; value >= 1024 && units[i + 1]; i++)
		value /= 1024;
	(void)snprintf(out_text, TEXT_TIME_MAX, "%.1f %ciB", value, units[i]);
	return out_text;
}
