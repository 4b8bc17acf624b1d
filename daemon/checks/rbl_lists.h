/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl_lists - do the DNS lists themselves work?
 *
 * Each is asked for the test entries of RFC 5782 section 5, once for IPv4 and once for IPv6: 127.0.0.2 has to be
 * listed and 127.0.0.1 not (IPv6: their mapped forms). While that does not hold, the list is suspended: nobody asks
 * it, and it counts for nothing. Asynchronous; no log, no clock of its own. Called by checks/rbl and by proc/checker,
 * which says what time it is and tells the admin.
 */
#ifndef CHECKS_RBL_LISTS_H
#define CHECKS_RBL_LISTS_H

#include <stdint.h>

#include "base/cleanup.h"
#include "checks/resolver.h"
#include "policy/conf.h"

#define RBL_TEST_EVERY_S 1800u /* of a list that works, or that is wrong */
#define RBL_TEST_AGAIN_S \
	60u /* of one whose name servers do not answer; and at least so far apart */
#define RBL_TEST_WAIT_S 15u  /* for the replies to a test: resolvers take their time */
#define RBL_WHY_MAX	200u /* with the NUL */

struct rbl_lists;

enum rbl_family {
	RBL_V4,
	RBL_V6,
	RBL_FAMILY_COUNT,
};

enum rbl_health {
	RBL_UNTESTED, /* the first test is under way: it is not known what its replies are worth */
	RBL_WORKS,
	RBL_SUSPENDED,
	RBL_UNUSED, /* the configuration does not want it for this family, or in no policy */
	RBL_HEALTH_COUNT,
};

struct rbl_report {
	enum rbl_health health;
	char why[RBL_WHY_MAX]; /* RBL_SUSPENDED: in plain words */
};

/* A list was suspended, works again, or is suspended for another reason. */
typedef void (*rbl_change_fn)(void *context, uint8_t list, enum rbl_family family,
			      const struct rbl_report *report);

/* @resolver: borrowed. NULL without memory. */
struct rbl_lists *rbl_lists_new(struct resolver *resolver, rbl_change_fn on_change,
				void *context);
void rbl_lists_free(struct rbl_lists **lists);

/*
 * The lists are these from now on. One that keeps its name and its zone keeps what is known of it. Tests that are
 * under way are dropped; rbl_lists_tick() begins them again.
 */
void rbl_lists_configure(struct rbl_lists *lists, const struct conf *conf);

/* Starts the tests that are due and ends those that take too long. Call it each second. */
void rbl_lists_tick(struct rbl_lists *lists);

/* @list: index into conf.rbls */
const struct rbl_report *rbl_lists_report(const struct rbl_lists *lists, uint8_t list,
					  enum rbl_family family);

/* It gave a reply that no list that works gives, or none: test it soon. */
void rbl_lists_suspect(struct rbl_lists *lists, uint8_t list, enum rbl_family family);

const char *rbl_health_name(enum rbl_health health); /* "untested", "works", ... */
const char *rbl_family_name(enum rbl_family family); /* "ipv4", "ipv6" */

#endif
