/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate - the process that talks to strangers.
 *
 * May touch client and backend sockets and nothing else. The keeper starts it through
 * gate_main() (proc/child.h); several run side by side, and each client always meets the same one.
 * gate_accept lets clients in, session holds them, gate_smtp speaks with them.
 */
#ifndef PROC_GATE_H
#define PROC_GATE_H

#include "proc/child.h"
#include "proc/gate_state.h"

#define GATE_LOG_PER_MINUTE 60u /* lines of one kind that a stranger can provoke */
#define GATE_FDS_SPARE \
	64u /* descriptors that are no sessions and no pipes: listeners, channels, log */

#endif
