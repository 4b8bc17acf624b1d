/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_auth - see session_auth.h.
 */
#include "proc/session_auth.h"

#include <string.h>

#include "base/buf.h"
#include "base/clock.h"
#include "policy/flags.h"
#include "proc/session.h"

/* The last login of this client over POP3 or IMAP. false: none is known. */
static bool recent_login(const struct session *s, struct auth_recent *out_recent)
{
	const struct prefix_set *logins = s->gate->shared[SHARED_LOGINS];
	const struct prefix_set_question question = {
		.addr = s->addr,
		.now_ns = clock_boot_ns(),
	};
	struct prefix_set_item item;

	if (!logins || !prefix_set_find_value(logins, &question, &item, out_recent))
		return false;
	out_recent->user[sizeof(out_recent->user) - 1] = '\0';
	return true;
}

void session_auth_look(struct session *s)
{
	const struct conf_policy *policy = session_policy(s);
	const uint8_t before = s->auth_by;
	struct auth_recent recent;
	bool is_known;

	if (before == AUTH_BY_LOGIN)
		return;
	is_known = (s->flags & FLAG_AM) && policy && recent_login(s, &recent);
	s->auth_by =
		(uint8_t)auth_decide(s->flags, is_known ? &recent : NULL,
				     policy ? policy->am_window_s : 0, clock_boot_ns());
	if (s->auth_by == AUTH_BY_AM && !s->has_tried_login)
		(void)text_copy(s->user, sizeof(s->user), recent.user);
	else if (before == AUTH_BY_AM && !s->has_tried_login)
		s->user[0] = '\0';
}

bool session_is_authenticated(const struct session *s)
{
	return s->auth_by != AUTH_BY_NONE;
}

size_t session_auth_name(const struct session *s, char out_name[AUTH_USER_MAX])
{
	const struct conf *conf = s->gate->conf;
	struct auth_recent recent;
	const char *name = NULL;

	if (s->auth_by == AUTH_BY_AM && recent_login(s, &recent))
		name = auth_recent_name(&recent);
	if (!name && s->service >= 0 &&
	    (s->auth_by == AUTH_BY_AA || s->auth_by == AUTH_BY_AM))
		name = conf->services[s->service].aa_login;
	if (!name || !name[0])
		return 0;
	(void)text_copy(out_name, AUTH_USER_MAX, name);
	return strlen(out_name);
}

void session_auth_end(struct session *s)
{
	struct msg msg = {.type = MSG_LOGOUT, .logout.session_id = s->id};

	if (s->auth_by == AUTH_BY_LOGIN &&
	    service_type_is_mailbox((enum service_type)s->service_type))
		/* Should it be lost, the ledger's next count finds out. */
		(void)channel_send(s->gate->ledger, &msg, -1);
}
