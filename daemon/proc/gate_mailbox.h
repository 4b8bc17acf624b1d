/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_mailbox - what POP3 and IMAP share: a dialogue until the login, then bytes both ways.
 *
 *   SESSION_COMMAND   the client talks with postern; there need be no backend
 *   SESSION_CONNECT, SESSION_BANNER, SESSION_STARTTLS, SESSION_PREPARE
 *                     a login has begun: its line waits in the client's input, to be read again
 *                     when the backend is ready for it
 *   SESSION_AUTH      the login is passed on; mailbox.waits: for the backend's word
 *   SESSION_RELAY     relay_stream
 *
 * A refused login leaves the backend connected for the next one; if it has gone by then, the next login
 * connects anew. What differs between the two protocols is in struct mailbox_talk.
 */
#ifndef PROC_GATE_MAILBOX_H
#define PROC_GATE_MAILBOX_H

#include "proc/gate_login.h"
#include "proc/gate_mailbox_offer.h"
#include "proc/session.h"

/* The longest line of a login dialogue, with CRLF (RFC 4954 section 4 has the only number there is). */
#define MAILBOX_AUTH_MAX_BYTES 12288u
#define MAILBOX_SAY_MAX_BYTES \
	2048u /* longest answer of postern's own: capabilities, a greeting */

/* The part of one protocol. Texts are last lines, static, with CRLF. */
struct mailbox_talk {
	/* Read and deal with what the client says. Return: true, something was done. */
	bool (*client_step)(struct session *session);
	/* The same of the backend, in all states but SESSION_CONNECT and SESSION_RELAY. */
	bool (*backend_step)(struct session *session);
	/* TLS with the backend stands, after STARTTLS or STLS. */
	void (*backend_secured)(struct session *session);
	const char *timeout;  /* the client is too slow */
	const char *errors;   /* or talks nonsense */
	const char *commands; /* or talks on and on */
	const char *logins;   /* or guesses */
	const char *absent;   /* no backend to be had */
	const char *lost;     /* it went away, or says nothing, amid a login */
	const char *shutdown;
};

/* Callbacks of struct session_protocol, alike for both. */
void mailbox_pump(struct session *session);
void mailbox_timeout(struct session *session);
void mailbox_stop(struct session *session, const char *reason);
void mailbox_finish(struct session *session);
void mailbox_secured(struct session *session, struct leg *leg);
bool mailbox_is_amid(const struct session *session);
void mailbox_backend_begins(struct session *session);
void mailbox_backend_absent(struct session *session);

/* At the start of greet(): state and deadline. */
void mailbox_begin(struct session *session, const struct mailbox_talk *talk);

/* STARTTLS or STLS, as session_start_tls(): nothing that was said before counts, to the backend neither. */
void mailbox_start_tls(struct session *session, size_t consumed, const char *go_ahead);

/**
 * mailbox_line - the next line of a leg, read as far as needed.
 * @scanner: of this leg
 * @is_awaited: as in leg_fill()
 * @out_line: LINE_READY: the line stands at leg->in + leg->in_at; drop out_line->consumed when done.
 *            LINE_TOO_LONG: as well, but there is nothing to be looked at
 */
enum line_result mailbox_line(struct leg *leg, struct line_scanner *scanner,
			      bool is_awaited, struct line *out_line);

/* May the client's next line be looked at now? If not, the client is not read: that is the flow control. */
bool mailbox_may_speak(struct session *session);

/* Put a text with CRLF for the client, now. */
void mailbox_say(struct session *session, const char *text);

/* The same, and it counts as an error: too many end the session. */
void mailbox_refuse(struct session *session, const char *text);

/* Count a command of the client. Return: false, it was one too many, and the session ends. */
bool mailbox_count_command(struct session *session);

/* Last words: the session ends when they are written. */
void mailbox_bye(struct session *session, const char *text, const char *reason);

/**
 * mailbox_needs_backend - before a command that the backend must hear.
 *
 * Return: true: it is being connected; leave the line where it is, and read it again in
 * SESSION_COMMAND. false: it is ready.
 */
bool mailbox_needs_backend(struct session *session);

/* The backend has said and heard what comes before a login. */
void mailbox_ready(struct session *session);

/* The backend has gone, or makes no sense: another address, another connection, or the end. */
void mailbox_backend_lost(struct session *session);

/**
 * mailbox_dialogue - a line of the client inside a SASL dialogue goes on to the backend.
 * @line, @len: without its end; wiped by the caller
 *
 * In place of one that is no base64 the backend gets a cancel.
 */
void mailbox_dialogue(struct session *session, const char *line, size_t len);

/* Pass a line of the backend on, with a proper end. */
void mailbox_pass(struct session *session, const char *line, size_t len);

/* A login begins: the next line of the client may be long, the backend's word is awaited for so long. */
void mailbox_login_begins(struct session *session);
void mailbox_login_waits(struct session *session);

/**
 * mailbox_login_ends - what the backend's word meant.
 * @evidence: it
 *
 * The word itself is put for the client before. After success the session is in SESSION_RELAY, after a
 * refusal too many it ends, otherwise it is in SESSION_COMMAND or, if the dialogue goes on, in SESSION_AUTH.
 *
 * @idle_s: for the relay
 */
void mailbox_login_ends(struct session *session, enum sasl_outcome outcome,
			const struct report_evidence *evidence, int64_t idle_s);

#endif
