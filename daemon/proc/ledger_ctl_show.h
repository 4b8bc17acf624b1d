/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_show - pieces of JSON that several commands show.
 */
#ifndef PROC_LEDGER_CTL_SHOW_H
#define PROC_LEDGER_CTL_SHOW_H

#include <jansson.h>

#include "base/prefix_table.h"
#include "proc/ledger_state.h"

/* {prefix, flags [{flag, meaning}], file, line} */
json_t *show_entry(const struct ledger *ledger, const struct prefix_row *row);

/* [{check, mode}] of a policy, as far as there is something to check */
json_t *show_checks(const struct ledger *ledger, const struct conf_policy *policy);

/* The row of `sessions`. */
json_t *show_session(const struct ledger *ledger, const struct msg_session *session);

/* {time, kind, user, service, policy, reply} */
struct db_strike;
json_t *show_strike(const struct ledger *ledger, const struct db_strike *strike);

#endif
