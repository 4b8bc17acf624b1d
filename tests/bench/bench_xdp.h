/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/bench/bench_xdp - which source a number stands for. Both sides, kernel and loader, ask here.
 */
#ifndef BENCH_XDP_H
#define BENCH_XDP_H

#include <linux/types.h>

/* Every number another address, scattered over all of IPv4. */
static inline __u32 bench_source4(__u32 number)
{
	number *= 0x9e3779b1u;
	number ^= number >> 15;
	number *= 0x85ebca6bu;
	number ^= number >> 13;
	return number;
}

/* The same for the upper half of IPv6. */
static inline __u64 bench_source6(__u32 number)
{
	__u64 z = number * 0x9e3779b97f4a7c15ull;

	z ^= z >> 31;
	z *= 0xbf58476d1ce4e5b9ull;
	z ^= z >> 29;
	return z;
}

#endif
