/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unit/seed - random input for the tests that compare with a twin.
 *
 * The seed is printed, and taken from SEED= if that is set: so a failure comes again.
 */
#ifndef UNIT_SEED_H
#define UNIT_SEED_H

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static inline uint64_t seed_start(void)
{
	const char *given = getenv("SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	printf("# SEED=%" PRIu64 "\n", seed);
	return seed;
}

/* splitmix64: every state is a good one. */
static inline uint64_t seed_next(uint64_t *state)
{
	uint64_t x = *state += UINT64_C(0x9e3779b97f4a7c15);

	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

/* 0..below-1 */
static inline uint32_t seed_below(uint64_t *state, uint32_t below)
{
	return (uint32_t)((seed_next(state) >> 32) * below >> 32);
}

#endif
