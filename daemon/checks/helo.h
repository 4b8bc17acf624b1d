/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/helo - is the name a client gives in EHLO or HELO the name of a host? (flag HE)
 *
 * Pure: no question to anybody, so the gate calls it itself. Whether the name is true is not asked.
 *
 * Standard: RFC 5321 2.3.5, 4.1.1.1, 4.1.3; RFC 1123 2.1.
 */
#ifndef CHECKS_HELO_H
#define CHECKS_HELO_H

#include <stddef.h>

#include "checks/check.h"

/**
 * check_helo - judge the argument of EHLO or HELO.
 * @name: its bytes, without the verb and surrounding space; not NUL-terminated, any content
 * @len: how many
 * @policy: helo_literals_allow, helo_undotted
 * @out_answer: always written; evidence names the rule that was broken and quotes the name, escaped and cut
 *
 * CLEAN: a host name of at least two labels (letters, digits, hyphens; no label begins or ends with
 * a hyphen; 63 octets a label, 255 in all), whose last label is not all digits. A final dot is let through. A name
 * of one label that the policy lists; an address in brackets if the policy allows it.
 * HIT: all else: a bare address, a single label, an underscore, an empty name.
 *
 * Return: out_answer->result, CHECK_CLEAN or CHECK_HIT.
 */
enum check_result check_helo(const char *name, size_t len,
			     const struct conf_policy *policy,
			     struct check_answer *out_answer);

#endif
