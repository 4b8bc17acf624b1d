/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/strikes.h"

#include <assert.h>
#include <string.h>

/* a - b of two wall clocks, which may come from a damaged store: never overflows. */
static int64_t seconds_between(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return a < b ? INT64_MIN : INT64_MAX;
	return difference;
}

static int64_t seconds_after(int64_t at_s, int64_t length_s)
{
	int64_t sum;

	return __builtin_add_overflow(at_s, length_s, &sum) ? INT64_MAX : sum;
}

/* Those whose window has passed leave; the others keep their order. */
static void strikes_prune(const struct conf_strikes *conf, struct strikes_record *record,
			  int64_t now_s)
{
	const uint32_t count =
		record->count < STRIKES_KEPT_MAX ? record->count : STRIKES_KEPT_MAX;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < count; i++) {
		if (seconds_between(now_s, record->kept[i].at_s) < conf->window_s)
			record->kept[kept++] = record->kept[i];
	}
	memset(&record->kept[kept], 0,
	       (STRIKES_KEPT_MAX - kept) * sizeof(record->kept[0]));
	record->count = kept;
}

static bool strikes_has_credit(const struct conf_strikes *conf,
			       const struct strikes_record *record, int64_t now_s)
{
	const int64_t left_s = seconds_between(record->credit_until_s, now_s);

	/* More than was ever given: the clock stepped back. Rather count than not. */
	return left_s > 0 && left_s <= conf->success_credit_s;
}

static bool strikes_knows(const struct strikes_record *record,
			  const struct strike *strike)
{
	static const uint8_t unknown[STRIKE_DIGEST_BYTES];

	if (memcmp(strike->digest, unknown, sizeof(unknown)) == 0)
		return false;
	for (uint32_t i = 0; i < record->count; i++) {
		if (record->kept[i].kind == strike->kind &&
		    memcmp(record->kept[i].digest, strike->digest, sizeof(unknown)) == 0)
			return true;
	}
	return false;
}

static uint32_t strikes_policies(const struct strikes_record *record)
{
	uint32_t policies = 0;

	for (uint32_t i = 0; i < record->count; i++) {
		if (record->kept[i].policy_id < CONF_POLICY_IDS)
			policies |= UINT32_C(1) << record->kept[i].policy_id;
	}
	return policies;
}

enum strike_result strikes_add(const struct conf_strikes *conf,
			       struct strikes_record *record, const struct strike *strike,
			       uint32_t *out_policies)
{
	assert(conf->max > 0 && conf->max <= STRIKES_KEPT_MAX);
	assert(conf->window_s > 0);

	strikes_prune(conf, record, strike->at_s);
	if (strikes_has_credit(conf, record, strike->at_s))
		return STRIKE_CREDITED;
	if (conf->repeat_credentials_ignore && strikes_knows(record, strike))
		return STRIKE_REPEATED;

	/* No sound record is that full: the highest limit is its size. */
	if (record->count == STRIKES_KEPT_MAX) {
		memmove(&record->kept[0], &record->kept[1],
			(STRIKES_KEPT_MAX - 1) * sizeof(record->kept[0]));
		record->count--;
	}
	record->kept[record->count++] = *strike;
	if (record->count < conf->max)
		return STRIKE_COUNTED;

	*out_policies = strikes_policies(record);
	memset(record->kept, 0, sizeof(record->kept));
	record->count = 0;
	return STRIKE_LIMIT;
}

void strikes_succeed(const struct conf_strikes *conf, struct strikes_record *record,
		     int64_t now_s)
{
	if (conf->success_credit_s <= 0)
		return;
	memset(record, 0, sizeof(*record));
	record->credit_until_s = seconds_after(now_s, conf->success_credit_s);
}

int64_t ban_length_s(const struct conf_strikes *conf, uint32_t earlier)
{
	int64_t length_s = conf->ban_time_s;

	for (uint32_t i = 0; i < earlier && length_s < conf->ban_time_max_s; i++) {
		if (__builtin_mul_overflow(length_s, 2, &length_s))
			return conf->ban_time_max_s;
	}
	return length_s < conf->ban_time_max_s ? length_s : conf->ban_time_max_s;
}

const char *strike_kind_name(enum strike_kind kind)
{
	static const char *const names[] = {
		[STRIKE_LOGIN] = "login",
		[STRIKE_RECIPIENT] = "recipient",
		[STRIKE_DOS] = "dos",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == STRIKE_KIND_COUNT,
		      "a name for each");
	assert((unsigned int)kind < STRIKE_KIND_COUNT);
	return names[kind];
}
