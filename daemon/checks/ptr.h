/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/ptr - does the client's address have a valid PTR record? (flag PTR)
 *
 * CLEAN: there is one that is the full name of a host; the name is the evidence.
 * HIT: no such record (NXDOMAIN, no PTR), or none of them is a host's name.
 * UNKNOWN: SERVFAIL, a malformed answer, nobody answered.
 *
 * Whether that name leads back to the address is not asked. A row of checks/runner.
 */
#ifndef CHECKS_PTR_H
#define CHECKS_PTR_H

#include "checks/task.h"

void ptr_start(struct task *task);

#endif
