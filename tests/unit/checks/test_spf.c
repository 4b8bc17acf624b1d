/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/spf as the runner runs it: questions and answers, the cache, the time it may take, and what settings make
 * of a result. The cases of the RFC are in test_spf_eval.
 *
 * link: ../fake_dns.c ../dns_message.c ../dns_table.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "checks/runner.h"
#include "checks/spf.h"
#include "unit/dns_table.h"
#include "unit/fake_dns.h"

#define TASKS	    3u
#define POLICY	    7u
#define MS	    UINT64_C(1000000)
#define DEADLINE_NS (10000 * MS)

static struct check_answer answer;
static unsigned int answer_count;
static const uint8_t seed[SIPHASH_KEY_BYTES] = "sixteen bytes...";
static const struct resolver_limits limits = {.cache_entries = 100, .ttl_max_s = 3600};
static struct dns *dns;
static struct conf conf;
static struct task_world world;
static struct runner *runner;

static void on_answer(void *context, const struct check_request *request,
		      const struct check_answer *got)
{
	(void)context;
	assert_int_equal(request->serial, 5);
	answer = *got;
	answer_count++;
}

static int set_up(void **state)
{
	(void)state;
	fake_reset();
	table_clear();
	answer_count = 0;
	assert_int_equal(dns_open(NULL, NULL, &dns), 0);
	conf_init(&conf);
	conf.policy_count = 1;
	conf.policies[0].id = POLICY;
	(void)text_copy(conf.hostname, sizeof(conf.hostname), "gate.example.net");
	world.conf = &conf;
	world.resolver = resolver_new(dns, &limits, seed);
	runner = runner_new(&world, TASKS, on_answer, NULL);
	return world.resolver && runner ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	runner_free(&runner);
	dns_close(&dns);
	resolver_free(&world.resolver);
	table_clear();
	return 0;
}

static void start(const char *domain)
{
	struct check_request request = {.check = CHECK_SPF,
					.policy_id = POLICY,
					.serial = 5,
					.deadline_ns = DEADLINE_NS,
					.asked_wall_s = 1700000000};

	assert_int_equal(addr_parse("192.0.2.1", &request.client), 0);
	(void)text_copy(request.sender.local, sizeof(request.sender.local), "anna");
	(void)text_copy(request.sender.domain, sizeof(request.sender.domain), domain);
	(void)text_copy(request.sender.helo, sizeof(request.sender.helo), "helo.example");
	assert_int_equal(runner_start(runner, &request), 0);
}

/* Reply to the last question as the table has it. */
static void reply_from_table(void)
{
	const struct fake_question *question = &fake_questions[fake_asked - 1];
	const struct dns_answer *from = table_answer(question->name, question->type);
	struct dns_message message = {.len = from->message.len};

	assert_true(from->message.len <= sizeof(message.bytes));
	if (from->message.len > 0)
		memcpy(message.bytes, from->message.bytes, from->message.len);
	fake_reply(fake_asked - 1, from->status, &message);
}

static void run(const char *domain)
{
	unsigned int before = answer_count;

	start(domain);
	while (answer_count == before)
		reply_from_table();
}

static const struct {
	const char *domain;
	enum check_result result;
	enum spf_result spf;
	const char *evidence, *words;
} rows[] = {
	{"pass.example", CHECK_CLEAN, SPF_PASS, "ip4:192.0.2.1 of pass.example", ""},
	{"neutral.example", CHECK_CLEAN, SPF_NEUTRAL, "?all of neutral.example", ""},
	{"none.example", CHECK_CLEAN, SPF_NONE, "", ""},
	{"soft.example", CHECK_HIT, SPF_SOFTFAIL, "~all of soft.example", ""},
	{"fail.example", CHECK_HIT, SPF_FAIL, "-all of fail.example",
	 "not anna@fail.example, says gate.example.net at 1700000000"},
	{"broken.example", CHECK_HIT, SPF_PERMERROR,
	 "syntax error, or a modifier twice: x\\\" (broken.example)", ""},
	{"dead.example", CHECK_UNKNOWN, SPF_TEMPERROR,
	 "the resolver failed: dead.example (dead.example)", ""},
	{"", CHECK_CLEAN, SPF_PASS, "+all of helo.example", ""},
};

static void add_domains(void)
{
	table_add("pass.example", "TXT", "\"v=spf1 ip4:192.0.2.1 -all\"");
	table_add("neutral.example", "TXT", "\"v=spf1 ?all\"");
	table_add("soft.example", "TXT", "\"v=spf1 ~all\"");
	table_add("fail.example", "TXT", "\"v=spf1 -all exp=e.example\"");
	table_add("e.example", "TXT", "\"not %{s}, says %{r} at %{t}\"");
	table_add("broken.example", "TXT", "\"v=spf1 x\\x22\"");
	table_add("dead.example", "FAIL", "*");
	table_add("helo.example", "TXT", "\"v=spf1 +all\"");
}

static void each_result_has_its_answer(void **state)
{
	(void)state;
	add_domains();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		run(rows[i].domain);
		if (answer.result != rows[i].result ||
		    strcmp(answer.words, rows[i].words) != 0 ||
		    (answer.result != CHECK_UNKNOWN && answer.spf != rows[i].spf))
			fail_msg("%s: %s, %s: %s", rows[i].domain,
				 check_result_name(answer.result),
				 spf_result_name((enum spf_result)answer.spf),
				 answer.words);
		assert_string_equal(answer.evidence, rows[i].evidence);
	}
	assert_int_equal(runner_waiting(runner), 0);
}

static void what_is_known_is_not_asked_again(void **state)
{
	size_t asked;

	(void)state;
	table_add("i0.example", "TXT", "\"v=spf1 include:i1.example -all\"");
	table_add("i1.example", "TXT", "\"v=spf1 include:i2.example -all\"");
	table_add("i2.example", "TXT", "\"v=spf1 include:i3.example -all\"");
	table_add("i3.example", "TXT",
		  "\"v=spf1 a:x.example a:y.example exists:z.example +all\"");
	table_add("x.example", "A", "192.0.2.9");
	table_add("y.example", "A", "192.0.2.9");
	table_add("z.example", "A", "192.0.2.9");
	run("i0.example");
	assert_int_equal(answer.spf, SPF_PASS);
	asked = fake_asked;
	assert_int_equal(asked, 7);
	start("i0.example");
	assert_int_equal(answer_count, 2);
	assert_int_equal(answer.spf, SPF_PASS);
	assert_int_equal(fake_asked, asked);
}

static void at_the_deadline_it_is_unknown(void **state)
{
	(void)state;
	add_domains();
	start("pass.example");
	runner_expire(runner, DEADLINE_NS - 1);
	assert_int_equal(answer_count, 0);
	runner_expire(runner, DEADLINE_NS);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answer.result, CHECK_UNKNOWN);
	assert_string_equal(answer.words, "");
}

static void words_are_waited_for_three_seconds(void **state)
{
	(void)state;
	add_domains();
	start("fail.example");
	reply_from_table();
	assert_string_equal(fake_questions[fake_asked - 1].name, "e.example");
	runner_expire(runner, SPF_EXPLAIN_MS * MS - 1);
	assert_int_equal(answer_count, 0);
	runner_expire(runner, SPF_EXPLAIN_MS * MS);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answer.result, CHECK_HIT);
	assert_int_equal(answer.spf, SPF_FAIL);
	assert_string_equal(answer.words, "");
}

static void a_fail_is_told_before_the_time_is_over(void **state)
{
	(void)state;
	add_domains();
	start("fail.example");
	resolver_turn(world.resolver, DEADLINE_NS - 1000 * MS);
	reply_from_table();
	runner_expire(runner, DEADLINE_NS - 200 * MS);
	assert_int_equal(answer_count, 0);
	runner_expire(runner, DEADLINE_NS - 50 * MS);
	assert_int_equal(answer_count, 1);
	assert_int_equal(answer.spf, SPF_FAIL);
}

static void settings_decide(void **state)
{
	struct conf_policy policy;

	(void)state;
	conf_policy_init(&policy);
	assert_int_equal(spf_decide(&policy, SPF_NONE), SPF_ACCEPT);
	assert_int_equal(spf_decide(&policy, SPF_PASS), SPF_ACCEPT);
	assert_int_equal(spf_decide(&policy, SPF_NEUTRAL), SPF_ACCEPT);
	assert_int_equal(spf_decide(&policy, SPF_FAIL), SPF_REJECT);
	assert_int_equal(spf_decide(&policy, SPF_SOFTFAIL), SPF_ACCEPT);
	assert_int_equal(spf_decide(&policy, SPF_PERMERROR), SPF_ACCEPT);
	assert_int_equal(spf_decide(&policy, SPF_TEMPERROR), SPF_DEFER);
	policy.spf_softfail = SPF_SOFTFAIL_REJECT;
	policy.spf_permerror_reject = true;
	policy.spf_temperror_defer = false;
	assert_int_equal(spf_decide(&policy, SPF_SOFTFAIL), SPF_REJECT);
	assert_int_equal(spf_decide(&policy, SPF_PERMERROR), SPF_REJECT);
	assert_int_equal(spf_decide(&policy, SPF_TEMPERROR), SPF_ACCEPT);
	policy.spf_softfail = SPF_SOFTFAIL_GREYLIST;
	assert_int_equal(spf_decide(&policy, SPF_SOFTFAIL), SPF_GREYLIST);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_result_has_its_answer),
		TEST(what_is_known_is_not_asked_again),
		TEST(at_the_deadline_it_is_unknown),
		TEST(words_are_waited_for_three_seconds),
		TEST(a_fail_is_told_before_the_time_is_over),
		cmocka_unit_test(settings_decide),
	};

	return cmocka_run_group_tests_name("checks/spf", tests, NULL, NULL);
}
