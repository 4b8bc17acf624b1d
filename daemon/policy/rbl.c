/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/rbl - see the header.
 */
#include "policy/rbl.h"

#include <errno.h>
#include <string.h>

#include "base/buf.h"

#define LOOPBACK 127u

/* ---- patterns ---------------------------------------------------------------------------------- */

/* Digits at *at, which moves behind them. -EINVAL; -ERANGE. */
static int take_number(const char **at, uint8_t *out_number)
{
	const char *p = *at;
	unsigned int number = 0;

	if (*p < '0' || *p > '9')
		return -EINVAL;
	for (; *p >= '0' && *p <= '9'; p++) {
		number = number * 10 + (unsigned int)(*p - '0');
		if (number > UINT8_MAX)
			return -ERANGE;
	}
	*at = p;
	*out_number = (uint8_t)number;
	return 0;
}

static int take_octet(const char **at, uint8_t *out_first, uint8_t *out_last)
{
	int err;

	if (**at != '[') {
		err = take_number(at, out_first);
		*out_last = *out_first;
		return err;
	}
	(*at)++;
	err = take_number(at, out_first);
	if (err)
		return err;
	if (strncmp(*at, "..", 2) != 0)
		return -EINVAL;
	*at += 2;
	err = take_number(at, out_last);
	if (err)
		return err;
	if (*(*at)++ != ']')
		return -EINVAL;
	return *out_first <= *out_last ? 0 : -ERANGE;
}

static bool pattern_is_error(const struct rbl_pattern *pattern)
{
	return pattern->first[1] == UINT8_MAX && pattern->first[2] == UINT8_MAX;
}

int rbl_pattern_parse(const char *text, struct rbl_pattern *out_pattern)
{
	struct rbl_pattern pattern = {0};

	for (size_t i = 0; i < 4; i++) {
		int err;

		if (i > 0 && *text++ != '.')
			return -EINVAL;
		err = take_octet(&text, &pattern.first[i], &pattern.last[i]);
		if (err)
			return err;
	}
	if (*text)
		return -EINVAL;
	if (pattern.first[0] != LOOPBACK || pattern.last[0] != LOOPBACK ||
	    pattern_is_error(&pattern))
		return -EDOM;
	*out_pattern = pattern;
	return 0;
}

const char *rbl_pattern_format(const struct rbl_pattern *pattern,
			       char out_text[RBL_PATTERN_TEXT_MAX])
{
	struct buf buf;

	buf_init(&buf, out_text, RBL_PATTERN_TEXT_MAX);
	for (size_t i = 0; i < 4; i++) {
		buf_puts(&buf, i ? "." : "");
		if (pattern->first[i] == pattern->last[i])
			buf_printf(&buf, "%u", pattern->first[i]);
		else
			buf_printf(&buf, "[%u..%u]", pattern->first[i], pattern->last[i]);
	}
	return out_text;
}

static bool pattern_matches(const struct rbl_pattern *pattern, const uint8_t octets[4])
{
	for (size_t i = 0; i < 4; i++)
		if (octets[i] < pattern->first[i] || octets[i] > pattern->last[i])
			return false;
	return true;
}

/* ---- replies ----------------------------------------------------------------------------------- */

enum rbl_reply rbl_reply_of(const struct addr *reply, const struct rbl_pattern *patterns,
			    size_t count)
{
	static const uint8_t refused[4] = {LOOPBACK, 0, 0, 1};
	const uint8_t *octets = reply->bytes;

	if (reply->family != ADDR_V4 || octets[0] != LOOPBACK)
		return RBL_REPLY_ALIEN;
	if (octets[1] == UINT8_MAX && octets[2] == UINT8_MAX)
		return RBL_REPLY_ERROR;
	for (size_t i = 0; i < count; i++)
		if (pattern_matches(&patterns[i], octets))
			return RBL_REPLY_LISTED;
	if (memcmp(octets, refused, sizeof(refused)) == 0)
		return RBL_REPLY_ERROR;
	return count == 0 ? RBL_REPLY_LISTED : RBL_REPLY_OTHER;
}

const char *rbl_error_meaning(const struct addr *reply)
{
	if (reply->family != ADDR_V4 || reply->bytes[0] != LOOPBACK)
		return "it answers with an address outside of 127.0.0.0/8: its domain has been given up, or your resolver puts answers of its own in the place of 'no such name'";
	switch (reply->bytes[3]) {
	case 1:
		return "the list refuses your questions";
	case 252:
		return "the list says that there is no such zone: see how its name is written";
	case 254:
		return "your resolver is public: the list refuses its questions; ask through a resolver of your own";
	case 255:
		return "you ask too much: the list refuses more";
	default:
		return "the list answers with an error code";
	}
}

/* ---- the sum ----------------------------------------------------------------------------------- */

/* The lowest and the highest sum that are possible when lists in some states are open. */
struct range {
	int64_t low, high;
};

static void range_add(struct range *range, int32_t weight)
{
	if (weight < 0)
		range->low += weight;
	else
		range->high += weight;
}

enum rbl_outcome rbl_decide(const struct rbl_vote *votes, size_t count, int32_t threshold,
			    int32_t *out_sum)
{
	struct range open = {0}; /* what is pending or unknown may add */
	int64_t sum = 0;
	bool is_pending = false;

	for (size_t i = 0; i < count; i++) {
		if (votes[i].state == RBL_LISTED)
			sum += votes[i].weight;
		else if (votes[i].state != RBL_NOT_LISTED)
			range_add(&open, votes[i].weight);
		is_pending |= votes[i].state == RBL_PENDING;
	}
	if (out_sum)
		*out_sum = (int32_t)sum;
	if (sum + open.low >= threshold)
		return RBL_OUTCOME_HIT;
	if (sum + open.high < threshold)
		return RBL_OUTCOME_CLEAN;
	return is_pending ? RBL_OUTCOME_OPEN : RBL_OUTCOME_UNKNOWN;
}
