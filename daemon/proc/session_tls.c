/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_tls - see session_tls.h.
 */
#include "proc/session_tls.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "proc/session.h"
#include "proc/session_log.h"
#include "proc/session_test.h"

bool session_is_tls(const struct session *s)
{
	return (s->client.tls && !s->client.is_shaking) || test_has_tls(s);
}

bool session_offers_tls(const struct session *s)
{
	return s->tls_mode == TLS_MODE_STARTTLS && !s->client.tls && !test_has_tls(s);
}

bool session_may_login(const struct session *s)
{
	return !s->require_tls_for_auth || session_is_tls(s);
}

/* ---- the client's ---------------------------------------------------------------------------- */

const char *session_tls_limit(struct session *s)
{
	const char *limit;

	/* The service has just gone, or its certificates have not come yet: both pass. */
	if (s->service < 0 || !s->gate->tls.servers[s->service])
		return "no-certificate";
	limit = gate_tls_limit(s->gate, &s->addr);
	if (limit)
		session_log_crowded(s, limit);
	return limit;
}

static void log_injection(struct session *s)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.tls, s->gate->now_ns, &dropped))
		log_warn("event=starttls-injection addr=%s port=%u service=%s dropped=%u",
			 addr_format(&s->addr, addr_text), s->port, s->service_name,
			 dropped);
}

void session_start_tls(struct session *s, size_t consumed, const char *go_ahead)
{
	assert(!s->client.tls);
	if (s->client.in_len > consumed) {
		log_injection(s);
		session_end(s, "starttls-injection");
		return;
	}
	leg_put(&s->client, go_ahead, strlen(go_ahead));
	s->state = SESSION_TLS;
	s->wants_turn = true; /* what the client says next may be here already */
	session_deadline(s, s->gate->conf->limits.tls_handshake_timeout_s);
}

void session_begin_tls(struct session *s)
{
	s->state = SESSION_TLS;
	session_deadline(s, s->gate->conf->limits.tls_handshake_timeout_s);
	session_run(s);
}

static void client_failed(struct session *s, int err)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	s->client.has_ended = true;
	s->client.error = -err;
	if (err != -EPROTO) {
		session_end(s, "client-closed");
		return;
	}
	if (log_limit_take(&s->gate->log_limits.tls, s->gate->now_ns, &dropped))
		log_info(
			"event=tls-failed addr=%s port=%u service=%s why=\"%s\" dropped=%u",
			addr_format(&s->addr, addr_text), s->port, s->service_name,
			tls_problem(s->client.tls), dropped);
	session_end(s, "tls-failed");
}

/* Both legs: both directions are to be tried. */
static void leg_is_up(struct leg *leg)
{
	leg->is_shaking = false;
	leg->can_read = true;
	leg->can_write = true;
	leg->is_unsure = false;
}

static bool client_begin(struct session *s)
{
	struct leg *leg = &s->client;

	if (!leg_flush(leg)) {
		if (leg->has_ended)
			session_end(s, "client-closed");
		return false;
	}
	/* A handshake takes some 40 KiB: not for a client that says nothing. */
	if (!leg->can_read)
		return false;
	if (s->tls_mode == TLS_MODE_IMPLICIT && session_tls_limit(s)) {
		session_end(s, "tls-limit");
		return false;
	}
	if (s->service >= 0 && s->gate->tls.servers[s->service])
		leg->tls = tls_accept(s->gate->tls.servers[s->service], leg->fd);
	leg->is_shaking = leg->tls != NULL;
	if (!leg->tls)
		session_end(s, "memory");
	return leg->tls != NULL;
}

/* Return: true, the handshake is done. */
static bool client_step(struct session *s)
{
	struct leg *leg = &s->client;
	int err;

	if (!leg->tls && !client_begin(s))
		return false;
	err = tls_handshake(leg->tls);
	if (err == -EAGAIN)
		return false;
	if (err) {
		client_failed(s, err);
		return false;
	}
	leg_is_up(leg);
	s->tls_version = tls_version_text(leg->tls);
	s->tls_cipher = tls_cipher_text(leg->tls);
	return true;
}

/* ---- the backend's --------------------------------------------------------------------------- */

static void backend_failed(struct leg *leg, int err, const char *problem)
{
	leg->is_shaking = false;
	leg->has_ended = true;
	leg->can_read = false;
	leg->can_write = false;
	leg->error = -err;
	leg->tls_problem = problem;
}

static void backend_step_tls(struct session *s)
{
	struct leg *leg = &s->backend;
	int err = tls_handshake(leg->tls);

	if (err == -EAGAIN)
		return;
	if (err) {
		backend_failed(leg, err, err == -EPROTO ? tls_problem(leg->tls) : NULL);
		return;
	}
	leg_is_up(leg);
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
	if (s->backend_tls == BACKEND_TLS_STARTTLS)
		s->protocol->secured(s, leg);
}

void session_fail_tls(struct session *s, const char *problem)
{
	backend_failed(&s->backend, -EPROTO, problem);
}

void session_connect_tls(struct session *s, size_t consumed)
{
	struct leg *leg = &s->backend;

	assert(!leg->tls);
	/* Said ahead of our question, or behind the answer: perhaps by somebody in between. */
	if (leg->out || leg->in_len > consumed) {
		session_fail_tls(s, "plain text where TLS has to begin");
		return;
	}
	if (s->service >= 0 && s->gate->tls.clients[s->service])
		leg->tls = tls_connect(s->gate->tls.clients[s->service], leg->fd);
	if (!leg->tls) {
		backend_failed(leg, -ENOMEM, NULL);
		return;
	}
	leg->is_shaking = true;
	s->wants_turn = true; /* its first step is session_tls_step()'s */
	session_deadline(s, s->gate->conf->limits.tls_handshake_timeout_s);
}

/* ---- for session.c --------------------------------------------------------------------------- */

bool session_tls_step(struct session *s)
{
	if (s->state < SESSION_FLUSH && s->backend.is_shaking)
		backend_step_tls(s);
	if (s->state != SESSION_TLS || !client_step(s))
		return true;
	if (s->tls_mode == TLS_MODE_IMPLICIT) {
		s->state = SESSION_HELO; /* as session_new() leaves it */
		s->protocol->greet(s);	 /* which calls session_run() */
		return false;
	}
	s->protocol->secured(s, &s->client);
	return true;
}

void session_tls_drop(struct leg *leg, bool in_anger)
{
	if (!leg->tls)
		return;
	if (!in_anger && !leg->is_shaking)
		tls_goodbye(leg->tls);
	tls_conn_free(&leg->tls);
	leg->is_shaking = false;
	leg->can_read = true;
}
