/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/backend - see backend.h.
 */
#include "proc/backend.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/buf.h"
#include "base/log.h"
#include "proc/session_tls.h"
#include "wire/proxy.h"

static bool backend_put_proxy(struct session *s)
{
	struct proxy_header header = {.source = s->addr, .source_port = s->port};
	char bytes[PROXY_V2_MAX_BYTES];
	size_t len;

	if (sock_local(s->client.fd, &header.dest, &header.dest_port) ||
	    proxy_write_v2(&header, bytes, sizeof(bytes), &len))
		return false;
	leg_put(&s->backend, bytes, len);
	return true;
}

static void backend_log_failed(struct session *s, const struct conf_endpoint *at,
			       const char *why)
{
	const char *tls_problem = s->backend.tls_problem;
	char text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.backend, s->gate->now_ns, &dropped))
		log_warn(
			"event=backend-failed service=%s backend=%s port=%u why=%s%s%s%s dropped=%u",
			s->service_name, addr_format(&at->addr, text), at->port, why,
			tls_problem ? " reason=\"" : "", tls_problem ? tls_problem : "",
			tls_problem ? "\"" : "", dropped);
}

static const struct conf_service *backend_service(const struct session *s)
{
	return s->service < 0 ? NULL : &s->gate->conf->services[s->service];
}

static void backend_stands(struct session *s)
{
	const struct conf *conf = s->gate->conf;
	const struct conf_service *service = backend_service(s);
	const bool has_next = service && s->backend_tries < service->backend_count;

	assert(conf); /* a gate without one accepts nobody */
	s->state = SESSION_BANNER;
	session_deadline(s, has_next ? conf->limits.backend_connect_timeout_s
				     : conf->limits.backend_reply_timeout_s);
	if (s->backend_tls == BACKEND_TLS_IMPLICIT)
		session_connect_tls(s, 0);
}

static void backend_try(struct session *s)
{
	const struct conf_service *service = backend_service(s);

	while (service && s->backend_tries < service->backend_count) {
		const uint8_t first = s->gate->good_backend[s->service];
		const struct conf_endpoint *at;
		int fd;
		int err;

		s->backend_index =
			(uint8_t)((first + s->backend_tries) % service->backend_count);
		s->backend_tries++;
		at = &service->backend[s->backend_index];
		err = sock_connect(&at->addr, at->port, &fd);
		if (err) {
			backend_log_failed(s, at, strerrorname_np(-err));
			continue;
		}
		if (session_attach(s, &s->backend, fd)) {
			close_fd(&fd);
			continue;
		}
		s->state = SESSION_CONNECT;
		s->protocol->backend_begins(s);
		session_deadline(s, s->gate->conf->limits.backend_connect_timeout_s);
		if (s->client_address == CLIENT_ADDRESS_PROXY && !backend_put_proxy(s)) {
			session_detach(s, &s->backend, true);
			continue;
		}
		/* On one machine the connection stands already, and the header can go at once. */
		if (s->backend.out && leg_flush(&s->backend))
			backend_stands(s);
		else
			s->backend.can_write =
				false; /* until the loop says that it stands */
		return;
	}
	s->protocol->backend_absent(s);
}

void backend_open(struct session *s)
{
	s->backend_tries = 0;
	backend_try(s);
}

bool backend_step(struct session *s)
{
	if (s->state != SESSION_CONNECT || !s->backend.can_write ||
	    !leg_flush(&s->backend))
		return false;
	backend_stands(s);
	return true;
}

void backend_next(struct session *s)
{
	const struct conf_service *service = backend_service(s);

	if (service && s->backend_index < service->backend_count)
		backend_log_failed(s, &service->backend[s->backend_index],
				   s->backend.tls_problem ? "tls"
				   : s->backend.error ? strerrorname_np(s->backend.error)
						      : "no-greeting");
	session_detach(s, &s->backend, true);
	backend_try(s);
}

void backend_worked(struct session *s)
{
	if (s->service >= 0)
		s->gate->good_backend[s->service] = s->backend_index;
}
