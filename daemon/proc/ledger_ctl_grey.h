/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_grey - what greylisting remembers, as `postern greylist list` and `postern why` show it.
 */
#ifndef PROC_LEDGER_CTL_GREY_H
#define PROC_LEDGER_CTL_GREY_H

#include <jansson.h>

#include "proc/ledger_ctl_client.h"
#include "sys/db_grey.h"

/* The row of `greylist-list`; NULL: its time is over, it only waits to be removed. */
json_t *grey_row_show(const struct ledger *ledger, const struct db_grey_row *row);

/* done.why.greylist of an address; null: nothing is known. */
json_t *grey_why(struct ledger *ledger, const struct addr *addr);

/* What greylisting holds, for done.status: {state, path, waiting, proven, networks, commands, bytes, max} */
json_t *grey_status(struct ledger *ledger);

/* Which rows an admin means: those of a network, or those of a domain. */
struct grey_range {
	struct prefix inside;		 /* family ADDR_NONE: the domain, or all */
	char domain[DB_GREY_DOMAIN_MAX]; /* "": none */
};

/**
 * grey_read_range - read an address, a prefix, or the domain of a sender.
 * @text: a host, and what is longer than a network, stands for its network
 * @out_range: zeroed
 * @out_problem: a sentence, on failure
 *
 * Return: 0; -EINVAL, -ERANGE, -EDOM.
 */
int grey_read_range(const char *text, struct grey_range *out_range,
		    char out_problem[160]) MUST_CHECK;

/* The range for the store, read so many rows at a time; valid as long as @range. */
struct db_grey_range grey_db_range(const struct grey_range *range, uint32_t max);

#endif
