/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_config_rbl - sections rbl, and what policies say of them.
 *
 * link: config_lab.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "config_lab.h"

#define RBL \
	"rbl zen { zone = \"zen.example.net.\" replies = { \"127.0.0.[2..11]\", \"127.0.0.99\" } weight = 7 }\n"
#define SERVICE " service z { type = tcp policy = p ports = { 7 } }"

static int load(const char *text, struct config **out_config)
{
	char whole[2048];

	(void)snprintf(whole, sizeof(whole), "%s%s", text, SERVICE);
	return lab_load(whole, out_config);
}

static void dns_lists_are_read(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf_rbl *rbl;

	(void)state;
	assert_int_equal(load(RBL "rbl good { zone = \"good.example\" type = allow "
				  "timeout = 5s ipv6 = no }\n"
				  "policy p { lists = { \"a.list\" } rbls = { zen } "
				  "rbl-threshold = 7 rbl-at = connect rbl = observe }",
			      &config),
			 0);
	assert_int_equal(config->conf.rbl_count, 2);
	rbl = &config->conf.rbls[0];
	assert_string_equal(rbl->name, "zen");
	assert_string_equal(rbl->zone, "zen.example.net"); /* without its dot */
	assert_int_equal(rbl->weight, 7);
	assert_int_equal(rbl->reply_count, 2);
	assert_int_equal(rbl->replies[0].last[3], 11);
	assert_int_equal(rbl->timeout_s, 3);
	assert_true(rbl->ipv6);
	assert_int_equal(rbl[1].type, RBL_ALLOW);
	assert_int_equal(rbl[1].timeout_s, 5);
	assert_false(rbl[1].ipv6);
	assert_int_equal(config->conf.policies[0].rbls, 1);
	assert_int_equal(config->conf.policies[0].rbl_threshold, 7);
	assert_int_equal(config->conf.policies[0].rbl_at, RBL_AT_CONNECT);
	assert_int_equal(config->conf.policies[0].mode[CHECK_RBL], MODE_OBSERVE);
	assert_true(
		lab_says(config, false, "rbls has no effect: no entry has the flag RBL"));
}

static void a_flag_without_lists_is_a_warning(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	lab_write("a.list", "192.0.2.0/24 PA RBL\n");
	assert_int_equal(load(RBL POLICY, &config), 0);
	assert_true(lab_says(config, false, "policy p: flag RBL has no effect"));
	assert_true(lab_says(config, false, "a.list:1: "));
}

static const struct {
	const char *why;
	const char *conf;
	const char *place;
	const char *says;
} mistakes[] = {
	{"a DNS list that is not there",
	 "policy p { lists = { \"a.list\" }\n rbls = { zen } }",
	 "postern.conf:2:11: ", "add a section rbl zen"},
	{"a DNS list twice",
	 RBL "policy p { lists = { \"a.list\" }\n rbls = { zen, zen } }",
	 "postern.conf:3:11: ", "named twice"},
	{"a DNS list without a zone", "rbl zen {\n}\n" POLICY,
	 "postern.conf:2: ", "zone is missing"},
	{"a reply that is no pattern",
	 "rbl z { zone = a\n replies = { 127.0.0 } }\n" POLICY,
	 "postern.conf:2:14: ", "127.0.0.[2..11]"},
	{"a reply that is an error code",
	 "rbl z { zone = a\n replies = { 127.255.255.254 } }\n" POLICY,
	 "postern.conf:2:14: ", "error codes"},
	{"a threshold that nobody reaches",
	 RBL "policy p { lists = { \"a.list\" } rbls = { zen } rbl-threshold = 8 }",
	 "postern.conf:2:64: ", "all its lists together weigh, 7"},
};

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		assert_int_equal(load(mistakes[i].conf, &config), -EINVAL);
		lab_expect_error(config, mistakes[i].why, mistakes[i].place,
				 mistakes[i].says);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(dns_lists_are_read),
		LAB_TEST(a_flag_without_lists_is_a_warning),
		LAB_TEST(mistakes_are_told_with_their_place),
	};

	return cmocka_run_group_tests_name("proc/config_rbl", tests, NULL, NULL);
}
