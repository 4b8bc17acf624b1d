/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/auth.h"

#include <assert.h>

#include "policy/flags.h"

const char *auth_by_name(enum auth_by by)
{
	static const char *const names[] = {
		[AUTH_BY_NONE] = "-",
		[AUTH_BY_LOGIN] = "login",
		[AUTH_BY_AA] = "aa",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == AUTH_BY_COUNT,
		      "a name for each");
	assert((unsigned int)by < AUTH_BY_COUNT);
	return names[by];
}

enum auth_by auth_decide(uint16_t flags)
{
	return flags & FLAG_AA ? AUTH_BY_AA : AUTH_BY_NONE;
}
