/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/mail_name - see mail_name.h.
 */
#include "proc/mail_name.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sys/idn.h"

static_assert(MAIL_NAME_MAX > SMTP_PATH_MAX_BYTES, "a local part fits");
static_assert(MAIL_NAME_MAX > SMTP_DOMAIN_MAX_BYTES + 2, "a literal fits");
static_assert(MAIL_NAME_MAX >= IDN_NAME_MAX, "an A-label fits");

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

static void put_lower(struct mail_name *name, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		name->text[i] = lower(text[i]);
	name->text[len] = '\0';
	name->len = len;
}

static bool has_8bit(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] > 127)
			return true;
	return false;
}

int mail_name_domain(const char *text, const struct smtp_domain *domain,
		     struct mail_name *out_name)
{
	const char *name = text + domain->text.at;
	size_t len = domain->text.len;
	char addr_text[ADDR_TEXT_MAX];
	char ascii[IDN_NAME_MAX];

	if (domain->kind == SMTP_DOMAIN_IPV4 || domain->kind == SMTP_DOMAIN_IPV6) {
		out_name->len =
			(size_t)snprintf(out_name->text, sizeof(out_name->text), "[%s%s]",
					 domain->addr.family == ADDR_V6 ? "ipv6:" : "",
					 addr_format(&domain->addr, addr_text));
		return 0;
	}
	if (len > 0 && name[len - 1] == '.')
		len--;
	if (has_8bit(name, len)) {
		int err = idn_to_ascii(name, len, ascii);

		if (err)
			return err;
		name = ascii;
		len = strlen(ascii);
	}
	put_lower(out_name, name, len);
	return 0;
}

void mail_name_local(const char *text, struct span local, bool is_quoted,
		     struct mail_name *out_name)
{
	const char *from = text + local.at;
	const size_t quote = is_quoted ? 1 : 0;
	size_t len = 0;

	assert(local.len < sizeof(out_name->text));
	for (size_t i = quote; i + quote < local.len; i++) {
		if (is_quoted && from[i] == '\\' && i + 2 < local.len)
			i++;
		out_name->text[len++] = from[i];
	}
	out_name->text[len] = '\0';
	out_name->len = len;
}
