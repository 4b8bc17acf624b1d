/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_reload_confirm - a reload on trial: without a word from the admin what was in force before comes back.
 *
 * For the change that locks out whoever makes it. What comes back is the last configuration that was not on trial,
 * however many were tried since. The files stay as they are: the next start reads them.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/log.h"
#include "proc/keeper_state.h"

static void on_time_is_up(evutil_socket_t fd, short what, void *context)
{
	struct keeper *keeper = context;
	struct keeper_pending *pending = &keeper->pending;

	(void)fd;
	(void)what;
	if (!pending->is_on || keeper->phase >= PHASE_DRAIN)
		return;
	if (reload_back(keeper, pending)) {
		pending_drop(keeper);
		return;
	}
	log_warn(
		"event=reload result=taken-back generation=%llu reason=\"nobody confirmed it in time\"",
		(unsigned long long)keeper_conf(keeper)->generation);
	keeper->warning_count = 0;
	(void)snprintf(
		keeper->warnings[keeper->warning_count++], CONFIG_NOTE_MAX_BYTES,
		"the last reload was taken back, as nobody confirmed it: %s is not what is in force",
		keeper->config_path);
}

void pending_begin(struct keeper *keeper, uint32_t confirm_s)
{
	struct keeper_pending *pending = &keeper->pending;
	const struct timeval at = {.tv_sec = confirm_s};

	if (!pending->timer)
		pending->timer = evtimer_new(keeper->base, on_time_is_up, keeper);
	if (!pending->timer || event_add(pending->timer, &at)) {
		log_error(
			"event=error what=reload reason=\"no timer: it will not be taken back\"");
		pending_drop(keeper);
		return;
	}
	pending->ends_ns = clock_mono_ns() + confirm_s * NS_PER_S;
	if (pending->is_on)
		return;
	pending->is_on = true;
	pending->snapshot = keeper->snapshot;
	pending->snapshot_fd = TAKE_FD(keeper->snapshot_fd);
	pending->certificates = TAKE_PTR(keeper->tls.certificates);
	keeper->snapshot = (struct snapshot){0};
}

void pending_drop(struct keeper *keeper)
{
	struct keeper_pending *pending = &keeper->pending;

	if (pending->timer)
		event_free(pending->timer);
	pending->timer = NULL;
	pending->is_on = false;
	snapshot_close(&pending->snapshot);
	close_fd(&pending->snapshot_fd);
	certificates_free(&pending->certificates);
}

int pending_confirm(struct keeper *keeper, char out_text[RELOAD_TEXT_MAX])
{
	if (!keeper->pending.is_on) {
		(void)snprintf(
			out_text, RELOAD_TEXT_MAX,
			"no reload waits to be confirmed: it stays, or was taken back already");
		return -ENOENT;
	}
	pending_drop(keeper);
	(void)snprintf(out_text, RELOAD_TEXT_MAX, "generation %llu stays in force",
		       (unsigned long long)keeper_conf(keeper)->generation);
	log_info("event=reload result=confirmed generation=%llu",
		 (unsigned long long)keeper_conf(keeper)->generation);
	return 0;
}

int64_t pending_left_s(const struct keeper *keeper)
{
	const uint64_t now_ns = clock_mono_ns();

	if (!keeper->pending.is_on || keeper->pending.ends_ns <= now_ns)
		return 0;
	return (int64_t)((keeper->pending.ends_ns - now_ns) / NS_PER_S) + 1;
}
