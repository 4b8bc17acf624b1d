/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_spf - SPF in a session: asked at MAIL, awaited at RCPT, told in the header of the message.
 *
 * The checker looks the records up while the backend thinks about MAIL, and while the client sends RCPT: by then
 * most answers are there. What is known of a message's sender lives in a block of the gate's pool, from MAIL to the
 * end of the message. Whoever wants the result (greylisting) finds it in session.smtp.
 *
 * Standard: RFC 7208 sections 2.4, 8 and 9.1; RFC 7372 (enhanced codes).
 */
#ifndef PROC_GATE_SMTP_SPF_H
#define PROC_GATE_SMTP_SPF_H

#include <stdbool.h>

#include "checks/spf.h"
#include "proc/session.h"
#include "wire/smtp.h"

#define SPF_REPLY_MAX 1000u /* two lines */

/* What is known of the sender of the present message. */
struct smtp_spf {
	struct check_sender sender;
	char detail[CHECK_EVIDENCE_MAX];	/* what decided, or what went wrong */
	char evidence[CHECK_EVIDENCE_MAX + 16]; /* the same with the result in front */
	char reply[SPF_REPLY_MAX];		/* that refuses; "": none */
};

/* MAIL has been passed on: ask, unless the client is exempt. @arg: its argument */
void spf_ask(struct session *session, const char *arg, const struct smtp_path *path);

/* The answer of the checker. Return: false, it is about an earlier message. */
bool spf_take_answer(struct session *session, const struct msg_answer *answer);

/* HIT: the policy refuses the result, whatever its mode; UNKNOWN: it could not be found out. */
enum check_result spf_finding(const struct session *session);

/* "fail: -all of example.org"; "" if nothing is known. */
const char *spf_evidence(const struct session *session);

/* The domain whose record permits the client, in its own case; NULL: none does, or it is not known. */
const char *spf_passing_domain(const struct session *session);

/* The reply that refuses or defers a recipient of this message, valid as long as the message; NULL: none does. */
const char *spf_refusal(struct session *session);

/* What the policy makes of the result, whatever its mode; SPF_ACCEPT if nothing was asked. */
enum spf_action spf_action(const struct session *session);

/* Does the result go into the header of this message? */
bool spf_wants_header(const struct session *session);

/* The backend wants the message: put the header in front of it. */
void spf_put_header(struct session *session);

/* Nothing is known any more: give the block back. No reply that is waiting may come from it. */
void spf_forget(struct session *session);

/* The message has been answered. An answer that is awaited may still come, for the log. */
void spf_message_over(struct session *session);

#endif
