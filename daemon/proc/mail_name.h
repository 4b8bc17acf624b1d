/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/mail_name - domains and local parts in the one form in which they are compared.
 *
 * The configuration (keeper) and the commands of a client (gate) go through the same functions, so
 * that what looks alike is alike. Shared by the processes; no state.
 */
#ifndef PROC_MAIL_NAME_H
#define PROC_MAIL_NAME_H

#include "base/cleanup.h"
#include "wire/smtp.h"

#define MAIL_NAME_MAX \
	264u /* "[ipv6:...]", a domain, an unquoted local part; with the NUL */

struct mail_name {
	char text
		[MAIL_NAME_MAX]; /* NUL-terminated, for logs as well: a domain is ASCII */
	size_t len;
};

/**
 * mail_name_domain - a domain: lower case, A-labels, no dot at its end; a literal with its address
 * written in the one way that addr_format() has.
 * @text: what the spans of @domain point into
 * @out_name: untouched on failure
 *
 * Return: 0; -EINVAL, no name that can be in the DNS, so it is nobody's; -ENOMEM.
 */
int mail_name_domain(const char *text, const struct smtp_domain *domain,
		     struct mail_name *out_name) MUST_CHECK;

/**
 * mail_name_local - a local part without its quotes, its letters as they are.
 * @local: with its quotes, if @is_quoted; at most SMTP_PATH_MAX_BYTES
 *
 * May hold any byte but NUL and control characters.
 */
void mail_name_local(const char *text, struct span local, bool is_quoted,
		     struct mail_name *out_name);

#endif
