/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pop3_backend - what the backend of POP3 is told, and what its replies do.
 */
#ifndef PROC_GATE_POP3_BACKEND_H
#define PROC_GATE_POP3_BACKEND_H

#include "proc/gate_mailbox.h"

/* Which reply of the backend is awaited: mailbox.step in SESSION_PREPARE and SESSION_AUTH. */
enum pop3_step {
	POP3_STEP_STLS,
	POP3_STEP_XCLIENT,
	POP3_STEP_CAPA,
	POP3_STEP_CAPA_LINES,
	POP3_STEP_USER,
	POP3_STEP_SECRET, /* USER was fine: none, PASS is to be sent */
	POP3_STEP_LOGIN,  /* to PASS or APOP */
	POP3_STEP_AUTH,	  /* to AUTH, or a line of its dialogue */
	POP3_STEP_PASSED, /* to UTF8 or LANG */
	POP3_STEP_PASSED_LINES,
};

/* Bits of mailbox_offer.caps. */
#define POP3_OFFERS_USER 1u

/* Deal with what the backend says. Return: true, something was done. */
bool pop3_backend_step(struct session *session);
void pop3_backend_secured(struct session *session);

#endif
