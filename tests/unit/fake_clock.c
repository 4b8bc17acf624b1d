/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unit/fake_clock - see fake_clock.h.
 */
#include "unit/fake_clock.h"

#include <assert.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>

#include "base/clock.h"

struct offsets {
	_Atomic int64_t all_s, wall_s;
};

static struct offsets *offsets;

void fake_clock_reset(void)
{
	if (!offsets)
		offsets = mmap(NULL, sizeof(*offsets), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(offsets != MAP_FAILED);
	offsets->all_s = 0;
	offsets->wall_s = 0;
}

void fake_clock_advance(int64_t seconds)
{
	offsets->all_s += seconds;
}

void fake_clock_set_wall(int64_t seconds_ahead)
{
	offsets->wall_s = seconds_ahead;
}

static uint64_t clock_ns(clockid_t id)
{
	struct timespec now;

	assert(clock_gettime(id, &now) == 0);
	return ((uint64_t)now.tv_sec + (uint64_t)offsets->all_s) * NS_PER_S +
	       (uint64_t)now.tv_nsec;
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
	struct timespec now;

	assert(clock_gettime(CLOCK_REALTIME, &now) == 0);
	return now.tv_sec + offsets->all_s + offsets->wall_s;
}
