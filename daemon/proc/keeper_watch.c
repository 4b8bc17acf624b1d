/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_watch - the host changes while the daemon runs.
 *
 * An interface that comes back is guarded again, a new port of a bridge is watched, and a new address or gateway is
 * protected from bans at once: none of it may wait for the admin to think of a reload.
 */
#include <errno.h>
#include <string.h>

#include <event2/event.h>

#include "base/log.h"
#include "proc/keeper_state.h"
#include "sys/netwatch.h"

/* The lists and settings stay as they are, and so does the generation. */
static void watch_protect(struct keeper *keeper)
{
	struct snapshot snapshot;
	int fd = -1;
	int err = snapshot_of_protected(&keeper->snapshot, &fd, &snapshot);

	if (err == -EALREADY)
		return;
	if (err) {
		log_error("event=error what=protected reason=\"%s\"", strerror(-err));
		return;
	}
	log_info("event=protected prefixes=%u reason=\"addresses of this host changed\"",
		 snapshot.protected_set->count);
	err = kernel_exempt(keeper, snapshot.protected_set);
	if (err)
		log_error("event=error what=protected reason=\"limit of SYNs: %s\"",
			  strerror(-err));
	snapshot_close(&keeper->snapshot);
	close_fd(&keeper->snapshot_fd);
	keeper->snapshot = snapshot;
	keeper->snapshot_fd = fd;
	fence_snapshot_moved(keeper);
	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].channel)
			child_send_conf(&keeper->children[i]);
}

static void watch_on_pause_over(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;

	(void)fd;
	(void)what;
	if (keeper->phase >= PHASE_DRAIN)
		return;
	kernel_attach_lost(keeper);
	intercept_host_changed(keeper);
	fence_refresh(keeper);
	watch_protect(keeper);
}

static void watch_on_change(evutil_socket_t fd, short what, void *context)
{
	const struct timeval pause = {.tv_usec = WATCH_PAUSE_MS * 1000};
	struct keeper *keeper = context;

	(void)what;
	if (!netwatch_take(fd))
		return;
	/* Not put off by further changes, or a host that is never quiet would never be looked at. */
	if (!event_pending(keeper->watch_pause, EV_TIMEOUT, NULL))
		(void)event_add(keeper->watch_pause, &pause);
}

int watch_start(struct keeper *keeper)
{
	int err = netwatch_open(&keeper->watch_fd);

	if (err)
		return err;
	keeper->watch_pause = evtimer_new(keeper->base, watch_on_pause_over, keeper);
	keeper->watch = event_new(keeper->base, keeper->watch_fd, EV_READ | EV_PERSIST,
				  watch_on_change, keeper);
	if (!keeper->watch_pause || !keeper->watch || event_add(keeper->watch, NULL))
		return -ENOMEM;
	/* For what has changed between the reading of the configuration and now. */
	return event_add(keeper->watch_pause, &(struct timeval){0}) ? -ENOMEM : 0;
}

void watch_free(struct keeper *keeper)
{
	if (keeper->watch)
		event_free(keeper->watch);
	if (keeper->watch_pause)
		event_free(keeper->watch_pause);
	close_fd(&keeper->watch_fd);
}
