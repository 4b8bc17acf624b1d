/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_config - what postern.conf and its lists become, and every mistake with its place.
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
#include "base/num.h"
#include "config_lab.h"
#include "policy/flags.h"
#include "proc/snapshot.h"

static int load(const char *text, struct config **out_config)
{
	char whole[2048];
	struct buf buf = BUF_OVER(whole);

	/* A configuration without a service would be wrong for want of one. */
	buf_printf(&buf, "%s%s", text,
		   strstr(text, "service ") || !strstr(text, "policy p {")
			   ? ""
			   : " service z { type = tcp policy = p ports = { 7 } }");
	return lab_load(whole, out_config);
}

#define SERVICE "service s { type = smtp policy = p backend = { \"192.0.2.9:25\" } }\n"

/* The place is that of the first error, without the directory. */
static const struct {
	const char *why;
	const char *conf;
	const char *list; /* a.list; NULL: as it was */
	const char *place;
	const char *says;
} mistakes[] = {
	{"unknown setting", "hostnam = \"x\"\n", NULL, "postern.conf:1:1: ", "'hostnam'"},
	{"what is known is said", "hostnam = \"x\"\n", NULL,
	 "postern.conf:1:1: ", "hostname"},
	{"unknown setting of a section", POLICY "\nservice s {\n\tkind = smtp\n}\n", NULL,
	 "postern.conf:4:2: ", "known in service: type, policy"},
	{"its name within another word", POLICY "service list.a { list = 1 }\n", NULL,
	 "postern.conf:2:18: ", "'list'"},
	{"comments do not shift lines",
	 "# one\n\n/* two\n three */\n\ngates = 0 # x\n" POLICY, NULL,
	 "postern.conf:6:9: ", "from 1 to 64"},
	{"a number that is none", "gates = many\n" POLICY, NULL,
	 "postern.conf:1:9: ", "'many'"},
	{"wrong unit", "policy p { ban-time = 5x lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:23: ", "such as 90s, 10m"},
	{"forever where it makes no sense",
	 "policy p { strike-window = forever lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:28: ", "out of range"},
	{"a mode that is none", "policy p { ptr = on lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:18: ", "none of: off, observe, enforce"},
	{"a detector without a time", "policy p { dos-junk = 20 lists = { \"a.list\" } }",
	 NULL, "postern.conf:1:23: ", "write 200/1m"},
	{"a detector that is always",
	 "policy p { dos-junk = 0/1m lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:23: ", "write 200/1m"},
	{"more SYNs a second than can be counted",
	 "policy p { dos-syn-rate = 1000001 lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:27: ", "from 0 to 1000000"},
	{"a bucket that holds nothing",
	 "policy p { dos-syn-burst = 0 lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:28: ", "from 1 to 1000000"},
	{"a detector with too long a memory",
	 "policy p { dos-junk = 20/25h lists = { \"a.list\" } }", NULL,
	 "postern.conf:1:23: ", "write 200/1m"},
	{"neither yes nor no", "i-want-an-open-relay = maybe\n" POLICY, NULL,
	 "postern.conf:1:24: ", "neither yes nor no"},
	{"set twice", "gates = 1\ngates = 2\n" POLICY, NULL,
	 "postern.conf:2:9: ", "second time"},
	{"list set twice", "dns = { 192.0.2.1 }\ndns = { 192.0.2.2 }\n" POLICY, NULL,
	 "postern.conf:2:9: ", "second time"},
	{"two policies of one name", POLICY POLICY, NULL,
	 "postern.conf:2:8: ", "duplicate title 'p': give it another name"},
	{"a value of a list with a blank", "dns = { a b }\n" POLICY, NULL,
	 "postern.conf:1:11: ", "'b': quote"},
	{"a list where one value goes", "hostname = { mx }\n" POLICY, NULL,
	 "postern.conf:1: ", "'{': quote"},
	{"no sign between", "gates 1\n" POLICY, NULL, "postern.conf:1",
	 "write name = value"},
	{"bytes that are no text", "\x01\x1b[2J = 1\n" POLICY, NULL, "postern.conf:1",
	 "unknown setting '\\x01"},
	{"unknown policy", POLICY "service s { type = tcp policy = q ports = { 1 } }",
	 NULL, "postern.conf:2:33: ", "is no policy"},
	{"no policy at all", "gates = 1\n", NULL, "postern.conf: ", "there is no policy"},
	{"type is missing", POLICY "service s { policy = p\n}", NULL,
	 "postern.conf:3: ", "type is missing"},
	{"type that is none", POLICY "service s { type = http policy = p }", NULL,
	 "postern.conf:2:20: ", "no type of service"},
	{"TLS without a certificate",
	 POLICY
	 "service s { type = submissions policy = p backend = { \"192.0.2.9:25\" } }",
	 NULL, "postern.conf:2: ", "certificates is missing"},
	{"IMAP without its certificate",
	 POLICY "service s { type = imaps policy = p backend = { \"192.0.2.9:143\" } }",
	 NULL, "postern.conf:2: ", "certificates is missing"},
	{"an IMAP session that ends while its client is idle",
	 POLICY "limits { imap-idle-timeout = 29m }", NULL, "postern.conf:2:30: ", "30m"},
	{"backend is missing", POLICY "service s { type = smtp policy = p\n}", NULL,
	 "postern.conf:3: ", "backend is missing"},
	{"ports of a proxied service",
	 POLICY
	 "service s { type = smtp policy = p backend = { \"192.0.2.9:25\" } ports = { 25 } }",
	 NULL, "postern.conf:2: ", "ports is for type = tcp"},
	{"intercept where postern is told to listen",
	 "interfaces = { eth0 }\n" POLICY
	 "service s { type = smtp policy = p intercept = yes "
	 "listen = { \"192.0.2.1:25\" } }",
	 NULL, "postern.conf:3: ", "listen does not go with intercept"},
	{"intercept without an interface",
	 POLICY "service s { type = smtp policy = p intercept = yes }", NULL,
	 "postern.conf:2: ", "needs interfaces"},
	{"intercept of a port that has no place above",
	 "interfaces = { eth0 }\n" POLICY
	 "service s { type = smtp policy = p intercept = yes ports = { 37536 } }",
	 NULL, "postern.conf:3: ", "at most 37535"},
	{"intercept of more ports than there are endpoints",
	 "interfaces = { eth0 }\n" POLICY
	 "service s { type = smtp policy = p intercept = yes "
	 "ports = { 1, 2, 3, 4, 5 } }",
	 NULL, "postern.conf:3: ", "at most 4 ports"},
	{"intercept of tcp",
	 POLICY "service s { type = tcp policy = p intercept = yes ports = { 443 } }",
	 NULL, "postern.conf:2: ", "not for type = tcp"},
	{"tcp service without ports", POLICY "service s { type = tcp policy = p }", NULL,
	 "postern.conf:2: ", "ports is missing"},
	{"tcp service with a backend",
	 POLICY
	 "service s { type = tcp policy = p ports = { 443 } backend = { \"192.0.2.9:25\" } }",
	 NULL, "postern.conf:2: ", "not proxied"},
	{"port past the last",
	 POLICY "service s { type = tcp policy = p ports = { 65536 } }", NULL,
	 "postern.conf:2:45: ", "is no port"},
	{"endpoint without a port",
	 POLICY "service s { type = smtp policy = p backend = { "
		"\"192.0.2.9\" } }",
	 NULL, "postern.conf:2:49: ", "no address with a port"},
	{"host bits in never-ban", "never-ban = { 192.0.2.1/24 }\n" POLICY, NULL,
	 "postern.conf:1:15: ", "write 192.0.2.0/24"},
	{"length in never-ban", "never-ban = { 192.0.2.1/33 }\n" POLICY, NULL,
	 "postern.conf:1:15: ", "0..32"},
	{"name server that is none", "dns = { ns1.example.net }\n" POLICY, NULL,
	 "postern.conf:1:9: ", "no name server"},
	{"interface too long", "interfaces = { \"abcdefghijklmnop\" }\n" POLICY, NULL,
	 "postern.conf:1:17: ", "no name of an interface"},
	{"interface twice", "interfaces = { eth0, eth0 }\n" POLICY, NULL,
	 "postern.conf:1:16: ", "named twice"},
	{"section never closed", POLICY "service s {\n type = tcp\n", NULL,
	 "postern.conf:2:11: ", "never closed"},
	{"brace that closes nothing", POLICY "}\n", NULL,
	 "postern.conf:2:1: ", "closes nothing"},
	{"quote never closed", "hostname = \"x\n" POLICY, NULL,
	 "postern.conf:1:12: ", "not closed on its line"},
	{"comment never closed", POLICY "\n /* x\n", NULL,
	 "postern.conf:3:2: ", "never closed"},
	{"value is missing", "gates =\n", NULL, "postern.conf:", "end of file"},
	{"name with a dot", "policy p.q { lists = { \"a.list\" } }", NULL,
	 "postern.conf:1: ", "is no name"},
	{"list file is missing", "policy p { lists = { \"c.list\" } }", NULL,
	 "postern.conf:1:23: ", "no such file"},
	{"two that do not go together",
	 "policy p {\n\tgreylist-delay = 2h\n\tgreylist-window = 1h\n\tlists = { \"a.list\" }\n}",
	 NULL, "postern.conf:3:20: ", "policy 'p': greylist-window: 1h is not more than"},
	{"two, of which one is not written",
	 "policy p {\n\tban-time = 30d\n\tlists = { \"a.list\" }\n}", NULL,
	 "postern.conf:4: ", "ban-time-max: 7d is less than ban-time, 30d"},
	{"the second of two addresses, taken already",
	 POLICY SERVICE
	 "service t { type = smtp policy = p backend = { \"192.0.2.9:25\" }\n"
	 "listen = { \"192.0.2.1:26\",\n\"0.0.0.0:25\" } }",
	 NULL, "postern.conf:5:2: ", "is taken already by 's'"},
	{"a limit beside another",
	 "limits {\n\tsessions-per-client-max = 50000\n}\n" POLICY, NULL,
	 "postern.conf:2:28: ", "is more than sessions-max"},
	{"list file twice", "policy p { lists = { \"a.list\", \"a.list\" } }", NULL,
	 "postern.conf:1:23: ", "named twice"},
	{"host bits in a list", POLICY, "# one\n\n192.0.2.1/24 PA\n",
	 "a.list:3:1: ", "192.0.2.0/24"},
	{"unknown flag", POLICY, "192.0.2.0/24  PA XX\n", "a.list:1:18: ", "'XX'"},
	{"the last line has no newline", POLICY, "192.0.2.0/24 PA\n::/x PA",
	 "a.list:2:1: ", "::/x"},
	{"duplicate in one file", POLICY, "192.0.2.0/24 PA\n\n192.0.2.0/24 PA LL\n",
	 "a.list:3:1: ", "a.list:1:"},
	{"open relay", POLICY, "0.0.0.0/0 PA\n10.0.0.0/8 PA AA AR\n::/0 PA AA AR\n",
	 "a.list:3: ", "open relay"},
	{"open relay by halves", POLICY, "128.0.0.0/1 PA AA AR\n",
	 "a.list:1: ", "open relay"},
};

static void every_mistake_is_told_with_its_place_and_remedy(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		lab_write("a.list", mistakes[i].list ? mistakes[i].list : LAB_LIST);
		assert_int_equal(load(mistakes[i].conf, &config), -EINVAL);
		lab_expect_error(config, mistakes[i].why, mistakes[i].place,
				 mistakes[i].says);
	}
}

static void many_mistakes_are_told_at_once(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	assert_int_equal(load("gates = x\nxdp = y\n" POLICY
			      "service s { type = z policy = w }",
			      &config),
			 -EINVAL);
	assert_int_equal(config->report.errors, 4);
}

static void settings_arrive_where_they_belong(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf *conf;

	(void)state;
	assert_int_equal(
		load("hostname = mx.example.org interfaces = { eth0, \"eth1\" } xdp = generic gates = 3\n"
		     "log-level = debug never-ban = { 192.0.2.7, 2001:db8::/32 }\n"
		     "dns = { 192.0.2.53, \"[2001:db8::53]:5353\" }\n"
		     "policy p { lists = { a.list } enabled = no off-types = { imap, pop3 }\n"
		     " strikes = observe max-strikes = 7 ban-time = forever ban-time-max = forever\n"
		     " repeat-credentials = ignore success-credit = 1h30m }\n"
		     "service s { type = smtp policy = p backend = { \"192.0.2.9:2525\" }\n"
		     " listen = { \"192.0.2.1:25\", \"[2001:db8::1]:25\", 192.0.2.1:26 }\n"
		     " client-address = xclient bare-newline = reject }\n"
		     "service t { type = tcp policy = p ports = { 443, 8443 } }\n"
		     "limits { line-max = 4096 greeting-timeout = 30s }\n",
		     &config),
		0);
	conf = &config->conf;
	assert_string_equal(conf->hostname, "mx.example.org");
	assert_int_equal(conf->interface_count, 2);
	assert_string_equal(conf->interfaces[1], "eth1");
	assert_int_equal(conf->xdp, XDP_WISH_GENERIC);
	assert_int_equal(conf->gates, 3);
	assert_int_equal(conf->never_ban_count, 2);
	assert_int_equal(conf->never_ban[1].len, 32);
	assert_int_equal(conf->dns[0].port, 53);
	assert_int_equal(conf->dns[1].port, 5353);
	assert_false(conf->policies[0].enabled);
	assert_int_equal(conf->policies[0].types_off,
			 1u << SERVICE_IMAP | 1u << SERVICE_POP3);
	assert_int_equal(conf->policies[0].mode[CHECK_STRIKES], MODE_OBSERVE);
	assert_int_equal(conf->policies[0].strikes.max, 7);
	assert_true(conf->policies[0].strikes.ban_time_s == DURATION_FOREVER_S);
	assert_true(conf->policies[0].strikes.repeat_credentials_ignore);
	assert_int_equal(conf->policies[0].strikes.success_credit_s, 5400);
	assert_int_equal(conf->services[0].listen_count, 3);
	assert_int_equal(conf->services[0].port_count, 2);
	assert_int_equal(conf->services[0].ports[1], 26);
	assert_int_equal(conf->services[0].backend[0].port, 2525);
	assert_int_equal(conf->services[0].client_address, CLIENT_ADDRESS_XCLIENT);
	assert_int_equal(conf->services[0].bare_newline, BARE_NEWLINE_REJECT);
	assert_int_equal(conf->services[1].port_count, 2);
	assert_int_equal(conf->services[1].ports[1], 8443);
	assert_int_equal(conf->limits.line_max_bytes, 4096);
	assert_int_equal(conf->limits.greeting_timeout_s, 30);
}

static void a_service_listens_on_its_types_port_everywhere(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf_service *service;

	(void)state;
	assert_int_equal(load(POLICY SERVICE, &config), 0);
	service = &config->conf.services[0];
	assert_int_equal(service->listen_count, 2);
	assert_int_equal(service->listen[0].addr.family, ADDR_V4);
	assert_int_equal(service->listen[1].addr.family, ADDR_V6);
	assert_int_equal(service->listen[1].port, 25);
	assert_int_equal(service->port_count, 1);
}

static void an_intercepted_service_needs_no_more_than_its_name(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf_service *service;
	uint16_t guarded[CONF_PORTS_MAX];

	(void)state;
	assert_int_equal(load("interfaces = { eth0 }\n" POLICY
			      "service s { type = smtp policy = p intercept = yes }",
			      &config),
			 0);
	service = &config->conf.services[0];
	assert_int_equal(service->client_address, CLIENT_ADDRESS_TRANSPARENT);
	assert_int_equal(service->fail_mode, FAIL_CLOSED);
	assert_int_equal(service->backend_count, 0);
	assert_int_equal(service->listen_count, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(service->listen[i].port, CONF_INTERCEPT_BASE + 25);
		assert_true(addr_is_loopback(&service->listen[i].addr));
	}
	assert_int_equal(conf_service_ports(service, guarded), 1);
	assert_int_equal(guarded[0], 25);
	assert_true(conf_wants_intercept(&config->conf));
}

static bool find(const struct config *config, const char *addr_text,
		 struct prefix_row *out_row)
{
	AUTO(free_mem)
	void *memory = aligned_alloc(8, prefix_table_size(config->builders[0]));
	struct addr addr;

	assert_non_null(memory);
	assert_int_equal(addr_parse(addr_text, &addr), 0);
	return prefix_table_find(prefix_table_write(config->builders[0], memory), &addr,
				 out_row);
}

static void lists_become_tables_with_file_and_line(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	struct prefix_row row;

	(void)state;
	lab_write("a.list", "# x\r\n0.0.0.0/0 PA LL\r\n\r\n");
	lab_write("b.list", "192.0.2.0/24 BL\n2001:db8::1 PA AS");
	assert_int_equal(load("policy p { lists = { a.list, b.list } }", &config), 0);
	assert_int_equal(config->entries[0], 3);
	assert_true(find(config, "198.51.100.1", &row));
	assert_int_equal(row.value, FLAG_PA | FLAG_LL);
	assert_int_equal(row.line, 2);
	assert_int_equal(row.origin, 0);
	assert_true(find(config, "192.0.2.1", &row));
	assert_int_equal(row.value, FLAG_BL);
	assert_int_equal(row.origin, 1);
	assert_true(find(config, "2001:db8::1", &row));
	assert_int_equal(row.line, 2);
	assert_false(find(config, "2001:db8::2", &row));
}

static void the_same_prefix_in_two_files_of_a_policy_is_refused(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	AUTO(config_free) struct config *apart = NULL;

	(void)state;
	lab_write("a.list", LAB_LIST);
	lab_write("b.list", "\n192.0.2.0/24 BL\n");
	assert_int_equal(load("policy p { lists = { a.list, b.list } }", &config),
			 -EINVAL);
	assert_non_null(strstr(lab_first_error(config), "b.list:2:1: "));
	assert_non_null(strstr(lab_first_error(config), "a.list:1"));
	assert_int_equal(
		load("policy p { lists = { a.list } } policy q { lists = { b.list } }",
		     &apart),
		0);
}

static void what_is_doubtful_is_a_warning(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	lab_write("a.list", "192.0.2.0/24 BAN RBL\n198.51.100.0/24 BAN\n");
	assert_int_equal(load(POLICY, &config), 0);
	assert_true(lab_says(config, false,
			     "flag RBL has no effect: the policy names no rbls"));
	assert_true(lab_says(config, false, "no entry with PA"));
	assert_true(lab_says(config, false, "interfaces is empty"));
	assert_int_equal(config->report.warnings, 3);
}

static void an_interface_that_is_not_there_is_a_warning(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	assert_int_equal(load("interfaces = { lo, nowhere0 }\n" POLICY, &config), 0);
	assert_true(lab_says(config, false,
			     "postern.conf:1:20: interfaces: 'nowhere0' is not there"));
	assert_false(lab_says(config, false, "'lo' is not there"));
}

static void a_backend_here_that_sees_no_client_is_a_warning(void **state)
{
	static const struct {
		const char *why, *backend, *client_address;
		bool want;
	} rows[] = {
		{"the shipped backend", "127.0.0.1:10025", "none", true},
		{"over IPv6", "[::1]:10025", "none", true},
		{"the second one", "192.0.2.9:25\", \"127.0.0.1:10025", "none", true},
		{"elsewhere", "192.0.2.9:25", "none", false},
		{"told by PROXY", "127.0.0.1:10025", "proxy", false},
		{"told by XCLIENT", "127.0.0.1:10025", "xclient", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(config_free) struct config *config = NULL;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "policy p { lists = { a.list } } service in { type = smtp "
			       "policy = p backend = { \"%s\" } client-address = %s }",
			       rows[i].backend, rows[i].client_address);
		if (load(text, &config) != 0 ||
		    lab_says(config, false, "service in: client-address = none") !=
			    rows[i].want)
			fail_msg("%s", rows[i].why);
	}
}

static void an_open_relay_is_had_by_asking_for_it(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	lab_write("a.list", "0.0.0.0/0 PA AA AR\n");
	assert_int_equal(load("i-want-an-open-relay = yes\n" POLICY, &config), 0);
}

static void private_networks_are_no_open_relay(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	lab_write("a.list",
		  "10.0.0.0/8 PA AA AR\nfc00::/7 PA AA AR\n2001:db8::/32 PA AA AR\n");
	assert_int_equal(load(POLICY, &config), 0);
}

static void too_many_errors_in_a_list_end_it(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	char text[4096];
	struct buf buf = BUF_OVER(text);

	(void)state;
	for (int i = 0; i < 100; i++)
		buf_puts(&buf, "x PA\n");
	lab_write("a.list", text);
	assert_int_equal(load(POLICY, &config), -EINVAL);
	assert_int_equal(config->report.errors, 21);
}

static void a_line_longer_than_any_buffer_is_an_error(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	AUTO(free_mem) char *line = malloc(600001);

	(void)state;
	assert_non_null(line);
	memset(line, 'x', 600000);
	line[600000] = '\0';
	lab_write("a.list", line);
	assert_int_equal(load(POLICY, &config), -EINVAL);
	assert_non_null(strstr(lab_first_error(config), "a.list:1:"));
}

/* Lines that lie across the reader's buffers. */
static void no_line_is_lost_in_a_large_list(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	char path[LAB_PATH_MAX_BYTES];
	struct prefix_row row;
	FILE *file;

	(void)state;
	lab_path(path, "big.list");
	file = fopen(path, "we");
	assert_non_null(file);
	for (unsigned int i = 0; i < 100000; i++)
		(void)fprintf(file, "10.%u.%u.%u PA LL # %u\n", i >> 16, i >> 8 & 255,
			      i & 255, i);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(load("policy p { lists = { big.list } }", &config), 0);
	assert_int_equal(config->entries[0], 100000);
	assert_true(find(config, "10.1.134.159", &row));
	assert_int_equal(row.line, 100000);
}

static void a_directory_and_a_missing_file_are_told(void **state)
{
	AUTO(config_free) struct config *missing = NULL;
	AUTO(config_free) struct config *directory = NULL;

	(void)state;
	assert_int_equal(config_load("/nonexistent/postern.conf", &missing), -EINVAL);
	assert_non_null(strstr(lab_first_error(missing), "cannot be read"));
	assert_int_equal(config_load("/tmp", &directory), -EINVAL);
	assert_non_null(strstr(lab_first_error(directory), "Is a directory"));
}

static void the_shipped_configuration_is_right(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	static const char *const policies[] = {"global", "lan", "webadmin"};

	(void)state;
	if (config_load("daemon/etc/postern.conf", &config))
		fail_msg("%s", lab_first_error(config));
	assert_int_equal(config->conf.policy_count, 3);
	for (int i = 0; i < 3; i++)
		assert_string_equal(config->conf.policies[i].name, policies[i]);
	/* interfaces and local-domains: the admin's to fill in */
	assert_int_equal(config->report.warnings, 2);
	assert_true(lab_says(config, false, "interfaces") &&
		    lab_says(config, false, "local-domains"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		LAB_TEST(every_mistake_is_told_with_its_place_and_remedy),
		LAB_TEST(many_mistakes_are_told_at_once),
		LAB_TEST(settings_arrive_where_they_belong),
		LAB_TEST(a_service_listens_on_its_types_port_everywhere),
		LAB_TEST(an_intercepted_service_needs_no_more_than_its_name),
		LAB_TEST(lists_become_tables_with_file_and_line),
		LAB_TEST(the_same_prefix_in_two_files_of_a_policy_is_refused),
		LAB_TEST(what_is_doubtful_is_a_warning),
		LAB_TEST(an_interface_that_is_not_there_is_a_warning),
		LAB_TEST(a_backend_here_that_sees_no_client_is_a_warning),
		LAB_TEST(an_open_relay_is_had_by_asking_for_it),
		LAB_TEST(private_networks_are_no_open_relay),
		LAB_TEST(too_many_errors_in_a_list_end_it),
		LAB_TEST(a_line_longer_than_any_buffer_is_an_error),
		LAB_TEST(no_line_is_lost_in_a_large_list),
		cmocka_unit_test(a_directory_and_a_missing_file_are_told),
		cmocka_unit_test(the_shipped_configuration_is_right),
	};

	return cmocka_run_group_tests_name("proc/config", tests, NULL, NULL);
}
