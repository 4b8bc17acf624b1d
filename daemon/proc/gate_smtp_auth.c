/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_auth - see gate_smtp_auth.h.
 */
#include "proc/gate_smtp_auth.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "proc/gate_smtp_report.h"
#include "proc/gate_smtp_say.h"
#include "wire/base64.h"

bool auth_is_offered(const struct session *s, const char *mechanism, size_t len)
{
	const char *mechs = s->smtp.mechs;
	struct span rest = {.at = 0, .len = (uint32_t)strlen(mechs)};
	struct span word;

	while (smtp_next_word(mechs, &rest, &word))
		if (word.len == len && strncasecmp(mechs + word.at, mechanism, len) == 0)
			return true;
	return false;
}

bool auth_is_base64(struct session *s, const char *text, size_t len)
{
	struct sasl_scratch *scratch = &s->gate->sasl;
	size_t decoded_len;
	const bool is_good = base64_decode(text, len, scratch->bytes,
					   sizeof(scratch->bytes), &decoded_len) == 0;

	explicit_bzero(scratch, sizeof(*scratch));
	return is_good;
}

static void auth_put(struct session *s, const char *line, size_t len)
{
	leg_put(&s->backend, line, len);
	leg_put(&s->backend, "\r\n", 2);
	leg_flush_secret(&s->backend);
	s->smtp.auth_waits = true;
	session_deadline(s, s->gate->conf->limits.backend_reply_timeout_s);
}

static void auth_look_at(struct session *s, const char *line, size_t len)
{
	struct sasl_dialogue *login = &s->smtp.login;
	struct sasl_scratch *scratch = &s->gate->sasl;

	sasl_client_line(login, line, len, scratch);
	if (scratch->secret_len > 0) {
		const struct digest_text user = {login->user, login->user_len};
		const struct digest_text secret = {scratch->bytes + scratch->secret_at,
						   scratch->secret_len};

		digest_credential(s->gate->digest, &user, &secret, s->smtp.digest);
	}
	explicit_bzero(scratch, sizeof(*scratch));
}

void auth_begin(struct session *s, const char *arg, const struct smtp_auth *auth)
{
	const char *mechanism = arg + auth->mechanism.at;

	memset(s->smtp.digest, 0, sizeof(s->smtp.digest));
	sasl_begin(&s->smtp.login, mechanism, auth->mechanism.len, true);
	leg_put(&s->backend, "AUTH ", 5);
	leg_put(&s->backend, mechanism, auth->mechanism.len);
	if (auth->has_initial) {
		auth_look_at(s, arg + auth->initial.at, auth->initial.len);
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
	if (!auth_is_base64(s, line, len)) {
		line = "*";
		len = 1;
	}
	auth_look_at(s, line, len);
	auth_put(s, line, len);
}

static void auth_note_user(struct session *s)
{
	const struct sasl_dialogue *login = &s->smtp.login;
	struct buf user;

	buf_init(&user, s->user, sizeof(s->user));
	/* Four bytes an escaped one at most, and what does not fit is left out whole. */
	buf_add_escaped(&user, login->user, login->user_len, sizeof(s->user) - 8);
	if (user.overflow && user.len == 0)
		buf_puts(&user, "(not printable)");
}

static void auth_refused(struct session *s, const struct smtp_evidence *evidence)
{
	const struct conf_policy *policy = session_policy(s);

	smtp_report_strike(s, STRIKE_LOGIN, s->user, evidence);
	if (s->smtp.refused_logins < UINT8_MAX)
		s->smtp.refused_logins++;
	if (policy && smtp_counts_strikes(s) &&
	    smtp_mode(s, CHECK_STRIKES) == MODE_ENFORCE &&
	    s->smtp.refused_logins >= policy->strikes.max)
		smtp_bye(s, "421 4.7.0 too many refused logins\r\n", "logins");
}

void auth_reply(struct session *s, const struct smtp_reply_line *reply, const char *bytes)
{
	const struct smtp_evidence evidence = {reply->code, bytes + reply->text.at,
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
		auth_note_user(s);
	explicit_bzero(&s->smtp.login, sizeof(s->smtp.login));
	if (outcome == SASL_SUCCESS) {
		s->is_authenticated = true;
		smtp_report_login(s);
	} else if (outcome == SASL_REFUSED) {
		auth_refused(s, &evidence);
	}
}
