/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_xclient - see gate_smtp_xclient.h.
 */
#include "proc/gate_smtp_xclient.h"

#include <string.h>

#include "base/siphash.h"
#include "proc/backend.h"
#include "proc/gate_smtp_say.h"
#include "proc/session_auth.h"
#include "proc/session_proxy.h"
#include "wire/xclient.h"

/* A number for a name, so that a session need not keep it; 0: no name. */
static uint64_t login_number(const struct session *s, const char *name, size_t len)
{
	return len ? siphash24(s->gate->client_seed, name, len) | 1 : 0;
}

void xclient_take_offer(struct session *s, uint32_t attributes)
{
	if (s->smtp.xclient_left != 0)
		return;
	s->smtp.xclient_left = attributes;
	s->smtp.xclient_has_login |= (attributes & XCLIENT_LOGIN) != 0;
}

int xclient_say(struct session *s)
{
	const uint32_t before = s->smtp.xclient_left;
	char login[AUTH_USER_MAX];
	const size_t login_len = s->smtp.wants_no_login ? 0 : session_auth_name(s, login);
	struct xclient client = {
		.helo = s->helo,
		.helo_len = s->helo_len,
		.name = s->host_name[0] ? s->host_name : NULL,
		.login = login_len ? login : NULL,
		.login_len = login_len,
		.addr = s->addr,
		.port = s->port,
		.is_esmtp = s->smtp.is_esmtp,
	};
	char line[XCLIENT_LINE_MAX_BYTES];
	size_t len;
	int result;

	if (session_local(s, &client.dest_addr, &client.dest_port))
		client.dest_port = 0;
	result = xclient_next(&client, &s->smtp.xclient_left, line, &len);
	if (result != 1)
		return result;
	leg_put(&s->backend, line, len);
	if (before & ~s->smtp.xclient_left & XCLIENT_LOGIN)
		s->smtp.told_login = login_number(s, login, login_len);
	s->state = SESSION_XCLIENT;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
	return 1;
}

bool xclient_renew(struct session *s, enum smtp_verb verb)
{
	char login[AUTH_USER_MAX];
	size_t len = 0;

	if ((verb != SMTP_MAIL && verb != SMTP_AUTH) || !s->smtp.xclient_has_login ||
	    s->state != SESSION_COMMAND || s->smtp.in_mail || !s->smtp.has_hello)
		return false;
	/* For a login of its own the client has to be nobody: who has a name is refused another. */
	if (verb == SMTP_MAIL) {
		session_auth_look(s);
		len = session_auth_name(s, login);
	}
	if (s->auth_by == AUTH_BY_LOGIN ||
	    s->smtp.told_login == login_number(s, login, len))
		return false;
	s->smtp.wants_no_login = verb == SMTP_AUTH;
	smtp_quit_backend(s);
	session_detach(s, &s->backend, false);
	s->smtp.is_renewing = true;
	backend_open(s);
	return true;
}
