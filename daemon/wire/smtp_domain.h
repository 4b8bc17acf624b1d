/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_domain - domain names and address literals at the start of a text.
 *
 * Shared by the parsers of EHLO and of paths; used inside wire/ only.
 */
#ifndef WIRE_SMTP_DOMAIN_H
#define WIRE_SMTP_DOMAIN_H

#include <stddef.h>

#include "wire/smtp.h"

#define SMTP_LABEL_MAX_BYTES 63u /* RFC 1035 §2.3.4 */

/**
 * smtp_scan_domain - the longest domain or literal that a text begins with.
 * @text, @len: borrowed
 * @allow: SMTP_ALLOW_UTF8, SMTP_ALLOW_UNDERSCORE
 * @out_domain: spans from @text; untouched if there is none
 *
 * Domain = sub-domain *("." sub-domain)
 * address-literal = "[" ( IPv4 / "IPv6:" IPv6 / General ) "]"    RFC 5321 §4.1.2, §4.1.3
 *
 * Return: bytes of it; 0, there is none. The length limit is the caller's to check.
 */
size_t smtp_scan_domain(const char *text, size_t len, unsigned int allow,
			struct smtp_domain *out_domain);

#endif
