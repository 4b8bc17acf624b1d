/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_login - see gate_login.h.
 */
#include "proc/gate_login.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/base64.h"

bool login_is_offered(const char *mechanisms, const char *mechanism, size_t len)
{
	struct span rest = {.at = 0, .len = (uint32_t)strlen(mechanisms)};
	struct span word;

	while (smtp_next_word(mechanisms, &rest, &word))
		if (word.len == len &&
		    strncasecmp(mechanisms + word.at, mechanism, len) == 0)
			return true;
	return false;
}

bool login_is_base64(struct session *s, const char *text, size_t len)
{
	struct sasl_scratch *scratch = &s->gate->sasl;
	size_t decoded_len;
	const bool is_good = base64_decode(text, len, scratch->bytes,
					   sizeof(scratch->bytes), &decoded_len) == 0;

	explicit_bzero(scratch, sizeof(*scratch));
	return is_good;
}

void login_begin(struct session *s)
{
	memset(s->digest, 0, sizeof(s->digest));
}

void login_present(struct session *s, const struct digest_text *user,
		   const struct digest_text *secret)
{
	digest_credential(s->gate->digest, user, secret, s->digest);
}

void login_present_sasl(struct session *s, const struct sasl_dialogue *dialogue)
{
	struct sasl_scratch *scratch = &s->gate->sasl;

	if (scratch->secret_len > 0) {
		const struct digest_text user = {dialogue->user, dialogue->user_len};
		const struct digest_text secret = {scratch->bytes + scratch->secret_at,
						   scratch->secret_len};

		login_present(s, &user, &secret);
	}
	explicit_bzero(scratch, sizeof(*scratch));
}

void login_look_at(struct session *s, struct sasl_dialogue *dialogue, const char *line,
		   size_t len)
{
	sasl_client_line(dialogue, line, len, &s->gate->sasl);
	login_present_sasl(s, dialogue);
}

void login_note_user(struct session *s, const char *name, size_t len)
{
	struct buf user;

	s->has_tried_login = true;
	buf_init(&user, s->user, sizeof(s->user));
	/* Four bytes an escaped one at most, and what does not fit is left out whole. */
	buf_add_escaped(&user, name, len, sizeof(s->user) - 8);
	if (user.overflow && user.len == 0)
		buf_puts(&user, "(not printable)");
}

void login_succeeded(struct session *s)
{
	s->auth_by = AUTH_BY_LOGIN;
	report_login(s);
}

bool login_refused(struct session *s, const struct report_evidence *evidence)
{
	const struct conf_policy *policy = session_policy(s);

	report_strike(s, STRIKE_LOGIN, s->user, evidence);
	if (s->refused_logins < UINT8_MAX)
		s->refused_logins++;
	return policy && report_counts_strikes(s) &&
	       report_mode(s, CHECK_STRIKES) == MODE_ENFORCE &&
	       s->refused_logins >= policy->strikes.max;
}
