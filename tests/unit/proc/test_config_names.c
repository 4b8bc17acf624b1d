/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_config_names - local domains and routes, from postern.conf and from their files.
 *
 * link: config_lab.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config_lab.h"
#include "proc/config_names.h"
#include "proc/snapshot.h"

#define SERVICE "service s { type = smtp policy = p backend = { \"192.0.2.9:25\" } }\n"
#define TOLD                                                                 \
	"service s { type = smtp policy = p backend = { \"192.0.2.9:25\" } " \
	"client-address = xclient aa-login = office }\n"
#define MANY 100000u

static bool has(const struct text_builder *builder, const char *key,
		struct text_row *out_row)
{
	return text_builder_find(builder, key, strlen(key), out_row);
}

static bool is_row(const struct text_row *row, const char *value, uint32_t line,
		   enum text_row_origin origin)
{
	return row->value_len == strlen(value) &&
	       (row->value_len == 0 || memcmp(row->value, value, row->value_len) == 0) &&
	       row->line == line && row->origin == origin;
}

static void domains_come_from_both_places_in_one_form(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	char path[LAB_PATH_MAX_BYTES];
	struct text_row row;

	(void)state;
	lab_write("names", "# ours\n\nM\xc3\x9cNCHEN.example # and this\n"
			   "example.org\r\n[IPv6:2001:DB8::1]");
	assert_int_equal(lab_load("local-domains = { Example.ORG., \".Example.net\" }\n"
				  "local-domains-file = names\n" POLICY SERVICE,
				  &config),
			 0);
	assert_int_equal(text_builder_count(config->domains), 4);
	assert_true(has(config->domains, "example.org", &row));
	assert_true(is_row(&row, "", 1, TEXT_ROW_IN_CONF)); /* where it stood first */
	assert_true(has(config->domains, ".example.net", &row));
	assert_true(has(config->domains, "xn--mnchen-3ya.example", &row));
	assert_true(is_row(&row, "", 3, TEXT_ROW_IN_FILE));
	assert_true(has(config->domains, "[ipv6:2001:db8::1]", &row));
	lab_path(path, "names");
	assert_string_equal(config->conf.local_domains_file, path);
	assert_false(lab_says(config, false, "local-domains"));
}

static void routes_come_from_both_places_in_one_form(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	struct text_row row;

	(void)state;
	lab_write("names", "# moved\n\"Old.Name\"@EXAMPLE.org -> New.Name@Example.NET\n"
			   "\"a\\b c\"@example.org -> \"d \\e\"@example.net\n");
	assert_int_equal(
		lab_load("routes = { \"@Old.example -> @M\xc3\xbcnchen.example\",\n"
			 " \"x@y -> z@[192.0.2.1]\" }\n"
			 "routes-file = names\n" POLICY SERVICE,
			 &config),
		0);
	assert_int_equal(text_builder_count(config->routes), 4);
	assert_true(has(config->routes, "@old.example", &row));
	assert_true(is_row(&row, "@xn--mnchen-3ya.example", 1, TEXT_ROW_IN_CONF));
	assert_true(has(config->routes, "x@y", &row));
	assert_true(is_row(&row, "z@[192.0.2.1]", 2, TEXT_ROW_IN_CONF));
	assert_true(has(config->routes, "old.name@example.org", &row));
	assert_true(is_row(&row, "New.Name@example.net", 2, TEXT_ROW_IN_FILE));
	assert_true(has(config->routes, "ab c@example.org", &row));
	assert_true(is_row(&row, "d e@example.net", 3, TEXT_ROW_IN_FILE));
}

/* The place is that of the first error, without the directory. */
static const struct {
	const char *why;
	const char *conf;
	const char *names; /* NULL: no file */
	const char *place;
	const char *says;
} mistakes[] = {
	{"a domain that is none", "local-domains = { example.org, \"a b\" }\n", NULL,
	 "postern.conf:1:35: ", "one domain a line"},
	{"an address", "\nlocal-domains = { \"x@example.org\" }\n", NULL,
	 "postern.conf:2:20: ", "no domain"},
	{"an empty value", "local-domains = { \"\" }\n", NULL,
	 "postern.conf:1: ", "empty"},
	{"no name of the DNS", "local-domains-file = names\n", "a\n\xe2\x80\xae.b\n",
	 "names:2:1: ", "no name that can be in the DNS"},
	{"a wrong line of the file", "local-domains-file = names\n", "a\n\n  b,c\n",
	 "names:3:3: ", "'b,c'"},
	{"no such file of domains", "local-domains-file = absent\n", NULL,
	 "postern.conf:1:22: ", "no such file"},
	{"no such file of routes", "routes-file = absent\n", NULL,
	 "postern.conf:1:15: ", "no such file"},
	{"a path that is none", "routes-file = \"\"\n", NULL,
	 "postern.conf:1: ", "no path"},
	{"a directory", "routes-file = \"/tmp\"\n", NULL,
	 "postern.conf:1:16: ", "directory"},
	{"a route without an arrow", "routes = { \"a@b c@d\" }\n", NULL,
	 "postern.conf:1:17: ", "->"},
	{"a route in the file", "routes-file = names\n", "a@b -> c@d\na@c => c@d\n",
	 "names:2:5: ", "->"},
	{"the same twice", "routes = { \"a@b -> c@d\" }\nroutes-file = names\n",
	 "\nA@B -> e@f\n", "names:2: ", "postern.conf:1"},
	{"the same twice in other quotes", "routes-file = names\n",
	 "ab@c -> d@e\n\"a\\b\"@C. -> d@e\n", "names:2: ", "names:1"},
	{"a local part that needs SMTPUTF8", "routes-file = names\n",
	 "a@b -> \xc3\xa4@d\n", "names:1:8: ", "ASCII"},
	{"another kind of literal", "routes-file = names\n", "a@b -> c@[x:y@z]\n",
	 "names:1:10: ", "IPv4 or IPv6"},
	{"an empty local part", "routes-file = names\n", "\"\"@b -> c@d\n",
	 "names:1:1: ", "empty"},
	{"a loop", "routes-file = names\n", "x@y -> z@y\na@b -> c@d\nc@d -> a@b\n",
	 "names:2: ", "a loop, by c@d -> a@b"},
	{"its other place", "routes = { \"a@b -> c@d\" }\nroutes-file = names\n",
	 "c@d -> a@b\n", "postern.conf:1: ", "names:1"},
	{"a chain", "routes-file = names\n", "a@b -> c@d\nc@d -> e@f\n",
	 "names:1: ", "a chain: c@d -> e@f"},
	{"to itself", "routes-file = names\n", "\na@b -> A@b\n",
	 "names:2: ", "it leads to itself"},
	{"too many", "routes-file = names\nlimits { routes-max = 1 }\n",
	 "a@b -> c@d\ne@f -> g@h\n",
	 "postern.conf: ", "there are 2 routes: routes-max, in limits, allows 1"},
	{"a mode that is none", "policy q { relay = yes lists = { a.list } }\n", NULL,
	 "postern.conf:1:20: ", "off, observe, enforce"},
	{"neither yes nor no",
	 "policy q { permit-spoofing = enforce lists = { a.list } }\n", NULL,
	 "postern.conf:1:30: ", "yes, observe, no"},
};

static void every_mistake_is_told_with_its_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;
		char text[512];

		if (mistakes[i].names)
			lab_write("names", mistakes[i].names);
		(void)snprintf(text, sizeof(text), "%s" POLICY SERVICE, mistakes[i].conf);
		assert_int_equal(lab_load(text, &config), -EINVAL);
		lab_expect_error(config, mistakes[i].why, mistakes[i].place,
				 mistakes[i].says);
	}
}

static void as_many_routes_as_routes_max_are_allowed(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	lab_write("names", "a@b -> c@d\ne@f -> g@h\n");
	assert_int_equal(
		lab_load(
			"routes-file = names\nlimits { routes-max = 2 }\n" POLICY SERVICE,
			&config),
		0);
}

static void many_errors_in_a_file_end_it(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	char memory[1024];
	struct buf text = BUF_OVER(memory);

	(void)state;
	for (int i = 0; i < 60; i++)
		buf_puts(&text, "x y\n");
	lab_write("names", memory);
	assert_int_equal(lab_load("local-domains-file = names\n" POLICY SERVICE, &config),
			 -EINVAL);
	assert_int_equal(config->report.errors, 21);
}

static void a_hundred_thousand_domains_are_read(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	AUTO(free_mem) char *text = malloc(MANY * 24);
	struct text_row row;
	size_t len = 0;

	(void)state;
	assert_non_null(text);
	for (unsigned int i = 0; i < MANY; i++)
		len += (size_t)snprintf(text + len, 24, "domain-%u.example\n", i);
	lab_write("names", text);
	assert_int_equal(lab_load("local-domains-file = names\n" POLICY SERVICE, &config),
			 0);
	assert_int_equal(text_builder_count(config->domains), MANY);
	assert_true(has(config->domains, "domain-99999.example", &row));
	assert_int_equal(row.line, MANY);
}

static void relay_control_that_is_off_is_a_warning(void **state)
{
	static const struct {
		const char *why, *conf;
		bool warns;
	} rows[] = {
		{"nothing said", POLICY SERVICE, true},
		{"only observed",
		 "policy p { lists = { a.list } relay = observe }\n" SERVICE, true},
		{"meant so", "policy p { lists = { a.list } relay = off }\n" SERVICE,
		 false},
		{"no SMTP",
		 POLICY "service t { type = tcp policy = p ports = { 443 } }\n", false},
		{"the policy is off",
		 "policy p { lists = { a.list } enabled = no }\n" SERVICE, false},
		{"domains", "local-domains = { example.org }\n" POLICY SERVICE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		assert_int_equal(lab_load(rows[i].conf, &config), 0);
		if (lab_says(config, false, "local-domains is empty") != rows[i].warns)
			fail_msg("%s", rows[i].why);
	}
}

static void modes_arrive_where_they_belong(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	assert_int_equal(
		lab_load(
			"policy p { lists = { a.list } }\n"
			"policy q { lists = { a.list } relay = observe permit-spoofing = yes }\n"
			"policy r { lists = { a.list } relay = off permit-spoofing = observe }\n"
			"policy s { lists = { a.list } permit-spoofing = no }\n" SERVICE,
			&config),
		0);
	assert_int_equal(config->conf.policies[0].mode[CHECK_RELAY], MODE_ENFORCE);
	assert_int_equal(config->conf.policies[0].mode[CHECK_SPOOF], MODE_ENFORCE);
	assert_int_equal(config->conf.policies[1].mode[CHECK_RELAY], MODE_OBSERVE);
	assert_int_equal(config->conf.policies[1].mode[CHECK_SPOOF], MODE_OFF);
	assert_int_equal(config->conf.policies[2].mode[CHECK_RELAY], MODE_OFF);
	assert_int_equal(config->conf.policies[2].mode[CHECK_SPOOF], MODE_OBSERVE);
	assert_int_equal(config->conf.policies[3].mode[CHECK_SPOOF], MODE_ENFORCE);
	assert_int_equal(config->conf.limits.routes_max, 100000);
}

static void aa_of_the_internet_is_an_open_relay_where_the_backend_decides(void **state)
{
	static const char *const bad[] = {
		POLICY TOLD,
		"local-domains = { a.example }\n"
		"policy p { lists = { a.list } relay = observe }\n" TOLD,
		"local-domains = { a.example }\n"
		"policy p { lists = { a.list } relay = off }\n" TOLD,
	};

	(void)state;
	lab_write("a.list", "10.0.0.0/8 PA AA\n0.0.0.0/0 PA AA\n");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		assert_int_equal(lab_load(bad[i], &config), -EINVAL);
		if (!strstr(config->report.notes[0].text, "a.list:2: ") ||
		    !strstr(config->report.notes[0].text, "aa-login"))
			fail_msg("%s: %s", bad[i], config->report.notes[0].text);
	}
}

static void aa_of_the_internet_is_fine_where_ar_is_needed_or_nobody_told(void **state)
{
	static const char *const fine[] = {
		"local-domains = { a.example }\n" POLICY TOLD,
		POLICY SERVICE,
		"i-want-an-open-relay = yes\n" POLICY TOLD,
		"policy q { lists = { b.list } }\n"
		"policy p { lists = { a.list } }\n"
		"service s { type = smtp policy = q backend = { \"192.0.2.9:25\" } "
		"client-address = xclient aa-login = office }\n",
	};

	(void)state;
	lab_write("a.list", "0.0.0.0/0 PA AA\n");
	lab_write("b.list", "0.0.0.0/0 PA\n192.0.2.0/24 PA AA\n");
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		if (lab_load(fine[i], &config) != 0)
			fail_msg("%s: %s", fine[i], config->report.notes[0].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(domains_come_from_both_places_in_one_form),
		LAB_TEST(routes_come_from_both_places_in_one_form),
		LAB_TEST(every_mistake_is_told_with_its_place_and_remedy),
		LAB_TEST(as_many_routes_as_routes_max_are_allowed),
		LAB_TEST(many_errors_in_a_file_end_it),
		LAB_TEST(a_hundred_thousand_domains_are_read),
		LAB_TEST(relay_control_that_is_off_is_a_warning),
		LAB_TEST(modes_arrive_where_they_belong),
		LAB_TEST(aa_of_the_internet_is_an_open_relay_where_the_backend_decides),
		LAB_TEST(aa_of_the_internet_is_fine_where_ar_is_needed_or_nobody_told),
	};

	return cmocka_run_group_tests_name("proc/config_names", tests, NULL, NULL);
}
