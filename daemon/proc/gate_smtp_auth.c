/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_auth - see gate_smtp_auth.h.
 */
#include "proc/gate_smtp_auth.h"

#include <string.h>

#include "proc/gate_login.h"
#include "proc/gate_smtp_say.h"

static void auth_put(struct session *s, const char *line, size_t len)
{
	leg_put(&s->backend, line, len);
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	s->smtp.auth_waits = true;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

void auth_begin(struct session *s, const char *arg, const struct smtp_auth *auth)
{
	const char *mechanism = arg + auth->mechanism.at;

	login_begin(s);
	sasl_begin(&s->smtp.login, mechanism, auth->mechanism.len, true);
	leg_put(&s->backend, "AUTH ", 5);
	leg_put(&s->backend, mechanism, auth->mechanism.len);
	if (auth->has_initial) {
		login_look_at(s, &s->smtp.login, arg + auth->initial.at,
			      auth->initial.len);
		leg_put(&s->backend, " ", 1);
		auth_put(s, arg + auth->initial.at, auth->initial.len);
	} else {
		auth_put(s, "", 0);
	}
	line_scanner_set_max(&s->smtp.lines, SMTP_AUTH_MAX_BYTES);
	s->state = SESSION_AUTH;
}

void auth_client_line(struct session *s, const char *line, size_t len)
{
	/* Servers differ in what they read out of bad base64: none gets to see it. */
	if (!login_is_base64(s, line, len)) {
		line = "*";
		len = 1;
	}
	login_look_at(s, &s->smtp.login, line, len);
	auth_put(s, line, len);
}

void auth_reply(struct session *s, const struct smtp_reply_line *reply, const char *bytes)
{
	const struct report_evidence evidence = {reply->code, bytes + reply->text.at,
						 reply->text.len};
	enum sasl_outcome outcome;

	s->smtp.auth_waits = false;
	outcome = sasl_outcome(reply->code, reply->enhanced, &s->smtp.login);
	session_deadline(s, s->gate->conf->limits.command_timeout_s);
	if (outcome == SASL_CONTINUES)
		return;

	s->state = SESSION_COMMAND;
	line_scanner_set_max(&s->smtp.lines, session_line_max(s));
	if (outcome == SASL_SUCCESS || outcome == SASL_REFUSED)
		login_note_user(s, s->smtp.login.user, s->smtp.login.user_len);
	explicit_bzero(&s->smtp.login, sizeof(s->smtp.login));
	if (outcome == SASL_SUCCESS)
		login_succeeded(s);
	else if (outcome == SASL_REFUSED && login_refused(s, &evidence))
		smtp_bye(s, "421 4.7.0 too many refused logins\r\n", "logins");
}
