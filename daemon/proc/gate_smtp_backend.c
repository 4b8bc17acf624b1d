/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_backend - see gate_smtp_backend.h.
 */
#include "proc/gate_smtp_backend.h"

#include <string.h>

#include "proc/gate_smtp_pipe.h"
#include "proc/gate_smtp_say.h"
#include "proc/session_proxy.h"
#include "wire/xclient.h"

void smtp_backend_begins(struct session *s)
{
	smtp_reply_init(&s->smtp.replies);
}

void smtp_backend_ready(struct session *s)
{
	const bool wants_tls = s->backend_tls == BACKEND_TLS_STARTTLS && !s->backend.tls;

	s->smtp.xclient_left = 0;
	s->smtp.xclient_has_login = false;
	s->smtp.told_login = 0;
	if (wants_tls || s->client_address == CLIENT_ADDRESS_XCLIENT)
		smtp_say_own_hello(s);
	else
		smtp_say_hello(s);
}

void smtp_backend_secured(struct session *s)
{
	smtp_reply_init(&s->smtp.replies);
	smtp_backend_ready(s);
}

void smtp_say_starttls(struct session *s)
{
	static const char line[] = "STARTTLS\r\n";

	leg_put(&s->backend, line, sizeof(line) - 1);
	s->state = SESSION_STARTTLS;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

void smtp_backend_absent(struct session *s)
{
	smtp_bye(s, "421 4.3.2 mail host not available\r\n", "backend-unavailable");
}

static void smtp_put_hello(struct session *s, bool is_esmtp, const char *name, size_t len)
{
	leg_put(&s->backend, is_esmtp ? "EHLO " : "HELO ", 5);
	leg_put(&s->backend, name, len);
	leg_put(&s->backend, "\r\n", 2);
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

void smtp_say_hello(struct session *s)
{
	if (!pipe_push(s, s->smtp.is_esmtp ? SMTP_EHLO : SMTP_HELO))
		return;
	s->smtp.caps = 0;
	s->smtp.mechs[0] = '\0';
	s->smtp.has_hello = false;
	s->smtp.in_mail = false;
	s->smtp.has_rcpt = false;
	s->state = SESSION_EHLO;
	smtp_put_hello(s, s->smtp.is_esmtp, s->helo, s->helo_len);
}

void smtp_say_own_hello(struct session *s)
{
	const char *name = s->gate->conf->hostname;

	s->smtp.caps = 0;
	s->state = SESSION_XEHLO;
	smtp_put_hello(s, true, name, strlen(name));
}
