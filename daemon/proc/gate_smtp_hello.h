/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_hello - flag HE: what is asked of the name in EHLO and HELO.
 */
#ifndef PROC_GATE_SMTP_HELLO_H
#define PROC_GATE_SMTP_HELLO_H

#include "proc/session.h"
#include "wire/smtp.h"

/**
 * hello_read - take the name from the argument of EHLO or HELO.
 * @arg, @len: of the command
 * @out_name: spans inside @arg
 *
 * Return: NULL; or the reply to what cannot even be shown: control characters, more than 255 bytes.
 */
const char *hello_read(const char *arg, size_t len,
		       struct smtp_domain *out_name) MUST_CHECK;

/**
 * hello_refusal - apply the checks helo and helo-impersonation.
 * @arg: of the command; the spans of @name point into it
 *
 * A client that has yet to log in is not judged by its name before its first recipient: mail programs of people
 * say "[192.168.1.5]" or "DESKTOP-1", and whoever is authenticated is exempt.
 *
 * Return: the reply that refuses the command; NULL.
 */
const char *hello_refusal(struct session *session, const char *arg,
			  const struct smtp_domain *name) MUST_CHECK;

/* The same at a recipient, for the name that was not judged at EHLO. */
const char *hello_refuse_recipient(struct session *session) MUST_CHECK;

#endif
