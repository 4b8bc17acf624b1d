/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What certificate files say: each fault by its name, and the facts of a good one.
 *
 * link: ../certs.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "sys/tls_cert.h"
#include "unit/certs.h"

static struct cert_made ca, mx, other, small;
static char text[6][16384]; /* texts put together from those */

enum {
	CHAIN_MX_CA,
	CHAIN_CA_MX,
	CHAIN_MX_OTHER,
	CHAIN_HALF,
	KEY_HALF,
	CHAIN_NOISE
};

static int set_up(void **state)
{
	const struct cert_wish ca_wish = {.subject = "the authority"};
	const struct cert_wish mx_wish = {
		.subject = "mx",
		.names = "DNS:mx.example.org,DNS:*.example.net,IP:192.0.2.1",
		.issuer = &ca,
		.until_s = 86400};
	const struct cert_wish other_wish = {.subject = "other.example.org"};
	const struct cert_wish small_wish = {.subject = "small", .kind = CERT_RSA_SMALL};

	(void)state;
	assert_int_equal(tls_init(), 0);
	cert_make(&ca_wish, &ca);
	cert_make(&mx_wish, &mx);
	cert_make(&other_wish, &other);
	cert_make(&small_wish, &small);
	(void)snprintf(text[CHAIN_MX_CA], sizeof(text[0]), "%s%s", mx.cert_pem,
		       ca.cert_pem);
	(void)snprintf(text[CHAIN_CA_MX], sizeof(text[0]), "%s%s", ca.cert_pem,
		       mx.cert_pem);
	(void)snprintf(text[CHAIN_MX_OTHER], sizeof(text[0]), "%s%s", mx.cert_pem,
		       other.cert_pem);
	(void)snprintf(text[CHAIN_HALF], sizeof(text[0]), "%s%.200s", mx.cert_pem,
		       ca.cert_pem);
	(void)snprintf(text[KEY_HALF], sizeof(text[0]), "%.100s", mx.key_pem);
	(void)snprintf(text[CHAIN_NOISE], sizeof(text[0]), "subject=x\n%s# and\n%s\n",
		       mx.cert_pem, ca.cert_pem);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	cert_free(&ca);
	cert_free(&mx);
	cert_free(&other);
	cert_free(&small);
	return 0;
}

/* "secret" opens it. */
static const char locked_key[] =
	"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
	"MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAjg3NWrkv3IBgICCAAw\n"
	"DAYIKoZIhvcNAgkFADAdBglghkgBZQMEAQIEEOvlc7cowsfV2r95iSGrkjQEgZDq\n"
	"Q6GLVbHzCIRgq9+mRKielSQbNk8bhJiuM0Yci8V1yMdm+z/Y3zxFAOzZd8FH2hmZ\n"
	"qUShzaxwxgWLql8c/H913/JlRb2Rgyfb9pyXITLse1pJN3y/1wHP1oB8uFHNxikH\n"
	"BQuRmv6hHdkQ+KSntUK+OovwNKBY089Mvd1SMBrGdO2DXCEK1xwNaMRNSHWtyik=\n"
	"-----END ENCRYPTED PRIVATE KEY-----\n";

static const struct {
	const char *why;
	const char *chain; /* NULL: that of mx */
	const char *key;   /* NULL: that of mx */
	enum tls_cert_fault fault;
} rows[] = {
	{"one certificate and its key", NULL, NULL, TLS_CERT_GOOD},
	{"a chain", text[CHAIN_MX_CA], NULL, TLS_CERT_GOOD},
	{"text between the certificates", text[CHAIN_NOISE], NULL, TLS_CERT_GOOD},
	{"nothing", "", NULL, TLS_CERT_NONE},
	{"no PEM", "certificate", NULL, TLS_CERT_NONE},
	{"half a second certificate", text[CHAIN_HALF], NULL, TLS_CERT_BROKEN},
	{"no base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
	 NULL, TLS_CERT_BROKEN},
	{"base64, but no certificate",
	 "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NULL,
	 TLS_CERT_BROKEN},
	{"no key", NULL, "", TLS_CERT_KEY_NONE},
	{"half a key", NULL, text[KEY_HALF], TLS_CERT_KEY_NONE},
	{"a key with a passphrase", NULL, locked_key, TLS_CERT_KEY_LOCKED},
	{"the authority first", text[CHAIN_CA_MX], NULL, TLS_CERT_ORDER},
	{"a chain that is none is no fault", text[CHAIN_MX_OTHER], NULL, TLS_CERT_GOOD},
};

static void each_fault_has_its_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tls_pair pair = {
			cert_pem(rows[i].chain ? rows[i].chain : mx.cert_pem),
			cert_pem(rows[i].key ? rows[i].key : mx.key_pem)};
		struct tls_cert_facts facts;

		tls_cert_look(&pair, &facts);
		if (facts.fault != rows[i].fault)
			fail_msg("%s: %u %s", rows[i].why, facts.fault, facts.problem);
	}
}

static void another_key_and_a_small_key_are_faults(void **state)
{
	const struct tls_pair another = {cert_pem(mx.cert_pem), cert_pem(other.key_pem)};
	const struct tls_pair weak = cert_pair(&small);
	struct tls_cert_facts facts;

	(void)state;
	tls_cert_look(&another, &facts);
	assert_int_equal(facts.fault, TLS_CERT_MISMATCH);
	tls_cert_look(&weak, &facts);
	assert_int_equal(facts.fault, TLS_CERT_REFUSED);
	assert_non_null(strstr(facts.problem, "too small"));
}

static void a_good_one_is_described(void **state)
{
	const struct tls_pair pair = {cert_pem(text[CHAIN_MX_CA]), cert_pem(mx.key_pem)};
	const int64_t now_s = (int64_t)time(NULL);
	struct tls_cert_facts facts;

	(void)state;
	tls_cert_look(&pair, &facts);
	assert_int_equal(facts.cert_count, 2);
	assert_int_equal(facts.broken_at, 0);
	assert_int_equal(facts.name_count, 3);
	assert_string_equal(facts.names[0], "mx.example.org");
	assert_string_equal(facts.names[1], "*.example.net");
	assert_string_equal(facts.names[2], "192.0.2.1");
	assert_string_equal(facts.issuer, "the authority");
	assert_string_equal(facts.key, "EC 256");
	assert_in_range(facts.not_before_s, now_s - 60, now_s + 60);
	assert_in_range(facts.not_after_s, now_s + 86400 - 60, now_s + 86400 + 60);
}

static void the_subject_counts_where_there_is_no_other_name(void **state)
{
	const struct tls_pair pair = cert_pair(&other);
	struct tls_cert_facts facts;

	(void)state;
	tls_cert_look(&pair, &facts);
	assert_int_equal(facts.name_count, 1);
	assert_string_equal(facts.names[0], "other.example.org");
}

static void a_break_in_the_chain_is_found(void **state)
{
	const struct tls_pair pair = {cert_pem(text[CHAIN_MX_OTHER]),
				      cert_pem(mx.key_pem)};
	struct tls_cert_facts facts;

	(void)state;
	tls_cert_look(&pair, &facts);
	assert_int_equal(facts.broken_at, 2);
}

static void authorities_are_counted(void **state)
{
	const struct tls_pem two = cert_pem(text[CHAIN_MX_CA]);
	const struct tls_pem half = cert_pem(text[CHAIN_HALF]);
	const struct tls_pem none = cert_pem("none");

	(void)state;
	assert_int_equal(tls_cert_count(&two), 2);
	assert_int_equal(tls_cert_count(&half), 0);
	assert_int_equal(tls_cert_count(&none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fault_has_its_name),
		cmocka_unit_test(another_key_and_a_small_key_are_faults),
		cmocka_unit_test(a_good_one_is_described),
		cmocka_unit_test(the_subject_counts_where_there_is_no_other_name),
		cmocka_unit_test(a_break_in_the_chain_is_found),
		cmocka_unit_test(authorities_are_counted),
	};

	return cmocka_run_group_tests_name("sys/tls_cert", tests, set_up, tear_down);
}
