/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap_outcome - what the line that ends a login means (wire/imap_reply.h).
 *
 * NO alone is not enough: servers say it to a mechanism they do not know, to bad base64, to a
 * cancel, and when they cannot find out. Where a response code tells, it counts; where there
 * is none the text has to. Cases in the field: tests/golden/imap_login.tsv.
 */
#include "wire/imap_reply.h"

#include <string.h>
#include <strings.h>

/* SASL_OUTCOME_COUNT: the text decides. */
static const struct {
	enum imap_code code;
	enum sasl_outcome outcome; /* of a credential that was really presented */
} code_rows[] = {
	{IMAP_CODE_AUTHENTICATIONFAILED, SASL_REFUSED},
	{IMAP_CODE_UNAVAILABLE, SASL_TEMPORARY},
	{IMAP_CODE_SERVERBUG, SASL_TEMPORARY},
	{IMAP_CODE_INUSE, SASL_TEMPORARY},
	{IMAP_CODE_LIMIT, SASL_TEMPORARY}, /* too many connections of this user */
	{IMAP_CODE_OVERQUOTA, SASL_TEMPORARY},
	/* The credential is right, or was not looked at. */
	{IMAP_CODE_AUTHORIZATIONFAILED, SASL_NOT_A_LOGIN},
	{IMAP_CODE_EXPIRED, SASL_NOT_A_LOGIN},
	{IMAP_CODE_PRIVACYREQUIRED, SASL_NOT_A_LOGIN},
	{IMAP_CODE_CONTACTADMIN, SASL_NOT_A_LOGIN}, /* Dovecot: a disabled account */
	{IMAP_CODE_NOPERM, SASL_NOT_A_LOGIN},
	{IMAP_CODE_CANNOT, SASL_NOT_A_LOGIN},
	{IMAP_CODE_CLIENTBUG, SASL_NOT_A_LOGIN},
	{IMAP_CODE_REFERRAL, SASL_NOT_A_LOGIN},
	{IMAP_CODE_WEBALERT, SASL_NOT_A_LOGIN}, /* Gmail: go to a web page first */
};

/* First match counts; all in lower case. */
static const struct {
	const char *words;
	enum sasl_outcome outcome;
} text_rows[] = {
	{"temporar", SASL_TEMPORARY}, /* Courier: Temporary problem */
	{"try again later", SASL_TEMPORARY},
	{"unavailable", SASL_TEMPORARY},    /* Exchange: Server Unavailable. 15 */
	{"internal error", SASL_TEMPORARY}, /* Dovecot: Internal error occurred */
	{"server error", SASL_TEMPORARY},
	{"timeout", SASL_TEMPORARY},
	{"timed out", SASL_TEMPORARY},
	{"maintenance", SASL_TEMPORARY},
	{"generic failure", SASL_TEMPORARY}, /* Cyrus: saslauthd does not answer */
	{"too many", SASL_TEMPORARY},	     /* Gmail: simultaneous connections */
	{"maximum number", SASL_TEMPORARY},
	{"error in imap command", SASL_NOT_A_LOGIN}, /* Courier, of any syntax error */
	{"syntax", SASL_NOT_A_LOGIN},
	{"base64", SASL_NOT_A_LOGIN},
	{"mechanism", SASL_NOT_A_LOGIN}, /* Cyrus: no mechanism available */
	{"not supported", SASL_NOT_A_LOGIN},
	{"unsupported", SASL_NOT_A_LOGIN},
	{"cancel", SASL_NOT_A_LOGIN},
	{"abort", SASL_NOT_A_LOGIN},
	{"disallowed", SASL_NOT_A_LOGIN},
	{"not allowed", SASL_NOT_A_LOGIN},
	{"cleartext", SASL_NOT_A_LOGIN},
	{"plaintext", SASL_NOT_A_LOGIN},
	{"under a layer", SASL_NOT_A_LOGIN}, /* Cyrus: TLS is wanted first */
	{"encrypt", SASL_NOT_A_LOGIN}, /* Cyrus: encryption needed to use mechanism */
	{"starttls", SASL_NOT_A_LOGIN},
	{"disabled", SASL_NOT_A_LOGIN},	   /* account, IMAP, LOGIN */
	{"not enabled", SASL_NOT_A_LOGIN}, /* Gmail: not enabled for IMAP use */
	{"suspended", SASL_NOT_A_LOGIN},
	{"application-specific", SASL_NOT_A_LOGIN}, /* Gmail: the password is right */
	{"web browser", SASL_NOT_A_LOGIN},
	{"already", SASL_NOT_A_LOGIN},
};

/* Does the place lie in the user's name, which some servers repeat? */
static bool is_in_user(const char *text, size_t len, const struct span *place,
		       const struct sasl_dialogue *dialogue)
{
	const size_t user_len = dialogue->user_len;
	size_t from;

	if (user_len < place->len)
		return false;
	from = place->at + place->len > user_len ? place->at + place->len - user_len : 0;
	for (size_t i = from; i <= place->at && i + user_len <= len; i++) {
		if (strncasecmp(text + i, dialogue->user, user_len) == 0)
			return true;
	}
	return false;
}

/* Nobody escapes a strike by calling himself "temporary". */
static bool text_has(const char *text, size_t len, const char *words,
		     const struct sasl_dialogue *dialogue)
{
	struct span place = {.len = (uint32_t)strlen(words)};

	for (; place.at + place.len <= len; place.at++) {
		if (strncasecmp(text + place.at, words, place.len) == 0 &&
		    !is_in_user(text, len, &place, dialogue))
			return true;
	}
	return false;
}

static enum sasl_outcome outcome_of_text(const char *text, size_t len,
					 const struct sasl_dialogue *dialogue)
{
	for (size_t i = 0; i < sizeof(text_rows) / sizeof(text_rows[0]); i++) {
		if (text_has(text, len, text_rows[i].words, dialogue))
			return text_rows[i].outcome;
	}
	return SASL_REFUSED;
}

/* Of NO. */
static enum sasl_outcome outcome_of_refusal(const struct imap_reply_line *line,
					    const char *bytes,
					    const struct sasl_dialogue *dialogue)
{
	for (size_t i = 0; i < sizeof(code_rows) / sizeof(code_rows[0]); i++) {
		if (code_rows[i].code == line->code)
			return code_rows[i].outcome;
	}
	return outcome_of_text(bytes + line->text.at, line->text.len, dialogue);
}

enum sasl_outcome imap_outcome(const struct imap_reply_line *line, const char *bytes,
			       const struct sasl_dialogue *dialogue)
{
	enum sasl_outcome outcome;

	if (line->kind == IMAP_REPLY_GO_ON)
		return SASL_CONTINUES;
	if (line->status == IMAP_STATUS_OK)
		return SASL_SUCCESS;
	if (dialogue->is_cancelled)
		return SASL_NOT_A_LOGIN;
	if (line->status == IMAP_STATUS_BYE)
		return SASL_TEMPORARY;
	if (line->status != IMAP_STATUS_NO) /* BAD: not understood, so not looked at */
		return SASL_NOT_A_LOGIN;
	outcome = outcome_of_refusal(line, bytes, dialogue);
	if (outcome == SASL_TEMPORARY)
		return outcome;
	if (!dialogue->is_offered || dialogue->is_broken || !dialogue->is_presented)
		return SASL_NOT_A_LOGIN;
	/* The refusal was the challenge; what follows it only ends the exchange. */
	return dialogue->is_challenged ? SASL_REFUSED : outcome;
}
