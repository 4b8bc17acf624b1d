/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_config_client - who tells postern of a client (trusted-proxies, accept-proxy), what it tells of
 * him (aa-login), and how many sessions he may have.
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

#include "base/cleanup.h"
#include "config_lab.h"

#define SERVICE "service s { type = smtp policy = p backend = { \"192.0.2.9:25\" } %s }\n"

/* @top: ahead of a policy; @service: what else the service has. */
static int load(const char *top, const char *service, struct config **out_config)
{
	char text[1024];
	int len = snprintf(text, sizeof(text), "%s\n" POLICY SERVICE, top, service);

	assert_true(len > 0 && (size_t)len < sizeof(text));
	return lab_load(text, out_config);
}

static const struct {
	const char *why, *top, *service, *place, *words;
} mistakes[] = {
	{"it holds strangers", "trusted-proxies = { 0.0.0.0/0 }", "",
	 "postern.conf:1:21: ", "holds strangers"},
	{"the longest that does", "trusted-proxies = { 192.0.0.0/7 }", "",
	 "postern.conf:1:21: ", "holds strangers"},
	{"IPv6, too", "trusted-proxies = { 2001::/31 }", "",
	 "postern.conf:1:21: ", "holds strangers"},
	{"bits behind the length", "trusted-proxies = { 192.0.2.1/24 }", "",
	 "postern.conf:1:21: ", "192.0.2.0/24"},
	{"a header of nobody", "", "accept-proxy = yes",
	 "postern.conf:3:80: ", "name the proxies in trusted-proxies"},
	{"a login that nothing tells", "", "aa-login = trusted",
	 "postern.conf:3:76: ", "aa-login: only SMTP with client-address = xclient"},
	{"a login of two words", "", "client-address = xclient aa-login = \"two words\"",
	 "postern.conf:3:102: ", "aa-login: it has a character"},
	{"a login that is too long", "",
	 "client-address = xclient aa-login = "
	 "1234567890123456789012345678901234567890123456789012345678901234",
	 "postern.conf:3:", "is longer than 63 characters"},
	{"neither yes nor no", "trusted-proxies = { 192.0.2.1 }", "accept-proxy = v2",
	 "postern.conf:3:80: ", "neither yes nor no"},
};

static void each_mistake_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		if (load(mistakes[i].top, mistakes[i].service, &config) != -EINVAL)
			fail_msg("%s: no error", mistakes[i].why);
		lab_expect_error(config, mistakes[i].why, mistakes[i].place,
				 mistakes[i].words);
	}
}

static void the_kernel_reads_no_header(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	assert_int_equal(load("trusted-proxies = { 192.0.2.1 }",
			      "} service t { type = tcp policy = p ports = { 1 } "
			      "accept-proxy = yes",
			      &config),
			 -EINVAL);
	assert_true(lab_says(config, true,
			     "service 't': accept-proxy: only a service with listen"));
}

static void whom_it_trusts_and_that_it_warns(void **state)
{
	const struct addr outside = {.bytes = {0x20, 1, 0xd, 0xb8, 0, 1},
				     .family = ADDR_V6};
	AUTO(config_free) struct config *config = NULL;
	AUTO(config_free) struct config *unused = NULL;

	(void)state;
	assert_int_equal(
		load("trusted-proxies = { 192.0.2.1, 2001:db8::/48, 10.0.0.0/8 }",
		     "accept-proxy = yes", &config),
		0);
	assert_true(lab_says(config, false, "service s: accept-proxy: "));
	assert_int_equal(config->conf.trusted_proxy_count, 3);
	for (size_t i = 0; i < 3; i++)
		assert_true(conf_trusts_proxy(&config->conf,
					      &config->conf.trusted_proxies[i].addr));
	assert_false(conf_trusts_proxy(&config->conf, &outside));
	assert_int_equal(load("trusted-proxies = { 192.0.2.1 }", "", &unused), 0);
	assert_true(lab_says(unused, false, "no service has accept-proxy"));
}

#define IMAP \
	"type = imap policy = p backend = { \"192.0.2.9:143\" } listen = { \"192.0.2.1:%u\" }"

static void how_many_sessions_a_client_may_have(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf_service *services;
	char text[512];

	(void)state;
	(void)snprintf(text, sizeof(text),
		       "} service i { " IMAP " } service j { " IMAP
		       " sessions-per-client-max = 7",
		       143, 144);
	assert_int_equal(load("limits { sessions-per-client-max = 30 }", text, &config),
			 0);
	services = config->conf.services;
	assert_int_equal(services[0].sessions_per_client_max, 30);
	assert_int_equal(services[1].sessions_per_client_max, 40);
	assert_int_equal(services[2].sessions_per_client_max, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(each_mistake_has_its_place),
		LAB_TEST(the_kernel_reads_no_header),
		LAB_TEST(whom_it_trusts_and_that_it_warns),
		LAB_TEST(how_many_sessions_a_client_may_have),
	};

	return cmocka_run_group_tests_name("proc/config client", tests, NULL, NULL);
}
