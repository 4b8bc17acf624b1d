/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/smtp.h"

#include <errno.h>
#include <string.h>

#include "wire/chars.h"
#include "wire/smtp_domain.h"

struct smtp_verb_row {
	const char *word;
	enum smtp_verb verb;
	enum smtp_arg_rule arg_rule;
};

/* The first row of a verb names it. */
static const struct smtp_verb_row verb_rows[] = {
	{"HELO", SMTP_HELO, SMTP_ARG_REQUIRED},
	{"EHLO", SMTP_EHLO, SMTP_ARG_REQUIRED},
	{"LHLO", SMTP_LHLO, SMTP_ARG_REQUIRED},
	{"MAIL", SMTP_MAIL, SMTP_ARG_REQUIRED},
	{"RCPT", SMTP_RCPT, SMTP_ARG_REQUIRED},
	{"DATA", SMTP_DATA, SMTP_ARG_NONE},
	{"BDAT", SMTP_BDAT, SMTP_ARG_REQUIRED},
	{"RSET", SMTP_RSET, SMTP_ARG_NONE},
	{"NOOP", SMTP_NOOP, SMTP_ARG_OPTIONAL},
	{"QUIT", SMTP_QUIT, SMTP_ARG_NONE},
	{"VRFY", SMTP_VRFY, SMTP_ARG_REQUIRED},
	{"EXPN", SMTP_EXPN, SMTP_ARG_REQUIRED},
	{"HELP", SMTP_HELP, SMTP_ARG_OPTIONAL},
	{"AUTH", SMTP_AUTH, SMTP_ARG_REQUIRED},
	{"STARTTLS", SMTP_STARTTLS, SMTP_ARG_NONE},
	{"ETRN", SMTP_ETRN, SMTP_ARG_REQUIRED},
	{"TURN", SMTP_TURN, SMTP_ARG_NONE},
	{"ATRN", SMTP_ATRN, SMTP_ARG_OPTIONAL},
	{"SEND", SMTP_SEND, SMTP_ARG_REQUIRED},
	{"SOML", SMTP_SOML, SMTP_ARG_REQUIRED},
	{"SAML", SMTP_SAML, SMTP_ARG_REQUIRED},
	{"XCLIENT", SMTP_XCLIENT, SMTP_ARG_REQUIRED},
	{"XFORWARD", SMTP_XFORWARD, SMTP_ARG_REQUIRED},
	{"PROXY", SMTP_PROXY, SMTP_ARG_OPTIONAL},
	{"http", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"GET", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"POST", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"PUT", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"HEAD", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"DELETE", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"OPTIONS", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"PATCH", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"TRACE", SMTP_HTTP, SMTP_ARG_OPTIONAL},
	{"CONNECT", SMTP_HTTP, SMTP_ARG_OPTIONAL},
};

#define VERB_ROWS (sizeof(verb_rows) / sizeof(verb_rows[0]))

static bool smtp_is_space(char c)
{
	return c == ' ' || c == '\t';
}

void smtp_parse_command(const char *line, size_t len, struct smtp_command *out_command)
{
	struct smtp_command command = {.verb = SMTP_UNKNOWN};
	size_t at;

	while (len > 0 && smtp_is_space(line[len - 1]))
		len--;
	while (command.word.len < len && !smtp_is_space(line[command.word.len]))
		command.word.len++;
	at = command.word.len;
	while (at < len && smtp_is_space(line[at]))
		at++;
	command.arg = (struct span){.at = (uint32_t)at, .len = (uint32_t)(len - at)};

	for (size_t i = 0; i < VERB_ROWS; i++) {
		if (span_is(line, command.word, verb_rows[i].word)) {
			command.verb = verb_rows[i].verb;
			break;
		}
	}
	*out_command = command;
}

static const struct smtp_verb_row *smtp_verb_find(enum smtp_verb verb)
{
	for (size_t i = 0; i < VERB_ROWS; i++) {
		if (verb_rows[i].verb == verb)
			return &verb_rows[i];
	}
	return NULL;
}

const char *smtp_verb_name(enum smtp_verb verb)
{
	const struct smtp_verb_row *row = smtp_verb_find(verb);

	return row ? row->word : "unknown";
}

enum smtp_arg_rule smtp_verb_arg_rule(enum smtp_verb verb)
{
	const struct smtp_verb_row *row = smtp_verb_find(verb);

	return row ? row->arg_rule : SMTP_ARG_OPTIONAL;
}

/* "JUMPIN' JUPITER", "J\xfcrgens-PC": what mail programs of people take from the name of their machine. */
static bool smtp_is_odd_name(const char *arg, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)arg[i] < ' ' || arg[i] == 0x7f)
			return false;
	return len > 0;
}

int smtp_parse_ehlo(const char *arg, size_t len, unsigned int allow,
		    struct smtp_domain *out_name)
{
	struct smtp_domain name;
	size_t used;

	if (len > SMTP_DOMAIN_MAX_BYTES)
		return -EMSGSIZE;
	used = smtp_scan_domain(arg, len, allow & ~SMTP_ALLOW_UTF8, &name);
	if (used == 0 || used != len) {
		if (!(allow & SMTP_ALLOW_ANY_NAME) || !smtp_is_odd_name(arg, len))
			return -EBADMSG;
		name = (struct smtp_domain){.text = {.at = 0, .len = (uint32_t)len},
					    .kind = SMTP_DOMAIN_ODD};
	}
	*out_name = name;
	return 0;
}

int smtp_parse_auth(const char *arg, size_t len, struct smtp_auth *out_auth)
{
	struct smtp_auth auth = {0};
	size_t at = 0;

	while (at < len &&
	       (chars_is(arg[at], CHARS_LET_DIG) || arg[at] == '-' || arg[at] == '_'))
		at++;
	if (at == 0 || at > SMTP_MECHANISM_MAX_BYTES)
		return -EBADMSG;
	auth.mechanism.len = (uint32_t)at;
	if (at == len) {
		*out_auth = auth;
		return 0;
	}

	if (arg[at] != ' ')
		return -EBADMSG;
	while (at < len && arg[at] == ' ')
		at++;
	auth.initial = (struct span){.at = (uint32_t)at, .len = (uint32_t)(len - at)};
	auth.has_initial = auth.initial.len > 0;
	for (; at < len; at++) {
		if (!chars_is(arg[at], CHARS_PRINT) || arg[at] == ' ')
			return -EBADMSG;
	}
	*out_auth = auth;
	return 0;
}
