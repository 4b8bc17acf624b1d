/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/relay - see relay.h.
 */
#include "policy/relay.h"

#include <assert.h>
#include <string.h>

#include "policy/flags.h"

bool relay_is_on(const struct text_table *domains)
{
	return domains && text_table_count(domains) > 0;
}

bool relay_is_local(const struct text_table *domains, const char *domain, size_t len)
{
	struct text_row row;

	if (text_table_find(domains, domain, len, &row))
		return true;
	/* ".b.example.org", ".example.org", ".org": a name has 127 labels at most. */
	for (size_t at = 1; at < len; at++)
		if (domain[at] == '.' &&
		    text_table_find(domains, domain + at, len - at, &row))
			return true;
	return false;
}

/*
 * "user%there@here", "there!user@here", and a quoted "user@there"@here are routes: many hosts take the
 * front part for the true address (RFC 5321 appendix F.2 wants them ignored). Some fold wide forms of these signs, too.
 */
static bool local_is_route(const char *local, size_t len)
{
	static const char *const signs[] = {
		"%",
		"!",
		"@",
		"\xef\xbc\x85", /* U+FF05, full-width % */
		"\xef\xbc\x81", /* U+FF01, full-width ! */
		"\xef\xbc\xa0", /* U+FF20, full-width @ */
		"\xef\xb9\xaa", /* U+FE6A, small % */
		"\xef\xb9\x97", /* U+FE57, small ! */
		"\xef\xb9\xab", /* U+FE6B, small @ */
	};

	for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
		if (len > 0 && memmem(local, len, signs[i], strlen(signs[i])))
			return true;
	return false;
}

enum relay_verdict relay_decide(const struct relay_question *q)
{
	const bool may = q->is_authenticated && (q->flags & FLAG_AR);
	bool is_local;

	if (!relay_is_on(q->domains))
		return RELAY_LOCAL;
	is_local = !q->has_domain || relay_is_local(q->domains, q->domain, q->domain_len);
	if (is_local && !local_is_route(q->local, q->local_len))
		return RELAY_LOCAL;
	if (may)
		return RELAY_PERMIT;
	if (is_local)
		return q->is_authenticated ? RELAY_ROUTE_NO_AR : RELAY_ROUTE_NO_LOGIN;
	return q->is_authenticated ? RELAY_NO_AR : RELAY_NO_LOGIN;
}

bool relay_is_spoofed(const struct relay_question *q)
{
	return !q->is_authenticated && q->has_domain && relay_is_on(q->domains) &&
	       relay_is_local(q->domains, q->domain, q->domain_len);
}

bool relay_is_refusal(enum relay_verdict verdict)
{
	return verdict != RELAY_LOCAL && verdict != RELAY_PERMIT;
}

#define DENIED	  "550 5.7.1 relaying denied: "
#define NO_LOGIN  ", and the client is not authenticated (AUTH, AM or AA)\r\n"
#define NO_AR	  ", and the entry of the client's address has no AR\r\n"
#define NOT_LOCAL "the recipient's domain is not local here"
#define ROUTE	  "%, ! or @ in a local part is a route to elsewhere"

const char *relay_reply(enum relay_verdict verdict)
{
	static const char *const replies[RELAY_VERDICT_COUNT] = {
		[RELAY_NO_LOGIN] = DENIED NOT_LOCAL NO_LOGIN,
		[RELAY_NO_AR] = DENIED NOT_LOCAL NO_AR,
		[RELAY_ROUTE_NO_LOGIN] = DENIED ROUTE NO_LOGIN,
		[RELAY_ROUTE_NO_AR] = DENIED ROUTE NO_AR,
	};

	assert((unsigned int)verdict < RELAY_VERDICT_COUNT);
	return replies[verdict];
}

const char *relay_spoof_reply(void)
{
	return "550 5.7.1 the sender's domain is local here" NO_LOGIN;
}

const char *relay_reason(enum relay_verdict verdict)
{
	static const char *const reasons[RELAY_VERDICT_COUNT] = {
		[RELAY_LOCAL] = "local",
		[RELAY_PERMIT] = "authenticated, with AR",
		[RELAY_NO_LOGIN] = "not local, not authenticated",
		[RELAY_NO_AR] = "not local, no AR",
		[RELAY_ROUTE_NO_LOGIN] = "a route, not authenticated",
		[RELAY_ROUTE_NO_AR] = "a route, no AR",
	};

	assert((unsigned int)verdict < RELAY_VERDICT_COUNT);
	return reasons[verdict];
}

const char *relay_words(bool is_on, uint16_t flags)
{
	if (!is_on)
		return "relaying is left to the mail host";
	if (!(flags & FLAG_AR))
		return "never relays, authenticated or not (no AR)";
	if (flags & FLAG_AA)
		return "may relay: counts as authenticated (AA), with AR";
	if (flags & FLAG_AM)
		return "may relay after a login: AUTH, or POP3 or IMAP of late (AM), with AR";
	if (flags & FLAG_AS)
		return "may relay after a login (AUTH), with AR";
	return "never relays: AR is for authenticated clients, and it cannot be one (no AS, AM, AA)";
}
