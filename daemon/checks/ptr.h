/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/ptr - does the client's address have a valid PTR record? (flag PTR)
 *
 * CLEAN: there is one that is the full name of a host; the name is the evidence.
 * HIT: no such record (NXDOMAIN, no PTR), or none of them is a host's name.
 * UNKNOWN: SERVFAIL, a malformed answer, nobody answered.
 *
 * With ptr-forward-confirmed one of the names must lead back to the address, too: HIT if none does, UNKNOWN if
 * none does and not all could be looked up. A row of checks/runner.
 */
#ifndef CHECKS_PTR_H
#define CHECKS_PTR_H

#include "checks/task.h"

#define PTR_NAMES_MAX \
	10u /* names of one address that are looked up; RFC 7208 4.6.4 has the same */

struct ptr_state {
	uint32_t pending;	    /* names whose address is being looked up */
	uint32_t count;		    /* names in all */
	bool is_unsure;		    /* one could not be looked up */
	char name[DNSMSG_NAME_MAX]; /* the first of them */
};

void ptr_start(struct task *task);

#endif
