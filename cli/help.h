/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/help - help and shell completion, printed from the tables of cli/command.
 */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include "cli/cli.h"

/* Help on one command; NULL: the list of all. Returns CTL_OK. */
int help_print(struct cli *cli, const struct command *command);

#endif
