/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/rbl_lists - see the header.
 */
#include "checks/rbl_lists.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "policy/rbl.h"
#include "wire/revname.h"

#define NS_IN_S UINT64_C(1000000000)

/* What one of the two questions of a test has brought. */
enum test_reply {
	TEST_OPEN,
	TEST_LISTED,
	TEST_NOT_LISTED,
	TEST_WRONG,	/* an error code, or no reply of a list */
	TEST_NO_ANSWER, /* of the DNS */
};

/* 127.0.0.2 or 127.0.0.1 of one list and family. */
struct test_entry {
	struct resolver_wait wait;
	struct list_state *state;
	uint8_t reply;	 /* enum test_reply */
	const char *why; /* static; TEST_WRONG, TEST_NO_ANSWER */
};

struct list_state {
	struct rbl_lists *lists;
	uint8_t list;
	uint8_t family; /* enum rbl_family */
	struct rbl_report report;
	bool is_testing;
	uint64_t tested_ns;	      /* when the last test began; 0: none yet */
	uint64_t next_ns;	      /* when the next one is due */
	struct test_entry entries[2]; /* listed, not listed */
};

struct rbl_lists {
	struct resolver *resolver;
	rbl_change_fn on_change;
	void *context;
	uint8_t count;
	struct conf_rbl conf[CONF_RBLS_MAX];
	struct list_state states[CONF_RBLS_MAX][RBL_FAMILY_COUNT];
};

/* RFC 5782 section 5. */
static const struct addr test_addrs[RBL_FAMILY_COUNT][2] = {
	[RBL_V4] = {{.family = ADDR_V4, .bytes = {127, 0, 0, 2}},
		    {.family = ADDR_V4, .bytes = {127, 0, 0, 1}}},
	[RBL_V6] = {{.family = ADDR_V6,
		     .bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 2}},
		    {.family = ADDR_V6,
		     .bytes = {[10] = 0xff, [11] = 0xff, [12] = 127, [15] = 1}}},
};

const char *rbl_health_name(enum rbl_health health)
{
	static const char *const names[RBL_HEALTH_COUNT] = {
		[RBL_UNTESTED] = "untested",
		[RBL_WORKS] = "works",
		[RBL_SUSPENDED] = "suspended",
		[RBL_UNUSED] = "unused",
	};

	assert((unsigned int)health < RBL_HEALTH_COUNT);
	return names[health];
}

const char *rbl_family_name(enum rbl_family family)
{
	return family == RBL_V4 ? "ipv4" : "ipv6";
}

struct rbl_lists *rbl_lists_new(struct resolver *resolver, rbl_change_fn on_change,
				void *context)
{
	struct rbl_lists *lists = calloc(1, sizeof(*lists));

	if (!lists)
		return NULL;
	lists->resolver = resolver;
	lists->on_change = on_change;
	lists->context = context;
	return lists;
}

/* ---- tests ------------------------------------------------------------------------------------- */

static void test_cancel(struct list_state *state)
{
	for (size_t i = 0; i < 2; i++)
		resolver_cancel(&state->entries[i].wait);
	state->is_testing = false;
}

void rbl_lists_free(struct rbl_lists **lists)
{
	if (!*lists)
		return;
	for (size_t i = 0; i < CONF_RBLS_MAX * RBL_FAMILY_COUNT; i++)
		test_cancel(
			&(*lists)->states[i / RBL_FAMILY_COUNT][i % RBL_FAMILY_COUNT]);
	free_mem(lists);
}

static void state_set(struct list_state *state, enum rbl_health health, const char *why)
{
	const bool is_new =
		state->report.health != health || strcmp(state->report.why, why) != 0;

	state->report.health = health;
	(void)text_copy(state->report.why, sizeof(state->report.why), why);
	if (is_new)
		state->lists->on_change(state->lists->context, state->list,
					(enum rbl_family)state->family, &state->report);
}

/* Why a list does not work, by the replies to its test; NULL: it does. */
static const char *test_problem(const struct list_state *state, bool *out_is_dns)
{
	const struct test_entry *listed = &state->entries[0];
	const struct test_entry *not_listed = &state->entries[1];

	*out_is_dns = false;
	if (listed->reply == TEST_WRONG)
		return listed->why;
	if (not_listed->reply == TEST_WRONG)
		return not_listed->why;
	if (not_listed->reply == TEST_LISTED)
		return state->family == RBL_V4
			       ? "it lists everybody, even 127.0.0.1"
			       : "it lists everybody, even ::ffff:127.0.0.1";
	if (listed->reply == TEST_NOT_LISTED)
		return state->family == RBL_V4
			       ? "it does not list its test entry 127.0.0.2: it is empty, or no list"
			       : "it does not list its test entry ::ffff:127.0.0.2: if it has no IPv6 addresses, say ipv6 = no";
	*out_is_dns = true;
	if (listed->reply == TEST_NO_ANSWER)
		return listed->why;
	return not_listed->reply == TEST_NO_ANSWER ? not_listed->why : NULL;
}

static void test_end(struct list_state *state)
{
	const uint64_t now_ns = resolver_now_ns(state->lists->resolver);
	bool is_dns;
	const char *problem = test_problem(state, &is_dns);

	test_cancel(state);
	state->next_ns =
		now_ns +
		(problem && is_dns ? RBL_TEST_AGAIN_S : RBL_TEST_EVERY_S) * NS_IN_S;
	state_set(state, problem ? RBL_SUSPENDED : RBL_WORKS, problem ? problem : "");
}

static void entry_judge(struct test_entry *entry, const struct dns_answer *answer)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;

	if (answer->why) {
		entry->reply = TEST_NO_ANSWER;
		entry->why = answer->why;
		return;
	}
	entry->reply = TEST_NOT_LISTED;
	dnsmsg_walk_init(&walk, &answer->message);
	while (dnsmsg_walk_next(&walk, &record)) {
		/* Which replies count is not asked: a test entry may give any. */
		if (rbl_reply_of(&record.addr, NULL, 0) == RBL_REPLY_LISTED) {
			entry->reply = TEST_LISTED;
			return;
		}
		entry->reply = TEST_WRONG;
		entry->why = rbl_error_meaning(&record.addr);
	}
}

/* A resolver_reply_fn. */
static void entry_on_reply(void *context, const struct dns_answer *answer)
{
	struct test_entry *entry = context;
	struct list_state *state = entry->state;

	entry_judge(entry, answer);
	if (state->is_testing && state->entries[0].reply != TEST_OPEN &&
	    state->entries[1].reply != TEST_OPEN)
		test_end(state);
}

static void test_begin(struct list_state *state)
{
	struct rbl_lists *lists = state->lists;

	state->tested_ns = resolver_now_ns(lists->resolver);
	for (size_t i = 0; i < 2; i++)
		state->entries[i] = (struct test_entry){
			.wait = {.reply = entry_on_reply,
				 .context = &state->entries[i],
				 .want_fresh = true},
			.state = state,
		};
	for (size_t i = 0; i < 2; i++) {
		char name[REVNAME_TEXT_MAX];

		state->is_testing = i == 1; /* the first reply may come at once */
		(void)revname_in_zone(&test_addrs[state->family][i],
				      lists->conf[state->list].zone, name);
		resolver_ask(lists->resolver, &state->entries[i].wait, name, DNSMSG_A);
	}
}

static void test_give_up(struct list_state *state)
{
	for (size_t i = 0; i < 2; i++) {
		struct test_entry *entry = &state->entries[i];

		if (entry->reply != TEST_OPEN)
			continue;
		resolver_give_up(state->lists->resolver, &entry->wait);
		entry->reply = TEST_NO_ANSWER;
		entry->why = "its name servers do not answer";
	}
	test_end(state);
}

static void state_tick(struct list_state *state, uint64_t now_ns)
{
	if (state->is_testing) {
		if (now_ns - state->tested_ns >= RBL_TEST_WAIT_S * NS_IN_S)
			test_give_up(state);
	} else if (state->report.health != RBL_UNUSED && now_ns >= state->next_ns) {
		test_begin(state);
	}
}

void rbl_lists_tick(struct rbl_lists *lists)
{
	const uint64_t now_ns = resolver_now_ns(lists->resolver);

	for (uint8_t i = 0; i < lists->count; i++)
		for (unsigned int family = 0; family < RBL_FAMILY_COUNT; family++)
			state_tick(&lists->states[i][family], now_ns);
}

/* ---- what others ask and say ------------------------------------------------------------------- */

const struct rbl_report *rbl_lists_report(const struct rbl_lists *lists, uint8_t list,
					  enum rbl_family family)
{
	return &lists->states[list][family].report;
}

void rbl_lists_suspect(struct rbl_lists *lists, uint8_t list, enum rbl_family family)
{
	struct list_state *state = &lists->states[list][family];
	const uint64_t soonest_ns = state->tested_ns + RBL_TEST_AGAIN_S * NS_IN_S;

	if (soonest_ns < state->next_ns)
		state->next_ns = soonest_ns;
}

/* ---- configuration ----------------------------------------------------------------------------- */

static bool is_wanted(const struct conf *conf, uint8_t list, enum rbl_family family)
{
	if (family == RBL_V6 && !conf->rbls[list].ipv6)
		return false;
	for (size_t i = 0; i < conf->policy_count; i++)
		if (conf->policies[i].rbls & UINT32_C(1) << list &&
		    conf->policies[i].mode[CHECK_RBL] != MODE_OFF)
			return true;
	return false;
}

/* Where the list of this name and zone stood before; CONF_RBLS_MAX: nowhere. */
static uint8_t list_before(const struct conf_rbl *old, uint8_t count,
			   const struct conf_rbl *rbl)
{
	uint8_t i = 0;

	while (i < count && (strcmp(old[i].name, rbl->name) != 0 ||
			     strcmp(old[i].zone, rbl->zone) != 0))
		i++;
	return i < count ? i : CONF_RBLS_MAX;
}

/* What the list knew, but for a test under way, which is begun anew. */
static void state_inherit(struct list_state *state, const struct list_state *old,
			  bool wanted)
{
	if (!wanted) {
		state->report.health = RBL_UNUSED;
	} else if (old && old->report.health != RBL_UNUSED) {
		state->report = old->report;
		state->tested_ns = old->tested_ns;
		state->next_ns = old->is_testing ? 0 : old->next_ns;
	}
}

void rbl_lists_configure(struct rbl_lists *lists, const struct conf *conf)
{
	struct rbl_lists *old = malloc(sizeof(*old));

	for (size_t i = 0; i < CONF_RBLS_MAX * RBL_FAMILY_COUNT; i++) {
		struct list_state *state =
			&lists->states[i / RBL_FAMILY_COUNT][i % RBL_FAMILY_COUNT];
		const bool was_testing = state->is_testing;

		test_cancel(state);
		state->is_testing = was_testing;
	}
	if (old)
		memcpy(old, lists, sizeof(*old));
	memset(lists->states, 0, sizeof(lists->states));
	lists->count = conf->rbl_count;
	memcpy(lists->conf, conf->rbls, sizeof(lists->conf));
	for (uint8_t i = 0; i < conf->rbl_count; i++) {
		const uint8_t from =
			old ? list_before(old->conf, old->count, &conf->rbls[i])
			    : CONF_RBLS_MAX;

		for (unsigned int family = 0; family < RBL_FAMILY_COUNT; family++) {
			struct list_state *state = &lists->states[i][family];

			state->lists = lists;
			state->list = i;
			state->family = (uint8_t)family;
			state_inherit(state,
				      from < CONF_RBLS_MAX ? &old->states[from][family]
							   : NULL,
				      is_wanted(conf, i, (enum rbl_family)family));
		}
	}
	free(old);
}
