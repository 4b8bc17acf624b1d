/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_checker - what the checker has told last: how the DNS lists and the DNS do, for `postern status`.
 */
#ifndef PROC_LEDGER_CHECKER_H
#define PROC_LEDGER_CHECKER_H

#include <jansson.h>

#include "proc/ledger_state.h"

struct ledger_checker *ledger_checker_new(void);
void ledger_checker_free(struct ledger_checker **checker);

/* A channel to a checker, in place of an earlier one. @fd: owned from now on. 0; -ENOMEM. */
int ledger_checker_attach(struct ledger *ledger, int fd) MUST_CHECK;

/* [{name, zone, ipv4, ipv6, why, since}]: the lists of the configuration that some policy asks. */
json_t *ledger_checker_lists(const struct ledger *ledger);

/**
 * ledger_checker_warning - the next thing that the admin should know.
 * @at: 0 to begin; then what was returned
 * @out_text: a sentence; "": there is no other
 *
 * Return: where to go on.
 */
size_t ledger_checker_warning(const struct ledger *ledger, size_t at, char *out_text,
			      size_t cap_bytes);

/* {asked, cached, ...}; null if there is no checker. */
json_t *ledger_checker_dns(const struct ledger *ledger);

#endif
