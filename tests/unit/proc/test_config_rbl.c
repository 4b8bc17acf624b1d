/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_config_rbl - sections rbl, and what policies say of them.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/config.h"

#define RBL \
	"rbl zen { zone = \"zen.example.net.\" replies = { \"127.0.0.[2..11]\", \"127.0.0.99\" } weight = 7 }\n"
#define POLICY	"policy p { lists = { \"a.list\" } }\n"
#define SERVICE " service z { type = tcp policy = p ports = { 7 } }"

static char dir[64];

static void write_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int load(const char *text, struct config **out_config)
{
	char path[128], whole[2048];

	(void)snprintf(whole, sizeof(whole), "%s%s", text, SERVICE);
	write_file("postern.conf", whole);
	(void)snprintf(path, sizeof(path), "%s/postern.conf", dir);
	return config_load(path, out_config);
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/postern-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	write_file("a.list", "192.0.2.0/24 PA\n");
	return 0;
}

static int tear_down(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/postern.conf", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/a.list", dir);
	(void)unlink(path);
	return rmdir(dir);
}

/* Does a note say so? */
static bool notes(const struct config *config, bool is_error, const char *words)
{
	for (size_t i = 0; i < config->report.kept; i++)
		if (config->report.notes[i].is_error == is_error &&
		    strstr(config->report.notes[i].text, words))
			return true;
	return false;
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
		notes(config, false, "rbls has no effect: no entry has the flag RBL"));
}

static void a_flag_without_lists_is_a_warning(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	write_file("a.list", "192.0.2.0/24 PA RBL\n");
	assert_int_equal(load(RBL POLICY, &config), 0);
	assert_true(notes(config, false, "policy p: flag RBL has no effect"));
	assert_true(notes(config, false, "a.list:1: "));
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
	 "postern.conf: ", "all its lists together weigh, 7"},
};

static void mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		assert_int_equal(load(mistakes[i].conf, &config), -EINVAL);
		if (!notes(config, true, mistakes[i].says) ||
		    !notes(config, true, mistakes[i].place))
			fail_msg("%s: %s", mistakes[i].why, config->report.notes[0].text);
	}
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_DIRECTORY(dns_lists_are_read),
		IN_DIRECTORY(a_flag_without_lists_is_a_warning),
		IN_DIRECTORY(mistakes_are_told_with_their_place),
	};

	return cmocka_run_group_tests_name("proc/config_rbl", tests, NULL, NULL);
}
