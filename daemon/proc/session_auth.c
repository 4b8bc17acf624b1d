/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_auth - see session_auth.h.
 */
#include "proc/session_auth.h"

#include "proc/session.h"

void session_auth_look(struct session *s)
{
	if (s->auth_by != AUTH_BY_LOGIN)
		s->auth_by = (uint8_t)auth_decide(s->flags);
}

bool session_is_authenticated(const struct session *s)
{
	return s->auth_by != AUTH_BY_NONE;
}
