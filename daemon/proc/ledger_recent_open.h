/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_recent_open - the sessions at mailboxes that are open, by their numbers.
 *
 * Knows no clock and no record; all memory is taken at the start.
 */
#ifndef PROC_LEDGER_RECENT_OPEN_H
#define PROC_LEDGER_RECENT_OPEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

struct open_logins;

struct open_login {
	uint64_t id; /* of the session, and of its gate: msg_session_gate() */
	struct prefix client;
	uint32_t round; /* of the last count that found it */
};

/* Room for so many. NULL without memory. */
struct open_logins *open_logins_new(uint32_t capacity);
void open_logins_free(struct open_logins **logins);

/* Adds one whose number is not there yet. false: there is no room. */
bool open_logins_add(struct open_logins *logins, const struct open_login *login);

/* The one with this number, or NULL. Valid until the next removal. */
struct open_login *open_logins_find(struct open_logins *logins, uint64_t id);

/* Takes one out that open_logins_find() has returned. */
void open_logins_remove(struct open_logins *logins, struct open_login *login);

/* Visits all of them; those for which it says true are taken out behind it. It changes nothing here itself. */
typedef bool (*open_logins_fn)(void *context, const struct open_login *login);
void open_logins_sweep(struct open_logins *logins, open_logins_fn ends, void *context);

size_t open_logins_count(const struct open_logins *logins);

#endif
