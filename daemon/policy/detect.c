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
		[DETECT_SYNS] = "syns",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == DETECT_COUNT,
		      "a name for each");
	assert((unsigned int)detector < DETECT_COUNT);
	return names[detector];
}

bool detect_syns(struct detect_syns *record, uint64_t passed, uint64_t over,
		 uint64_t now_ms, struct detect_syns_found *out_found)
{
	const struct detect_syns last = *record;
	struct detect_syns_found found;

	*record = (struct detect_syns){.passed = passed, .over = over, .at_ms = now_ms};
	if (last.at_ms == 0 || now_ms < last.at_ms ||
	    now_ms - last.at_ms > DETECT_SYNS_GAP_MS || passed < last.passed ||
	    over < last.over)
		return false;
	found = (struct detect_syns_found){
		.passed = passed - last.passed,
		.over = over - last.over,
		.accepted = last.accepted,
	};
	if (found.over == 0 || found.passed == 0 ||
	    (uint64_t)found.accepted * 2 < found.passed)
		return false;
	*out_found = found;
	return true;
}
