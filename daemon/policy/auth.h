/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/auth - who vouches for a client: itself by a login, or its entry (AA).
 *
 * Pure. Asked by the gates for the clients of SMTP; what an authenticated one may then do is
 * decided elsewhere.
 */
#ifndef POLICY_AUTH_H
#define POLICY_AUTH_H

#include <stdint.h>

enum auth_by {
	AUTH_BY_NONE,  /* nobody */
	AUTH_BY_LOGIN, /* it has logged in */
	AUTH_BY_AA,    /* its entry has AA */
	AUTH_BY_COUNT,
};

/* "login", "aa", as in log and CLI; "-" for nobody. */
const char *auth_by_name(enum auth_by by);

/* Who vouches for a client that has not logged in itself. @flags: of its entry. */
enum auth_by auth_decide(uint16_t flags);

#endif
