/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/ctl - names and lines of the control protocol. Pure; the contract is in the header.
 */
#include "wire/ctl.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

static const char *const command_names[CTL_COMMAND_COUNT] = {
	[CTL_STATUS] = "status",
	[CTL_BAN] = "ban",
	[CTL_UNBAN] = "unban",
	[CTL_BANS] = "bans",
	[CTL_WHY] = "why",
	[CTL_POLICY] = "policy",
	[CTL_SESSIONS] = "sessions",
	[CTL_RELOAD] = "reload",
	[CTL_VERIFY] = "verify",
	[CTL_EVENTS] = "events",
	[CTL_GREYLIST_LIST] = "greylist-list",
	[CTL_GREYLIST_PASS] = "greylist-pass",
	[CTL_GREYLIST_FORGET] = "greylist-forget",
	[CTL_CONFIRM] = "confirm",
	[CTL_TEST] = "test",
	[CTL_UPGRADE] = "upgrade",
};

const char *ctl_command_name(enum ctl_command command)
{
	assert((unsigned int)command < CTL_COMMAND_COUNT);
	return command_names[command];
}

int ctl_command_from_name(const char *name)
{
	for (int i = 0; i < CTL_COMMAND_COUNT; i++)
		if (strcmp(name, command_names[i]) == 0)
			return i;
	return -1;
}

int ctl_line_end(const char *bytes, size_t len, size_t *out_len)
{
	size_t scan = len < CTL_LINE_MAX_BYTES ? len : CTL_LINE_MAX_BYTES;
	const char *newline;

	newline = scan ? memchr(bytes, '\n', scan) : NULL;
	if (newline) {
		*out_len = (size_t)(newline - bytes);
		return 1;
	}
	return len >= CTL_LINE_MAX_BYTES ? -EMSGSIZE : 0;
}
