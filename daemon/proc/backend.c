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
#include "proc/gate_test.h"
#include "proc/session_proxy.h"
#include "proc/session_tls.h"
#include "wire/proxy.h"

static bool backend_put_proxy(struct session *s)
{
	struct proxy_tls tls = {.version = "", .cipher = "", .authority = ""};
	struct proxy_header header = {.source = s->addr, .source_port = s->port};
	char bytes[PROXY_V2_MAX_BYTES];
	size_t len;

	if (session_is_tls(s)) {
		tls.version = s->tls_version;
		tls.cipher = s->tls_cipher;
		tls.authority = tls_server_name(s->client.tls);
		header.tls = &tls;
	}
	if (session_local(s, &header.dest, &header.dest_port) ||
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

void backend_log_refusal(struct session *s, const char *reply, size_t len)
{
	char shown[96];
	struct buf text = BUF_OVER(shown);
	uint32_t dropped;

	buf_add_escaped(&text, reply, len, 80);
	if (log_limit_take(&s->gate->log_limits.backend, s->gate->now_ns, &dropped))
		log_warn(
			"event=backend-refused service=%s state=%s reply=\"%s\" dropped=%u",
			s->service_name, session_state_name((enum session_state)s->state),
			shown, dropped);
}

void backend_log_xclient(struct session *s, const char *why)
{
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.xclient, s->gate->now_ns, &dropped))
		log_error("event=xclient-refused service=%s why=\"%s\" dropped=%u",
			  s->service_name, why, dropped);
}

static const struct conf_service *backend_service(const struct session *s)
{
	return s->service < 0 ? NULL : &s->gate->conf->services[s->service];
}

/* Where the client itself went is where an intercepted one goes on to, unless told otherwise. */
static uint8_t backend_count(const struct conf_service *service)
{
	return service->backend_count > 0 ? service->backend_count : 1;
}

static int backend_address(const struct session *s, const struct conf_service *service,
			   struct conf_endpoint *out_at)
{
	if (service->backend_count > 0 || s->is_test) {
		*out_at = service->backend[s->backend_index % backend_count(service)];
		return 0;
	}
	return sock_local(s->client.fd, &out_at->addr, &out_at->port);
}

static int backend_connect(struct session *s, const struct conf_endpoint *at, int *out_fd)
{
	AUTO(close_fd) int fd = -1;
	int err;

	if (s->is_test)
		return test_connect(s, out_fd);
	if (s->client_address != CLIENT_ADDRESS_TRANSPARENT)
		return sock_connect(&at->addr, at->port, out_fd);
	fd = sockets_take(s->gate, (enum addr_family)s->addr.family);
	if (fd < 0)
		return -ENOBUFS;
	err = sock_connect_as(fd, &s->addr, &at->addr, at->port);
	if (!err)
		*out_fd = TAKE_FD(fd);
	return err;
}

static void backend_stands(struct session *s)
{
	const struct conf *conf = s->gate->conf;
	const struct conf_service *service = backend_service(s);
	const bool has_next = service && s->backend_tries < backend_count(service);

	assert(conf); /* a gate without one accepts nobody */
	s->state = SESSION_BANNER;
	session_deadline(s, has_next ? conf->limits.backend_connect_timeout_s
				     : conf->limits.backend_reply_timeout_s);
	if (s->backend_tls == BACKEND_TLS_IMPLICIT)
		session_connect_tls(s, 0);
}

/* The keeper has been asked for sockets: the same address is tried when one has come. */
static void backend_wait(struct session *s)
{
	s->backend_tries--;
	s->gate->sockets.has_waiters = true;
	s->state = SESSION_CONNECT;
	session_deadline(s, s->gate->conf->limits.backend_connect_timeout_s);
}

static void backend_try(struct session *s)
{
	const struct conf_service *service = backend_service(s);

	while (service && s->backend_tries < backend_count(service)) {
		const uint8_t first = s->gate->good_backend[s->service];
		struct conf_endpoint at = {0};
		int fd;
		int err;

		s->backend_index =
			(uint8_t)((first + s->backend_tries) % backend_count(service));
		s->backend_tries++;
		err = backend_address(s, service, &at);
		if (!err)
			err = backend_connect(s, &at, &fd);
		if (err == -ENOBUFS) {
			backend_wait(s);
			return;
		}
		if (err) {
			backend_log_failed(s, &at, strerrorname_np(-err));
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

void backend_resume(struct gate *gate)
{
	for (uint32_t i = 0; gate->sockets.has_waiters && i < gate->session_max; i++) {
		struct session *s = &gate->sessions[i];

		if (s->state != SESSION_CONNECT || s->backend.fd >= 0)
			continue;
		backend_try(s);
		session_run(s);
		return;
	}
	gate->sockets.has_waiters = false;
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

	struct conf_endpoint at;

	if (service && backend_address(s, service, &at) == 0)
		backend_log_failed(s, &at,
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
