/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/caller - the address that the admin is connected from, so that the daemon can refuse a lock-out.
 *
 * sshd names it in SSH_CONNECTION. sudo and su drop that, so the processes above this one are asked as well.
 * May touch: /proc. Called by the commands that change what is dropped.
 */
#ifndef CLI_CALLER_H
#define CLI_CALLER_H

#include <jansson.h>

#include "base/addr.h"
#include "cli/cli.h"

#define CALLER_PARENTS_MAX	 16 /* processes between this one and sshd */
#define CALLER_ENVIRON_MAX_BYTES 262144u

/**
 * caller_from_environ - the client's address in a block of "NAME=value" strings.
 * @block, @len: each string ends with a NUL, as in /proc/PID/environ
 * @out_addr: untouched if there is none
 *
 * Return: true if SSH_CONNECTION or SSH_CLIENT is there and begins with an address.
 */
bool caller_from_environ(const char *block, size_t len, struct addr *out_addr);

/**
 * caller_add - put "caller" into a request, if it can be found out.
 * @args: arguments of the request
 *
 * Return: CTL_OK; CTL_USAGE, --caller is no address, and that has been said.
 */
int caller_add(struct cli *cli, json_t *args);

#endif
