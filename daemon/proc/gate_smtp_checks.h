/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_checks - what the checks say about a client of SMTP, and what becomes of it.
 *
 * The checker is asked when the client connects, and at MAIL about the sender. What it finds is applied at the first RCPT, so that the log knows
 * name, sender and recipient by then; what the gate finds out itself is applied at once. A client that counts as
 * authenticated is exempt. Each thing that is found is told to the ledger, once a session, when it is applied.
 */
#ifndef PROC_GATE_SMTP_CHECKS_H
#define PROC_GATE_SMTP_CHECKS_H

#include <stdbool.h>

#include "proc/session.h"
#include "wire/smtp.h"

/*
 * Mode of a check for this session: off too if the entry lacks its flag, or the client is exempt. A result of SPF
 * may want greylisting without the flag.
 */
enum check_mode checks_mode(const struct session *session, enum conf_check check);

/* Why a check is not made of this client: static text, for people; NULL: it is made. */
const char *checks_skipped(const struct session *session, enum conf_check check);

/* The client has connected: ask the checker. */
void checks_ask(struct session *session);

/* An answer of the checker. */
void checks_take_answer(struct session *session, const struct msg_answer *answer);

/* What is still awaited is not known: time is up, or the checker has gone. */
void checks_give_up(struct session *session);

/* The session is over. */
void checks_leave(const struct session *session);

/* With rbl-at = connect: does the greeting have to wait for the lists? Then a deadline is set. */
bool checks_wait_to_greet(struct session *session);

/* What is said in the place of the greeting, if the client is listed; NULL: it is to be greeted. */
const char *checks_refuse_greeting(struct session *session);

/* An answer for a session that is over. */
void checks_take_late(struct gate *gate, const struct msg_answer *answer);

/**
 * checks_found - the gate has checked something itself.
 * @answer: what was found
 *
 * Return: true if the client is to be refused for it.
 */
bool checks_found(struct session *session, enum conf_check check,
		  const struct check_answer *answer);

/* A new message: what a check finds of its sender is another finding than that of the one before. */
void checks_renew(struct session *session, enum conf_check check);

/* Ahead of RCPT and DATA. Does the client have to wait for an answer, or for the replies before this one? */
bool checks_wait(struct session *session, enum smtp_verb verb);

/**
 * checks_refusal - at RCPT, with nothing to wait for: apply what was found.
 *
 * Return: the reply that refuses the recipient, in gate.reply or static; NULL: no check has anything against it.
 */
const char *checks_refusal(struct session *session);

#endif
