/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_mailbox_offer - what the backend of each service offered last.
 *
 * So that a client that asks before it logs in gets a true answer without a connection to the
 * backend. Asked for again, at a login, when it is old; unknown after a start or a reload. How the text is made of
 * the backend's words is the protocol's.
 */
#ifndef PROC_GATE_MAILBOX_OFFER_H
#define PROC_GATE_MAILBOX_OFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/gate_mailbox_state.h"

#define OFFER_FRESH_MS 60000u /* asked again behind it */

struct session;

/* That of the session's service; NULL if the service has gone. */
struct mailbox_offer *offer_of(const struct session *session);

bool offer_is_known(const struct mailbox_offer *offer);

/* Known, and not old. */
bool offer_is_fresh(const struct session *session, const struct mailbox_offer *offer);

/**
 * offer_begin - the backend begins to tell.
 *
 * Collected apart, in a block of the gate, so that others are answered from the old one meanwhile.
 *
 * Return: what is to be filled; NULL: the session has been ended for want of memory.
 */
struct mailbox_offer *offer_begin(struct session *session);

/* Append to the text; what does not fit is not offered. */
void offer_add(struct mailbox_offer *offer, const char *text, size_t len);

/* It has told all: the new one counts. */
void offer_end(struct session *session);

/* It will tell no more; lets through that it never began. */
void offer_drop(struct session *session);

#endif
