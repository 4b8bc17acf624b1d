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
#include "proc/gate_smtp_pipe.h"
#include "wire/proxy.h"
#include "wire/xclient.h"

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
	char text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.backend, s->gate->now_ns, &dropped))
		log_warn(
			"event=backend-failed service=%s backend=%s port=%u why=%s dropped=%u",
			s->service_name, addr_format(&at->addr, text), at->port, why,
			dropped);
}

static const struct conf_service *backend_service(const struct session *s)
{
	return s->service < 0 ? NULL : &s->gate->conf->services[s->service];
}

void backend_stands(struct session *s)
{
	const struct conf *conf = s->gate->conf;
	const struct conf_service *service = backend_service(s);
	const bool has_next = service && s->backend_tries < service->backend_count;

	assert(conf); /* a gate without one accepts nobody */
	s->state = SESSION_BANNER;
	session_deadline(s, has_next ? conf->limits.backend_connect_timeout_s
				     : conf->limits.backend_reply_timeout_s);
}

static bool backend_try(struct session *s)
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
		smtp_reply_init(&s->smtp.replies);
		s->state = SESSION_CONNECT;
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
		return true;
	}
	return false;
}

bool backend_open(struct session *s)
{
	s->backend_tries = 0;
	return backend_try(s);
}

bool backend_next(struct session *s)
{
	const struct conf_service *service = backend_service(s);

	if (service && s->backend_index < service->backend_count)
		backend_log_failed(s, &service->backend[s->backend_index],
				   s->backend.error ? strerrorname_np(s->backend.error)
						    : "no-greeting");
	session_detach(s, &s->backend, true);
	return backend_try(s);
}

void backend_worked(struct session *s)
{
	if (s->service >= 0)
		s->gate->good_backend[s->service] = s->backend_index;
}

static void backend_put_hello(struct session *s, bool is_esmtp, const char *name,
			      size_t len)
{
	leg_put(&s->backend, is_esmtp ? "EHLO " : "HELO ", 5);
	leg_put(&s->backend, name, len);
	leg_put(&s->backend, "\r\n", 2);
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

void backend_say_hello(struct session *s)
{
	if (!pipe_push(s, s->smtp.is_esmtp ? SMTP_EHLO : SMTP_HELO))
		return;
	s->smtp.caps = 0;
	s->smtp.mechs[0] = '\0';
	s->smtp.has_hello = false;
	s->smtp.in_mail = false;
	s->smtp.has_rcpt = false;
	s->state = SESSION_EHLO;
	backend_put_hello(s, s->smtp.is_esmtp, s->helo, s->helo_len);
}

void backend_say_own_hello(struct session *s)
{
	const char *name = s->gate->conf->hostname;

	s->smtp.caps = 0;
	s->state = SESSION_XEHLO;
	backend_put_hello(s, true, name, strlen(name));
}

int backend_say_xclient(struct session *s)
{
	struct xclient client = {
		.helo = s->helo,
		.helo_len = s->helo_len,
		.addr = s->addr,
		.port = s->port,
		.is_esmtp = s->smtp.is_esmtp,
	};
	char line[XCLIENT_LINE_MAX_BYTES];
	size_t len;
	int result;

	if (sock_local(s->client.fd, &client.dest_addr, &client.dest_port))
		client.dest_port = 0;
	result = xclient_next(&client, &s->smtp.xclient_left, line, &len);
	if (result == 1) {
		leg_put(&s->backend, line, len);
		s->state = SESSION_XCLIENT;
		session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
	}
	return result;
}
