/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname: names of hosts, questions for PTR, and answers of people who mean no good.
 *
 * link: ../dns_message.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "unit/dns_message.h"
#include "wire/revname.h"

#define QUESTION    "7.2.0.192.in-addr.arpa"
#define AT_QUESTION "@12"

static const struct {
	const char *addr, *want;
} name_rows[] = {
	{"192.0.2.7", QUESTION},
	{"0.0.0.0", "0.0.0.0.in-addr.arpa"},
	{"255.254.253.252", "252.253.254.255.in-addr.arpa"},
	{"2001:db8::567:89ab",
	 "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"},
};

static void an_address_has_its_name(void **state)
{
	char name[REVNAME_TEXT_MAX];
	struct addr addr;

	(void)state;
	for (size_t i = 0; i < sizeof(name_rows) / sizeof(name_rows[0]); i++) {
		assert_int_equal(addr_parse(name_rows[i].addr, &addr), 0);
		assert_string_equal(revname_of_addr(&addr, name), name_rows[i].want);
	}
}

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *name;
	const char *want; /* words in the problem; NULL: it is a host's name */
} host_rows[] = {
	{"mail.example.org", NULL},
	{"mail.example.org.", NULL},
	{"a.b", NULL},
	{"3com.example", NULL},
	{"1.2.3.4.example", NULL},
	{"xn--mnchen-3ya.example", NULL},
	{L63 ".example", NULL},
	{L63 "a.example", "63"},
	{L63 "." L63 "." L63
	     ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 NULL},
	{L63 "." L63 "." L63
	     ".aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	 "255"},
	{"", "empty"},
	{".", "empty"},
	{"localhost", "single label"},
	{"localhost.", "single label"},
	{"mail..example", "empty label"},
	{".example.org", "empty label"},
	{"example.org..", "empty label"},
	{"-a.example", "hyphen"},
	{"a-.example", "hyphen"},
	{"a_b.example", "letters"},
	{"a b.example", "letters"},
	{"m\xc3\xbcnchen.example", "letters"},
	{"192.0.2.7", "an address"},
	{"1.2.3", "digits only"},
	{"example.123", "digits only"},
	{"example.12a", NULL},
};

static void rows_of_host_names_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(host_rows) / sizeof(host_rows[0]); i++) {
		const char *got =
			hostname_problem(host_rows[i].name, strlen(host_rows[i].name));
		const char *want = host_rows[i].want;

		if (want ? !got || !strstr(got, want) : got != NULL)
			fail_msg("'%s': %s", host_rows[i].name, got ? got : "taken");
	}
}

static void a_nul_in_a_host_name_is_seen(void **state)
{
	(void)state;
	assert_non_null(hostname_problem("a\0.example", 10));
}

/* Reads a copy of exactly its length, so that a sanitizer sees the byte behind it. */
static int answer_of(const struct dns_message *message, struct revname_answer *out_answer)
{
	uint8_t *copy = malloc(message->len ? message->len : 1);
	int err;

	assert_non_null(copy);
	memcpy(copy, message->bytes, message->len);
	err = revname_read_answer(copy, message->len, QUESTION, out_answer);
	free(copy);
	return err;
}

static void a_plain_answer_is_read(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "mail.example.org");
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, 1);
	assert_string_equal(answer.name, "mail.example.org");
	assert_int_equal(answer.ttl_s, 300);
}

static void the_first_name_that_is_one_counts(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "localhost");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 200, "a.example");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 400, "b.example");
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, 3);
	assert_string_equal(answer.name, "a.example");
	assert_string_equal(answer.other, "localhost");
	assert_int_equal(answer.ttl_s, 200);
}

static void cnames_lead_on_and_strangers_do_not(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, "8.2.0.192.in-addr.arpa", MESSAGE_TYPE_PTR, 1,
		       "stranger.example");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60,
		       "7.0/25.2.0.192.in-addr.arpa");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 1, "beside.example");
	message_record(&message, "7.0/25.2.0.192.IN-ADDR.arpa", MESSAGE_TYPE_PTR, 300,
		       "mail.example");
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, 1);
	assert_string_equal(answer.name, "mail.example");
	assert_int_equal(answer.ttl_s, 60);
}

static void no_record_takes_the_ttl_of_the_soa(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_soa(&message, "2.0.192.in-addr.arpa", 3600, 900);
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, 0);
	assert_int_equal(answer.ttl_s, 900);

	message_begin(&message, QUESTION);
	message_soa(&message, "2.0.192.in-addr.arpa", 30, 900);
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ttl_s, 30);
}

static void odd_bytes_in_a_name_make_no_host(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "a\nb.example");
	/* A dot inside a label would read as two labels. */
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "evil#mail.example");
	*(uint8_t *)memchr(message.bytes, '#', message.len) = '.';
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, 2);
	assert_string_equal(answer.name, "");
	assert_string_equal(answer.other, "a?b.example");
}

static const struct {
	const char *why, *target;
} bad_rows[] = {
	{"a pointer to itself", "@52"},
	{"a pointer behind itself", "@60"},
	{"a pointer into the future after a label", "a.@2000"},
	{"a circle through the label in front", "a.@52"},
};

static void pointers_that_lead_nowhere_are_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_rows) / sizeof(bad_rows[0]); i++) {
		struct revname_answer answer = {.ptr_count = 77};
		struct dns_message message;

		message_begin(&message, QUESTION);
		assert_int_equal(message.len, 40); /* so that the data begins at 52 */
		message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300,
			       bad_rows[i].target);
		if (answer_of(&message, &answer) == 0 || answer.ptr_count != 77)
			fail_msg("%s was read", bad_rows[i].why);
	}
}

static void a_cut_message_is_refused_at_every_byte(void **state)
{
	struct revname_answer answer;
	struct dns_message message;
	size_t whole;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60, "x.example");
	message_record(&message, "x.example", MESSAGE_TYPE_PTR, 60, "mail.@49");
	whole = message.len;
	for (message.len = 0; message.len < whole; message.len++)
		if (answer_of(&message, &answer) == 0)
			fail_msg("read with %zu of %zu bytes", message.len, whole);
}

static void data_behind_the_name_is_refused(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 60, "mail.example");
	message.bytes[51]++; /* the length of the data, low byte */
	message_number(&message, 0, 1);
	assert_int_not_equal(answer_of(&message, &answer), 0);
}

static void many_records_are_counted_up_to_a_limit(void **state)
{
	struct revname_answer answer;
	struct dns_message message;

	(void)state;
	message_begin(&message, QUESTION);
	for (unsigned int i = 0; i < REVNAME_RECORDS_MAX + 5; i++)
		message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 60, "m.example");
	assert_int_equal(answer_of(&message, &answer), 0);
	assert_int_equal(answer.ptr_count, REVNAME_RECORDS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_has_its_name),
		cmocka_unit_test(rows_of_host_names_hold),
		cmocka_unit_test(a_nul_in_a_host_name_is_seen),
		cmocka_unit_test(a_plain_answer_is_read),
		cmocka_unit_test(the_first_name_that_is_one_counts),
		cmocka_unit_test(cnames_lead_on_and_strangers_do_not),
		cmocka_unit_test(no_record_takes_the_ttl_of_the_soa),
		cmocka_unit_test(odd_bytes_in_a_name_make_no_host),
		cmocka_unit_test(pointers_that_lead_nowhere_are_refused),
		cmocka_unit_test(a_cut_message_is_refused_at_every_byte),
		cmocka_unit_test(data_behind_the_name_is_refused),
		cmocka_unit_test(many_records_are_counted_up_to_a_limit),
	};

	return cmocka_run_group_tests_name("wire/revname", tests, NULL, NULL);
}
