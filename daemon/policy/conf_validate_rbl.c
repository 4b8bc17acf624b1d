/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/conf_validate_rbl - see conf_validate.h. DNS lists, and what a policy says of them.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "policy/conf.h"
#include "policy/conf_validate.h"

#define LABEL_LONGEST 63u
#define ZONE_LONGEST  189u /* 253 characters of a name without 64 of nibbles and dots */

int conf_validate_policy_rbls(const struct conf *conf, const struct conf_policy *policy,
			      char *out_problem)
{
	uint64_t sum = 0, count = 0;

	if (policy->rbl_at > RBL_AT_CONNECT || policy->rbl_threshold < 1)
		return problem_set(
			out_problem,
			"policy '%s': rbl-at is rcpt or connect, rbl-threshold 1 or more",
			policy->name);
	for (size_t i = 0; i < CONF_RBLS_MAX; i++) {
		if (!(policy->rbls & UINT32_C(1) << i))
			continue;
		if (i >= conf->rbl_count)
			return problem_set(out_problem,
					   "policy '%s': rbls: there is no such list",
					   policy->name);
		count++;
		if (conf->rbls[i].type == RBL_BLOCK)
			sum += conf->rbls[i].weight;
	}
	if (count > CONF_POLICY_RBLS_MAX)
		return problem_set(out_problem, "policy '%s': rbls: at most %u lists",
				   policy->name, CONF_POLICY_RBLS_MAX);
	if (count > 0 && sum < policy->rbl_threshold)
		return problem_set(
			out_problem,
			"policy '%s': rbl-threshold: %u is more than all its lists together weigh, %" PRIu64,
			policy->name, policy->rbl_threshold, sum);
	return 0;
}

/* Labels of letters, digits, hyphens and underscores; with room for the nibbles of an IPv6 address in front. */
static bool zone_is_fine(const char zone[CONF_HOST_MAX])
{
	static const char allowed[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
		"0123456789-_";
	size_t len = strnlen(zone, CONF_HOST_MAX);
	const char *label = zone;

	if (len == 0 || len > ZONE_LONGEST)
		return false;
	for (;;) {
		const size_t label_len = strspn(label, allowed);

		if (label_len == 0 || label_len > LABEL_LONGEST)
			return false;
		if (label[label_len] == '\0')
			return true;
		if (label[label_len] != '.')
			return false;
		label += label_len + 1;
	}
}

int conf_validate_rbls(const struct conf *conf, char *out_problem)
{
	for (int i = 0; i < conf->rbl_count; i++) {
		const struct conf_rbl *rbl = &conf->rbls[i];

		if (conf_validate_name("rbl", rbl->name, out_problem) != 0)
			return -EINVAL;
		if (conf_rbl_find(conf, rbl->name) != i)
			return problem_set(out_problem, "rbl '%s' is there twice",
					   rbl->name);
		if (!zone_is_fine(rbl->zone))
			return problem_set(
				out_problem,
				"rbl '%s': zone: '%.100s' is no name of a zone: write zen.example.net, at most %u characters",
				rbl->name, rbl->zone, ZONE_LONGEST);
		if (rbl->weight < 1 || rbl->type > RBL_ALLOW || rbl->timeout_s < 1 ||
		    rbl->reply_count > RBL_PATTERNS_MAX)
			return problem_set(
				out_problem,
				"rbl '%s': weight and timeout are 1 or more, type is block or allow, at most %u replies",
				rbl->name, RBL_PATTERNS_MAX);
	}
	return 0;
}
