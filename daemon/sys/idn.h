/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/idn - internationalised domain names as the DNS has them (libidn2).
 *
 * A U-label ("münchen") and its A-label ("xn--mnchen-3ya") are the same name. To compare names they are
 * all made A-labels: letters folded, composed, and checked by tables that only a library keeps up to
 * date. Called by proc/mail_name. Standards: RFC 5891, UTS #46 (non-transitional).
 */
#ifndef SYS_IDN_H
#define SYS_IDN_H

#include <stddef.h>

#include "base/cleanup.h"

#define IDN_NAME_MAX 256u /* with the NUL */

/**
 * idn_to_ascii - the A-labels of a domain name.
 * @name, @len: UTF-8; borrowed; without a dot at its end
 * @out_name: untouched on failure
 *
 * Return: 0; -EINVAL, no name that can be in the DNS; -ENOMEM.
 */
int idn_to_ascii(const char *name, size_t len, char out_name[IDN_NAME_MAX]) MUST_CHECK;

#endif
