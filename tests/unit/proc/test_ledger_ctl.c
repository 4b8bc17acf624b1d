/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control socket: each command against a whole ledger, and who may use it.
 *
 * link: ledger_lab.c ledger_lab_double.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "ledger_lab.h"
#include "proc/ledger_ctl.h"

static struct lab lab;

static size_t row_count(const json_t *answer)
{
	return json_array_size(json_object_get(answer, "rows"));
}

static int code_of(const json_t *answer)
{
	return (int)json_integer_value(
		json_object_get(json_object_get(answer, "done"), "code"));
}

static const char *message_of(const json_t *answer)
{
	const char *text = json_string_value(
		json_object_get(json_object_get(answer, "done"), "message"));

	return text ? text : "";
}

/* ---- ban: rows {request, code, result and policy of the first row, words of its why or note} ---- */

static const struct {
	const char *why, *request;
	int code;
	const char *result, *text;
	size_t kernel;
} bans[] = {
	{"an address, in every policy", "{\"addrs\":[\"192.0.2.1\"]}", 0, "banned", "",
	 2},
	{"in one policy", "{\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\"}", 0, "banned",
	 "", 1},
	{"a range", "{\"addrs\":[\"192.0.2.0/24\"],\"policy\":\"lan\"}", 0, "banned", "",
	 1},
	{"an IPv6 address is its /64",
	 "{\"addrs\":[\"2001:db8:9::1\"],\"policy\":\"lan\"}", 0, "banned", "is its /64",
	 1},
	{"an IPv6 /128 is meant as such",
	 "{\"addrs\":[\"2001:db8:9::1/128\"],\"policy\":\"lan\"}", 0, "banned", "", 1},
	{"longer entries of the list inside",
	 "{\"addrs\":[\"203.0.0.0/16\"],\"policy\":\"lan\"}", 0, "banned",
	 "longer entries", 1},
	{"dry", "{\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\",\"dry_run\":true}", 0,
	 "would-ban", "", 0},
	{"own address", "{\"addrs\":[\"198.51.100.1\"]}", 1, "refused", "own address", 0},
	{"own address, by force", "{\"addrs\":[\"198.51.100.0/24\"],\"force\":true}", 1,
	 "refused", "own address", 0},
	{"inside never-ban", "{\"addrs\":[\"2001:db8:ffff:1::/64\"]}", 1, "refused",
	 "never-ban", 0},
	{"host bits", "{\"addrs\":[\"192.0.2.1/24\"]}", 1, "refused", "192.0.2.0/24", 0},
	{"length", "{\"addrs\":[\"192.0.2.1/33\"]}", 1, "refused", "0..32", 0},
	{"nonsense", "{\"addrs\":[\"bob\"]}", 1, "refused", "not an IPv4", 0},
	{"/8 is not wide", "{\"addrs\":[\"10.0.0.0/8\"],\"policy\":\"lan\"}", 0, "banned",
	 "", 1},
	{"/7 is wide", "{\"addrs\":[\"10.0.0.0/7\"]}", 1, "refused", "--force", 0},
	{"/7 by force", "{\"addrs\":[\"10.0.0.0/7\"],\"policy\":\"lan\",\"force\":true}",
	 0, "banned", "", 1},
	{"the caller", "{\"addrs\":[\"192.0.2.0/24\"],\"caller\":\"192.0.2.7\"}", 1,
	 "refused", "connected from", 0},
	{"beside the caller",
	 "{\"addrs\":[\"192.0.2.0/24\"],\"policy\":\"lan\",\"caller\":\"192.0.3.0\"}", 0,
	 "banned", "", 1},
	{"the caller, by force",
	 "{\"addrs\":[\"192.0.2.7\"],\"policy\":\"lan\",\"caller\":\"192.0.2.7\",\"force\":true}",
	 0, "banned", "", 1},
	{"no such policy", "{\"addrs\":[\"192.0.2.1\"],\"policy\":\"wan\"}", 2, "", "",
	 0},
	{"no address", "{\"addrs\":[]}", 2, "", "", 0},
	{"numbers for addresses", "{\"addrs\":[1]}", 2, "", "", 0},
	{"no time at all", "{\"addrs\":[\"192.0.2.1\"],\"for_s\":0}", 2, "", "", 0},
	{"past 100 years", "{\"addrs\":[\"192.0.2.1\"],\"for_s\":9999999999}", 2, "", "",
	 0},
};

static void what_may_be_banned_is(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bans) / sizeof(bans[0]); i++) {
		char request[256];
		json_t *answer;

		(void)snprintf(request, sizeof(request), "ban %s", bans[i].request);
		answer = lab_ask(&lab, request);
		if (code_of(answer) != bans[i].code ||
		    strcmp(lab_text(answer, 0, "result"), bans[i].result) != 0 ||
		    !strstr(lab_text(answer, 0, "why"), bans[i].text) ||
		    lab.kernel_count != bans[i].kernel)
			fail_msg("%s: code %d result %s why %s kernel %zu", bans[i].why,
				 code_of(answer), lab_text(answer, 0, "result"),
				 lab_text(answer, 0, "why"), lab.kernel_count);
		/* null would mean: for ever */
		if (strcmp(bans[i].result, "refused") == 0 &&
		    json_object_get(json_array_get(json_object_get(answer, "rows"), 0),
				    "ends"))
			fail_msg("%s: refused, and ends is there", bans[i].why);
		json_decref(answer);
		(void)lab_code(&lab, "unban {\"all\":true}");
		assert_int_equal(lab.kernel_count, 0);
	}
}

static void a_second_ban_changes_the_first(void **state)
{
	json_t *answer;

	(void)state;
	assert_int_equal(
		lab_code(
			&lab,
			"ban {\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\",\"for_s\":60}"),
		0);
	answer = lab_ask(
		&lab,
		"ban {\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\",\"forever\":true,"
		"\"reason\":\"spam \\u00fc\"}");
	assert_string_equal(lab_text(answer, 0, "result"), "changed");
	json_decref(answer);
	assert_int_equal(lab.kernel[0].ends_ns, CLOCK_FOREVER_NS);
	answer = lab_ask(&lab, "bans");
	assert_string_equal(lab_text(answer, 0, "why"), "spam \xc3\xbc");
	assert_true(json_is_null(json_object_get(
		json_array_get(json_object_get(answer, "rows"), 0), "ends")));
	json_decref(answer);
}

static void bans_show_the_kernels_counters(void **state)
{
	json_t *answer;
	json_t *row;

	(void)state;
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.2\"],"
					"\"policy\":\"lan\"}"),
			 0);
	lab_kernel_find(&lab, "192.0.2.2", LAB_LAN)->packets = 42;
	lab_kernel_find(&lab, "192.0.2.2", LAB_LAN)->last_seen_ns = clock_boot_ns();
	answer = lab_ask(&lab, "bans {\"policy\":\"lan\"}");
	assert_int_equal(row_count(answer), 2);
	row = json_array_get(json_object_get(answer, "rows"), 1);
	assert_string_equal(lab_text(answer, 1, "addr"), "192.0.2.2");
	assert_int_equal(json_integer_value(json_object_get(row, "packets")), 42);
	assert_in_range(json_integer_value(json_object_get(row, "last_seen")),
			clock_wall_s() - 5, clock_wall_s() + 1);
	json_decref(answer);
	answer = lab_ask(&lab, "bans {\"policy\":\"global\"}");
	assert_int_equal(row_count(answer), 0);
	json_decref(answer);
}

static void unban_reports_each_ban_it_lifts(void **state)
{
	json_t *answer;

	(void)state;
	assert_int_equal(
		lab_code(&lab,
			 "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.64/26\",\"192.0.3.1\","
			 "\"2001:db8:9::1\"]}"),
		0);
	assert_int_equal(lab.kernel_count, 8);
	answer = lab_ask(
		&lab,
		"unban {\"addrs\":[\"192.0.2.0/24\"],\"policy\":\"lan\",\"dry_run\":true}");
	assert_int_equal(row_count(answer), 2);
	assert_string_equal(lab_text(answer, 0, "result"), "would-unban");
	json_decref(answer);
	assert_int_equal(lab.kernel_count, 8);
	answer = lab_ask(&lab, "unban {\"addrs\":[\"192.0.2.0/24\"]}");
	assert_int_equal(code_of(answer), 0);
	assert_int_equal(row_count(answer), 4);
	assert_string_equal(lab_text(answer, 0, "result"), "unbanned");
	json_decref(answer);
	assert_int_equal(lab.kernel_count, 4);
	answer = lab_ask(&lab, "unban {\"addrs\":[\"2001:db8:9::77\"]}"); /* its /64 */
	assert_int_equal(row_count(answer), 2);
	assert_string_equal(lab_text(answer, 0, "addr"), "2001:db8:9::/64");
	json_decref(answer);
	assert_int_equal(lab_code(&lab, "unban {\"addrs\":[\"192.0.2.0/24\"]}"), 1);
	assert_int_equal(lab.kernel_count, 2);
}

static void an_address_in_a_wider_ban_stays_banned(void **state)
{
	json_t *answer;

	(void)state;
	assert_int_equal(
		lab_code(&lab, "ban {\"addrs\":[\"192.0.2.0/24\"],\"policy\":\"lan\"}"),
		0);
	answer = lab_ask(&lab, "unban {\"addrs\":[\"192.0.2.1\"]}");
	assert_int_equal(code_of(answer), 1);
	assert_string_equal(lab_text(answer, 0, "result"), "not-found");
	assert_non_null(strstr(lab_text(answer, 0, "why"), "192.0.2.0/24"));
	json_decref(answer);
	assert_int_equal(lab.kernel_count, 1);
	answer = lab_ask(&lab, "unban {\"addrs\":[\"bob\"]}");
	assert_int_equal(code_of(answer), 1);
	assert_string_equal(lab_text(answer, 0, "addr"), "bob");
	json_decref(answer);
}

static void whom_it_is_about_has_to_be_said(void **state)
{
	static const struct {
		const char *why, *request, *message;
	} wrong[] = {
		{"nobody", "unban", "either 'addrs' or 'all' must say what to unban"},
		{"an empty list", "unban {\"addrs\":[]}",
		 "either 'addrs' or 'all' must say what to unban"},
		{"all and one", "unban {\"addrs\":[\"192.0.2.1\"],\"all\":true}",
		 "either 'addrs' or 'all' must say what to unban"},
		{"not even all", "greylist-forget {\"all\":false}",
		 "either 'addrs' or 'all' must say what to forget"},
		{"a policy that is none", "unban {\"all\":true,\"policy\":\"wan\"}",
		 "there is no policy 'wan'"},
		{"the bans of none", "bans {\"policy\":\"wan\"}",
		 "there is no policy 'wan'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		json_t *answer = lab_ask(&lab, wrong[i].request);

		if (code_of(answer) != 2 ||
		    strcmp(message_of(answer), wrong[i].message) != 0)
			fail_msg("%s: %s", wrong[i].why, message_of(answer));
		json_decref(answer);
	}
}

static void bans_of_a_policy_that_is_no_more_are_shown_and_lifted(void **state)
{
	json_t *answer;

	(void)state;
	assert_int_equal(
		lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"],\"policy\":\"lan\"}"), 0);
	(void)text_copy(lab.conf.policies[1].name, CONF_NAME_MAX, "office");
	lab_reload(&lab);
	answer = lab_ask(&lab, "bans {\"policy\":\"lan\"}");
	assert_int_equal(row_count(answer), 1);
	json_decref(answer);
	answer = lab_ask(&lab, "unban {\"all\":true,\"policy\":\"lan\"}");
	assert_int_equal(code_of(answer), 0);
	assert_int_equal(row_count(answer), 1);
	json_decref(answer);
	assert_int_equal(lab_code(&lab, "policy {\"name\":\"lan\"}"), 2);
}

static json_t *why_of(const json_t *answer)
{
	return json_object_get(json_object_get(answer, "done"), "why");
}

static void why_names_entry_flag_ban_and_evidence(void **state)
{
	json_t *answer;
	json_t *service;
	json_t *ban;

	(void)state;
	lab_strikes(&lab, "192.0.2.77", LAB_SMTP, 4);
	lab_strike(&lab, "192.0.2.77", LAB_SUBMISSION, "carol");
	lab_settle(&lab);
	lab_settle(&lab);
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.77\"}");
	assert_int_equal(code_of(answer), 1);
	service = json_array_get(json_object_get(why_of(answer), "services"), 0);
	assert_string_equal(json_string_value(json_object_get(service, "verdict")),
			    "banned");
	assert_string_equal(json_string_value(json_object_get(service, "ban_addr")),
			    "192.0.2.77");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(service, "entry"), "prefix")),
			    "0.0.0.0/0");
	service = json_array_get(json_object_get(why_of(answer), "services"), 2);
	assert_string_equal(json_string_value(json_object_get(service, "verdict")),
			    "permit");
	ban = json_array_get(json_object_get(why_of(answer), "bans"), 0);
	assert_int_equal(json_array_size(json_object_get(ban, "evidence")), 5);
	assert_string_equal(
		json_string_value(json_object_get(
			json_array_get(json_object_get(ban, "evidence"), 4), "user")),
		"carol");
	assert_non_null(strstr(json_string_value(json_object_get(ban, "why")), "carol"));
	assert_int_equal(json_array_size(json_object_get(why_of(answer), "strikes")), 0);
	assert_int_equal(json_array_size(json_object_get(why_of(answer), "sessions")), 1);
	json_decref(answer);

	assert_int_equal(lab_code(&lab, "unban {\"addrs\":[\"192.0.2.77\"]}"), 0);
	answer = lab_ask(&lab, "why {\"addr\":\"192.0.2.77\"}");
	assert_int_equal(code_of(answer), 0);
	assert_int_equal(json_array_size(json_object_get(why_of(answer), "history")), 1);
	json_decref(answer);
}

static void why_shows_the_strikes_so_far(void **state)
{
	json_t *answer;

	(void)state;
	lab_strikes(&lab, "2001:db8:2::5", LAB_IMAP, 3);
	answer = lab_ask(&lab, "why {\"addr\":\"2001:db8:2::9\"}");
	while (json_array_size(json_object_get(why_of(answer), "strikes")) < 3) {
		json_decref(answer);
		answer = lab_ask(&lab, "why {\"addr\":\"2001:db8:2::9\"}");
	}
	assert_string_equal(json_string_value(json_object_get(why_of(answer), "client")),
			    "2001:db8:2::/64");
	assert_int_equal(json_array_size(json_object_get(why_of(answer), "strikes")), 3);
	assert_int_equal(
		json_integer_value(json_object_get(why_of(answer), "strikes_max")), 5);
	json_decref(answer);
	answer = lab_ask(&lab, "why {\"addr\":\"198.51.100.1\"}");
	assert_string_equal(
		json_string_value(json_object_get(why_of(answer), "protected")),
		"own address");
	json_decref(answer);
	assert_int_equal(lab_code(&lab, "why {\"addr\":\"198.51.100.0/24\"}"), 2);
	assert_int_equal(lab_code(&lab, "why"), 2);
}

static void policies_and_their_entries_are_shown(void **state)
{
	json_t *answer;
	json_t *policies;

	(void)state;
	answer = lab_ask(&lab, "policy");
	policies = json_object_get(json_object_get(answer, "done"), "policies");
	assert_int_equal(json_array_size(policies), 2);
	assert_int_equal(row_count(answer), 0);
	json_decref(answer);
	answer = lab_ask(&lab, "policy {\"name\":\"lan\"}");
	policies = json_object_get(json_object_get(answer, "done"), "policies");
	assert_int_equal(json_array_size(policies), 1);
	assert_int_equal(row_count(answer), 6);
	assert_string_equal(lab_text(answer, 1, "prefix"), "203.0.113.0/24");
	assert_string_equal(lab_text(answer, 1, "flags"), "PA AS");
	assert_string_equal(lab_text(answer, 1, "file"), "global.list");
	json_decref(answer);
	assert_int_equal(lab_code(&lab, "policy {\"name\":\"wan\"}"), 2);
}

static void status_joins_keeper_and_ledger(void **state)
{
	json_t *answer;
	json_t *status;

	(void)state;
	lab.report = "{\"interfaces\":[{\"name\":\"eth0\"}],\"bans\":-1}";
	assert_int_equal(lab_code(&lab, "ban {\"addrs\":[\"192.0.2.1\"]}"), 0);
	answer = lab_ask(&lab, "status");
	status = json_object_get(json_object_get(answer, "done"), "status");
	assert_int_equal(json_array_size(json_object_get(status, "interfaces")), 1);
	assert_int_equal(json_integer_value(json_object_get(status, "bans")), 2);
	assert_int_equal(json_integer_value(json_object_get(status, "sessions")), 1);
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(status, "store"), "state")),
			    "ok");
	json_decref(answer);
}

static void sessions_come_from_the_gates(void **state)
{
	json_t *answer = lab_ask(&lab, "sessions");

	(void)state;
	assert_int_equal(row_count(answer), 1);
	assert_string_equal(lab_text(answer, 0, "id"), "0000000000000abc");
	assert_string_equal(lab_text(answer, 0, "addr"), "192.0.2.77");
	assert_string_equal(lab_text(answer, 0, "service"), "smtp");
	json_decref(answer);
}

static void verify_finds_what_differs(void **state)
{
	json_t *answer;

	(void)state;
	lab.report = "[]";
	assert_int_equal(
		lab_code(&lab,
			 "ban {\"addrs\":[\"192.0.2.1\",\"192.0.2.2\",\"192.0.2.3\"],"
			 "\"policy\":\"lan\"}"),
		0);
	assert_int_equal(lab_code(&lab, "verify"), 0);
	*lab_kernel_find(&lab, "192.0.2.1", LAB_LAN) = lab.kernel[--lab.kernel_count];
	lab_kernel_find(&lab, "192.0.2.2", LAB_LAN)->ends_ns -= NS_PER_S;
	lab_kernel_put(&lab, "192.0.2.9", LAB_GLOBAL, clock_boot_ns() + 60 * NS_PER_S);
	lab.report = "{\"rows\":[{\"where\":\"lists\",\"problem\":\"differs\"}]}";
	answer = lab_ask(&lab, "verify");
	assert_int_equal(code_of(answer), 1);
	assert_int_equal(row_count(answer), 4);
	assert_string_equal(message_of(answer), "4 differences");
	json_decref(answer);
}

static void a_reload_is_the_keepers(void **state)
{
	json_t *answer;

	(void)state;
	lab.report = "2 lists changed";
	answer = lab_ask(&lab, "reload");
	assert_int_equal(code_of(answer), 0);
	assert_string_equal(message_of(answer), "2 lists changed");
	json_decref(answer);
}

/* The keeper answers and says that it is over, and the ledger finds both at once. */
static void an_answer_still_goes_out_when_the_end_comes(void **state)
{
	const struct msg drain = {.type = MSG_DRAIN, .drain.grace_s = 1};
	struct msg order = {0};
	struct msg report = {.type = MSG_REPORT, .report = {.last = 1, .text = "ours"}};
	char answer[256] = "";

	(void)state;
	lab_tell(&lab, "upgrade");
	while (order.type != MSG_ORDER) {
		struct pollfd keeper = {.fd = lab.keeper, .events = POLLIN};

		assert_int_equal(poll(&keeper, 1, LAB_TIMEOUT_MS), 1);
		assert_true(recv(lab.keeper, &order, sizeof(order), 0) > 0);
	}
	report.report.seq = order.order.seq;
	assert_true(lab.pid > 1);
	assert_int_equal(kill(lab.pid, SIGSTOP), 0);
	lab_send(lab.keeper, &report, -1);
	lab_send(lab.keeper, &drain, -1);
	assert_int_equal(kill(lab.pid, SIGCONT), 0);
	assert_int_equal(waitpid(lab.pid, NULL, 0), lab.pid);
	lab.pid = 0;
	assert_true(recv(lab.admin, answer, sizeof(answer) - 1, 0) > 0);
	assert_non_null(strstr(answer, "ours"));
}

/* ---- lines that are no requests ------------------------------------------------------------------ */

static void what_cannot_be_read_is_said_and_the_connection_goes_on(void **state)
{
	static const char *const lines[] = {
		"{\"v\":1}",
		"{\"v\":2,\"cmd\":\"status\"}",
		"{\"v\":1,\"cmd\":\"rm\"}",
		"{\"v\":1,\"cmd\":\"bans\",\"args\":[]}",
		"{\"v\":1,\"cmd\":\"bans\",\"args\":{\"policy\":7}}",
		"{\"v\":1,\"cmd\":\"bans\",",
		"{}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		if (lab_code(&lab, lines[i]) != 2)
			fail_msg("%s", lines[i]);
	}
	assert_int_equal(lab_code(&lab, "bans"), 0);
}

static void requests_may_follow_without_waiting(void **state)
{
	json_t *answer;

	(void)state;
	/* Two lines in one: the answers keep their order. */
	answer = lab_ask(
		&lab, "{\"v\":1,\"cmd\":\"ban\",\"args\":{\"addrs\":[\"192.0.2.1\"]}}\n"
		      "{\"v\":1,\"cmd\":\"bans\"}");
	assert_int_equal(row_count(answer), 2);
	assert_string_equal(lab_text(answer, 0, "result"), "banned");
	json_decref(answer);
	answer =
		lab_ask(&lab, "{\"v\":1,\"cmd\":\"bans\"}"); /* that of the second line */
	assert_int_equal(row_count(answer), 2);
	assert_string_equal(lab_text(answer, 0, "source"), "command");
	json_decref(answer);
}

static void root_and_the_group_may(void **state)
{
	const gid_t groups[] = {100, 33};

	(void)state;
	assert_true(ctl_is_admin(0, groups, 2, 33));
	assert_true(ctl_is_admin(1000, groups, 2, 33));
	assert_false(ctl_is_admin(1000, groups, 1, 33));
	assert_false(ctl_is_admin(1000, groups, 2, 34));
	assert_false(ctl_is_admin(1000, groups, 2, (gid_t)-1));
}

int main(void)
{
#define TEST(name) LAB_TEST(name, lab_set_up_started)
	const struct CMUnitTest tests[] = {
		TEST(what_may_be_banned_is),
		TEST(a_second_ban_changes_the_first),
		TEST(bans_show_the_kernels_counters),
		TEST(unban_reports_each_ban_it_lifts),
		TEST(an_address_in_a_wider_ban_stays_banned),
		TEST(whom_it_is_about_has_to_be_said),
		TEST(bans_of_a_policy_that_is_no_more_are_shown_and_lifted),
		TEST(why_names_entry_flag_ban_and_evidence),
		TEST(why_shows_the_strikes_so_far),
		TEST(policies_and_their_entries_are_shown),
		TEST(status_joins_keeper_and_ledger),
		TEST(sessions_come_from_the_gates),
		TEST(verify_finds_what_differs),
		TEST(a_reload_is_the_keepers),
		TEST(an_answer_still_goes_out_when_the_end_comes),
		TEST(what_cannot_be_read_is_said_and_the_connection_goes_on),
		TEST(requests_may_follow_without_waiting),
		cmocka_unit_test(root_and_the_group_may),
	};

	return cmocka_run_group_tests_name("proc/ledger_ctl", tests, NULL, NULL);
}
