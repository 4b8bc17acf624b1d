/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_hello - flag HE: what is asked of the name in EHLO and HELO.
 */
#ifndef PROC_GATE_SMTP_HELLO_H
#define PROC_GATE_SMTP_HELLO_H

#include "proc/session.h"
#include "wire/smtp.h"

/**
 * hello_refusal - apply the checks helo and helo-impersonation.
 * @arg: of the command; the spans of @name point into it
 *
 * Return: the reply that refuses the command; NULL.
 */
const char *hello_refusal(struct session *session, const char *arg,
			  const struct smtp_domain *name);

#endif
