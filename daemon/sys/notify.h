/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/notify - tell the service manager how it stands (libsystemd, if built with it).
 *
 * Called by the keeper. Without libsystemd, or when no manager asked to be told, nothing happens.
 */
#ifndef SYS_NOTIFY_H
#define SYS_NOTIFY_H

/* "READY=1", "RELOADING=1", "STOPPING=1", each with one line for people; never fails. */
void notify_ready(const char *status);
void notify_reloading(void);
void notify_stopping(void);

#endif
