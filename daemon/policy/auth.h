/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/auth - who vouches for a client: itself by a login, its entry (AA), or a recent login of its
 * address over POP3 or IMAP (AM).
 *
 * Pure. Asked by the gates for the clients of SMTP, and by `why`; what an authenticated one may then
 * do is decided elsewhere.
 */
#ifndef POLICY_AUTH_H
#define POLICY_AUTH_H

#include <stdbool.h>
#include <stdint.h>

#define AUTH_USER_MAX	 64u /* user name, escaped, with the NUL */
#define AUTH_SERVICE_MAX 32u /* name of a service, with the NUL */

enum auth_by {
	AUTH_BY_NONE,  /* nobody */
	AUTH_BY_LOGIN, /* it has logged in */
	AUTH_BY_AA,    /* its entry has AA */
	AUTH_BY_AM,    /* its entry has AM, and there is a recent login */
	AUTH_BY_COUNT,
};

/* Another number for another layout: a new program reads what an old one has left. */
#define AUTH_RECENT_LAYOUT 1

/* The last login of a client over POP3 or IMAP. It lies in shared memory: no pointers, no padding. */
struct auth_recent {
	/* Boot-time clock: of the login, or of the end of the last session that it began;
	 * CLOCK_FOREVER_NS while one is open. */
	uint64_t seen_ns;
	int64_t login_at_s;	  /* wall clock */
	uint32_t open;		  /* sessions that are open */
	uint32_t has_many;	  /* not 0: different users logged in from this address */
	char user[AUTH_USER_MAX]; /* who did last; escaped */
	char service[AUTH_SERVICE_MAX];
};

/* "login", "aa", "am", as in log and CLI; "-" for nobody. */
const char *auth_by_name(enum auth_by by);

/**
 * auth_recent_until - until when does a login count?
 * @recent: NULL: there was none
 * @window_s: am-window; 0: while a session is open only
 *
 * Return: on the boot-time clock; CLOCK_FOREVER_NS while a session is open; 0: never.
 */
uint64_t auth_recent_until(const struct auth_recent *recent, int64_t window_s);

/**
 * auth_decide - who vouches for a client that has not logged in itself?
 * @flags: of its entry
 * @recent: NULL: none is known
 * @window_s: am-window of the policy
 * @now_ns: boot-time clock
 *
 * AA comes first: it holds whatever happens elsewhere.
 */
enum auth_by auth_decide(uint16_t flags, const struct auth_recent *recent,
			 int64_t window_s, uint64_t now_ns);

/**
 * auth_recent_name - the one user of whom a login is known, as the backend knows him.
 *
 * Return: valid as long as @recent; NULL: there were several, or the name has been cut or
 * escaped, so that it could be taken for another's.
 */
const char *auth_recent_name(const struct auth_recent *recent);

#endif
