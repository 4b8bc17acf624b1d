/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_client - one connection to the control socket, as the commands see it.
 *
 * A command answers with rows and exactly one end. What takes long is a job: the client calls its
 * pump whenever there is room for more rows, so that a million of them need no memory.
 */
#ifndef PROC_LEDGER_CTL_CLIENT_H
#define PROC_LEDGER_CTL_CLIENT_H

#include <jansson.h>

#include "proc/ledger_state.h"
#include "wire/ctl.h"

#define CTL_OUT_LOW_BYTES 65536u /* more waits to be written: no further rows are made */
#define CTL_OUT_MAX_BYTES \
	8388608u /* rows that cannot wait; more, and the client is cut off */
#define CTL_FOLLOW_MAX_BYTES 262144u /* events that wait for a slow follower */
#define CTL_PUMPS_MAX	     8u	     /* steps of one job in one turn of the loop */

struct ctl_client;

/* One bounded step. true: call again when there is room; false: not before ctl_resume(). */
typedef bool (*ctl_pump_fn)(struct ctl_client *client, void *state);
typedef void (*ctl_free_fn)(void *state);

struct ctl_conf {
	struct ledger *ledger;
	int fd; /* owned by the client if it is made */
	uint32_t uid;
	/* A whole line has come and no job runs. */
	void (*on_line)(void *context, struct ctl_client *client, const char *line,
			size_t len);
	void (*on_closed)(void *context,
			  struct ctl_client *client); /* then it is freed */
	void *context;
};

/* NULL without memory. */
struct ctl_client *ctl_client_new(const struct ctl_conf *conf);
void ctl_client_free(struct ctl_client **client);

struct ledger *ctl_ledger(const struct ctl_client *client);
uint32_t ctl_uid(const struct ctl_client *client);

/* Has nothing been asked since this time, and is nothing going on? */
bool ctl_is_idle(const struct ctl_client *client, uint64_t since_mono_ns);

/* Send a row. Takes it; NULL (no memory) is left out. */
void ctl_row(struct ctl_client *client, json_t *row);

/* Can it take more rows without waiting? */
bool ctl_has_room(const struct ctl_client *client);

/* Bytes that wait to be written. */
size_t ctl_waiting(const struct ctl_client *client);

/* The end of the answer; a job that runs is over. */
void ctl_done(struct ctl_client *client, enum ctl_code code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* The same with a member more: done.KEY = value (taken). */
void ctl_done_with(struct ctl_client *client, enum ctl_code code, const char *key,
		   json_t *value);

/* Zeroed memory for the state of a job, from calloc(); NULL: the client has been told. */
void *ctl_job_new(struct ctl_client *client, size_t size);

/* Start a job. state is freed when it is over or the client goes. */
void ctl_start(struct ctl_client *client, ctl_pump_fn pump, ctl_free_fn free_state,
	       void *state);

/* What the job waited for has come. */
void ctl_resume(struct ctl_client *client);

/* Once a second: a turn for a job that waits for what nobody tells it. */
void ctl_tick_job(struct ctl_client *client);

/* Close the connection once everything is written. */
void ctl_hang_up(struct ctl_client *client);

#endif
