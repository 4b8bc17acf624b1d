/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp - the commands that a client sends.
 *
 * Grammar only: whether a command may come now, and whether a name is true, is decided
 * elsewhere. Results are spans into the text given. Pure. Used by proc/ (gate),
 * checks/helo.
 *
 * Standards: RFC 5321 §4.1, RFC 6531 (SMTPUTF8), RFC 4954 (AUTH).
 */
#ifndef WIRE_SMTP_H
#define WIRE_SMTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "wire/span.h"

struct buf;

#define SMTP_LOCAL_MAX_BYTES  64u  /* RFC 5321 §4.5.3.1.1 */
#define SMTP_DOMAIN_MAX_BYTES 255u /* §4.5.3.1.2 */
#define SMTP_PATH_MAX_BYTES   256u /* §4.5.3.1.3, with < and > and a source route */
#define SMTP_COMMAND_MAX_BYTES \
	512u /* §4.5.3.1.4, with CRLF, before extensions add to it */
#define SMTP_LINE_MAX_BYTES	 2048u	/* room for all parameters of MAIL and RCPT */
#define SMTP_AUTH_MAX_BYTES	 12288u /* a line of an AUTH exchange, RFC 4954 §4 */
#define SMTP_MECHANISM_MAX_BYTES 20u	/* RFC 4422 §3.1 */
#define SMTP_PARAMS_MAX		 16u	/* parameters of one MAIL or RCPT */

enum smtp_verb {
	SMTP_UNKNOWN,
	SMTP_HELO,
	SMTP_EHLO,
	SMTP_LHLO,
	SMTP_MAIL,
	SMTP_RCPT,
	SMTP_DATA,
	SMTP_BDAT,
	SMTP_RSET,
	SMTP_NOOP,
	SMTP_QUIT,
	SMTP_VRFY,
	SMTP_EXPN,
	SMTP_HELP,
	SMTP_AUTH,
	SMTP_STARTTLS,
	SMTP_ETRN,
	SMTP_TURN,
	SMTP_ATRN,
	SMTP_SEND,
	SMTP_SOML,
	SMTP_SAML,
	SMTP_XCLIENT,
	SMTP_XFORWARD,
	SMTP_PROXY, /* a PROXY v1 header where a command is expected */
	SMTP_HTTP, /* GET, POST, CONNECT, ...: a browser was tricked into talking to us */
	SMTP_VERB_COUNT,
};

enum smtp_arg_rule {
	SMTP_ARG_NONE,	   /* an argument is a syntax error (501) */
	SMTP_ARG_OPTIONAL, /* either way */
	SMTP_ARG_REQUIRED, /* none is a syntax error (501) */
};

struct smtp_command {
	enum smtp_verb verb;
	struct span word; /* the verb as it was written */
	struct span arg;  /* behind it, without spaces around */
};

/**
 * smtp_parse_command - split a line into verb and argument.
 * @line: without its CRLF, not NUL-terminated; borrowed
 * @len: bytes
 * @out_command: always written; SMTP_UNKNOWN for what is no known verb, and an empty line
 *
 * command = verb [ SP argument ] CRLF, verbs in any case    RFC 5321 §2.4, §4.1.1
 *
 * "MAIL FROM:<a@b>" is SMTP_MAIL with the argument "FROM:<a@b>".
 */
void smtp_parse_command(const char *line, size_t len, struct smtp_command *out_command);

/* "MAIL"; "unknown" and "http" for what has no name of its own. */
const char *smtp_verb_name(enum smtp_verb verb);

enum smtp_arg_rule smtp_verb_arg_rule(enum smtp_verb verb);

/* What a parser forgives or allows; bits. */
enum smtp_allow {
	SMTP_ALLOW_SPACE = 1u << 0,	  /* spaces behind "FROM:" and "TO:" */
	SMTP_ALLOW_NO_BRACKETS = 1u << 1, /* FROM:a@b */
	SMTP_ALLOW_UTF8 = 1u << 2,	  /* valid UTF-8 in addresses, RFC 6531 */
	SMTP_ALLOW_UNDERSCORE = 1u << 3,  /* "_" in names, and one dot at their end */
	SMTP_ALLOW_DOTS = 1u << 4, /* a local part with ".." in it, or "." at an end */
	SMTP_ALLOW_LONG_LOCAL = 1u << 5, /* a local part as long as the path may be */
	SMTP_ALLOW_ANY_NAME = 1u << 6,	 /* in EHLO: whatever has no control character */
	/* What servers in the field forgive, because senders in the field need it. */
	SMTP_ALLOW_USUAL = SMTP_ALLOW_SPACE | SMTP_ALLOW_NO_BRACKETS |
			   SMTP_ALLOW_UNDERSCORE | SMTP_ALLOW_DOTS |
			   SMTP_ALLOW_LONG_LOCAL,
};

enum smtp_domain_kind {
	SMTP_DOMAIN_NAME,
	SMTP_DOMAIN_DIGITS,  /* grammar of a name, but a bare IPv4 address: "192.0.2.1" */
	SMTP_DOMAIN_IPV4,    /* "[192.0.2.1]" */
	SMTP_DOMAIN_IPV6,    /* "[IPv6:2001:db8::1]" */
	SMTP_DOMAIN_GENERAL, /* "[tag:content]" */
	SMTP_DOMAIN_ODD,     /* none of these: a name in EHLO that no host can have */
};

struct smtp_domain {
	struct span text; /* the whole of it, with brackets */
	enum smtp_domain_kind kind;
	struct addr addr; /* of DIGITS, IPV4, IPV6; else ADDR_NONE */
};

/**
 * smtp_parse_ehlo - find the name in the argument of EHLO, HELO or LHLO.
 * @arg: text after the verb, without CRLF, not NUL-terminated; borrowed
 * @len: bytes
 * @allow: SMTP_ALLOW_UNDERSCORE, SMTP_ALLOW_ANY_NAME
 * @out_name: spans inside @arg, valid as long as @arg; untouched on failure
 *
 * ehlo = "EHLO" SP ( Domain / address-literal ) CRLF    RFC 5321 §4.1.1.1
 *
 * Accepts what the grammar accepts, or any text. Whether the name is true is checks/helo.
 *
 * Return: 0; -EBADMSG, neither domain nor literal, or control characters; -EMSGSIZE, longer than
 * SMTP_DOMAIN_MAX_BYTES (255, RFC 5321 §4.5.3.1.2).
 */
int smtp_parse_ehlo(const char *arg, size_t len, unsigned int allow,
		    struct smtp_domain *out_name) MUST_CHECK;

/* Some bytes of a text that somebody else holds. */
struct smtp_bytes {
	const char *bytes;
	size_t len;
};

struct smtp_path {
	struct span mailbox; /* local@domain, without brackets and route; empty: <> */
	struct span local;   /* with its quotes */
	struct smtp_domain domain; /* text empty: none, as in <postmaster> and <> */
	struct span route;  /* "@a,@b" without the colon; to be ignored, §4.1.1.3 */
	struct span params; /* all parameters; walk them with smtp_next_param() */
	bool is_null;	    /* <> */
	bool is_quoted;	    /* the local part is a quoted string */
	bool has_8bit;	    /* local part or domain hold UTF-8 */
};

/**
 * smtp_parse_mail - reverse-path and parameters of MAIL.
 * @arg: text after the verb, beginning with "FROM:"; borrowed
 * @len: bytes
 * @allow: enum smtp_allow
 * @out_path: spans inside @arg; untouched on failure
 *
 * mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF    RFC 5321 §4.1.1.2, §4.1.2
 *
 * Return: 0; -EBADMSG, syntax (501 5.5.4, or 5.1.7 for the address); -EMSGSIZE, a limit of
 * §4.5.3.1 (local part, domain, path), or more than SMTP_PARAMS_MAX; -EILSEQ, bytes above
 * 127 without SMTP_ALLOW_UTF8, or no UTF-8 (553 5.6.7).
 */
int smtp_parse_mail(const char *arg, size_t len, unsigned int allow,
		    struct smtp_path *out_path) MUST_CHECK;

/**
 * smtp_parse_rcpt - forward-path and parameters of RCPT.
 *
 * rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" / Forward-path )
 *        [SP Rcpt-parameters] CRLF                          RFC 5321 §4.1.1.3
 *
 * As smtp_parse_mail(); the null path is -EBADMSG, and a local part without domain is
 * accepted for "postmaster" in any case alone.
 */
int smtp_parse_rcpt(const char *arg, size_t len, unsigned int allow,
		    struct smtp_path *out_path) MUST_CHECK;

struct smtp_param {
	struct span keyword;
	struct span value; /* empty: none */
	bool has_value;	   /* there was a "=" */
};

/**
 * smtp_next_param - walk the parameters of a path.
 * @arg: the text that was parsed
 * @params: what is left; begin with a copy of smtp_path.params
 * @out_param: spans inside @arg; untouched at the end
 *
 * esmtp-param = esmtp-keyword ["=" esmtp-value]    RFC 5321 §4.1.2
 *
 * Return: true, one more; false, no more.
 */
bool smtp_next_param(const char *arg, struct span *params, struct smtp_param *out_param);

/**
 * smtp_write_path - write "MAIL FROM:<...> params" or "RCPT TO:<...> params" anew.
 * @out: receives the command without CRLF; overflow is said there
 * @verb: SMTP_MAIL or SMTP_RCPT
 * @arg: the text that was parsed
 * @path: what was found in it
 *
 * In the one form that every backend reads alike: brackets, no route, one space.
 */
void smtp_write_path(struct buf *out, enum smtp_verb verb, const char *arg,
		     const struct smtp_path *path);

/**
 * smtp_write_mailbox - write an address whose local part has no quotes.
 * @out: receives "local@domain", with quotes where the local part needs them; overflow is said there
 * @local: any bytes but NUL and controls; RFC 5321 §4.1.2
 * @domain: as it is to be
 */
void smtp_write_mailbox(struct buf *out, struct smtp_bytes local,
			struct smtp_bytes domain);

/**
 * smtp_write_orcpt - write "ORCPT=rfc822;..." for an address: RFC 3461 §4.2.
 * @out: overflow is said there
 * @mailbox: as it stood in RCPT; with UTF-8 in it "ORCPT=utf-8;...", RFC 6533 §3
 */
void smtp_write_orcpt(struct buf *out, struct smtp_bytes mailbox);

struct smtp_auth {
	struct span mechanism;
	struct span initial; /* initial response; "=" stands for an empty one */
	bool has_initial;
};

/**
 * smtp_parse_auth - mechanism and initial response of AUTH.
 * @arg: text after the verb; borrowed
 * @len: bytes
 * @out_auth: spans inside @arg; untouched on failure
 *
 * auth = "AUTH" SP sasl-mech [SP initial-response]    RFC 4954 §4, §8
 * sasl-mech = 1*20( UPPER / DIGIT / "-" / "_" )        RFC 4422 §3.1; any case here
 *
 * Whether the response is good base64 is for wire/sasl.
 *
 * Return: 0; -EBADMSG.
 */
int smtp_parse_auth(const char *arg, size_t len, struct smtp_auth *out_auth) MUST_CHECK;

#endif
