/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/breaker - stop asking for a while when nobody answers.
 *
 * With dead resolvers every client would wait for the deadline of its checks; so after a run of timeouts,
 * with not one reply among them, checks are UNKNOWN at once for some seconds. A client whose own zone is
 * dead cannot do that to the others while anybody's question is replied to. Pure; time is an argument.
 */
#ifndef CHECKS_BREAKER_H
#define CHECKS_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_TIMEOUTS   5u		/* in a row, without a reply */
#define BREAKER_SILENCE_NS 5000000000u	/* and no reply for so long */
#define BREAKER_OPEN_NS	   10000000000u /* then nothing is asked for so long */

struct breaker {
	uint32_t timeouts;	/* since the last reply */
	uint64_t replied_ns;	/* last reply; 0: none yet */
	uint64_t open_until_ns; /* 0: closed */
};

/* May a question be asked now? */
bool breaker_allows(const struct breaker *breaker, uint64_t now_ns);

/* A resolver replied, whatever it said. */
void breaker_replied(struct breaker *breaker, uint64_t now_ns);

/* A question was not replied to. Returns true if the breaker opens now. */
bool breaker_timed_out(struct breaker *breaker, uint64_t now_ns);

#endif
