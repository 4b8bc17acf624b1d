/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/relay - see relay.h.
 */
#include "proc/relay.h"

#include <assert.h>

void relay_begin(struct session *s)
{
	smtp_data_init(&s->smtp.data, s->bare_newline == BARE_NEWLINE_REJECT
					      ? SMTP_DATA_REJECT
					      : SMTP_DATA_NORMALIZE);
	s->smtp.data_has_end = false;
	s->smtp.data_again = false;
	s->state = SESSION_DATA;
	session_deadline(s, s->gate->conf->limits.data_timeout_s);
}

void relay_stop(struct session *s, const char *reply)
{
	leg_unpin(&s->client);
	session_detach(s, &s->backend, true);
	s->smtp.swallow_reply = reply;
	s->state = SESSION_SWALLOW;
}

/* Write the part of the input that has been scanned. Return: false, the backend is full. */
static bool relay_send(struct session *s)
{
	return leg_flush(&s->backend) && leg_write_pinned(&s->client);
}

/* Scan the input once, and note or put what is to be sent. */
static enum smtp_data_result relay_scan(struct session *s)
{
	struct smtp_state *smtp = &s->smtp;
	struct leg *client = &s->client;
	struct smtp_data_io io = {
		.in = client->in + client->in_at,
		.in_len = client->in_len,
		.room = s->gate->room,
		.room_bytes = sizeof(s->gate->room),
	};
	enum smtp_data_result result = smtp_data_next(&smtp->data, &io);

	if (s->state != SESSION_SWALLOW && io.out_len > 0) {
		if (io.out == s->gate->room)
			leg_put(&s->backend, io.out, io.out_len);
		else
			leg_pin(client, io.out, io.out_len);
	}
	leg_drop(client, io.consumed);
	smtp->data_faults |= smtp->data.faults;
	smtp->data_again = result == SMTP_DATA_AGAIN;
	return result;
}

enum relay_result relay_step(struct session *s)
{
	struct smtp_state *smtp = &s->smtp;
	enum smtp_data_result result;

	for (unsigned int turn = 0; turn < RELAY_TURNS_MAX; turn++) {
		if (s->state == SESSION_DATA && !relay_send(s))
			return RELAY_WAITS;
		if (smtp->data_has_end)
			return RELAY_DONE;
		if (!smtp->data_again && s->client.in_len <= SMTP_DATA_HELD_MAX) {
			if (!leg_fill(&s->client, true))
				return RELAY_WAITS;
			session_deadline(s, s->gate->conf->limits.data_timeout_s);
		}
		result = relay_scan(s);
		if (result == SMTP_DATA_END)
			smtp->data_has_end = true;
		else if (result == SMTP_DATA_REFUSED)
			return RELAY_REFUSED;
	}
	s->wants_turn = true;
	return RELAY_WAITS;
}
