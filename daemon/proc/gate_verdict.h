/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_verdict - what the policy of a service says about an address now, lists and bans together.
 */
#ifndef PROC_GATE_VERDICT_H
#define PROC_GATE_VERDICT_H

#include "policy/verdict.h"
#include "proc/gate_state.h"

/* Asked at accept, again when a proxy has told who the client is, and when bans change. @service: index. */
struct verdict gate_verdict(const struct gate *gate, int service,
			    const struct addr *addr);

#endif
