/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/num - numbers, durations and sizes as people write them.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define DURATION_FOREVER_S INT64_MAX
#define DURATION_TEXT_MAX  24

/* A decimal number, nothing around it, at most max. 0; -EINVAL; -ERANGE. */
int num_parse_u64(const char *text, uint64_t max, uint64_t *out_number) MUST_CHECK;

/**
 * num_parse_duration - "90", "90s", "10m", "1h", "7d", "2w", "1h30m", "forever".
 * @text: NUL-terminated; lower case; a number alone means seconds; larger units first
 * @out_s: seconds; DURATION_FOREVER_S for "forever"; untouched on failure
 *
 * Return: 0; -EINVAL; -ERANGE, past 100 years.
 */
int num_parse_duration(const char *text, int64_t *out_s) MUST_CHECK;

/**
 * num_parse_size - "512", "64K", "64KB", "25MB", "1GB", "1T": powers of 1024, any case.
 * @text: NUL-terminated
 * @out_bytes: untouched on failure
 *
 * Return: 0; -EINVAL; -ERANGE.
 */
int num_parse_size(const char *text, uint64_t *out_bytes) MUST_CHECK;

/* "1h30m", "7d", "forever"; below 1: "0s". num_parse_duration reads it. Returns out_text. */
const char *num_format_duration(int64_t seconds, char out_text[DURATION_TEXT_MAX]);

#endif
