/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/auth.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "policy/flags.h"

/* A longer name may have been cut. */
#define NAME_WHOLE_MAX (AUTH_USER_MAX - 8)
/* What stands in the place of a name that cannot be shown begins so. */
#define NOT_A_NAME '('

static_assert(sizeof(struct auth_recent) % sizeof(uint64_t) == 0 &&
		      sizeof(struct auth_recent) ==
			      2 * sizeof(uint64_t) + 2 * sizeof(uint32_t) +
				      AUTH_USER_MAX + AUTH_SERVICE_MAX,
	      "no padding, whole words");

const char *auth_by_name(enum auth_by by)
{
	static const char *const names[] = {
		[AUTH_BY_NONE] = "-",
		[AUTH_BY_LOGIN] = "login",
		[AUTH_BY_AA] = "aa",
		[AUTH_BY_AM] = "am",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == AUTH_BY_COUNT,
		      "a name for each");
	assert((unsigned int)by < AUTH_BY_COUNT);
	return names[by];
}

uint64_t auth_recent_until(const struct auth_recent *recent, int64_t window_s)
{
	const uint64_t window_ns = window_s > 0 ? (uint64_t)window_s * NS_PER_S : 0;

	/* All zero: the writer was at work. */
	if (!recent || recent->seen_ns == 0)
		return 0;
	if (recent->seen_ns >= CLOCK_FOREVER_NS - window_ns)
		return CLOCK_FOREVER_NS;
	return recent->seen_ns + window_ns;
}

enum auth_by auth_decide(uint16_t flags, const struct auth_recent *recent,
			 int64_t window_s, uint64_t now_ns)
{
	if (flags & FLAG_AA)
		return AUTH_BY_AA;
	if ((flags & FLAG_AM) && auth_recent_until(recent, window_s) > now_ns)
		return AUTH_BY_AM;
	return AUTH_BY_NONE;
}

const char *auth_recent_name(const struct auth_recent *recent)
{
	const size_t len = strnlen(recent->user, sizeof(recent->user));

	if (recent->has_many || len == 0 || len >= NAME_WHOLE_MAX ||
	    memchr(recent->user, '\\', len) || recent->user[0] == NOT_A_NAME)
		return NULL;
	return recent->user;
}
