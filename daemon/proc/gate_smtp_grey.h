/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_grey - greylisting in a session: the question to the ledger, the command that waits for
 * the answer, and the reply.
 *
 * Asked at RCPT, where all three parts of the triplet are known. The null sender is deferred at DATA
 * instead: others ask at RCPT, and go, whether an address exists (callouts), and to defer them would
 * hold up the mail that our own users send; a message of the null sender that is no callout loses
 * nothing, as its body has not been sent yet.
 *
 * The client is not read while a command waits, so that replies keep their order whatever was
 * pipelined behind it. Without an answer in time nobody is deferred.
 */
#ifndef PROC_GATE_SMTP_GREY_H
#define PROC_GATE_SMTP_GREY_H

#include <stdbool.h>

#include "proc/session.h"

#define GREY_PAUSE_MS 10000u /* a ledger that did not answer is not asked for so long */

enum smtp_grey_step {
	SMTP_GREY_IDLE,
	SMTP_GREY_ASKED,    /* the command waits */
	SMTP_GREY_ANSWERED, /* it goes on */
};

/* A new message: what is said of its sender and recipients from here on. @mailbox: without brackets */
void smtp_grey_begin(struct session *session, const char *mailbox, size_t len);

/* Checks whose results greylisting looks at: bit 1 << conf_check. They are awaited before it is asked. */
uint32_t smtp_grey_wants(const struct session *session);

/* Is the command at hand looked at again, after it has waited? */
bool smtp_grey_is_again(const struct session *session);

/**
 * smtp_grey_holds - must RCPT wait for the ledger?
 * @mailbox: the recipient, without brackets
 *
 * Return: true: leave the command in the input and come back when there is an event.
 */
bool smtp_grey_holds(struct session *session, const char *mailbox, size_t len);

/* Is this recipient deferred? Then it has been refused. To be asked once, when it is not held any more. */
bool smtp_grey_defers(struct session *session, const char *mailbox, size_t len);

/* The command has been dealt with. */
void smtp_grey_end(struct session *session);

/* Is DATA deferred? Then it has been refused. */
bool smtp_grey_defers_data(struct session *session);

/* The ledger answers. May end the session. */
void smtp_grey_take(struct session *session, const struct msg_grey_answer *answer);

/* The ledger has gone: who waits for it goes on. May end the session. */
void smtp_grey_give_up(struct session *session);

/* The deadline has passed: was it that of a waiting command? Then it goes on with the next pump. */
bool smtp_grey_timeout(struct session *session);

#endif
