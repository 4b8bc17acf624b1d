/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/num.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DAY_S INT64_C(86400)
/* 100 years: past any sensible setting, and far from overflow once added to a clock. */
#define DURATION_MAX_S (INT64_C(36525) * DAY_S)

/* digits = 1*DIGIT. Leaves *text behind the last digit. */
static int digits_read(const char **text, uint64_t max, uint64_t *out_number)
{
	const char *at = *text;
	uint64_t number = 0;
	bool too_large = false;

	if (*at < '0' || *at > '9')
		return -EINVAL;
	for (; *at >= '0' && *at <= '9'; at++) {
		too_large |= __builtin_mul_overflow(number, UINT64_C(10), &number);
		too_large |=
			__builtin_add_overflow(number, (uint64_t)(*at - '0'), &number);
		too_large |= number > max;
	}
	*text = at;
	if (too_large)
		return -ERANGE;
	*out_number = number;
	return 0;
}

int num_parse_u64(const char *text, uint64_t max, uint64_t *out_number)
{
	const char *at = text;
	uint64_t number = 0;
	int err;

	err = digits_read(&at, max, &number);
	if (err == -EINVAL || *at != '\0')
		return -EINVAL;
	if (err)
		return err;
	*out_number = number;
	return 0;
}

static const struct {
	char letter;
	int64_t seconds;
} units[] = {
	{'w', 7 * DAY_S}, {'d', DAY_S}, {'h', 3600}, {'m', 60}, {'s', 1},
};

#define UNIT_COUNT (sizeof(units) / sizeof(units[0]))

/* The row of a letter, from row first on; UNIT_COUNT if there is none. */
static size_t unit_find(char letter, size_t first)
{
	size_t i = first;

	while (i < UNIT_COUNT && units[i].letter != letter)
		i++;
	return i;
}

/* duration = "forever" / number / 1*( number unit ), larger units first, each once */
int num_parse_duration(const char *text, int64_t *out_s)
{
	const char *at = text;
	size_t next_unit = 0;
	int64_t total_s = 0;
	bool too_long = false;

	if (strcmp(text, "forever") == 0) {
		*out_s = DURATION_FOREVER_S;
		return 0;
	}

	do {
		uint64_t number = 0;
		int64_t unit_s = 1;
		int err;

		err = digits_read(&at, DURATION_MAX_S, &number);
		if (err == -EINVAL)
			return err;
		too_long |= err != 0;
		if (*at != '\0' || next_unit > 0) {
			size_t unit = unit_find(*at, next_unit);

			if (unit == UNIT_COUNT)
				return -EINVAL;
			unit_s = units[unit].seconds;
			next_unit = unit + 1;
			at++;
		}
		too_long |= __builtin_mul_overflow((int64_t)number, unit_s, &unit_s);
		too_long |= __builtin_add_overflow(total_s, unit_s, &total_s);
	} while (*at != '\0');

	if (too_long || total_s > DURATION_MAX_S)
		return -ERANGE;
	*out_s = total_s;
	return 0;
}

/* size = number [ ( "K" / "M" / "G" / "T" ) [ "B" ] / "B" ], any case */
int num_parse_size(const char *text, uint64_t *out_bytes)
{
	static const char prefixes[] = "KMGT";
	const char *at = text;
	const char *found;
	uint64_t number = 0;
	unsigned int shift = 0;
	int err;

	err = digits_read(&at, UINT64_MAX, &number);
	if (err == -EINVAL)
		return err;
	found = *at ? strchr(prefixes, toupper((unsigned char)*at)) : NULL;
	if (found) {
		shift = 10 * (unsigned int)(found - prefixes + 1);
		at++;
	}
	if (*at == 'B' || *at == 'b')
		at++;
	if (*at != '\0')
		return -EINVAL;
	if (err || number > UINT64_MAX >> shift)
		return -ERANGE;
	*out_bytes = number << shift;
	return 0;
}

const char *num_format_duration(int64_t seconds, char out_text[DURATION_TEXT_MAX])
{
	const struct {
		int64_t count;
		char letter;
	} parts[] = {
		{seconds / DAY_S, 'd'},
		{seconds % DAY_S / 3600, 'h'},
		{seconds % 3600 / 60, 'm'},
		{seconds % 60, 's'},
	};
	size_t len = 0;

	if (seconds == DURATION_FOREVER_S)
		return memcpy(out_text, "forever", sizeof("forever"));
	if (seconds <= 0)
		return memcpy(out_text, "0s", sizeof("0s"));
	for (size_t i = 0; i < 4; i++) {
		/* Past what can be written back, whole days are exact enough, and fit. */
		if (parts[i].count == 0 || (i > 0 && seconds > DURATION_MAX_S))
			continue;
		len += (size_t)snprintf(out_text + len, DURATION_TEXT_MAX - len, "%lld%c",
					(long long)parts[i].count, parts[i].letter);
	}
	return out_text;
}
