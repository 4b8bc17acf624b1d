/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/notify - see notify.h. A failure to notify is no reason to stop guarding, so it is ignored.
 */
#include "sys/notify.h"

#ifdef HAVE_SYSTEMD

#include <inttypes.h>
#include <stdint.h>
#include <time.h>

#include <systemd/sd-daemon.h>

void notify_ready(const char *status)
{
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", status);
}

void notify_reloading(void)
{
	struct timespec now;
	uint64_t usec;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	usec = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, usec);
}

void notify_stopping(void)
{
	(void)sd_notify(0, "STOPPING=1");
}

#else

void notify_ready(const char *status)
{
	(void)status;
}

void notify_reloading(void)
{
}

void notify_stopping(void)
{
}

#endif
