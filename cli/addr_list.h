/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/addr_list - the addresses of `ban` and `unban`, from the command line or standard input.
 *
 * All are checked before the first one is sent: a list with a mistake in it changes nothing.
 */
#ifndef CLI_ADDR_LIST_H
#define CLI_ADDR_LIST_H

#include <stddef.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "cli/cli.h"

#define ADDR_LIST_MAX	       4000000u /* as an address list of the daemon */
#define ADDR_LIST_LINE_MAX     1024u /* bytes of a line, with its comment and newline */
#define ADDR_LIST_PROBLEMS_MAX 20u   /* mistakes that are told */

struct addr_list {
	struct prefix *items; /* owned */
	size_t count, capacity;
};

void addr_list_done(struct addr_list *list);

/**
 * addr_list_read - the words of a command line; a single "-" stands for standard input.
 * @list: zeroed; filled
 *
 * Lines hold one address or prefix; '#' begins a comment; empty lines are skipped.
 *
 * Return: CTL_OK; CTL_USAGE, and every mistake has been said, with its line.
 */
int addr_list_read(struct cli *cli, int argc, char **argv,
		   struct addr_list *list) MUST_CHECK;

/**
 * addr_problem - what is wrong with the text of a prefix.
 * @error: of prefix_parse()
 * @prefix: as it left it on -EDOM
 *
 * Return: the message: static, or in @memory.
 */
const char *addr_problem(const char *text, int error, const struct prefix *prefix,
			 char memory[128]);

#endif
