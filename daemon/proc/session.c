/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session - see session.h. Life cycle and deadlines here; buffers in session_leg.c.
 */
#include "proc/session.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "proc/gate_count.h"
#include "proc/session_auth.h"
#include "proc/session_detect.h"
#include "proc/session_leg.h"
#include "proc/session_log.h"
#include "proc/session_proxy.h"
#include "proc/session_test.h"
#include "proc/session_tls.h"

static_assert(sizeof(struct session) <= 2304, "an idle session must stay cheap");
static_assert(offsetof(struct session, timer) == 0, "the wheel hands back the node");

/* ---- the array of sessions, and the two ways to find one in it ------------------------------- */

static uint32_t pool_index(const struct gate *gate, const struct session *session)
{
	return (uint32_t)(session - gate->sessions);
}

static uint32_t *session_table(uint32_t size)
{
	uint32_t *table = malloc(size * sizeof(*table));

	if (table)
		memset(table, 0xff, size * sizeof(*table)); /* GATE_NO_SESSION */
	return table;
}

int session_pool_init(struct gate *gate, uint32_t max)
{
	uint32_t size = 64;

	while (size < max)
		size *= 2;
	gate->sessions = calloc(max, sizeof(*gate->sessions));
	gate->free_sessions = calloc(max, sizeof(*gate->free_sessions));
	gate->ids = session_table(size);
	if (!gate->sessions || !gate->free_sessions || !gate->ids) {
		session_pool_done(gate);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < max; i++)
		gate->free_sessions[i] = max - 1 - i;
	gate->session_max = max;
	gate->session_count = 0;
	gate->hash_mask = size - 1;
	return 0;
}

void session_pool_done(struct gate *gate)
{
	free_mem(&gate->sessions);
	free_mem(&gate->free_sessions);
	free_mem(&gate->ids);
	gate->session_max = 0;
}

struct session *session_find(struct gate *gate, uint64_t id)
{
	uint32_t at = gate->ids[(uint32_t)id & gate->hash_mask];

	for (; at != GATE_NO_SESSION; at = gate->sessions[at].id_next)
		if (gate->sessions[at].id == id)
			return &gate->sessions[at];
	return NULL;
}

static void session_link(struct session *s)
{
	uint32_t *head = &s->gate->ids[(uint32_t)s->id & s->gate->hash_mask];

	s->id_next = *head;
	*head = pool_index(s->gate, s);
}

static void session_unlink(struct session *s)
{
	const uint32_t index = pool_index(s->gate, s);
	uint32_t *at = &s->gate->ids[(uint32_t)s->id & s->gate->hash_mask];

	while (*at != index)
		at = &s->gate->sessions[*at].id_next;
	*at = s->id_next;
}

void session_count(struct session *s)
{
	assert(!s->is_counted);
	s->is_counted = true;
	count_comes(s->gate, &s->addr, s->service_name);
}

/* ---- begin and end --------------------------------------------------------------------------- */

struct session *session_new(struct gate *gate, const struct session_start *start)
{
	const struct conf_service *service = &gate->conf->services[start->service];
	struct session *s;

	if (gate->session_count == gate->session_max)
		return NULL;
	s = &gate->sessions[gate->free_sessions[gate->session_max - 1 -
						gate->session_count]];
	assert(s->state == SESSION_FREE);
	memset(s, 0, sizeof(*s));
	s->gate = gate;
	s->protocol = start->protocol;
	s->id = gate->id_base + ++gate->id_count;
	s->began_ms = gate->now_ms;
	s->began_wall_s = clock_wall_s();
	s->ends_ms =
		gate->now_ms + (uint64_t)gate->conf->limits.session_time_max_s * 1000;
	s->addr = start->addr;
	s->port = start->port;
	s->flags = start->flags;
	s->service = start->service;
	s->service_type = service->type;
	s->client_address = service->client_address;
	s->bare_newline = service->bare_newline;
	s->tls_mode = service->tls;
	s->require_tls_for_auth = service->require_tls_for_auth;
	s->backend_tls = service->backend_tls;
	memcpy(s->service_name, service->name, sizeof(s->service_name));
	s->state = SESSION_HELO;
	s->verdict = "permit";
	s->client.session = s->backend.session = s;
	s->client.is_client = true;
	s->backend.fd = -1;
	s->client.fd = -1;
	if (session_attach(s, &s->client, start->fd)) {
		s->state = SESSION_FREE;
		return NULL;
	}
	gate->session_count++;
	session_link(s);
	return s;
}

void session_open(struct session *s)
{
	s->state = SESSION_HELO;
	if (s->tls_mode == TLS_MODE_IMPLICIT)
		session_begin_tls(s);
	else
		s->protocol->greet(s); /* which calls session_run() */
}

static void session_finish(struct session *s)
{
	struct gate *gate = s->gate;

	session_log_close(s);
	detect_session(s);
	session_auth_end(s);
	test_session_ends(s);
	/* What is unfinished must not look finished to anybody: a reset says so. */
	session_detach(s, &s->backend, s->protocol->is_amid(s));
	session_detach(s, &s->client, s->is_banned);
	s->protocol->finish(s);
	wheel_remove(&s->timer);
	session_unlink(s);
	if (s->is_counted)
		count_goes(gate, &s->addr, s->service_name);
	s->state = SESSION_FREE;
	gate->session_count--;
	gate->free_sessions[gate->session_max - 1 - gate->session_count] =
		pool_index(gate, s);
}

void session_end(struct session *s, const char *reason)
{
	if (!s->reason)
		s->reason = reason;
	s->state = SESSION_ENDED;
}

void session_end_after_flush(struct session *s, const char *reason)
{
	if (s->state == SESSION_ENDED)
		return;
	if (!s->reason)
		s->reason = reason;
	s->state = SESSION_FLUSH;
	s->is_held = false;
	s->ends_ms = UINT64_MAX; /* the two short waits that follow are never cut */
	session_deadline(s, SESSION_FLUSH_S);
}

void session_kill(struct session *s, const char *reason, const char *last_line)
{
	assert(!s->is_pumping);
	/* Amid what is passed on unread it could become a part of a message; ahead of TLS it is noise. */
	if (last_line && !s->client.out && s->client.fd >= 0 &&
	    s->state != SESSION_RELAY && s->state != SESSION_TLS)
		(void)leg_write(&s->client, last_line, strlen(last_line));
	session_end(s, reason);
	session_finish(s);
}

void session_deadline_ms(struct session *s, uint64_t ms)
{
	uint64_t due_ms = s->gate->now_ms + ms;

	if (due_ms > s->ends_ms)
		due_ms = s->ends_ms;
	wheel_set(&s->gate->wheel, &s->timer, due_ms);
}

void session_deadline(struct session *s, int64_t seconds)
{
	/* Nothing lasts longer than session_time_max; and the product must not overflow. */
	const int64_t day_s = 86400;

	session_deadline_ms(s, (uint64_t)(seconds < 30 * day_s ? seconds : 30 * day_s) *
				       1000);
}

/* ---- running --------------------------------------------------------------------------------- */

/* The last reply has gone out: let the client close first, or it may lose that reply to a reset. */
static void session_linger_step(struct session *s)
{
	while (s->state == SESSION_LINGER && leg_fill(&s->client, true)) {
		s->linger_bytes += s->client.in_len;
		leg_drop(&s->client, s->client.in_len);
		if (s->linger_bytes > SESSION_LINGER_BYTES)
			session_end(s, s->reason);
	}
	if (s->client.has_ended)
		session_end(s, s->reason);
}

static void session_flush_step(struct session *s)
{
	if (!leg_flush(&s->client)) {
		if (s->client.has_ended)
			session_end(s, s->reason);
		return;
	}
	if (s->state != SESSION_FLUSH)
		return;
	session_detach(s, &s->backend, s->protocol->is_amid(s));
	if (s->is_polite) {
		session_end(s, s->reason);
		return;
	}
	leg_discard(&s->client);
	session_tls_drop(&s->client,
			 false); /* what still comes is thrown away as it is */
	sock_finish(s->client.fd);
	s->state = SESSION_LINGER;
	session_deadline_ms(s, SESSION_LINGER_MS);
	session_linger_step(s);
}

/* Settling writes, and so may find that a side has gone: no event will tell it again. */
static bool session_settle_finds_end(struct session *s)
{
	const bool client_had_ended = s->client.has_ended;
	const bool backend_had_ended = s->backend.has_ended;

	if (session_leg_settle(s))
		session_end(s, "memory");
	return s->client.has_ended != client_had_ended ||
	       s->backend.has_ended != backend_had_ended;
}

void session_run(struct session *s)
{
	assert(!s->is_pumping);
	s->wants_turn = false;
	if (s->awaits_proxy ? !session_proxy_step(s) : !session_tls_step(s))
		return;
	s->is_pumping = true;
	if (s->state > SESSION_TLS && s->state < SESSION_FLUSH)
		s->protocol->pump(s);
	else if (s->state == SESSION_LINGER)
		session_linger_step(s);
	if (s->state == SESSION_FLUSH)
		session_flush_step(s);
	if (s->state != SESSION_ENDED && session_settle_finds_end(s))
		s->wants_turn = true;
	s->is_pumping = false;

	if (s->state == SESSION_ENDED)
		session_finish(s);
	else if (s->wants_turn)
		event_active(&s->client.event, 0, 0);
}

static void leg_on_event(evutil_socket_t fd, short what, void *context)
{
	struct leg *leg = context;
	struct gate *gate = leg->session->gate;

	(void)fd;
	gate->now_ns = clock_mono_ns();
	gate->now_ms = gate->now_ns / NS_PER_MS;
	if (what & (EV_READ | EV_CLOSED))
		leg->can_read = true;
	if (what & EV_CLOSED)
		leg->is_hung_up = true;
	if (what & EV_WRITE)
		leg->can_write = true;
	session_run(leg->session);
}

int session_attach(struct session *s, struct leg *leg, int fd)
{
	assert(leg->fd < 0);
	/* Edge-triggered and registered once: pausing and resuming a leg costs no system call. */
	if (event_assign(&leg->event, s->gate->base, fd,
			 EV_READ | EV_WRITE | EV_CLOSED | EV_ET | EV_PERSIST,
			 leg_on_event, leg) ||
	    event_add(&leg->event, NULL))
		return -ENOMEM;
	leg->fd = fd;
	leg->can_read = false;
	leg->can_write = true;
	leg->is_hung_up = false;
	leg->is_unsure = false;
	leg->has_ended = false;
	leg->is_cut = false;
	leg->error = 0;
	leg->tls_problem = NULL;
	return 0;
}

void session_detach(struct session *s, struct leg *leg, bool with_reset)
{
	session_leg_forget(s, leg);
	if (leg->fd < 0)
		return;
	(void)event_del(&leg->event);
	session_tls_drop(leg, with_reset || leg->error);
	if (with_reset)
		sock_abort(&leg->fd);
	else
		close_fd(&leg->fd);
	leg->has_ended = true;
	leg->can_read = false;
	leg->can_write = false;
	leg->tls_problem = NULL;
}

uint32_t session_line_max(const struct session *s)
{
	const uint32_t wanted = s->gate->conf->limits.line_max_bytes;

	return wanted < GATE_SMALL_BYTES ? wanted : GATE_SMALL_BYTES;
}

const struct conf_policy *session_policy(const struct session *s)
{
	const struct conf *conf = s->gate->conf;

	return s->service < 0 ? NULL : &conf->policies[conf->services[s->service].policy];
}
