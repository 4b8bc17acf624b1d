/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * unit/fake_clock - takes the place of base/clock: the real clocks, and what a test adds to them.
 *
 * What is added lies in shared memory, so that a process which the test forked goes by the same time.
 */
#ifndef UNIT_FAKE_CLOCK_H
#define UNIT_FAKE_CLOCK_H

#include <stdint.h>

/* Before the first fork; the real time holds again. */
void fake_clock_reset(void);

/* All three clocks have moved on by so much, as if the machine had waited. */
void fake_clock_advance(int64_t seconds);

/* An admin sets the wall clock; the other two do not care. */
void fake_clock_set_wall(int64_t seconds_ahead);

#endif
