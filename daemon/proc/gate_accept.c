/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_accept - see gate_accept.h.
 */
#include "proc/gate_accept.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "proc/gate_count.h"
#include "proc/gate_imap.h"
#include "proc/gate_pass.h"
#include "proc/gate_pop3.h"
#include "proc/gate_smtp.h"
#include "proc/gate_verdict.h"
#include "proc/session.h"
#include "proc/session_detect.h"
#include "proc/session_proxy.h"

int accept_init(struct gate *gate)
{
	gate->listeners = calloc(GATE_LISTENERS_MAX, sizeof(*gate->listeners));
	if (!gate->listeners)
		return -ENOMEM;
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
		gate->listeners[i].fd = -1;
	return 0;
}

static const struct session_protocol *accept_protocol(const struct conf_service *service)
{
	static const struct session_protocol *const by_type[SERVICE_TYPE_COUNT] = {
		[SERVICE_SMTP] = &smtp_protocol,
		[SERVICE_SUBMISSION] = &smtp_protocol,
		[SERVICE_SUBMISSIONS] = &smtp_protocol,
		[SERVICE_POP3] = &pop3_protocol,
		[SERVICE_POP3S] = &pop3_protocol,
		[SERVICE_IMAP] = &imap_protocol,
		[SERVICE_IMAPS] = &imap_protocol,
	};

	if (service->tls == TLS_MODE_PASSTHROUGH)
		return &pass_protocol;
	assert(by_type[service->type]); /* conf_validate() lets no other have a listener */
	return by_type[service->type];
}

/* A courtesy: it may fail. */
static void accept_say(int fd, const struct conf_service *service, const char *words)
{
	if (service->tls == TLS_MODE_NONE || service->tls == TLS_MODE_STARTTLS)
		(void)sock_write(fd, words, strlen(words));
}

static void accept_refuse(struct gate_listener *listener, int fd,
			  const struct sock_peer *peer, enum verdict_kind kind)
{
	struct gate *gate = listener->gate;
	const struct conf_service *service = &gate->conf->services[listener->service];
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	accept_say(fd, service, accept_protocol(service)->refused);
	close_fd(&fd);
	if (log_limit_take(&gate->log_limits.refused, gate->now_ns, &dropped))
		log_info(
			"event=refuse addr=%s port=%u service=%s policy=%s verdict=%s dropped=%u",
			addr_format(&peer->addr, addr_text), peer->port, service->name,
			gate->conf->policies[service->policy].name, verdict_name(kind),
			dropped);
}

static void accept_turn_away(struct gate_listener *listener, int fd,
			     const struct sock_peer *peer, const char *limit)
{
	struct gate *gate = listener->gate;
	const struct conf_service *service = &gate->conf->services[listener->service];
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	accept_say(fd, service, accept_protocol(service)->crowded);
	close_fd(&fd);
	if (log_limit_take(&gate->log_limits.crowded, gate->now_ns, &dropped))
		log_warn("event=crowded addr=%s port=%u service=%s limit=%s dropped=%u",
			 addr_format(&peer->addr, addr_text), peer->port, service->name,
			 limit, dropped);
}

static uint32_t sessions_allowed(const struct gate *gate)
{
	const uint32_t share = gate->conf->limits.sessions_max / gate->conf->gates;

	return share < gate->session_max ? (share ? share : 1) : gate->session_max;
}

static void start_ticking(struct gate *gate)
{
	const struct timeval tick = {.tv_usec = WHEEL_TICK_MS * 1000};

	if (!evtimer_pending(gate->tick, NULL))
		(void)evtimer_add(gate->tick, &tick);
}

struct session *accept_session(struct gate *gate, const struct session_start *start)
{
	struct session *session = NULL;

	if (gate->session_count < sessions_allowed(gate))
		session = session_new(gate, start);
	if (session)
		start_ticking(gate);
	return session;
}

/* A program of this host may have come straight to where only nftables leads: it meant no mail host. */
static bool accept_is_stray(const struct gate_listener *listener, int fd)
{
	struct addr addr;
	uint16_t port;

	if (!listener->gate->conf->services[listener->service].intercept)
		return false;
	return sock_local(fd, &addr, &port) != 0 || port == listener->endpoint.port;
}

static struct detect_event accept_event(const struct session_start *start,
					enum detector detector)
{
	return (struct detect_event){
		.addr = start->addr,
		.flags = start->flags,
		.service = start->service,
		.detector = detector,
	};
}

static void accept_one(struct gate_listener *listener, int fd,
		       const struct sock_peer *peer)
{
	struct gate *gate = listener->gate;
	const struct verdict verdict = gate_verdict(gate, listener->service, &peer->addr);
	const struct session_start start = {
		.fd = fd,
		.addr = peer->addr,
		.port = peer->port,
		.flags = verdict.entry.value,
		.service = listener->service,
		.protocol = accept_protocol(&gate->conf->services[listener->service]),
	};
	const bool is_proxied =
		session_needs_proxy(gate->conf, listener->service, &peer->addr);
	struct detect_event event;
	struct session *session;
	const char *limit;

	if (accept_is_stray(listener, fd)) {
		close_fd(&fd);
		return;
	}
	if (verdict.kind != VERDICT_PERMIT) {
		accept_refuse(listener, fd, peer, verdict.kind);
		return;
	}
	event = accept_event(&start, DETECT_CONNECTS);
	if (!is_proxied)
		detect_accepted(gate, &event);
	/* Of those of a trusted proxy each is counted when it has said whose it is. */
	limit = is_proxied ? NULL
			   : count_limit(gate, &peer->addr, listener->service, false);
	if (limit) {
		event.detector = DETECT_CROWDED;
		detect_note(gate, &event);
		accept_turn_away(listener, fd, peer, limit);
		return;
	}
	session = accept_session(gate, &start);
	if (!session) {
		accept_turn_away(listener, fd, peer, "sessions-max");
		return;
	}
	if (is_proxied) {
		session_begin_proxy(session);
		return;
	}
	session_count(session);
	session_open(session);
}

static void accept_failed(struct gate *gate, int err)
{
	uint32_t dropped;

	/* Tried again with each tick. */
	if (log_limit_take(&gate->log_limits.accept, gate->now_ns, &dropped))
		log_error("event=accept-failed why=%s dropped=%u", strerrorname_np(-err),
			  dropped);
}

static void accept_on_readable(evutil_socket_t fd, short what, void *context)
{
	struct gate_listener *listener = context;
	struct gate *gate = listener->gate;

	(void)what;
	gate->now_ns = clock_mono_ns();
	gate->now_ms = gate->now_ns / NS_PER_MS;
	for (unsigned int turn = 0; turn < ACCEPT_TURNS_MAX; turn++) {
		struct sock_peer peer;
		int client = sock_accept(fd, &peer);

		if (client == -EAGAIN)
			return;
		if (client == -EMFILE || client == -ENFILE || client == -ENOBUFS ||
		    client == -ENOMEM) {
			/* The connection stays ready: without a pause the loop would spin. */
			accept_failed(gate, client);
			(void)event_del(listener->readable);
			start_ticking(gate); /* it calls accept_resume() */
			return;
		}
		if (client >= 0)
			accept_one(listener, client, &peer);
	}
}

/* ---- listeners ------------------------------------------------------------------------------- */

static void listener_close(struct gate_listener *listener)
{
	if (listener->readable)
		event_free(listener->readable);
	listener->readable = NULL;
	close_fd(&listener->fd);
}

static bool endpoint_equal(const struct conf_endpoint *a, const struct conf_endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

static struct gate_listener *listener_find(struct gate *gate,
					   const struct conf_endpoint *endpoint)
{
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
		if (gate->listeners[i].fd >= 0 &&
		    endpoint_equal(&gate->listeners[i].endpoint, endpoint))
			return &gate->listeners[i];
	return NULL;
}

static struct gate_listener *listener_unused(struct gate *gate)
{
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
		if (gate->listeners[i].fd < 0)
			return &gate->listeners[i];
	return NULL;
}

void accept_change(struct gate *gate, const struct msg_listener *message, int fd)
{
	AUTO(close_fd) int owned = fd;
	struct gate_listener *listener = listener_find(gate, &message->endpoint);
	char addr_text[ADDR_TEXT_MAX];

	if (message->remove) {
		if (listener)
			listener_close(listener);
		return;
	}
	if (!gate->conf || message->service >= gate->conf->service_count ||
	    gate->is_draining || gate->is_leaving)
		return;
	if (listener)
		listener_close(listener);
	listener = listener_unused(gate);
	if (!listener || sock_prepare_listener(owned)) {
		log_error("event=listener-failed addr=%s port=%u",
			  addr_format(&message->endpoint.addr, addr_text),
			  message->endpoint.port);
		return;
	}
	listener->gate = gate;
	listener->endpoint = message->endpoint;
	listener->service = (int)message->service;
	listener->readable = event_new(gate->base, owned, EV_READ | EV_PERSIST,
				       accept_on_readable, listener);
	if (!listener->readable)
		return;
	listener->fd = TAKE_FD(owned);
	if (gate->is_started)
		(void)event_add(listener->readable, NULL);
}

void accept_renumber(struct gate *gate, const struct conf *old_conf)
{
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++) {
		struct gate_listener *listener = &gate->listeners[i];

		if (listener->fd < 0)
			continue;
		listener->service = conf_service_find(
			gate->conf, old_conf->services[listener->service].name);
		if (listener->service < 0)
			listener_close(listener);
	}
}

void accept_resume(struct gate *gate)
{
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++) {
		struct gate_listener *listener = &gate->listeners[i];

		if (listener->fd >= 0 &&
		    !event_pending(listener->readable, EV_READ, NULL))
			(void)event_add(listener->readable, NULL);
	}
}

void accept_stop(struct gate *gate)
{
	for (size_t i = 0; i < GATE_LISTENERS_MAX; i++)
		if (gate->listeners[i].fd >= 0)
			listener_close(&gate->listeners[i]);
}
