/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What checks found: counted in status, told to those who follow, remembered for why.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/buf.h"
#include "ledger_lab.h"

static struct lab lab;

static int set_up(void **state)
{
	(void)lab_set_up_started(state);
	lab.report =
		"{\"policies\":[{\"name\":\"global\",\"id\":3},{\"name\":\"lan\",\"id\":7}]}";
	return 0;
}

static void tell_finding(const char *addr, enum check_mode mode, enum check_result result,
			 const char *evidence)
{
	struct msg msg = {.type = MSG_FINDING};

	assert_int_equal(addr_parse(addr, &msg.finding.addr), 0);
	msg.finding.service = LAB_SMTP;
	msg.finding.check = CHECK_PTR;
	msg.finding.mode = (uint8_t)mode;
	msg.finding.result = (uint8_t)result;
	(void)text_copy(msg.finding.evidence, sizeof(msg.finding.evidence), evidence);
	lab_send(lab.gate, &msg, -1);
}

static void send_finding(const char *addr, enum check_mode mode, enum check_result result,
			 const char *evidence)
{
	tell_finding(addr, mode, result, evidence);
	lab_settle(&lab);
}

static int64_t count_of(const char *key)
{
	json_t *answer = lab_ask(&lab, "status");
	const json_t *policies = json_object_get(
		json_object_get(json_object_get(answer, "done"), "status"), "policies");
	const json_t *checks = json_object_get(json_array_get(policies, 0), "checks");
	int64_t count;

	assert_true(json_is_object(checks));
	count = json_object_get(checks, key)
			? json_integer_value(json_object_get(checks, key))
			: -1;
	checks = json_object_get(json_array_get(policies, 1), "checks");
	assert_int_equal(json_object_size(checks), 0);
	json_decref(answer);
	return count;
}

static void they_are_counted_by_policy_and_result(void **state)
{
	(void)state;
	assert_int_equal(count_of("ptr_hit"), -1);
	send_finding("192.0.2.7", MODE_ENFORCE, CHECK_HIT, "");
	send_finding("192.0.2.7", MODE_OBSERVE, CHECK_HIT, "");
	send_finding("192.0.2.8", MODE_OBSERVE, CHECK_HIT, "");
	assert_int_equal(count_of("ptr_hit"), 1);
	assert_int_equal(count_of("ptr_would"), 2);
	assert_int_equal(count_of("ptr_unknown"), 0);
	send_finding("192.0.2.7", MODE_ENFORCE, CHECK_UNKNOWN, "");
	assert_int_equal(count_of("ptr_unknown"), 1);
	assert_int_equal(count_of("helo_hit"), -1);
}

static const char *finding_text(const char *addr, const char *member, char out_text[128])
{
	char request[64];
	struct buf buf = BUF_OVER(request);
	const json_t *found;
	json_t *answer;

	buf_printf(&buf, "why {\"addr\":\"%s\"}", addr);
	answer = lab_ask(&lab, request);
	found = json_object_get(json_object_get(json_object_get(answer, "done"), "why"),
				"findings");
	assert_true(json_array_size(found) <= 1);
	found = json_object_get(json_array_get(found, 0), member);
	(void)text_copy(out_text, 128, found ? json_string_value(found) : "");
	json_decref(answer);
	return out_text;
}

static void the_latest_of_an_address_is_remembered(void **state)
{
	char text[128];

	(void)state;
	send_finding("192.0.2.7", MODE_ENFORCE, CHECK_UNKNOWN, "no resolver answered");
	send_finding("192.0.2.7", MODE_OBSERVE, CHECK_HIT, "no PTR record");
	assert_string_equal(finding_text("192.0.2.7", "why", text), "no PTR record");
	assert_string_equal(finding_text("192.0.2.7", "result", text), "would-refuse");
	assert_string_equal(finding_text("192.0.2.7", "check", text), "ptr");
	assert_string_equal(finding_text("192.0.2.7", "policy", text), "global");
	assert_string_equal(finding_text("192.0.2.8", "why", text), "");
}

static void they_are_told_to_those_who_follow(void **state)
{
	(void)state;
	/* The answer to the first shows that the second has been read. */
	lab_tell(&lab, "{\"v\":1,\"cmd\":\"bans\"}\n{\"v\":1,\"cmd\":\"events\"}");
	lab_until_told(&lab, "\"done\"");
	tell_finding("2001:db8:2::5", MODE_OBSERVE, CHECK_HIT, "no PTR record");
	lab_until_told(&lab, "\"event\":\"check\"");
	assert_non_null(strstr(lab.out, "\"addr\":\"2001:db8:2::5\""));
	assert_non_null(strstr(lab.out, "\"kind\":\"ptr\""));
	assert_non_null(strstr(lab.out, "\"result\":\"would-refuse\""));
	assert_non_null(strstr(lab.out, "\"why\":\"no PTR record\""));
}

static void a_service_that_has_gone_counts_nowhere(void **state)
{
	struct msg msg = {.type = MSG_FINDING};

	(void)state;
	assert_int_equal(addr_parse("192.0.2.7", &msg.finding.addr), 0);
	msg.finding.service = CONF_SERVICES_MAX - 1;
	msg.finding.check = CHECK_PTR;
	msg.finding.mode = MODE_ENFORCE;
	msg.finding.result = CHECK_HIT;
	lab_send(lab.gate, &msg, -1);
	lab_settle(&lab);
	assert_int_equal(count_of("ptr_hit"), -1);
}

/* What the kernel counts of a /64 is found for each of its addresses. */
static void who_begins_too_many_connections_is_found(void **state)
{
	struct msg msg = {.type = MSG_SYNS, .syns = {.count = 2}};
	char text[128];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct msg_syn *syn = &msg.syns.syns[i];
		struct addr addr;

		assert_int_equal(addr_parse(i ? "2001:db8:1:2::7" : "192.0.2.7", &addr),
				 0);
		*syn = (struct msg_syn){
			.client = prefix_of_client(&addr),
			.service = LAB_SMTP,
			.passed = 120 + i,
			.over = 7,
		};
	}
	lab_send(lab.keeper, &msg, -1);
	lab_settle(&lab);
	assert_int_equal(count_of("dos_hit"), 2);
	assert_string_equal(finding_text("192.0.2.7", "check", text), "dos");
	assert_string_equal(finding_text("192.0.2.7", "result", text), "hit");
	assert_non_null(strstr(finding_text("192.0.2.7", "why", text),
			       "20 connections begun a second: 7 SYN dropped, 120"));
	assert_non_null(strstr(finding_text("2001:db8:1:2:ffff::1", "why", text),
			       "7 SYN dropped, 121"));
	assert_string_equal(finding_text("2001:db8:1:3::1", "why", text), "");

	msg.syns.syns[0].service = CONF_SERVICES_MAX - 1;
	msg.syns.count = 1;
	lab_send(lab.keeper, &msg, -1);
	lab_settle(&lab);
	assert_int_equal(count_of("dos_hit"), 2);
}

#define TEST(name) LAB_TEST(name, set_up)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_are_counted_by_policy_and_result),
		TEST(the_latest_of_an_address_is_remembered),
		TEST(they_are_told_to_those_who_follow),
		TEST(a_service_that_has_gone_counts_nowhere),
		TEST(who_begins_too_many_connections_is_found),
	};

	return cmocka_run_group_tests_name("proc/ledger_findings", tests, NULL, NULL);
}
