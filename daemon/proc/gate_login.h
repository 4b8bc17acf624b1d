/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_login - what every login has in common: who tried with what, and how did it end?
 *
 * Secrets are digested at once and wiped wherever they stood. Whether a reply means
 * success or refusal is decided by each protocol (wire/sasl, wire/pop3, ...).
 */
#ifndef PROC_GATE_LOGIN_H
#define PROC_GATE_LOGIN_H

#include "proc/gate_report.h"
#include "proc/session.h"

/* Is the mechanism among those, in a list of words? */
bool login_is_offered(const char *mechanisms, const char *mechanism, size_t len);

/* Is it base64 that every decoder reads alike? */
bool login_is_base64(struct session *session, const char *text, size_t len);

/* A login begins: no credential has been presented yet. */
void login_begin(struct session *session);

/**
 * login_look_at - note what a line of a SASL dialogue presents.
 * @dialogue: of this login
 * @line, @len: without its end; wiped by the caller
 */
void login_look_at(struct session *session, struct sasl_dialogue *dialogue,
		   const char *line, size_t len);

/* A user name and a password that were said in the clear; the caller wipes them. */
void login_present(struct session *session, const struct digest_text *user,
		   const struct digest_text *secret);

/* The same for what a dialogue has left in gate.sasl, which is wiped here. */
void login_present_sasl(struct session *session, const struct sasl_dialogue *dialogue);

/* Who it is about, in session.user: escaped and bounded. Also who tried in vain. */
void login_note_user(struct session *session, const char *user, size_t len);

/* The backend has let them in. */
void login_succeeded(struct session *session);

/**
 * login_refused - the credential was wrong: a strike.
 * @evidence: the backend's reply
 *
 * Return: true if this was the last one allowed in a session: say goodbye.
 */
bool login_refused(struct session *session, const struct report_evidence *evidence);

#endif
