/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/helo - see the header.
 */
#include "checks/helo.h"

#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/revname.h"
#include "wire/smtp_domain.h"

#define QUOTE_MAX \
	40u /* bytes of the name in the evidence, which become up to four times as many */

/* "[192.0.2.1]", "[IPv6:2001:db8::1]". What else may stand in brackets, nobody uses. */
static bool is_literal(const char *name, size_t len)
{
	struct smtp_domain domain;

	return smtp_scan_domain(name, len, 0, &domain) == len &&
	       (domain.kind == SMTP_DOMAIN_IPV4 || domain.kind == SMTP_DOMAIN_IPV6);
}

static bool is_listed(const char *name, size_t len, const struct conf_policy *policy)
{
	for (uint8_t i = 0; i < policy->helo_undotted_count; i++)
		if (strlen(policy->helo_undotted[i]) == len &&
		    strncasecmp(policy->helo_undotted[i], name, len) == 0)
			return true;
	return false;
}

static const char *helo_problem(const char *name, size_t len,
				const struct conf_policy *policy)
{
	if (len > 0 && name[0] == '[')
		return policy->helo_literals_allow && is_literal(name, len)
			       ? NULL
			       : "an address";
	if (is_listed(name, len, policy))
		return NULL;
	for (size_t i = 0; i < len; i++)
		if (name[i] == ':')
			return "an address";
	return hostname_problem(name, len);
}

enum check_result check_helo(const char *name, size_t len,
			     const struct conf_policy *policy,
			     struct check_answer *out_answer)
{
	const char *problem = helo_problem(name, len, policy);
	struct buf buf;

	*out_answer = (struct check_answer){.result = problem ? CHECK_HIT : CHECK_CLEAN};
	buf_init(&buf, out_answer->evidence, sizeof(out_answer->evidence));
	if (problem)
		buf_printf(&buf, "%s: ", problem);
	buf_add_escaped(&buf, name, len, QUOTE_MAX);
	return out_answer->result;
}
