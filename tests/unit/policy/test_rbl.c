/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/rbl against its golden tables, and the checks of its configuration.
 *
 * link: ../wire/golden.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "policy/conf.h"
#include "policy/conf_validate.h"
#include "policy/rbl.h"
#include "unit/wire/golden.h"

static void replies_hold(void **state)
{
	static const char *const names[] = {"listed", "other", "error", "alien"};
	struct golden golden;

	(void)state;
	golden_open(&golden, "rbl_replies.tsv");
	while (golden_next(&golden)) {
		struct rbl_pattern patterns[RBL_PATTERNS_MAX];
		char *rest = golden.field[0];
		struct addr reply;
		const char *got;
		size_t count = 0;
		char *word;

		while (rest && strcmp(rest, "-") != 0 && (word = strsep(&rest, " ")))
			assert_int_equal(rbl_pattern_parse(word, &patterns[count++]), 0);
		assert_int_equal(addr_parse(golden.field[1], &reply), 0);
		got = names[rbl_reply_of(&reply, patterns, count)];
		if (strcmp(got, golden.field[2]) != 0)
			fail_msg("line %u: %s: %s", golden.line, golden.field[3], got);
	}
}

static void an_ipv6_address_is_no_reply(void **state)
{
	const struct addr reply = {.family = ADDR_V6, .bytes = {127, 0, 0, 2}};

	(void)state;
	assert_int_equal(rbl_reply_of(&reply, NULL, 0), RBL_REPLY_ALIEN);
}

static void patterns_hold(void **state)
{
	struct golden golden;

	(void)state;
	golden_open(&golden, "rbl_patterns.tsv");
	while (golden_next(&golden)) {
		struct rbl_pattern pattern = {.first = {77}};
		char text[RBL_PATTERN_TEXT_MAX];
		int err = rbl_pattern_parse(golden.field[0], &pattern);
		const char *got = err == -EINVAL   ? "invalid"
				  : err == -ERANGE ? "range"
				  : err == -EDOM   ? "domain"
						   : rbl_pattern_format(&pattern, text);

		if (strcmp(got, golden.field[1]) != 0)
			fail_msg("line %u: %s: %s", golden.line, golden.field[2], got);
		if (err && pattern.first[0] != 77)
			fail_msg("line %u: it was written", golden.line);
	}
}

static size_t read_votes(char *text, struct rbl_vote votes[CONF_POLICY_RBLS_MAX])
{
	static const char letters[] = "?LNU"; /* in the order of enum rbl_state */
	size_t count = 0;
	char *word;

	while (strcmp(text, "-") != 0 && (word = strsep(&text, " "))) {
		char *end = NULL;
		const char *letter;

		assert_true(count < CONF_POLICY_RBLS_MAX);
		votes[count].weight = (int32_t)strtol(word, &end, 10);
		letter = strchr(letters, *end);
		assert_non_null(letter);
		votes[count++].state = (uint8_t)(letter - letters);
		if (!text)
			break;
	}
	return count;
}

static void sums_hold(void **state)
{
	static const char *const names[] = {"open", "hit", "clean", "unknown"};
	struct golden golden;

	(void)state;
	golden_open(&golden, "rbl_decide.tsv");
	while (golden_next(&golden)) {
		struct rbl_vote votes[CONF_POLICY_RBLS_MAX];
		const size_t count = read_votes(golden.field[1], votes);
		int32_t sum = 99;
		const char *got = names[rbl_decide(
			votes, count, (int32_t)strtol(golden.field[0], NULL, 10), &sum)];

		if (strcmp(got, golden.field[2]) != 0 ||
		    sum != strtol(golden.field[3], NULL, 10))
			fail_msg("line %u: %s: %s, %d", golden.line, golden.field[4], got,
				 sum);
	}
}

/* Whatever was decided early holds for every way in which the rest could turn out. */
static void what_is_decided_early_stays_so(void **state)
{
	static const int32_t weights[] = {3, 1, -2, 2, -1};
	struct rbl_vote votes[5], all[5];

	(void)state;
	for (unsigned int known = 0; known < 1024; known++) {
		enum rbl_outcome early;

		for (unsigned int i = 0; i < 5; i++)
			votes[i] = (struct rbl_vote){weights[i], known >> 2 * i & 3};
		early = rbl_decide(votes, 5, 3, NULL);
		if (early != RBL_OUTCOME_HIT && early != RBL_OUTCOME_CLEAN)
			continue;
		for (unsigned int rest = 0; rest < 32; rest++) {
			memcpy(all, votes, sizeof(all));
			for (unsigned int i = 0; i < 5; i++)
				if (all[i].state != RBL_LISTED &&
				    all[i].state != RBL_NOT_LISTED)
					all[i].state = rest >> i & 1 ? RBL_LISTED
								     : RBL_NOT_LISTED;
			if (rbl_decide(all, 5, 3, NULL) != early)
				fail_msg("known %x, rest %x", known, rest);
		}
	}
}

static void refusals_are_told_in_plain_words(void **state)
{
	static const struct {
		const char *reply, *words;
	} rows[] = {
		{"127.255.255.254", "your resolver is public"},
		{"127.255.255.255", "ask too much"},
		{"127.255.255.252", "no such zone"},
		{"127.255.255.7", "error code"},
		{"127.0.0.1", "refuses your questions"},
		{"192.0.2.254", "outside of 127.0.0.0/8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct addr reply;

		assert_int_equal(addr_parse(rows[i].reply, &reply), 0);
		assert_non_null(strstr(rbl_error_meaning(&reply), rows[i].words));
	}
}

/* ---- configuration ----------------------------------------------------------------------------- */

static void fine(struct conf *conf)
{
	conf_init(conf);
	(void)text_copy(conf->rbls[0].name, CONF_NAME_MAX, "zen");
	(void)text_copy(conf->rbls[0].zone, CONF_HOST_MAX, "zen.example.net");
	(void)text_copy(conf->rbls[1].name, CONF_NAME_MAX, "good");
	(void)text_copy(conf->rbls[1].zone, CONF_HOST_MAX, "_good.example.net");
	conf->rbls[0].weight = 3;
	conf->rbls[1].type = RBL_ALLOW;
	conf->rbl_count = 2;
	(void)text_copy(conf->policies[0].name, CONF_NAME_MAX, "global");
	conf->policies[0].rbls = 3;
	conf->policies[0].rbl_threshold = 3;
	conf->policy_count = 1;
}

static void zone_too_long(struct conf *conf)
{
	memset(conf->rbls[0].zone, 'a', 190);
	for (size_t i = 60; i < 190; i += 60)
		conf->rbls[0].zone[i] = '.';
	conf->rbls[0].zone[190] = '\0';
}

static void zone_of_one_label(struct conf *conf)
{
	memset(conf->rbls[0].zone, 'a', 64);
	conf->rbls[0].zone[64] = '\0';
}

static void zone_none(struct conf *conf)
{
	conf->rbls[0].zone[0] = '\0';
}

static void zone_with_gap(struct conf *conf)
{
	(void)text_copy(conf->rbls[0].zone, CONF_HOST_MAX, "zen..example");
}

static void zone_with_space(struct conf *conf)
{
	(void)text_copy(conf->rbls[0].zone, CONF_HOST_MAX, "zen example");
}

static void name_twice(struct conf *conf)
{
	(void)text_copy(conf->rbls[1].name, CONF_NAME_MAX, "zen");
}

static void name_with_dot(struct conf *conf)
{
	(void)text_copy(conf->rbls[1].name, CONF_NAME_MAX, "zen.1");
}

static void weight_none(struct conf *conf)
{
	conf->rbls[0].weight = 0;
}

static void threshold_none(struct conf *conf)
{
	conf->policies[0].rbl_threshold = 0;
}

static void threshold_too_high(struct conf *conf)
{
	conf->policies[0].rbl_threshold = 4;
}

static void only_allowlists(struct conf *conf)
{
	conf->policies[0].rbls = 2;
}

static void list_unknown(struct conf *conf)
{
	conf->policies[0].rbls = 7;
}

static void lists_too_many(struct conf *conf)
{
	for (unsigned int i = 0; i < CONF_POLICY_RBLS_MAX + 1; i++) {
		conf->rbls[i] = conf->rbls[0];
		conf->rbls[i].name[0] = (char)('a' + i);
	}
	conf->rbl_count = CONF_POLICY_RBLS_MAX + 1;
	conf->policies[0].rbls = (1u << (CONF_POLICY_RBLS_MAX + 1)) - 1;
}

static void at_unknown(struct conf *conf)
{
	conf->policies[0].rbl_at = RBL_AT_CONNECT + 1;
}

static const struct {
	const char *why;
	void (*spoil)(struct conf *conf);
	const char *says;
} mistakes[] = {
	{"a zone without room for an IPv6 address", zone_too_long, "at most 189"},
	{"a label of 64 characters", zone_of_one_label, "no name of a zone"},
	{"no zone", zone_none, "no name of a zone"},
	{"an empty label", zone_with_gap, "no name of a zone"},
	{"a space", zone_with_space, "no name of a zone"},
	{"a name twice", name_twice, "there twice"},
	{"a name with a dot", name_with_dot, "letters, digits"},
	{"no weight", weight_none, "1 or more"},
	{"no threshold", threshold_none, "1 or more"},
	{"a threshold that nobody reaches", threshold_too_high, "weigh, 3"},
	{"allowlists alone", only_allowlists, "weigh, 0"},
	{"a list that is not there", list_unknown, "no such list"},
	{"too many lists", lists_too_many, "at most 16"},
	{"a place that is none", at_unknown, "rcpt or connect"},
};

static void mistakes_are_found(void **state)
{
	static struct conf conf;

	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char problem[CONF_PROBLEM_MAX] = "";

		fine(&conf);
		assert_int_equal(conf_validate_rbls(&conf, problem), 0);
		assert_int_equal(
			conf_validate_policy_rbls(&conf, &conf.policies[0], problem), 0);
		mistakes[i].spoil(&conf);
		if (conf_validate_rbls(&conf, problem) == 0)
			(void)conf_validate_policy_rbls(&conf, &conf.policies[0],
							problem);
		if (!strstr(problem, mistakes[i].says))
			fail_msg("%s: '%s'", mistakes[i].why, problem);
	}
}

static void the_longest_zone_is_fine(void **state)
{
	static struct conf conf;
	char problem[CONF_PROBLEM_MAX] = "";

	(void)state;
	fine(&conf);
	zone_too_long(&conf);
	conf.rbls[0].zone[189] = '\0';
	assert_int_equal(conf_validate_rbls(&conf, problem), 0);
	zone_of_one_label(&conf);
	conf.rbls[0].zone[63] = '\0';
	assert_int_equal(conf_validate_rbls(&conf, problem), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_hold),
		cmocka_unit_test(an_ipv6_address_is_no_reply),
		cmocka_unit_test(patterns_hold),
		cmocka_unit_test(sums_hold),
		cmocka_unit_test(what_is_decided_early_stays_so),
		cmocka_unit_test(refusals_are_told_in_plain_words),
		cmocka_unit_test(mistakes_are_found),
		cmocka_unit_test(the_longest_zone_is_fine),
	};

	return cmocka_run_group_tests_name("policy/rbl", tests, NULL, NULL);
}
