/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_count - how many sessions a client has, at all gates together, and whether it may have one more.
 *
 * The numbers lie in memory that all gates share (SHARED_SESSIONS). One gate that has been taken over could make the
 * others count wrong, and so turn clients away or let too many in; it can do no more with it.
 */
#ifndef PROC_GATE_COUNT_H
#define PROC_GATE_COUNT_H

#include "proc/gate_state.h"

/* Take the memory, which a message of the keeper has brought. 0; -errno. */
int count_take_memory(struct gate *gate, void *memory, size_t size_bytes) MUST_CHECK;

/* A session of a client at a service comes, or goes. */
void count_comes(struct gate *gate, const struct addr *addr, const char *service_name);
void count_goes(struct gate *gate, const struct addr *addr, const char *service_name);

/**
 * count_limit - has the client as many sessions as it may have?
 * @service: index
 * @is_counted: the one that it is about is among them already
 *
 * Return: NULL, there is room; else the limit that is reached, for the log.
 */
const char *count_limit(const struct gate *gate, const struct addr *addr, int service,
			bool is_counted);

#endif
