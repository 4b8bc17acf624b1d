/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_events - `postern events`: a row for everything that happens, until the client goes.
 *
 * Nobody waits for a slow reader: one that is too far behind is told so and dropped.
 */
#include <stdlib.h>

#include "proc/ledger_ctl_commands.h"
#include "proc/ledger_events.h"

struct events_job {
	struct ctl_client *client;
	bool is_over;
};

static void events_job_free(void *state)
{
	struct events_job *job = state;

	events_unfollow(ctl_ledger(job->client), job);
	free(job);
}

static bool events_pump(struct ctl_client *client, void *state)
{
	(void)client;
	(void)state;
	return false;
}

static void events_on_row(void *context, const json_t *row)
{
	struct events_job *job = context;

	if (job->is_over)
		return;
	if (ctl_waiting(job->client) < CTL_FOLLOW_MAX_BYTES) {
		ctl_row(job->client, json_incref((json_t *)row));
		return;
	}
	job->is_over = true;
	ctl_hang_up(job->client);
	ctl_done(job->client, CTL_UNREACHABLE, "too slow: events were lost from here on");
}

void ctl_command_events(struct ctl_client *client, const json_t *args)
{
	struct events_job *job = ctl_job_new(client, sizeof(*job));

	(void)args;
	if (!job)
		return;
	job->client = client;
	if (events_follow(ctl_ledger(client), events_on_row, job)) {
		free(job);
		ctl_done(client, CTL_UNREACHABLE, "too many follow already");
		return;
	}
	ctl_start(client, events_pump, events_job_free, job);
}
