/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_recent - the last login of each client over POP3 or IMAP, and the sessions that are open (AM).
 *
 * The records lie in memory that the gates read (SHARED_LOGINS), so that no question has to be asked
 * when a client of SMTP says MAIL. They outlive a ledger: the next one takes them over, and counts the
 * open sessions anew. They are not stored: after a restart of the whole nobody has a session, and
 * clients log in again.
 */
#ifndef PROC_LEDGER_RECENT_H
#define PROC_LEDGER_RECENT_H

#include "policy/auth.h"
#include "proc/ledger_state.h"

#define RECENT_COUNT_EVERY_S \
	300 /* open sessions are counted anew, should a gate's word be lost */
#define RECENT_EXPIRE_STEPS \
	64u /* of 64 records, in one second: all of them in half a minute */

/* NULL without memory. */
struct recent *recent_new(void);
void recent_free(struct recent **recent);

/**
 * recent_take_memory - a message of the keeper: to be filled, or what the ledger before has left.
 *
 * Return: 0; -EINVAL, it does not fit the configuration or comes twice; -errno.
 */
int recent_take_memory(struct ledger *ledger, const struct msg_shared *msg,
		       int fd) MUST_CHECK;

/* Is there memory to be filled? If so, takes over what the ledger before has left. */
bool recent_begin(struct ledger *ledger);

/* Ask the gates which sessions are open. */
void recent_count(struct ledger *ledger);

/* A gate tells of a login or of the end of a session; checked like input from a network. */
void recent_on_login(struct ledger *ledger, unsigned int gate,
		     const struct msg_login *msg);
void recent_on_logout(struct ledger *ledger, unsigned int gate,
		      const struct msg_logout *msg);

/* A gate has died, and its sessions with it. */
void recent_on_gate_gone(struct ledger *ledger, unsigned int gate);

/* Once a second: forget what has ended, count what is open. */
void recent_tick(struct ledger *ledger);

/* What is known of a client; false: nothing. */
bool recent_find(struct ledger *ledger, const struct addr *addr,
		 struct auth_recent *out_recent);

size_t recent_clients(const struct ledger *ledger);
size_t recent_open(const struct ledger *ledger);

#endif
