/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * postern(8) - the admin's side of the gatekeeper: asks the daemon over its control socket.
 *
 * Only hands the process's surroundings to cli/command, which tests call with their own.
 */
#include "cli/cli.h"

#include <stdlib.h>

#include "base/clock.h"

int main(int argc, char **argv)
{
	struct cli cli = {
		.in = stdin,
		.out = stdout,
		.err = stderr,
		.now_s = clock_wall_s(),
		.environ_socket = getenv("POSTERN_SOCKET"),
	};

	return cli_run(&cli, argc, argv);
}
