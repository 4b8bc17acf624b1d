/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_proxy - see session_proxy.h.
 */
#include "proc/session_proxy.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "proc/gate_count.h"
#include "proc/gate_verdict.h"
#include "proc/session.h"
#include "proc/session_detect.h"
#include "proc/session_log.h"
#include "proc/session_tls.h"
#include "wire/proxy.h"

bool session_needs_proxy(const struct conf *conf, int service, const struct addr *addr)
{
	return conf->services[service].accept_proxy && conf_trusts_proxy(conf, addr);
}

/* ---- who the client is ------------------------------------------------------------------------ */

static void take_client(struct session *s, const struct proxy_header *header)
{
	/* LOCAL, UNKNOWN: the proxy speaks for itself, to see whether we live. */
	if (header->is_local)
		return;
	s->addr = header->source;
	s->port = header->source_port;
	s->local = header->dest;
	s->local_port = header->dest_port;
	/* One of two IPv6 addresses may have been a mapped one. */
	if (s->local.family != s->addr.family)
		s->local = (struct addr){.family = s->addr.family};
}

/* Last words to somebody who is not let in; none where TLS has to come first. */
static void turn_away(struct session *s, const char *words, const char *reason)
{
	if (s->tls_mode == TLS_MODE_IMPLICIT || s->tls_mode == TLS_MODE_PASSTHROUGH) {
		session_end(s, reason);
		return;
	}
	leg_put(&s->client, words, strlen(words));
	session_end_after_flush(s, reason);
}

static void note(struct session *s, enum detector detector)
{
	const struct detect_event event = {
		.addr = s->addr,
		.flags = s->flags,
		.service = s->service,
		.detector = detector,
	};

	detect_note(s->gate, &event);
}

/* As at accept, with the address inside. Return: false, it has been turned away. */
static bool client_may_come_in(struct session *s)
{
	const struct verdict verdict = gate_verdict(s->gate, s->service, &s->addr);
	const char *limit;

	s->flags = verdict.entry.value;
	if (verdict.kind != VERDICT_PERMIT) {
		s->verdict = verdict_name(verdict.kind);
		turn_away(s, s->protocol->refused, "refused");
		return false;
	}
	note(s, DETECT_CONNECTS);
	session_count(s);
	limit = count_limit(s->gate, &s->addr, s->service, true);
	if (limit) {
		note(s, DETECT_CROWDED);
		session_log_crowded(s, limit);
		turn_away(s, s->protocol->crowded, "crowded");
		return false;
	}
	return true;
}

/* ---- the header ------------------------------------------------------------------------------- */

static void header_is_bad(struct session *s, const char *why)
{
	char addr_text[ADDR_TEXT_MAX];
	uint32_t dropped;

	if (log_limit_take(&s->gate->log_limits.proxy, s->gate->now_ns, &dropped))
		log_warn(
			"event=proxy-header addr=%s port=%u service=%s why=\"%s\" dropped=%u",
			addr_format(&s->addr, addr_text), s->port, s->service_name, why,
			dropped);
	session_end(s, "proxy-header");
}

/* Only the header is taken: what follows may be the first bytes of a handshake, which are not ours to read. */
static int header_read(struct session *s, struct proxy_header *out_header)
{
	char bytes[PROXY_PARSE_MAX_BYTES];
	const ssize_t got = sock_peek(s->client.fd, bytes, sizeof(bytes));
	size_t len;
	int found;

	if (got <= 0)
		return got ? (int)got : -ECONNRESET;
	found = proxy_parse(bytes, (size_t)got, out_header, &len);
	if (found == 0)
		return s->client.is_hung_up ? -ECONNRESET : -EAGAIN;
	if (found < 0)
		return found;
	return sock_read(s->client.fd, bytes, len) == (ssize_t)len ? 0 : -ECONNRESET;
}

static const char *header_problem(int err)
{
	switch (err) {
	case -EBADMSG:
		return "no PROXY header";
	case -EMSGSIZE:
		return "too long a PROXY header";
	case -EAFNOSUPPORT:
		return "a PROXY header of no TCP connection";
	default:
		return NULL;
	}
}

bool session_proxy_step(struct session *s)
{
	struct proxy_header header;
	int err;

	if (!s->client.can_read || s->state >= SESSION_FLUSH)
		return true;
	s->client.can_read = false; /* more makes a new edge, though nothing was taken */
	err = header_read(s, &header);
	if (err == -EAGAIN)
		return true;
	if (err) {
		if (header_problem(err))
			header_is_bad(s, header_problem(err));
		else
			session_end(s, "client-closed");
		return true;
	}
	s->awaits_proxy = false;
	s->client.can_read = true;
	take_client(s, &header);
	if (s->service < 0) {
		session_end(s, "service-gone");
		return true;
	}
	if (!client_may_come_in(s))
		return true;
	session_open(s);
	return false;
}

void session_begin_proxy(struct session *s)
{
	s->state = SESSION_TLS;
	s->awaits_proxy = true;
	s->client.can_read = true; /* it may be here already */
	session_deadline(s, s->gate->conf->limits.proxy_header_timeout_s);
	session_run(s);
}

void session_proxy_timeout(struct session *s)
{
	header_is_bad(s, "no PROXY header in time");
	session_run(s);
}

int session_local(const struct session *s, struct addr *out_addr, uint16_t *out_port)
{
	if (s->local.family == ADDR_NONE)
		return sock_local(s->client.fd, out_addr, out_port);
	*out_addr = s->local;
	*out_port = s->local_port;
	return 0;
}
