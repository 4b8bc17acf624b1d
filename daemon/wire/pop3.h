/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/pop3 - POP3 up to the login: commands of a client, replies and capabilities of a backend.
 *
 * Works on single lines as wire/line finds them; returns spans into them. What follows a
 * login is nobody's business here. Pure. Used by proc/ (gate).
 *
 * Standards: RFC 1939; RFC 2449 (CAPA, response codes), RFC 3206 (SYS, AUTH), RFC 2595
 * (STLS), RFC 5034 (AUTH), RFC 6856 (UTF8, LANG). XCLIENT is Dovecot's.
 */
#ifndef WIRE_POP3_H
#define WIRE_POP3_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "wire/sasl.h"
#include "wire/span.h"

#define POP3_MECHANISM_MAX_BYTES 20u  /* RFC 4422 §3.1 */
#define POP3_NAME_MAX_BYTES	 255u /* RFC 2449 §4: a command has 255 octets in all */
#define POP3_XCLIENT_MAX_BYTES	 256u /* with CRLF */

enum pop3_verb {
	POP3_UNKNOWN,
	POP3_CAPA,
	POP3_USER,
	POP3_PASS,
	POP3_APOP,
	POP3_AUTH,
	POP3_STLS,
	POP3_QUIT,
	POP3_NOOP,
	POP3_UTF8,
	POP3_LANG,
	POP3_XCLIENT, /* Dovecot: never taken from a client */
	POP3_PROXY,   /* PROXY protocol, version 1: never taken from a client */
	POP3_MAILBOX, /* one of those that need a login: STAT, LIST, RETR, ... */
	POP3_HTTP,    /* a browser: the first word of HTTP */
	POP3_VERB_COUNT,
};

struct pop3_command {
	enum pop3_verb verb;
	/*
	 * Behind the one space that follows the verb. Of PASS all of it, spaces at its ends, too, since they
	 * may belong to the password (RFC 1939 §7); of others without those.
	 */
	struct span arg;
};

/* Never fails: what is no command is POP3_UNKNOWN. @line, @len: without its end. */
void pop3_parse_command(const char *line, size_t len, struct pop3_command *out_command);

/* Argument of AUTH. */
struct pop3_auth {
	struct span mechanism; /* len 0: the client asks for a list, as before RFC 5034 */
	struct span initial;   /* "=" is an empty one */
	bool has_initial;
};

/**
 * pop3_parse_auth - AUTH [mechanism [SP initial-response]]    RFC 5034 §4
 *
 * Return: 0; -EBADMSG, outputs untouched.
 */
int pop3_parse_auth(const char *arg, size_t len, struct pop3_auth *out_auth) MUST_CHECK;

/* Argument of APOP. */
struct pop3_apop {
	struct span name;
	struct span digest;
};

/**
 * pop3_parse_apop - APOP name SP digest    RFC 1939 §7
 *
 * A name may hold spaces: the last word is the digest, 32 hexadecimal digits.
 *
 * Return: 0; -EBADMSG, outputs untouched.
 */
int pop3_parse_apop(const char *arg, size_t len, struct pop3_apop *out_apop) MUST_CHECK;

enum pop3_status {
	POP3_OK,
	POP3_ERR,
	POP3_CHALLENGE, /* "+ ...": the login goes on, RFC 5034 §4 */
};

/* RFC 2449 §8, RFC 3206 §4. */
enum pop3_code {
	POP3_CODE_NONE,
	POP3_CODE_AUTH,
	POP3_CODE_SYS_TEMP,
	POP3_CODE_SYS_PERM,
	POP3_CODE_IN_USE,
	POP3_CODE_LOGIN_DELAY,
	POP3_CODE_OTHER,
	POP3_CODE_COUNT,
};

struct pop3_reply {
	enum pop3_status status;
	enum pop3_code code;
	struct span text; /* behind status and code */
};

/**
 * pop3_parse_reply - the first, or only, line of a reply.
 * @line, @len: without its end
 *
 * Return: 0; -EBADMSG, no POP3, output untouched.
 */
int pop3_parse_reply(const char *line, size_t len,
		     struct pop3_reply *out_reply) MUST_CHECK;

/* Is it the line that ends a reply of several lines? */
bool pop3_is_end(const char *line, size_t len);

/* Capabilities that are more than a line to be passed on. */
enum pop3_capability {
	POP3_CAPA_PLAIN, /* means the same through a gate: TOP, UIDL, PIPELINING, ... */
	POP3_CAPA_SASL,
	POP3_CAPA_USER,
	POP3_CAPA_STLS,
	POP3_CAPA_XCLIENT,
	POP3_CAPA_IMPLEMENTATION, /* whose software it is: not told */
	POP3_CAPA_COUNT,
};

struct pop3_capa_line {
	enum pop3_capability capability;
	struct span text;   /* the line, as it is to be passed on */
	struct span params; /* behind the tag */
};

/**
 * pop3_parse_capa - a line of the answer to CAPA that does not end it.    RFC 2449 §3
 *
 * Return: 0; -EBADMSG, it is not printable ASCII: do not pass it on.
 */
int pop3_parse_capa(const char *line, size_t len,
		    struct pop3_capa_line *out_line) MUST_CHECK;

/* The next word of a list; takes it off rest. false: there is none. */
bool pop3_next_word(const char *text, struct span *rest, struct span *out_word);

/**
 * pop3_find_timestamp - the timestamp for APOP in a greeting.    RFC 1939 §7
 * @out_stamp: with its "<" and ">"; untouched if there is none
 */
bool pop3_find_timestamp(const char *text, size_t len, struct span *out_stamp);

/* Does the greeting say that XCLIENT is taken from us? */
bool pop3_greets_xclient(const char *text, size_t len);

/**
 * pop3_write_xclient - tell Dovecot who the client is.
 * @addr, @port: of the client
 * @session_id: shown in its log
 * @out: with CRLF
 *
 * Return: bytes.
 */
size_t pop3_write_xclient(const struct addr *addr, uint16_t port, uint64_t session_id,
			  char out[POP3_XCLIENT_MAX_BYTES]);

/**
 * pop3_login_plain - USER and PASS, or APOP, as a dialogue for pop3_outcome().
 * @name, @len: as the client wrote it
 * @has_secret: not empty
 */
void pop3_login_plain(struct sasl_dialogue *dialogue, const char *name, size_t len,
		      bool has_secret);

/**
 * pop3_outcome - what the backend's reply to a login means.
 * @reply, @line: the reply, and the line that it is a part of
 * @dialogue: what the client had sent
 *
 * Response codes where there are any; the words of the text where there are none, or where
 * they tell more, without those that are the client's own (its user name).
 */
enum sasl_outcome pop3_outcome(const struct pop3_reply *reply, const char *line,
			       const struct sasl_dialogue *dialogue);

#endif
