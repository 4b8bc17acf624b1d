/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper - the parent: root, and the only one that touches the kernel.
 *
 * Reads the configuration, fills the kernel's maps, opens the listeners, starts ledger, checker and gates, and
 * starts again what dies. It parses no byte that came from a network and trusts none of its children.
 */
#ifndef PROC_KEEPER_H
#define PROC_KEEPER_H

#include <stdbool.h>

#include "base/cleanup.h"

/**
 * keeper_main - guard until SIGTERM or SIGINT.
 * @config_path: of postern.conf; borrowed; read again at each reload
 *
 * Return: exit status: 0, ended in order; 1, could not start (the log says why).
 */
int keeper_main(const char *config_path) MUST_CHECK;

/**
 * keeper_detach - take everything of ours off the kernel; works without a daemon.
 * @pin_dir: where it is pinned
 *
 * Return: exit status.
 */
int keeper_detach(const char *pin_dir) MUST_CHECK;

/* Does a posternd hold the lock of this run-dir? One that is run by the same user, or by anybody for root. */
bool keeper_is_running(const char *run_dir);

#endif
