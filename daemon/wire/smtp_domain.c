/* SPDX-License-Identifier: GPL-2.0-only */
#include "wire/smtp_domain.h"

#include <string.h>
#include <strings.h>

#include "wire/chars.h"

/* One character of a label other than "-": how many bytes, 0 if it is none. */
static size_t domain_letter(const char *text, size_t len, unsigned int allow)
{
	if (len == 0)
		return 0;
	if (chars_is(text[0], CHARS_LET_DIG) ||
	    (text[0] == '_' && allow & SMTP_ALLOW_UNDERSCORE))
		return 1;
	return allow & SMTP_ALLOW_UTF8 ? chars_utf8(text, len) : 0;
}

/* sub-domain = Let-dig [Ldh-str]; Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig */
static size_t domain_label(const char *text, size_t len, unsigned int allow)
{
	size_t at = domain_letter(text, len, allow);
	size_t end = at;

	while (end > 0 && at < len) {
		size_t n = domain_letter(text + at, len - at, allow);

		if (n == 0 && text[at] != '-')
			break;
		at += n ? n : 1;
		if (n)
			end = at;
	}
	return end == at && end <= SMTP_LABEL_MAX_BYTES ? end : 0;
}

static size_t domain_name(const char *text, size_t len, unsigned int allow)
{
	size_t at = domain_label(text, len, allow);

	while (at > 0 && at < len && text[at] == '.') {
		size_t n = domain_label(text + at + 1, len - at - 1, allow);

		if (n == 0)
			return allow & SMTP_ALLOW_UNDERSCORE ? at + 1 : at;
		at += 1 + n;
	}
	return at;
}

/* The address that exactly these bytes are; ADDR_NONE if they are none of this family. */
static struct addr domain_addr(const char *text, size_t len, bool want_v6)
{
	struct addr addr = {.family = ADDR_NONE};
	char copy[ADDR_TEXT_MAX];

	if (len == 0 || len >= sizeof(copy))
		return addr;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (memchr(text, '\0', len) || (memchr(text, ':', len) != NULL) != want_v6)
		return addr;
	if (addr_parse(copy, &addr) != 0)
		addr.family = ADDR_NONE;
	return addr;
}

/* General-address-literal = Standardized-tag ":" 1*dcontent; the tag is Ldh-str */
static bool domain_is_general(const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len);
	size_t tag;

	if (!colon)
		return false;
	tag = (size_t)(colon - text);
	if (tag == 0 || !chars_is(text[tag - 1], CHARS_LET_DIG) || tag + 1 == len)
		return false;
	for (size_t i = 0; i < tag; i++) {
		if (!chars_is(text[i], CHARS_LET_DIG) && text[i] != '-')
			return false;
	}
	return chars_count(colon + 1, len - tag - 1, CHARS_DCONTENT) == len - tag - 1;
}

static size_t domain_literal(const char *text, size_t len, struct smtp_domain *out_domain)
{
	static const char v6_tag[] = "IPv6:";
	const size_t tag_len = sizeof(v6_tag) - 1;
	const char *close = memchr(text, ']', len);
	const char *inner = text + 1;
	size_t inner_len;

	if (!close)
		return 0;
	inner_len = (size_t)(close - inner);
	out_domain->kind = SMTP_DOMAIN_IPV4;
	out_domain->addr = domain_addr(inner, inner_len, false);
	if (out_domain->addr.family != ADDR_NONE)
		return inner_len + 2;
	if (inner_len > tag_len && strncasecmp(inner, v6_tag, tag_len) == 0) {
		out_domain->kind = SMTP_DOMAIN_IPV6;
		out_domain->addr =
			domain_addr(inner + tag_len, inner_len - tag_len, true);
		return out_domain->addr.family != ADDR_NONE ? inner_len + 2 : 0;
	}
	out_domain->kind = SMTP_DOMAIN_GENERAL;
	return domain_is_general(inner, inner_len) ? inner_len + 2 : 0;
}

size_t smtp_scan_domain(const char *text, size_t len, unsigned int allow,
			struct smtp_domain *out_domain)
{
	struct smtp_domain domain = {.kind = SMTP_DOMAIN_NAME};
	size_t used;

	if (len > 0 && text[0] == '[') {
		used = domain_literal(text, len, &domain);
	} else {
		used = domain_name(text, len, allow);
		domain.addr = domain_addr(text, used, false);
		if (domain.addr.family != ADDR_NONE)
			domain.kind = SMTP_DOMAIN_DIGITS;
	}
	if (used == 0)
		return 0;
	domain.text.len = (uint32_t)used;
	*out_domain = domain;
	return used;
}
