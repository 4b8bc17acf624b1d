/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/clock.h"

#include <assert.h>
#include <time.h>

/* Fails only for a clock that the kernel does not have: our bug, not the world's. */
static struct timespec clock_read(clockid_t id)
{
	struct timespec now;
	int err;

	err = clock_gettime(id, &now);
	assert(err == 0);
	return now;
}

static uint64_t clock_ns(clockid_t id)
{
	const struct timespec now = clock_read(id);

	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_boot_ns(void)
{
	return clock_ns(CLOCK_BOOTTIME);
}

uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_s(void)
{
	return clock_read(CLOCK_REALTIME).tv_sec;
}
