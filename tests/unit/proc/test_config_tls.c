/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Certificates and TLS in postern.conf: what becomes of them, each mistake with its place, each doubt as a warning, and
 * when files count as changed.
 *
 * link: config_lab.c ../certs.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "config_lab.h"
#include "unit/certs.h"

static struct cert_made ca, mx, old, future, soon;

static void write_key(const char *name, const char *text, mode_t mode)
{
	char path[LAB_PATH_MAX_BYTES];

	lab_write(name, text);
	lab_path(path, name);
	assert_int_equal(chmod(path, mode), 0);
}

static void write_pair(const char *name, const struct cert_made *made)
{
	char file[32];

	(void)snprintf(file, sizeof(file), "%s.pem", name);
	lab_write(file, made->cert_pem);
	(void)snprintf(file, sizeof(file), "%s.key", name);
	write_key(file, made->key_pem, 0600);
}

static int set_up(void **state)
{
	const struct cert_wish ca_wish = {.subject = "the authority"};
	const struct cert_wish mx_wish = {.subject = "mx",
					  .names = "DNS:mx.example.org",
					  .until_s = 60 * 86400,
					  .issuer = &ca};
	const struct cert_wish old_wish = {
		.subject = "old", .from_s = -7200, .until_s = -3600, .issuer = &ca};
	const struct cert_wish future_wish = {.subject = "future",
					      .from_s = 7200,
					      .until_s = 90 * 86400,
					      .issuer = &ca};
	const struct cert_wish soon_wish = {
		.subject = "soon", .until_s = 3 * 86400, .issuer = &ca};

	assert_int_equal(lab_set_up(state), 0);
	cert_make(&ca_wish, &ca);
	cert_make(&mx_wish, &mx);
	cert_make(&old_wish, &old);
	cert_make(&future_wish, &future);
	cert_make(&soon_wish, &soon);
	lab_write("ca.pem", ca.cert_pem);
	lab_write("empty", "");
	write_pair("mx", &mx);
	write_pair("old", &old);
	write_pair("future", &future);
	write_pair("soon", &soon);
	return 0;
}

static int tear_down(void **state)
{
	cert_free(&ca);
	cert_free(&mx);
	cert_free(&old);
	cert_free(&future);
	cert_free(&soon);
	return lab_tear_down(state);
}

#define MX "certificate mx { chain = \"mx.pem\" key = \"mx.key\" }\n"
/* A service of this type, with what else is said. */
#define SERVICE(type, rest)                                                           \
	"service s { type = " type " policy = p backend = { \"192.0.2.9:25\" } " rest \
	" client-address = proxy }\n"

/* The place is that of the first error, without the directory. */
static const struct {
	const char *why;
	const char *conf;
	const char *place;
	const char *says;
} mistakes[] = {
	{"no certificate section",
	 POLICY SERVICE("smtp", "tls = starttls certificates = { mx }"),
	 "postern.conf:2:", "'mx' is no certificate"},
	{"named twice",
	 POLICY MX SERVICE("smtp", "tls = starttls certificates = { mx, mx }"),
	 "postern.conf:3:", "named twice"},
	{"TLS without a certificate", POLICY SERVICE("smtp", "tls = starttls"),
	 "postern.conf:2: ", "certificates is missing"},
	{"implicit is the default of submissions", POLICY SERVICE("submissions", ""),
	 "postern.conf:2: ", "certificates is missing"},
	{"no such mode", POLICY SERVICE("smtp", "tls = yes"),
	 "postern.conf:2:", "none of: none, starttls, implicit, passthrough"},
	{"TLS 1.1", POLICY SERVICE("smtp", "tls-min = 1.1"),
	 "postern.conf:2:", "none of: 1.2, 1.3"},
	{"a certificate without a key", POLICY "certificate mx { chain = \"mx.pem\" }\n",
	 "postern.conf:2: ", "it needs chain and key"},
	{"a name that is none",
	 POLICY "certificate \"a b\" { chain = \"mx.pem\" key = \"mx.key\" }\n",
	 "postern.conf:2: ", "'a b' is no name"},
	{"no chain file",
	 POLICY MX
	 "certificate x { chain = \"no.pem\" key = \"mx.key\" }\n" SERVICE("smtp", ""),
	 "postern.conf:3:26: ", "no.pem': there is no such file"},
	{"no key file",
	 POLICY "certificate x {\n chain = \"mx.pem\"\n key = \"no.key\"\n}\n" SERVICE(
		 "smtp", ""),
	 "postern.conf:4:9: ", "no.key': there is no such file"},
	{"an empty file",
	 POLICY
	 "certificate x { chain = \"empty\" key = \"mx.key\" }\n" SERVICE("smtp", ""),
	 "postern.conf:2:26: ", "empty' is empty"},
	{"a directory",
	 POLICY
	 "certificate x { chain = \"/tmp\" key = \"mx.key\" }\n" SERVICE("smtp", ""),
	 "postern.conf:2:26: ", "Is a directory"},
	{"the key as chain",
	 POLICY
	 "certificate x { chain = \"mx.key\" key = \"mx.key\" }\n" SERVICE("smtp", ""),
	 "postern.conf:2:26: ", "holds no certificate"},
	{"the chain as key",
	 POLICY
	 "certificate x { chain = \"mx.pem\" key = \"mx.pem\" }\n" SERVICE("smtp", ""),
	 "postern.conf:2:26: ", "holds no private key"},
	{"two that do not belong together",
	 POLICY
	 "certificate x { chain = \"mx.pem\" key = \"old.key\" }\n" SERVICE("smtp", ""),
	 "postern.conf:2:41: ", "is not the key of the certificate"},
	{"TLS asked for where there is none",
	 POLICY SERVICE("submission", "require-tls-for-auth = yes"),
	 "postern.conf:2:94: ", "lets nobody log in"},
	{"TLS of its own where it passes that of others",
	 POLICY
	 "service s { type = imaps policy = p backend = { \"192.0.2.9:993\" } tls = passthrough "
	 "backend-tls = implicit }\n",
	 "postern.conf:2:73: ", "take backend-tls out"},
	{"words inside the TLS of others",
	 POLICY
	 "service s { type = imaps policy = p backend = { \"192.0.2.9:993\" } tls = passthrough "
	 "client-address = xclient }\n",
	 "postern.conf:2:102: ", "it is none, proxy or transparent"},
	{"logins inside the TLS of others",
	 POLICY
	 "service s { type = imaps policy = p backend = { \"192.0.2.9:993\" } tls = passthrough "
	 "require-tls-for-auth = yes }\n",
	 "postern.conf:2:108: ", "sees no login"},
	{"a backend without a name", POLICY SERVICE("smtp", "backend-tls = starttls"),
	 "postern.conf:2: ", "backend-verify-name is missing"},
	{"no file of authorities",
	 POLICY SERVICE(
		 "smtp",
		 "backend-tls = starttls backend-verify-name = b backend-ca = \"no.pem\""),
	 "postern.conf:2:", "no.pem': there is no such file"},
	{"a file without authorities",
	 POLICY SERVICE(
		 "smtp",
		 "backend-tls = starttls backend-verify-name = b backend-ca = \"mx.key\""),
	 "postern.conf:2:", "holds no certificate of an authority"},
	{"no time for a handshake",
	 POLICY SERVICE("smtp", "") "limits { tls-handshake-timeout = 0s }",
	 "postern.conf:3:", "out of range"},
};

static void each_mistake_has_its_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		AUTO(config_free) struct config *config = NULL;

		if (lab_load(mistakes[i].conf, &config) != -EINVAL)
			fail_msg("%s: no error", mistakes[i].why);
		lab_expect_error(config, mistakes[i].why, mistakes[i].place,
				 mistakes[i].says);
		assert_null(config->certificates);
	}
}

static const struct {
	const char *why;
	const char *conf;
	const char *says; /* a warning; NULL: there is none about TLS */
} doubts[] = {
	{"all is well",
	 POLICY MX SERVICE("submission", "tls = starttls certificates = { mx }"), NULL},
	{"passwords in the clear", POLICY SERVICE("submission", ""),
	 "tls = none: passwords"},
	{"mail from strangers has none", POLICY SERVICE("smtp", ""), NULL},
	{"in the clear although it should not",
	 POLICY SERVICE("submissions", "tls = none"), "set tls = implicit"},
	{"nobody shows it", POLICY MX SERVICE("smtp", ""), "no service has it"},
	{"the TLS of others is no clear text",
	 POLICY SERVICE("imaps", "tls = passthrough"), NULL},
	{"expired",
	 POLICY "certificate old { chain = \"old.pem\" key = \"old.key\" }\n" SERVICE(
		 "smtp", "tls = starttls certificates = { old }"),
	 "expired since"},
	{"not yet valid",
	 POLICY "certificate f { chain = \"future.pem\" key = \"future.key\" }\n" SERVICE(
		 "smtp", "tls = starttls certificates = { f }"),
	 "not valid before"},
	{"expires soon",
	 POLICY "certificate soon { chain = \"soon.pem\" key = \"soon.key\" }\n" SERVICE(
		 "smtp", "tls = starttls certificates = { soon }"),
	 "expires on"},
};

static bool is_about_tls(const char *text)
{
	return strstr(text, "tls") || strstr(text, "certificate");
}

static void each_doubt_is_a_warning_and_no_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(doubts) / sizeof(doubts[0]); i++) {
		AUTO(config_free) struct config *config = NULL;
		bool found = doubts[i].says == NULL;

		if (lab_load(doubts[i].conf, &config) != 0)
			fail_msg("%s: %s", doubts[i].why, config->report.notes[0].text);
		for (size_t n = 0; n < config->report.kept; n++) {
			const char *text = config->report.notes[n].text;

			if (!doubts[i].says && is_about_tls(text))
				fail_msg("%s: '%s'", doubts[i].why, text);
			found = found || (doubts[i].says && strstr(text, doubts[i].says));
		}
		if (!found)
			fail_msg("%s", doubts[i].why);
	}
}

static void a_key_that_everybody_reads_is_a_doubt(void **state)
{
	AUTO(config_free) struct config *config = NULL;

	(void)state;
	write_key("mx.key", mx.key_pem, 0644);
	assert_int_equal(lab_load(POLICY MX SERVICE(
					  "smtp", "tls = starttls certificates = { mx }"),
				  &config),
			 0);
	assert_true(lab_says(config, false, "read by everybody"));
	write_pair("mx", &mx);
}

static void what_is_set_is_there_and_what_is_not_has_its_default(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	const struct conf_service *service;

	(void)state;
	assert_int_equal(
		lab_load(
			POLICY MX
			"certificate old { chain = \"old.pem\" key = \"old.key\" }\n" SERVICE(
				"smtp",
				"tls = starttls certificates = { old, mx } tls-min = 1.3 "
				"backend-tls = implicit backend-verify-name = b.example.org "
				"backend-ca = \"ca.pem\""),
			&config),
		0);
	service = &config->conf.services[0];
	assert_int_equal(service->tls, TLS_MODE_STARTTLS);
	assert_int_equal(service->tls_min, TLS_LEAST_1_3);
	assert_true(service->require_tls_for_auth);
	assert_int_equal(service->certificate_count, 2);
	assert_int_equal(service->certificates[0], 1);
	assert_int_equal(service->certificates[1], 0);
	assert_int_equal(service->backend_tls, BACKEND_TLS_IMPLICIT);
	assert_true(service->backend_verify);
	assert_string_equal(service->backend_verify_name, "b.example.org");
	assert_non_null(config->certificates);
	assert_string_equal(config->certificates->facts[0].names[0], "mx.example.org");

	config_free(&config);
	assert_int_equal(lab_load(POLICY SERVICE("smtp", ""), &config), 0);
	service = &config->conf.services[0];
	assert_int_equal(service->tls, TLS_MODE_NONE);
	assert_false(service->require_tls_for_auth);
	assert_int_equal(service->backend_tls, BACKEND_TLS_NONE);
	assert_null(config->certificates);
}

/* What the gates get is what stands in the files, and nobody can change it. */
static void the_bundle_holds_the_files(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	struct tls_bundle bundle;
	struct tls_pem text;

	(void)state;
	assert_int_equal(
		lab_load(
			POLICY MX SERVICE(
				"smtp",
				"tls = starttls certificates = { mx } backend-tls = starttls "
				"backend-verify-name = b backend-ca = \"ca.pem\""),
			&config),
		0);
	assert_int_equal(tls_bundle_open(config->certificates->bundle_fd, &bundle), 0);
	text = tls_bundle_text(&bundle, &bundle.head->keys[0]);
	assert_int_equal(text.len, strlen(mx.key_pem));
	assert_memory_equal(text.bytes, mx.key_pem, text.len);
	text = tls_bundle_text(&bundle, &bundle.head->authorities[0]);
	assert_memory_equal(text.bytes, ca.cert_pem, text.len);
	assert_int_equal(bundle.head->chains[1].len, 0);
	tls_bundle_close(&bundle);
	assert_int_equal(pwrite(config->certificates->bundle_fd, "x", 1, 0), -1);
}

static void a_file_that_is_replaced_has_changed(void **state)
{
	AUTO(config_free) struct config *config = NULL;
	char from[128], to[128];

	(void)state;
	assert_int_equal(lab_load(POLICY MX SERVICE(
					  "smtp", "tls = starttls certificates = { mx }"),
				  &config),
			 0);
	assert_false(certificates_have_changed(config->certificates, &config->conf));

	lab_path(to, "mx.pem");
	lab_path(from, "mx.new");
	lab_write("mx.new", mx.cert_pem); /* the same words in another file */
	assert_int_equal(rename(from, to), 0);
	assert_true(certificates_have_changed(config->certificates, &config->conf));

	config_free(&config);
	assert_int_equal(lab_load(POLICY MX SERVICE(
					  "smtp", "tls = starttls certificates = { mx }"),
				  &config),
			 0);
	assert_int_equal(unlink(to), 0);
	/* It has not changed: it is on its way. */
	assert_false(certificates_have_changed(config->certificates, &config->conf));
	write_pair("mx", &mx);
}

static const struct {
	const char *why;
	int64_t before_s, after_s; /* from now */
	const char *problem;	   /* the beginning; "": none */
} times[] = {
	{"good for long", -1, 15 * 86400, ""},
	{"fourteen days", -1, CERTIFICATE_SOON_S, ""},
	{"a second less", -1, CERTIFICATE_SOON_S - 1, "expires on 20"},
	{"its last second", -1, 0, "expires on 20"},
	{"over", -10, -1, "expired since 20"},
	{"its first second", 0, 15 * 86400, ""},
	{"a second before", 1, 15 * 86400, "not valid before 20"},
};

static void time_is_a_problem_at_both_ends(void **state)
{
	const int64_t now_s = 1900000000;

	(void)state;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		const struct tls_cert_facts facts = {
			.cert_count = 1,
			.not_before_s = now_s + times[i].before_s,
			.not_after_s = now_s + times[i].after_s};
		char memory[64];
		struct buf text = BUF_OVER(memory);

		certificate_time_problem(&facts, now_s, &text);
		if (strncmp(memory, times[i].problem, strlen(times[i].problem)) != 0 ||
		    (times[i].problem[0] == '\0' && text.len > 0))
			fail_msg("%s: '%s'", times[i].why, memory);
	}
}

/* What a client of the mail host would have done is what postern does. */
static void an_intercepted_service_has_the_tls_of_its_mail_host(void **state)
{
	static const struct {
		const char *why, *type, *rest;
		enum backend_tls want;
		bool verify;
	} rows[] = {
		{"logins inside STARTTLS", "submission", "tls = starttls",
		 BACKEND_TLS_STARTTLS, false},
		{"the port of implicit TLS", "submissions", "", BACKEND_TLS_IMPLICIT,
		 false},
		{"mail of strangers has no passwords", "smtp", "tls = starttls",
		 BACKEND_TLS_NONE, false},
		{"said otherwise", "submission", "tls = starttls backend-tls = none",
		 BACKEND_TLS_NONE, false},
		{"a name to verify is verified", "submissions",
		 "backend-verify-name = \"mx.example.org\" backend-ca = \"ca.pem\"",
		 BACKEND_TLS_IMPLICIT, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(config_free) struct config *config = NULL;
		char text[512];

		(void)snprintf(text, sizeof(text),
			       "interfaces = { eth0 }\n" POLICY MX
			       "service s { type = %s policy = p intercept = yes "
			       "certificates = { mx } %s }\n",
			       rows[i].type, rows[i].rest);
		if (lab_load(text, &config))
			fail_msg("%s: %s", rows[i].why, config->report.notes[0].text);
		if (config->conf.services[0].backend_tls != rows[i].want ||
		    config->conf.services[0].backend_verify != rows[i].verify)
			fail_msg("%s: not as expected", rows[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_intercepted_service_has_the_tls_of_its_mail_host),
		cmocka_unit_test(each_mistake_has_its_place),
		cmocka_unit_test(each_doubt_is_a_warning_and_no_error),
		cmocka_unit_test(a_key_that_everybody_reads_is_a_doubt),
		cmocka_unit_test(what_is_set_is_there_and_what_is_not_has_its_default),
		cmocka_unit_test(the_bundle_holds_the_files),
		cmocka_unit_test(a_file_that_is_replaced_has_changed),
		cmocka_unit_test(time_is_a_problem_at_both_ends),
	};

	return cmocka_run_group_tests_name("proc/config_tls", tests, set_up, tear_down);
}
