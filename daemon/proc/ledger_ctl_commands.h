/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_commands - the commands of the control socket; wire/ctl.h says what each answers.
 *
 * Each begins to answer at once: rows, or a job, or its end.
 */
#ifndef PROC_LEDGER_CTL_COMMANDS_H
#define PROC_LEDGER_CTL_COMMANDS_H

#include "proc/ledger_ctl_client.h"

/* @args: an object, borrowed: valid during the call */
typedef void (*ctl_command_fn)(struct ctl_client *client, const json_t *args);

void ctl_command_status(struct ctl_client *client, const json_t *args);
void ctl_command_ban(struct ctl_client *client, const json_t *args);
void ctl_command_unban(struct ctl_client *client, const json_t *args);
void ctl_command_bans(struct ctl_client *client, const json_t *args);
void ctl_command_why(struct ctl_client *client, const json_t *args);
void ctl_command_policy(struct ctl_client *client, const json_t *args);
void ctl_command_sessions(struct ctl_client *client, const json_t *args);
void ctl_command_reload(struct ctl_client *client, const json_t *args);
void ctl_command_confirm(struct ctl_client *client, const json_t *args);
void ctl_command_upgrade(struct ctl_client *client, const json_t *args);
void ctl_command_verify(struct ctl_client *client, const json_t *args);
void ctl_command_greylist_list(struct ctl_client *client, const json_t *args);
void ctl_command_greylist_pass(struct ctl_client *client, const json_t *args);
void ctl_command_greylist_forget(struct ctl_client *client, const json_t *args);
void ctl_command_test(struct ctl_client *client, const json_t *args);
void ctl_command_events(struct ctl_client *client, const json_t *args);

#endif
