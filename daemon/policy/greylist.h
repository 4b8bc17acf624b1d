/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/greylist - must this sender come back later?
 *
 * A triplet is where mail comes from (a network, or the domain whose SPF record permits it), who
 * sends it and who shall have it: policy/greylist_key. The first attempt of a triplet is deferred;
 * who comes back within the window is let in from then on, and a network of which several came
 * back is let in as a whole.
 *
 * Pure decision: no I/O, no clock, no allocation, no log. The caller hands in what it remembers and
 * the time; it gets a verdict and what to remember from now on. proc/ledger owns the records.
 *
 * Standard: RFC 6647.
 */
#ifndef POLICY_GREYLIST_H
#define POLICY_GREYLIST_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/conf.h"

/* Successes of one network count once within this time: a queue that is emptied at once is one. */
#define GREY_SUCCESS_GAP_S 3600
/* A use is remembered once in this part of the lifetime: mail that flows writes nothing. */
#define GREY_USES_OF_LIFETIME 32

enum grey_verdict {
	GREY_PASS,
	GREY_DEFER,
	GREY_UNKNOWN, /* could not be found out: nobody is deferred for that */
	GREY_VERDICT_COUNT,
};

enum grey_reason {
	GREY_NEW,     /* deferred: never seen, or too long ago */
	GREY_EARLY,   /* deferred: came back before the delay was over */
	GREY_RETRY,   /* passes: came back, and is proven from now on */
	GREY_KNOWN,   /* passes: is proven */
	GREY_NETWORK, /* passes: enough of its network are proven */
	GREY_COMMAND, /* passes: an admin said so */
	GREY_UNSURE,  /* unknown */
	GREY_REASON_COUNT,
};

/* What is remembered of a triplet. Wall clock, seconds since 1970. */
struct grey_record {
	int64_t first_s; /* the first attempt */
	int64_t used_s;	 /* proven: the last use that was remembered */
	bool is_proven;
};

/* What is remembered of a network, or of a domain in its place. */
struct grey_network {
	uint32_t successes; /* 0: nothing is known */
	int64_t counted_s;  /* the last success that counted */
	int64_t used_s;
};

/* What is known when somebody comes. */
struct grey_known {
	const struct grey_record *triplet;  /* NULL: never seen */
	const struct grey_network *network; /* NULL: no success yet */
	bool is_passed_by_command;
};

struct grey_decision {
	enum grey_verdict verdict;
	enum grey_reason reason;
	uint32_t wait_s; /* deferred: how long from now on; else 0 */
	/* What to remember; false: nothing has changed. */
	bool has_triplet, has_network;
	struct grey_record triplet;
	struct grey_network network;
};

/**
 * greylist_decide - judge one attempt.
 * @conf: settings of the policy, as conf_validate() wants them
 * @known: what is remembered; borrowed
 * @now_s: wall clock; may lie before everything in @known (the clock stepped back)
 * @out: always written
 *
 * The retry passes from exactly the delay after the first attempt to exactly the window after it;
 * a proven triplet or network passes for the lifetime after its last use. An early retry
 * does not make the wait longer. When the clock has stepped back behind a first attempt this is a
 * new one; what is proven stays proven.
 */
void greylist_decide(const struct conf_greylist *conf, const struct grey_known *known,
		     int64_t now_s, struct grey_decision *out);

/* Is the network let in as a whole? */
bool greylist_network_passes(const struct conf_greylist *conf,
			     const struct grey_network *network, int64_t now_s);

/* "pass", "defer", "unknown". */
const char *grey_verdict_name(enum grey_verdict verdict);

/* "new", "early", "retry", "known", "network", "command", "unsure". */
const char *grey_reason_name(enum grey_reason reason);

#endif
