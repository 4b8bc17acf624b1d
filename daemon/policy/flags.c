/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/flags.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

static const struct {
	uint16_t bit;
	char name[4];
	const char *meaning;
} flags[] = {
	{FLAG_PA, "PA", "permit access; without it every connection is rejected"},
	{FLAG_AA, "AA", "the connection counts as authenticated"},
	{FLAG_AS, "AS", "may use SMTP AUTH"},
	{FLAG_AM, "AM", "counts as authenticated after a recent POP3 or IMAP login"},
	{FLAG_AR, "AR", "authenticated users may relay"},
	{FLAG_RBL, "RBL", "looked up in the DNS blocklists; listed: rejected"},
	{FLAG_BAN, "BAN", "banned for an attempted denial of service"},
	{FLAG_LL, "LL", "strikes are counted; at the limit the address is banned"},
	{FLAG_BL, "BL", "blacklisted: dropped in the kernel"},
	{FLAG_PTR, "PTR", "rejected without a valid PTR record"},
	{FLAG_HE, "HE", "the HELO name must be well formed and no address"},
	{FLAG_GL, "GL", "greylisted"},
	{FLAG_SPF, "SPF", "the sender's domain must permit the address"},
	{FLAG_DR, "DR", "the routing table rewrites no recipient"},
};

static_assert(sizeof(flags) / sizeof(flags[0]) == FLAG_COUNT, "one row for each flag");

uint16_t flag_from_name(const char *name, size_t len)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (strlen(flags[i].name) == len &&
		    strncasecmp(flags[i].name, name, len) == 0)
			return flags[i].bit;
	}
	return 0;
}

const char *flag_name(uint16_t bit)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (flags[i].bit == bit)
			return flags[i].name;
	}
	return "-";
}

const char *flag_meaning(uint16_t bit)
{
	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (flags[i].bit == bit)
			return flags[i].meaning;
	}
	return "-";
}

const char *flags_format(uint16_t set, char out_text[FLAGS_TEXT_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < FLAG_COUNT; i++) {
		if (!(set & flags[i].bit))
			continue;
		if (len > 0)
			out_text[len++] = ' ';
		memcpy(out_text + len, flags[i].name, strlen(flags[i].name));
		len += strlen(flags[i].name);
	}
	if (len == 0)
		out_text[len++] = '-';
	out_text[len] = '\0';
	return out_text;
}
