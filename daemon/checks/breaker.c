/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/breaker - see the header.
 */
#include "checks/breaker.h"

bool breaker_allows(const struct breaker *breaker, uint64_t now_ns)
{
	return now_ns >= breaker->open_until_ns;
}

void breaker_replied(struct breaker *breaker, uint64_t now_ns)
{
	*breaker = (struct breaker){.replied_ns = now_ns};
}

bool breaker_timed_out(struct breaker *breaker, uint64_t now_ns)
{
	if (!breaker_allows(breaker, now_ns))
		return false; /* asked before it opened */
	if (breaker->timeouts < BREAKER_TIMEOUTS)
		breaker->timeouts++;
	if (breaker->timeouts < BREAKER_TIMEOUTS ||
	    now_ns - breaker->replied_ns < BREAKER_SILENCE_NS)
		return false;
	/* The first timeout after the pause opens it again. */
	breaker->open_until_ns = now_ns + BREAKER_OPEN_NS;
	return true;
}
