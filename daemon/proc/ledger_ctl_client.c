/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_ctl_client - see ledger_ctl_client.h.
 */
#include "proc/ledger_ctl_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "base/log.h"

#define READ_STEP_BYTES	  16384u
#define MESSAGE_MAX_BYTES 5000u /* of done; a report of the keeper fits */

struct ctl_client {
	struct ctl_conf conf;
	struct event *readable, *writable;
	struct event *work; /* the job's next turn */
	char *in;	    /* CTL_LINE_MAX_BYTES */
	size_t in_len;
	struct evbuffer *out;
	uint64_t active_mono_ns;
	ctl_pump_fn pump; /* NULL: no job */
	ctl_free_fn free_state;
	void *state;
	bool is_hanging_up;
	bool is_cut; /* closed at the next safe moment */
};

struct ledger *ctl_ledger(const struct ctl_client *client)
{
	return client->conf.ledger;
}

uint32_t ctl_uid(const struct ctl_client *client)
{
	return client->conf.uid;
}

bool ctl_is_idle(const struct ctl_client *client, uint64_t since_mono_ns)
{
	return !client->pump && client->active_mono_ns < since_mono_ns;
}

static void ctl_end_job(struct ctl_client *client)
{
	ctl_free_fn free_state = client->free_state;
	void *state = client->state;

	client->pump = NULL;
	client->free_state = NULL;
	client->state = NULL;
	if (free_state)
		free_state(state);
}

void ctl_client_free(struct ctl_client **client)
{
	struct ctl_client *c = *client;

	if (!c)
		return;
	ctl_end_job(c);
	/* What is answered is still said, as to who orders an upgrade: no turn of the loop may come any more. */
	if (c->out && c->conf.fd >= 0)
		(void)evbuffer_write(c->out, c->conf.fd);
	if (c->readable)
		event_free(c->readable);
	if (c->writable)
		event_free(c->writable);
	if (c->work)
		event_free(c->work);
	if (c->out)
		evbuffer_free(c->out);
	free(c->in);
	close_fd(&c->conf.fd);
	free(c);
	*client = NULL;
}

static void ctl_close(struct ctl_client *client)
{
	client->conf.on_closed(client->conf.context, client);
}

/* Ask for a turn of its own: never in the middle of what the caller does. */
static void ctl_wake(struct ctl_client *client)
{
	event_active(client->work, EV_TIMEOUT, 0);
}

/* Hand the lines that have come to the commands, one at a time. */
static void ctl_take_lines(struct ctl_client *client)
{
	while (!client->pump && !client->is_hanging_up && !client->is_cut) {
		size_t len = 0;
		int found = ctl_line_end(client->in, client->in_len, &len);

		if (found < 0) {
			ctl_done(client, CTL_USAGE, "a request is at most %u bytes long",
				 CTL_LINE_MAX_BYTES);
			ctl_hang_up(client);
			return;
		}
		if (found == 0)
			break;
		client->conf.on_line(client->conf.context, client, client->in, len);
		client->in_len -= len + 1;
		memmove(client->in, client->in + len + 1, client->in_len);
	}
	if (client->in_len < CTL_LINE_MAX_BYTES)
		(void)event_add(client->readable, NULL);
}

/* One turn: steps of the job while there is room, then the next lines. */
static void ctl_on_work(evutil_socket_t fd, short what, void *context)
{
	struct ctl_client *client = context;

	(void)fd;
	(void)what;
	ledger_turn(client->conf.ledger);
	for (unsigned int i = 0; client->pump && ctl_has_room(client); i++) {
		if (i == CTL_PUMPS_MAX) {
			ctl_wake(client);
			break;
		}
		if (!client->pump(client, client->state))
			break;
	}
	ctl_take_lines(client);
	if (client->is_cut)
		ctl_close(client);
}

static void ctl_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct ctl_client *client = context;
	size_t room = CTL_LINE_MAX_BYTES - client->in_len;
	ssize_t len;

	(void)what;
	ledger_turn(client->conf.ledger);
	if (room == 0) {
		(void)event_del(client->readable); /* until the job that runs is over */
		return;
	}
	len = recv(fd, client->in + client->in_len,
		   room < READ_STEP_BYTES ? room : READ_STEP_BYTES, MSG_DONTWAIT);
	if (len < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (len <= 0) {
		ctl_close(client);
		return;
	}
	client->in_len += (size_t)len;
	client->active_mono_ns = client->conf.ledger->now.mono_ns;
	ctl_take_lines(client);
	if (client->is_cut)
		ctl_close(client);
}

static void ctl_on_writable(evutil_socket_t fd, short what, void *context)
{
	struct ctl_client *client = context;
	int written = evbuffer_write(client->out, fd);

	(void)what;
	if (written < 0 && errno != EAGAIN && errno != EINTR) {
		ctl_close(client);
		return;
	}
	if (evbuffer_get_length(client->out) == 0) {
		(void)event_del(client->writable);
		if (client->is_hanging_up) {
			ctl_close(client);
			return;
		}
	}
	if (client->pump && ctl_has_room(client))
		ctl_wake(client);
}

struct ctl_client *ctl_client_new(const struct ctl_conf *conf)
{
	struct event_base *base = conf->ledger->base;
	struct ctl_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->conf = *conf;
	client->conf.fd = -1; /* ours only on success */
	client->in = malloc(CTL_LINE_MAX_BYTES);
	client->out = evbuffer_new();
	client->readable =
		event_new(base, conf->fd, EV_READ | EV_PERSIST, ctl_on_readable, client);
	client->writable =
		event_new(base, conf->fd, EV_WRITE | EV_PERSIST, ctl_on_writable, client);
	client->work = event_new(base, -1, 0, ctl_on_work, client);
	client->active_mono_ns = conf->ledger->now.mono_ns;
	if (!client->in || !client->out || !client->readable || !client->writable ||
	    !client->work || event_add(client->readable, NULL)) {
		ctl_client_free(&client);
		return NULL;
	}
	client->conf.fd = conf->fd;
	return client;
}

static int ctl_put(const char *bytes, size_t len, void *context)
{
	return evbuffer_add(context, bytes, len);
}

/* Writes {"KEY": value} and a newline. Takes the value. */
static void ctl_put_line(struct ctl_client *client, const char *key, json_t *value)
{
	json_t *line = value ? json_pack("{s:o}", key, value) : NULL;

	if (line && !client->is_cut) {
		(void)json_dump_callback(line, ctl_put, client->out, JSON_COMPACT);
		(void)evbuffer_add(client->out, "\n", 1);
	}
	json_decref(line);
	if (ctl_waiting(client) > CTL_OUT_MAX_BYTES) {
		client->is_cut = true;
		ctl_wake(client);
	}
	(void)event_add(client->writable, NULL);
}

void ctl_row(struct ctl_client *client, json_t *row)
{
	ctl_put_line(client, "row", row);
}

size_t ctl_waiting(const struct ctl_client *client)
{
	return evbuffer_get_length(client->out);
}

bool ctl_has_room(const struct ctl_client *client)
{
	return ctl_waiting(client) < CTL_OUT_LOW_BYTES;
}

static void ctl_end(struct ctl_client *client, json_t *done)
{
	ctl_put_line(client, "done", done);
	client->active_mono_ns = client->conf.ledger->now.mono_ns;
	ctl_end_job(client);
	ctl_wake(client); /* the next line */
}

/* A text of unknown origin as JSON: what is no UTF-8 loses what is no ASCII. */
static json_t *ctl_json_text(char *text)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c > 0x7e)
			*c = '?';
	}
	return json_string(text);
}

void ctl_done(struct ctl_client *client, enum ctl_code code, const char *format, ...)
{
	char message[MESSAGE_MAX_BYTES];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	ctl_end(client, json_pack("{s:i, s:o}", "code", (int)code, "message",
				  ctl_json_text(message)));
}

static void ctl_done_no_memory(struct ctl_client *client)
{
	ctl_done(client, CTL_UNREACHABLE, "out of memory");
}

void ctl_done_with(struct ctl_client *client, enum ctl_code code, const char *key,
		   json_t *value)
{
	if (!value) {
		ctl_done_no_memory(client);
		return;
	}
	ctl_end(client, json_pack("{s:i, s:o}", "code", (int)code, key, value));
}

void *ctl_job_new(struct ctl_client *client, size_t size)
{
	void *state = calloc(1, size);

	if (!state)
		ctl_done_no_memory(client);
	return state;
}

void ctl_start(struct ctl_client *client, ctl_pump_fn pump, ctl_free_fn free_state,
	       void *state)
{
	ctl_end_job(client);
	client->pump = pump;
	client->free_state = free_state;
	client->state = state;
	ctl_wake(client);
}

void ctl_resume(struct ctl_client *client)
{
	ctl_wake(client);
}

void ctl_tick_job(struct ctl_client *client)
{
	if (client->pump)
		ctl_wake(client);
}

void ctl_hang_up(struct ctl_client *client)
{
	client->is_hanging_up = true;
	(void)event_add(client->writable, NULL);
}
