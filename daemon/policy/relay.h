/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/relay - who may send to domains that are not ours (relay), and who may use our domains as
 * the sender (spoof).
 *
 * Pure. The gate asks at RCPT and MAIL, `why` for its words. Names come in the form of proc/mail_name:
 * domains in lower case, as A-labels, without a dot at the end; local parts without quotes.
 *
 * The table of local domains has "example.org" for a domain, ".example.org" for all below it.
 */
#ifndef POLICY_RELAY_H
#define POLICY_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_table.h"

enum relay_verdict {
	RELAY_LOCAL,	      /* for us, or for nobody: there are no local domains */
	RELAY_PERMIT,	      /* for others, and the client may */
	RELAY_NO_LOGIN,	      /* for others, and the client is not authenticated */
	RELAY_NO_AR,	      /* for others; authenticated, but its entry has no AR */
	RELAY_ROUTE_NO_LOGIN, /* the local part is a route to others */
	RELAY_ROUTE_NO_AR,
	RELAY_VERDICT_COUNT,
};

struct relay_question {
	const struct text_table *domains;
	uint16_t flags;	       /* of the client's entry */
	bool is_authenticated; /* AUTH, AM or AA */
	bool has_domain;       /* false: <postmaster>, <> */
	const char *local;
	size_t local_len;
	const char *domain; /* empty: no name that anybody could have */
	size_t domain_len;
};

/* Is relay control on: is any domain local? */
bool relay_is_on(const struct text_table *domains);

/* Is this domain one of ours? */
bool relay_is_local(const struct text_table *domains, const char *domain, size_t len);

/* May this client send to this recipient? */
enum relay_verdict relay_decide(const struct relay_question *recipient);

/* Does a client that is not authenticated use a domain of ours as the sender? */
bool relay_is_spoofed(const struct relay_question *sender);

/* Is it a refusal? */
bool relay_is_refusal(enum relay_verdict verdict);

/* What the client is told, with CRLF; NULL: nothing is refused. */
const char *relay_reply(enum relay_verdict verdict);
const char *relay_spoof_reply(void);

/* The reason in a few words, for the log, without the domain. */
const char *relay_reason(enum relay_verdict verdict);

/**
 * relay_words - what an entry may do, for `postern why`: one sentence.
 * @is_on: relay_is_on(), and the policy's mode is not off
 * @flags: of the entry
 */
const char *relay_words(bool is_on, uint16_t flags);

#endif
