/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname - see the header.
 */
#include "wire/revname.h"

#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "wire/chars.h"

const char *revname_in_zone(const struct addr *addr, const char *zone,
			    char out_name[REVNAME_TEXT_MAX])
{
	struct buf buf;

	buf_init(&buf, out_name, REVNAME_TEXT_MAX);
	if (addr->family == ADDR_V4)
		for (int i = 3; i >= 0; i--)
			buf_printf(&buf, "%u.", addr->bytes[i]);
	else
		for (int i = 15; i >= 0; i--)
			buf_printf(&buf, "%x.%x.", addr->bytes[i] & 0xfu,
				   addr->bytes[i] >> 4);
	buf_puts(&buf, zone);
	if (buf.overflow)
		out_name[0] = '\0';
	return out_name;
}

const char *revname_of_addr(const struct addr *addr, char out_name[REVNAME_TEXT_MAX])
{
	return revname_in_zone(
		addr, addr->family == ADDR_V4 ? "in-addr.arpa" : "ip6.arpa", out_name);
}

const char *hostname_label_problem(const char *label, size_t len)
{
	if (len == 0)
		return "an empty label";
	if (len > REVNAME_LABEL_MAX)
		return "a label longer than 63 octets";
	if (label[0] == '-' || label[len - 1] == '-')
		return "a label that begins or ends with a hyphen";
	for (size_t i = 0; i < len; i++)
		if (!chars_is(label[i], CHARS_LET_DIG) && label[i] != '-')
			return "a character other than letters, digits and hyphens";
	return NULL;
}

const char *hostname_problem(const char *name, size_t len)
{
	const char *problem, *label = name;
	size_t labels = 0, label_len = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0)
		return "empty";
	if (len > REVNAME_TEXT_MAX - 3) /* 255 octets are 253 characters and the root */
		return "longer than 255 octets";
	for (const char *end = name + len; label <= end; label += label_len + 1) {
		const char *dot = memchr(label, '.', (size_t)(end - label));

		label_len = (size_t)((dot ? dot : end) - label);
		problem = hostname_label_problem(label, label_len);
		if (problem)
			return problem;
		labels++;
	}
	label -= label_len + 1; /* the last one */
	if (chars_count(label, label_len, CHARS_DIGIT) == label_len)
		return labels == 4 ? "an address" : "a last label of digits only";
	return labels < 2 ? "a single label" : NULL;
}
