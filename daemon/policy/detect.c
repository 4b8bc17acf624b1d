/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/detect - see detect.h.
 */
#include "policy/detect.h"

#include <assert.h>

bool detect_count(const struct conf_detector *conf, struct detect_record *record,
		  enum detector detector, uint64_t now_ms)
{
	uint64_t *began_ms = &record->began_ms[detector];
	uint32_t *count = &record->count[detector];

	if (conf->max == 0)
		return false;
	if (*count == 0 || now_ms < *began_ms ||
	    now_ms - *began_ms >= (uint64_t)conf->window_s * 1000) {
		*began_ms = now_ms;
		*count = 0;
	}
	if (++*count < conf->max)
		return false;
	*count = 0;
	return true;
}

const char *detector_name(enum detector detector)
{
	static const char *const names[] = {
		[DETECT_CONNECTS] = "connects", [DETECT_CROWDED] = "crowded",
		[DETECT_SLOW] = "slow",		[DETECT_FLOODS] = "floods",
		[DETECT_JUNK] = "junk",		[DETECT_TLS] = "tls",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == DETECT_COUNT,
		      "a name for each");
	assert((unsigned int)detector < DETECT_COUNT);
	return names[detector];
}
