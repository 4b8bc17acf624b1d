/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pass - see gate_pass.h. States: HELO (the client's first byte is awaited), CONNECT, BANNER (it stands), RELAY.
 */
#include "proc/gate_pass.h"

#include "proc/backend.h"
#include "proc/relay_stream.h"

/* Where TLS comes first the client begins, and one that says nothing costs the backend nothing. */
static bool client_is_first(const struct session *s)
{
	return service_type_tls((enum service_type)s->service_type) == TLS_MODE_IMPLICIT;
}

/* As long as a session of the protocol inside may be silent. */
static int64_t pass_idle_s(const struct session *s)
{
	const struct conf_limits *limits = &s->gate->conf->limits;

	switch ((enum service_type)s->service_type) {
	case SERVICE_IMAP:
	case SERVICE_IMAPS:
		return limits->imap_idle_timeout_s;
	case SERVICE_POP3:
	case SERVICE_POP3S:
		return limits->pop3_idle_timeout_s;
	case SERVICE_SMTP:
	case SERVICE_SUBMISSION:
	case SERVICE_SUBMISSIONS:
	case SERVICE_TCP:
	case SERVICE_TYPE_COUNT:
	default:
		return limits->data_end_timeout_s;
	}
}

static void pass_greet(struct session *s)
{
	session_deadline(s, s->gate->conf->limits.greeting_timeout_s);
	if (!client_is_first(s))
		backend_open(s);
	session_run(s);
}

/* What has come waits in the leg, and is the first that the stream passes on. */
static void pass_waiting(struct session *s)
{
	if (leg_fill(&s->client, false))
		backend_open(s);
	else if (s->client.has_ended)
		session_end(s, "client-closed");
}

static void pass_connecting(struct session *s)
{
	if (s->state == SESSION_HELO)
		pass_waiting(s);
	(void)backend_step(s);
	if (s->state != SESSION_BANNER)
		return;
	/* Only a read tells a connection that stands from one that was refused. */
	(void)leg_fill(&s->backend, false);
	if (s->backend.has_ended && s->backend.in_len == 0) {
		backend_next(s);
		return;
	}
	backend_worked(s);
	stream_begin(s, &s->pass, pass_idle_s(s));
}

static void pass_pump(struct session *s)
{
	if (s->state < SESSION_RELAY)
		pass_connecting(s);
	if (s->state == SESSION_RELAY)
		stream_step(s, &s->pass);
}

static void pass_timeout(struct session *s)
{
	if (s->state == SESSION_RELAY)
		stream_timeout(s);
	else if (s->state == SESSION_CONNECT || s->state == SESSION_BANNER)
		backend_next(s);
	else
		session_end(s, "timeout");
	session_run(s);
}

static void pass_stop(struct session *s, const char *reason)
{
	if (s->state == SESSION_RELAY) {
		stream_stop(s);
		return;
	}
	session_end(s, reason);
	session_run(s);
}

static void pass_finish(struct session *s)
{
	stream_end(s, &s->pass);
}

/* An end inside TLS says itself whether it is one. */
static bool pass_is_amid(const struct session *s)
{
	(void)s;
	return false;
}

static void pass_backend_begins(struct session *s)
{
	(void)s; /* nothing is kept of an earlier one */
}

static void pass_backend_absent(struct session *s)
{
	session_end(s, "backend-unavailable");
}

const struct session_protocol pass_protocol = {
	.greet = pass_greet,
	.pump = pass_pump,
	.timeout = pass_timeout,
	.stop = pass_stop,
	.finish = pass_finish,
	.is_amid = pass_is_amid,
	.backend_begins = pass_backend_begins,
	.backend_absent = pass_backend_absent,
};
