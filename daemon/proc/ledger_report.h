/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_report - an order to the keeper, and its report put together from its parts.
 */
#ifndef PROC_LEDGER_REPORT_H
#define PROC_LEDGER_REPORT_H

#include "proc/ledger_state.h"

#define REPORT_MAX_BYTES 1048576u /* status of every policy and service; verify's rows */

struct report;

/* @text: NUL-terminated, borrowed; @error: 0; what the keeper said; -ETIMEDOUT; -EMSGSIZE. */
typedef void (*report_fn)(void *context, int error, const char *text);

/**
 * report_order - send an order, and tell its report when it is whole.
 * @order: seq is set here
 * @out_report: owned by the caller: report_free() also forgets the answer. NULL again once told
 *
 * Return: 0; -errno.
 */
int report_order(struct ledger *ledger, const struct msg_order *order, report_fn tell,
		 void *context, struct report **out_report) MUST_CHECK;
void report_free(struct report **report);

#endif
