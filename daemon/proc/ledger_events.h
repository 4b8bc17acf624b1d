/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_events - what happened, told to the log and to those who follow along.
 *
 * Each function writes one log line and, if someone follows (`postern events`), one row. What a gate logs itself
 * (logins, findings) is a row only.
 */
#ifndef PROC_LEDGER_EVENTS_H
#define PROC_LEDGER_EVENTS_H

#include <jansson.h>

#include "proc/ledger_state.h"
#include "proc/ledger_sync.h"

#define EVENTS_FOLLOWERS_MAX	  32u
#define EVENTS_GREY_PER_MINUTE	  600u
#define EVENTS_STRIKES_PER_MINUTE 600u /* lines in the log that strangers can cause */

/* @row: borrowed */
typedef void (*events_fn)(void *context, const json_t *row);

#define EVENTS_LINES_MAX \
	128u /* changes of one batch that get a line each; more: one line in all */

struct events *events_new(void);
void events_free(struct events **events);

/* 0; -ENOBUFS. */
int events_follow(struct ledger *ledger, events_fn tell, void *context) MUST_CHECK;
void events_unfollow(struct ledger *ledger, const void *context);

/* The kernel has the change (or error says why not). */
void events_change(struct ledger *ledger, const struct ban_batch *batch, size_t index);

/* All of a batch has been answered for. */
void events_batch(struct ledger *ledger, const struct ban_batch *batch);

struct events_strike {
	const struct msg_strike *msg;
	const char *service, *policy;
	uint32_t count, max; /* of the client, with this one */
	const char *result;  /* "counted", "repeated", "credited", "limit" */
};
void events_strike(struct ledger *ledger, const struct events_strike *strike);

/* The limit is reached in a policy that only observes. */
void events_would_ban(struct ledger *ledger, const struct prefix *client,
		      const char *policy, const char *why);

struct grey_decision;
struct events_grey {
	const struct msg_grey_ask *ask;
	const struct grey_decision *decision;
	const char *service, *policy;
	const char *origin;  /* network, or domain */
	const char *verdict; /* "defer", "would-defer", "pass", "unknown" */
};
void events_grey(struct ledger *ledger, const struct events_grey *grey);

void events_login(struct ledger *ledger, const struct msg_login *login,
		  const char *service);

/* @result: name of it */
void events_finding(struct ledger *ledger, const struct msg_finding *finding,
		    const char *result);

/* @name: "reload" or "process". */
void events_message(struct ledger *ledger, const char *name, const char *message);

#endif
