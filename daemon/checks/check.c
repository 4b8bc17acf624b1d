/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/check - see the header.
 */
#include "checks/check.h"

#include <assert.h>

const char *check_result_name(enum check_result result)
{
	static const char *const names[CHECK_RESULT_COUNT] = {
		[CHECK_CLEAN] = "clean",
		[CHECK_HIT] = "hit",
		[CHECK_UNKNOWN] = "unknown",
	};

	assert((unsigned int)result < CHECK_RESULT_COUNT);
	return names[result];
}
