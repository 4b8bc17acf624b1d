/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/pop3_outcome - what a reply to a login means (wire/pop3.h).
 *
 * Most servers give no code, and those that do give [AUTH] to more than refused credentials. The
 * golden table tests/golden/pop3_login.tsv has the cases.
 */
#include <string.h>
#include <strings.h>

#include "wire/pop3.h"

/* A user name as short as this cannot hold any of the words below. */
#define NAME_HARMLESS_BYTES 2u

#define ANY POP3_CODE_COUNT

/* First match counts; of a credential that was really presented. No words: any text. */
static const struct {
	const char *words; /* in any case; not as a part of the user's own name */
	enum pop3_code code;
	enum sasl_outcome outcome;
} outcome_rows[] = {
	/* RFC 3206 §4, RFC 2449 §8.1: of the last two the password was right. */
	{NULL, POP3_CODE_SYS_TEMP, SASL_TEMPORARY},
	{NULL, POP3_CODE_IN_USE, SASL_TEMPORARY},
	{NULL, POP3_CODE_LOGIN_DELAY, SASL_TEMPORARY},
	{"no such user", POP3_CODE_SYS_PERM, SASL_REFUSED},
	{"unknown user", POP3_CODE_SYS_PERM, SASL_REFUSED},
	{NULL, POP3_CODE_SYS_PERM, SASL_NOT_A_LOGIN},
	/* The server cannot find out. */
	{"temporar", ANY, SASL_TEMPORARY},
	{"internal", ANY, SASL_TEMPORARY},
	{"unavailable", ANY, SASL_TEMPORARY},
	{"not available", ANY, SASL_TEMPORARY},
	{"try again later", ANY, SASL_TEMPORARY},
	{"try later", ANY, SASL_TEMPORARY},
	{"timed out", ANY, SASL_TEMPORARY},
	{"timeout", ANY, SASL_TEMPORARY},
	{"server error", ANY, SASL_TEMPORARY},
	/* It could, whatever else it says. */
	{"incorrect", ANY, SASL_REFUSED},
	{"or password", ANY, SASL_REFUSED},
	{"bad password", ANY, SASL_REFUSED},
	{"wrong password", ANY, SASL_REFUSED},
	{"invalid password", ANY, SASL_REFUSED},
	{"not accepted", ANY, SASL_REFUSED},
	{"unknown user", ANY, SASL_REFUSED},
	{"no such user", ANY, SASL_REFUSED},
	/* The mailbox cannot be had now. */
	{"lock", ANY, SASL_TEMPORARY},
	{"in use", ANY, SASL_TEMPORARY},
	{"busy", ANY, SASL_TEMPORARY},
	{"already", ANY, SASL_TEMPORARY},
	{"too many", ANY, SASL_TEMPORARY},
	{"exceeded", ANY, SASL_TEMPORARY},
	{"unable to open", ANY, SASL_TEMPORARY},
	{"maildir", ANY, SASL_TEMPORARY},
	/* Not in this way, or not this account: nothing was tried. */
	{"plaintext", ANY, SASL_NOT_A_LOGIN},
	{"plain text", ANY, SASL_NOT_A_LOGIN},
	{"cleartext", ANY, SASL_NOT_A_LOGIN},
	{"under a layer", ANY, SASL_NOT_A_LOGIN},
	{"encrypt", ANY, SASL_NOT_A_LOGIN},
	{"secure", ANY, SASL_NOT_A_LOGIN},
	{"tls", ANY, SASL_NOT_A_LOGIN},
	{"ssl", ANY, SASL_NOT_A_LOGIN},
	{"disabled", ANY, SASL_NOT_A_LOGIN},
	{"not enabled", ANY, SASL_NOT_A_LOGIN},
	{"disallow", ANY, SASL_NOT_A_LOGIN},
	{"not allowed", ANY, SASL_NOT_A_LOGIN},
	{"expired", ANY, SASL_NOT_A_LOGIN},
	{"suspended", ANY, SASL_NOT_A_LOGIN},
	{"web login", ANY, SASL_NOT_A_LOGIN},
	{"application-specific", ANY, SASL_NOT_A_LOGIN},
	/* It did not understand. */
	{"command", ANY, SASL_NOT_A_LOGIN},
	{"protocol error", ANY, SASL_NOT_A_LOGIN},
	{"syntax", ANY, SASL_NOT_A_LOGIN},
	{"implemented", ANY, SASL_NOT_A_LOGIN},
	{"supported", ANY, SASL_NOT_A_LOGIN},
	{"mechanism", ANY, SASL_NOT_A_LOGIN},
	{"base64", ANY, SASL_NOT_A_LOGIN},
	{"bad data", ANY, SASL_NOT_A_LOGIN},
	{"user first", ANY, SASL_NOT_A_LOGIN},
	{"no username", ANY, SASL_NOT_A_LOGIN},
	{"cancel", ANY, SASL_NOT_A_LOGIN},
	{"abort", ANY, SASL_NOT_A_LOGIN},
	{NULL, ANY, SASL_REFUSED},
};

/* The place of words in a text, in any case; len if they are not in it. */
static size_t find_words(const char *text, size_t len, const char *words,
			 size_t words_len)
{
	for (size_t at = 0; words_len <= len && at <= len - words_len; at++)
		if (strncasecmp(text + at, words, words_len) == 0)
			return at;
	return len;
}

/* Servers repeat the name that they refuse: nobody shall hide a guess by calling himself "busy". */
static bool has_words(const char *text, size_t len, const char *words,
		      const struct sasl_dialogue *dialogue)
{
	const size_t words_len = strlen(words);
	const size_t name_len =
		dialogue->user_len > NAME_HARMLESS_BYTES ? dialogue->user_len : 0;

	while (len > 0) {
		const size_t end =
			name_len ? find_words(text, len, dialogue->user, name_len) : len;

		if (find_words(text, end, words, words_len) < end)
			return true;
		if (end == len)
			return false;
		text += end + name_len;
		len -= end + name_len;
	}
	return false;
}

void pop3_login_plain(struct sasl_dialogue *dialogue, const char *name, size_t len,
		      bool has_secret)
{
	*dialogue = (struct sasl_dialogue){
		.mechanism = SASL_PLAIN,
		.is_offered = true,
		.is_presented = has_secret && len > 0,
		.user_is_cut = len > SASL_USER_MAX,
		.user_len = (uint8_t)(len > SASL_USER_MAX ? SASL_USER_MAX : len),
	};
	memcpy(dialogue->user, name, dialogue->user_len);
}

enum sasl_outcome pop3_outcome(const struct pop3_reply *reply, const char *line,
			       const struct sasl_dialogue *dialogue)
{
	size_t i = 0;

	if (reply->status == POP3_OK)
		return SASL_SUCCESS;
	if (reply->status == POP3_CHALLENGE)
		return SASL_CONTINUES;
	if (dialogue->is_cancelled)
		return SASL_NOT_A_LOGIN;
	/* A server in trouble says so whatever it was asked. */
	if (reply->code == POP3_CODE_SYS_TEMP)
		return SASL_TEMPORARY;
	if (!dialogue->is_offered || dialogue->is_broken || !dialogue->is_presented)
		return SASL_NOT_A_LOGIN;
	/* The refusal was the challenge; what follows it only ends the exchange. */
	if (dialogue->is_challenged)
		return SASL_REFUSED;
	while ((outcome_rows[i].code != ANY && outcome_rows[i].code != reply->code) ||
	       (outcome_rows[i].words &&
		!has_words(line + reply->text.at, reply->text.len, outcome_rows[i].words,
			   dialogue)))
		i++; /* the last row matches */
	return outcome_rows[i].outcome;
}
