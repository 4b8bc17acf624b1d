/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap - the commands that a client sends before it is logged in.
 *
 * Grammar only, on a command that wire/imap_read has found whole. Results are spans into the
 * text given. Pure. Used by proc/ (gate).
 *
 * Standards: RFC 9051 §6.1, §6.2, §9; RFC 3501; RFC 4959 (SASL-IR); RFC 2971 (ID).
 */
#ifndef WIRE_IMAP_H
#define WIRE_IMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "wire/span.h"

struct buf;
struct sasl_dialogue;
struct sasl_scratch;

#define IMAP_TAG_MAX_BYTES	 64u /* kept while an answer is awaited; clients use 10 */
#define IMAP_MECHANISM_MAX_BYTES 20u /* RFC 4422 §3.1 */
#define IMAP_ID_PAIRS_MAX	 30u /* RFC 2971 §3.3 */
#define IMAP_ID_KEY_MAX_BYTES	 30u /* RFC 2971 §3.3 */
#define IMAP_ID_VALUE_MAX_BYTES	 1024u /* RFC 2971 §3.3 */

enum imap_verb {
	IMAP_UNKNOWN,
	IMAP_CAPABILITY,
	IMAP_NOOP,
	IMAP_LOGOUT,
	IMAP_ID,
	IMAP_STARTTLS,
	IMAP_LOGIN,
	IMAP_AUTHENTICATE,
	IMAP_LATER, /* SELECT, FETCH, ...: for those who have logged in */
	IMAP_HTTP,  /* GET, POST, ...: a browser was tricked into talking to us */
	IMAP_VERB_COUNT,
};

struct imap_command {
	enum imap_verb verb;
	struct span tag;  /* empty: there is none that could stand in an answer */
	struct span word; /* the verb as it was written */
	struct span args; /* behind it and its spaces; empty if only spaces follow */
};

/**
 * imap_parse_command - split a command into tag, verb and arguments.
 * @text, @len: of imap_read; not NUL-terminated; borrowed
 * @out_command: always written; the tag also on failure, if there is a good one
 *
 * command = tag SP command-name [SP arguments]    RFC 9051 §9
 * tag = 1*<any ASTRING-CHAR except "+">
 *
 * Verbs in any case; more spaces than one are let through, as servers do.
 *
 * Return: 0; -EBADMSG, no command.
 */
int imap_parse_command(const char *text, size_t len,
		       struct imap_command *out_command) MUST_CHECK;

enum imap_string_kind {
	IMAP_STRING_ATOM,
	IMAP_STRING_QUOTED,
	IMAP_STRING_LITERAL,
	IMAP_STRING_NIL, /* no string: ID has it in place of a value */
};

struct imap_string {
	struct span span; /* without quotes, without "{5}" */
	enum imap_string_kind kind;
	bool has_escapes; /* QUOTED: backslashes are not part of it */
};

/**
 * imap_string_copy - the bytes that a string stands for.
 * @text: what its span points into
 * @out: receives them; overflow is said there
 */
void imap_string_copy(const char *text, const struct imap_string *string,
		      struct buf *out);

struct imap_login {
	struct imap_string user;
	struct imap_string secret;
};

#define IMAP_LOGIN_MAX_BYTES 8192u /* of a name or a password, with its escapes */

/**
 * imap_parse_login - the arguments of LOGIN.
 * @text: the command
 * @args: its arguments
 * @out_login: spans inside @text; untouched on failure
 *
 * login = "LOGIN" SP userid SP password; both astring    RFC 9051 §6.2.3, §9
 *
 * As servers do, an atom may also hold "%", "*" and "\", which people have in their
 * passwords; and a quoted string 8-bit text. Nothing may hold a NUL.
 *
 * Return: 0; -EBADMSG; -EMSGSIZE, more than IMAP_LOGIN_MAX_BYTES.
 */
int imap_parse_login(const char *text, struct span args,
		     struct imap_login *out_login) MUST_CHECK;

/**
 * imap_login_dialogue - what a LOGIN tries, for imap_outcome() and the strikes.
 * @text: the command
 * @login: what is in it
 * @dialogue: written anew
 * @scratch: receives the secret; the caller wipes all of it
 */
void imap_login_dialogue(const char *text, const struct imap_login *login,
			 struct sasl_dialogue *dialogue, struct sasl_scratch *scratch);

struct imap_authenticate {
	struct span mechanism;
	struct span initial; /* initial response; "=" stands for an empty one */
	bool has_initial;
};

/**
 * imap_parse_authenticate - mechanism and initial response of AUTHENTICATE.
 *
 * authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]    RFC 9051 §9, RFC 4959
 * sasl-mech = 1*20( UPPER / DIGIT / "-" / "_" )                   RFC 4422 §3.1; any case here
 *
 * As imap_parse_login(). Whether the response is good base64 is for wire/base64.
 */
int imap_parse_authenticate(const char *text, struct span args,
			    struct imap_authenticate *out_authenticate) MUST_CHECK;

struct imap_id_pair {
	struct imap_string key;
	struct imap_string value; /* may be IMAP_STRING_NIL */
};

/**
 * imap_parse_id - check the arguments of ID.
 * @out_pairs: for imap_next_id_pair(); empty for NIL; untouched on failure
 *
 * id = "ID" SP id-params-list
 * id-params-list = "(" [string SP nstring *(SP string SP nstring)] ")" / nil    RFC 2971 §4
 *
 * Return: 0; -EBADMSG; -EMSGSIZE, more or longer than §3.3 allows.
 */
int imap_parse_id(const char *text, struct span args, struct span *out_pairs) MUST_CHECK;

/**
 * imap_next_id_pair - walk what imap_parse_id() has found.
 * @pairs: what is left; begin with a copy
 * @out_pair: untouched at the end
 *
 * Return: true, one more; false, no more.
 */
bool imap_next_id_pair(const char *text, struct span *pairs,
		       struct imap_id_pair *out_pair);

#endif
