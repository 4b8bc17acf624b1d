/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/greylist - what status and why say of greylisting.
 */
#ifndef CLI_GREYLIST_H
#define CLI_GREYLIST_H

#include <jansson.h>

#include "cli/cli.h"

/* The line of `postern status`; nothing while greylisting remembers nothing. */
void greylist_print_status(struct cli *cli, const json_t *greylist);

/* The part of `postern why` about the network of the address; nothing if nothing is known. */
void greylist_print_why(struct cli *cli, const json_t *greylist);

#endif
