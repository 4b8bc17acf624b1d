/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_findings - what the checks of all gates found: counted for each policy, and the latest of each client.
 *
 * In memory only: it begins anew with the ledger. For `postern status`, `why` and `events`.
 */
#ifndef PROC_LEDGER_FINDINGS_H
#define PROC_LEDGER_FINDINGS_H

#include <jansson.h>

#include "proc/ledger_state.h"

#define FINDINGS_MAX	16384u		/* kept: of one client and one check each */
#define FINDINGS_KEEP_S INT64_C(604800) /* so long */

struct findings *findings_new(void);
void findings_free(struct findings **findings);

/* A message of a gate: counted, kept, and told to those who follow. */
void findings_take(struct ledger *ledger, const struct msg_finding *finding);

/* The keeper tells of clients that begin too many connections: findings of CHECK_DOS, of the whole client. */
void findings_take_syns(struct ledger *ledger, const struct msg_syns *syns);

/* {ptr_hit, ptr_would, ptr_unknown, ...} of a policy id, for the checks that found anything. */
json_t *findings_counts(const struct ledger *ledger, uint32_t policy_id);

/* [{check, service, policy, result, why, time}] of an address: the latest of each check. */
json_t *findings_of(struct ledger *ledger, const struct addr *addr);

/* "hit", "would-refuse", "unknown" */
const char *finding_result_name(const struct msg_finding *finding);

#endif
