/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/clock - the three clocks. Read once a loop turn and passed on as a value.
 *
 * Bans end by the boot-time clock, the same that XDP reads
 * (bpf_ktime_get_boot_ns): it runs on through suspend and no admin can set it.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_FOREVER_NS UINT64_MAX /* "never ends" on the boot-time clock */
#define NS_PER_S	 UINT64_C(1000000000)
#define NS_PER_MS	 UINT64_C(1000000)

uint64_t clock_boot_ns(void); /* CLOCK_BOOTTIME */
uint64_t clock_mono_ns(void); /* CLOCK_MONOTONIC */
int64_t clock_wall_s(void);   /* seconds since 1970 */

#endif
