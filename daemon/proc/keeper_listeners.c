/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_listeners - the listening sockets: the keeper opens and keeps them, gates accept on them.
 *
 * A proxied service listens also while it is switched off: then it is let through unchecked, not closed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "proc/keeper_state.h"
#include "sys/listen.h"

static bool endpoint_equal(const struct conf_endpoint *a, const struct conf_endpoint *b)
{
	return a->port == b->port && addr_equal(&a->addr, &b->addr);
}

static void endpoint_format(const struct conf_endpoint *endpoint, char *out_text,
			    size_t cap_bytes)
{
	char addr[ADDR_TEXT_MAX];
	const bool is_v6 = endpoint->addr.family == ADDR_V6;

	(void)snprintf(out_text, cap_bytes, "%s%s%s:%u", is_v6 ? "[" : "",
		       addr_format(&endpoint->addr, addr), is_v6 ? "]" : "",
		       endpoint->port);
}

/* The service of an endpoint; -1: of none. */
static int endpoint_service(const struct conf *conf, const struct conf_endpoint *endpoint)
{
	for (uint8_t i = 0; i < conf->service_count; i++)
		for (uint8_t j = 0; j < conf->services[i].listen_count; j++)
			if (endpoint_equal(&conf->services[i].listen[j], endpoint))
				return i;
	return -1;
}

static bool is_open(const struct keeper *keeper, const struct conf_endpoint *endpoint)
{
	for (size_t i = 0; i < keeper->listener_count; i++)
		if (endpoint_equal(&keeper->listeners[i].endpoint, endpoint))
			return true;
	return false;
}

static void listener_close(struct keeper_listener *listener)
{
	for (size_t i = 0; i < CONF_GATES_MAX; i++)
		close_fd(&listener->fds[i]);
}

static int listener_open(struct keeper *keeper, const struct conf_endpoint *endpoint,
			 uint8_t gates, const struct conf_service *service,
			 char problem[KEEPER_PROBLEM_MAX])
{
	struct keeper_listener *listener = &keeper->listeners[keeper->listener_count];
	char text[ADDR_TEXT_MAX + 16];
	int err;

	for (size_t i = 0; i < CONF_GATES_MAX; i++)
		listener->fds[i] = -1;
	err = handover_take_listener(keeper, endpoint, gates, listener->fds)
		      ? 0
		      : listen_open(&endpoint->addr, endpoint->port, gates,
				    listener->fds);
	if (!err && service->intercept)
		err = listen_make_transparent(listener->fds, gates);
	if (!err) {
		listener->endpoint = *endpoint;
		keeper->listener_count++;
		return 0;
	}
	endpoint_format(endpoint, text, sizeof(text));
	(void)snprintf(problem, KEEPER_PROBLEM_MAX, "service %s: cannot listen on %s: %s",
		       service->name, text,
		       err == -EADDRINUSE
			       ? "another program listens there: give that one "
				 "another port or address"
		       : err == -EADDRNOTAVAIL ? "this host does not have that address"
					       : strerror(-err));
	return err;
}

/* All connections of a load balancer come from one address, and one gate alone should not have them all. */
static void listeners_spread(const struct keeper *keeper, const struct conf *conf)
{
	for (size_t i = 0; i < keeper->listener_count; i++) {
		const struct keeper_listener *listener = &keeper->listeners[i];
		const int service = endpoint_service(conf, &listener->endpoint);
		char text[ADDR_TEXT_MAX + 16];
		int err;

		if (service < 0)
			continue;
		err = listen_spread(listener->fds[0],
				    (enum addr_family)listener->endpoint.addr.family,
				    conf->gates, conf->services[service].accept_proxy);
		endpoint_format(&listener->endpoint, text, sizeof(text));
		if (err)
			log_warn("event=warning what=listen path=%s reason=\"%s\"", text,
				 strerror(-err));
	}
}

int listeners_open(struct keeper *keeper, const struct conf *conf, size_t *out_opened,
		   char problem[KEEPER_PROBLEM_MAX])
{
	size_t before = keeper->listener_count;
	int err = 0;

	for (uint8_t i = 0; i < conf->service_count; i++)
		for (uint8_t j = 0; j < conf->services[i].listen_count && !err; j++) {
			const struct conf_endpoint *endpoint =
				&conf->services[i].listen[j];

			if (is_open(keeper, endpoint))
				continue;
			if (keeper->listener_count == KEEPER_LISTENERS_MAX) {
				(void)snprintf(problem, KEEPER_PROBLEM_MAX,
					       "service %s: too many listeners at once",
					       conf->services[i].name);
				err = -ENOSPC;
			} else {
				err = listener_open(keeper, endpoint, conf->gates,
						    &conf->services[i], problem);
			}
		}
	if (err)
		listeners_undo(keeper, keeper->listener_count - before);
	else
		*out_opened = keeper->listener_count - before;
	if (!err)
		listeners_spread(keeper, conf);
	return err;
}

void listeners_undo(struct keeper *keeper, size_t count)
{
	while (count-- > 0)
		listener_close(&keeper->listeners[--keeper->listener_count]);
}

static void listener_send(struct keeper *keeper, const struct keeper_listener *listener,
			  struct keeper_child *gate)
{
	int service = endpoint_service(keeper_conf(keeper), &listener->endpoint);
	struct msg msg = {.type = MSG_LISTENER};

	if (service < 0 || !gate->channel)
		return;
	msg.listener.service = (uint32_t)service;
	msg.listener.endpoint = listener->endpoint;
	child_send(gate, &msg, listener->fds[gate->index]);
}

void listeners_send(struct keeper *keeper, struct keeper_child *gate)
{
	for (size_t i = 0; i < keeper->listener_count; i++)
		listener_send(keeper, &keeper->listeners[i], gate);
}

void listeners_announce(struct keeper *keeper, size_t count)
{
	for (size_t i = 0; i < keeper->child_count; i++) {
		if (keeper->children[i].role != ROLE_GATE)
			continue;
		for (size_t j = keeper->listener_count - count;
		     j < keeper->listener_count; j++)
			listener_send(keeper, &keeper->listeners[j],
				      &keeper->children[i]);
	}
}

static void listener_tell_removed(struct keeper *keeper,
				  const struct conf_endpoint *endpoint)
{
	struct msg msg = {.type = MSG_LISTENER};

	msg.listener.endpoint = *endpoint;
	msg.listener.remove = 1;
	for (size_t i = 0; i < keeper->child_count; i++)
		if (keeper->children[i].role == ROLE_GATE && keeper->children[i].channel)
			child_send(&keeper->children[i], &msg, -1);
}

void listeners_close_others(struct keeper *keeper, const struct conf *conf)
{
	size_t kept = 0;

	for (size_t i = 0; i < keeper->listener_count; i++) {
		struct keeper_listener *listener = &keeper->listeners[i];

		if (endpoint_service(conf, &listener->endpoint) >= 0) {
			keeper->listeners[kept++] = *listener;
			continue;
		}
		listener_tell_removed(keeper, &listener->endpoint);
		listener_close(listener);
	}
	keeper->listener_count = kept;
}
