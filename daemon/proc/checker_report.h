/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/checker_report - what the checker tells the admin: how the DNS lists and the DNS itself do.
 *
 * Changes go to the log; the ledger is told everything, for `postern status`.
 */
#ifndef PROC_CHECKER_REPORT_H
#define PROC_CHECKER_REPORT_H

#include "checks/rbl_lists.h"
#include "checks/resolver.h"
#include "proc/channel.h"

struct checker_report {
	const struct conf *conf; /* borrowed; NULL: none yet */
	const struct resolver *resolver;
	const struct rbl_lists *lists;
	struct channel *ledger;	     /* owned; NULL: not connected */
	struct resolver_counts sent; /* what the ledger was told last */
};

/* @fd: channel to the ledger, owned from now on. It is told all there is. 0; -ENOMEM (fd is closed). */
int report_attach(struct checker_report *report, struct event_base *base,
		  int fd) MUST_CHECK;
void report_done(struct checker_report *report);

/* A rbl_change_fn; context: the struct checker_report. */
void report_list(void *context, uint8_t list, enum rbl_family family,
		 const struct rbl_report *state);

/* All lists, to the ledger; after another configuration. */
void report_lists(struct checker_report *report);

/* Each second: the counts, if they have changed. */
void report_tick(struct checker_report *report);

#endif
