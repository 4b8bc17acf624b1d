/* SPDX-License-Identifier: GPL-2.0-only */
#include "policy/greylist.h"

#include <assert.h>
#include <stddef.h>

/* a - b of two wall clocks, which may come from a damaged store: never overflows. */
static int64_t seconds_between(int64_t a, int64_t b)
{
	int64_t difference;

	if (__builtin_sub_overflow(a, b, &difference))
		return a < b ? INT64_MIN : INT64_MAX;
	return difference;
}

/*
 * A use that lies ahead was made before the clock stepped back. It stays as it is: a clock that is wrong for
 * a minute after the start must not cost anybody his proof when it is right again.
 */
static bool is_alive(const struct conf_greylist *conf, int64_t used_s, int64_t now_s)
{
	return seconds_between(now_s, used_s) <= conf->lifetime_s;
}

static bool must_renew(const struct conf_greylist *conf, int64_t used_s, int64_t now_s)
{
	return seconds_between(now_s, used_s) > conf->lifetime_s / GREY_USES_OF_LIFETIME;
}

bool greylist_network_passes(const struct conf_greylist *conf,
			     const struct grey_network *network, int64_t now_s)
{
	return conf->auto_pass > 0 && network->successes >= conf->auto_pass &&
	       is_alive(conf, network->used_s, now_s);
}

static void pass(struct grey_decision *out, enum grey_reason reason)
{
	out->verdict = GREY_PASS;
	out->reason = reason;
}

static void defer_anew(const struct conf_greylist *conf, int64_t now_s,
		       struct grey_decision *out)
{
	out->verdict = GREY_DEFER;
	out->reason = GREY_NEW;
	out->wait_s = (uint32_t)conf->delay_s;
	out->has_triplet = true;
	out->triplet = (struct grey_record){.first_s = now_s};
}

/* One more of the network has come back. */
static void network_succeeds(const struct conf_greylist *conf,
			     const struct grey_network *known, int64_t now_s,
			     struct grey_decision *out)
{
	struct grey_network next = {.successes = 0};
	int64_t gap_s;

	if (known && known->successes > 0 && is_alive(conf, known->used_s, now_s))
		next = *known;
	gap_s = seconds_between(now_s, next.counted_s);
	if (next.successes == 0 || gap_s < 0 || gap_s >= GREY_SUCCESS_GAP_S) {
		next.counted_s = now_s;
		if (next.successes < UINT32_MAX)
			next.successes++;
	}
	next.used_s = now_s;
	out->has_network = true;
	out->network = next;
}

static void decide_proven(const struct conf_greylist *conf,
			  const struct grey_record *known, int64_t now_s,
			  struct grey_decision *out)
{
	if (!is_alive(conf, known->used_s, now_s)) {
		defer_anew(conf, now_s, out);
		return;
	}
	pass(out, GREY_KNOWN);
	if (!must_renew(conf, known->used_s, now_s))
		return;
	out->has_triplet = true;
	out->triplet = *known;
	out->triplet.used_s = now_s;
}

static void decide_waiting(const struct conf_greylist *conf,
			   const struct grey_known *known, int64_t now_s,
			   struct grey_decision *out)
{
	const struct grey_record *triplet = known->triplet;
	const int64_t age_s = seconds_between(now_s, triplet->first_s);

	if (age_s < 0 || age_s > conf->window_s) {
		defer_anew(conf, now_s, out);
		return;
	}
	if (age_s < conf->delay_s) {
		out->verdict = GREY_DEFER;
		out->reason = GREY_EARLY;
		out->wait_s = (uint32_t)(conf->delay_s - age_s);
		return;
	}
	pass(out, GREY_RETRY);
	out->has_triplet = true;
	out->triplet = (struct grey_record){
		.first_s = triplet->first_s, .used_s = now_s, .is_proven = true};
	network_succeeds(conf, known->network, now_s, out);
}

void greylist_decide(const struct conf_greylist *conf, const struct grey_known *known,
		     int64_t now_s, struct grey_decision *out)
{
	assert(conf->delay_s > 0 && conf->delay_s <= UINT32_MAX);
	assert(conf->window_s > conf->delay_s && conf->lifetime_s > 0);

	*out = (struct grey_decision){.verdict = GREY_PASS};
	if (known->is_passed_by_command) {
		pass(out, GREY_COMMAND);
	} else if (known->network &&
		   greylist_network_passes(conf, known->network, now_s)) {
		pass(out, GREY_NETWORK);
		out->has_network = must_renew(conf, known->network->used_s, now_s);
		out->network = *known->network;
		out->network.used_s = now_s;
	} else if (!known->triplet) {
		defer_anew(conf, now_s, out);
	} else if (known->triplet->is_proven) {
		decide_proven(conf, known->triplet, now_s, out);
	} else {
		decide_waiting(conf, known, now_s, out);
	}
}

const char *grey_verdict_name(enum grey_verdict verdict)
{
	static const char *const names[] = {
		[GREY_PASS] = "pass",
		[GREY_DEFER] = "defer",
		[GREY_UNKNOWN] = "unknown",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == GREY_VERDICT_COUNT,
		      "a name for each");
	assert((unsigned int)verdict < GREY_VERDICT_COUNT);
	return names[verdict];
}

const char *grey_reason_name(enum grey_reason reason)
{
	static const char *const names[] = {
		[GREY_NEW] = "new",	    [GREY_EARLY] = "early",
		[GREY_RETRY] = "retry",	    [GREY_KNOWN] = "known",
		[GREY_NETWORK] = "network", [GREY_COMMAND] = "command",
		[GREY_UNSURE] = "unsure",
	};

	static_assert(sizeof(names) / sizeof(names[0]) == GREY_REASON_COUNT,
		      "a name for each");
	assert((unsigned int)reason < GREY_REASON_COUNT);
	return names[reason];
}
