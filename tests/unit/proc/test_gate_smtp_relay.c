/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Relay control, from the bytes of RCPT to the verdict: tests/golden/smtp_relay.tsv.
 *
 * link: ../wire/golden.c
 */
#include "../wire/golden.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/flags.h"
#include "proc/gate_smtp_relay.h"
#include "wire/mail_list.h"

#define ROWS_MIN 90u /* so many, or the table was cut */

static const char *const names[RELAY_VERDICT_COUNT] = {
	[RELAY_LOCAL] = "local",
	[RELAY_PERMIT] = "permit",
	[RELAY_NO_LOGIN] = "no-login",
	[RELAY_NO_AR] = "no-ar",
	[RELAY_ROUTE_NO_LOGIN] = "route-no-login",
	[RELAY_ROUTE_NO_AR] = "route-no-ar",
};

static struct {
	void *memory;
	const struct text_table *domains;
} world;

static int set_up(void **state)
{
	static const char *const domains[] = {"Example.org", ".sub.example.org",
					      "m\xc3\xbcnchen.example", "[192.0.2.1]",
					      "[IPv6:2001:db8::1]"};
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();

	(void)state;
	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		struct line_problem problem;
		struct mail_list_domain domain;
		char key[MAIL_NAME_MAX + 1] = ".";
		struct mail_name name;
		struct text_row row = {.key = key};

		assert_int_equal(mail_list_parse_domain(domains[i], strlen(domains[i]),
							&domain, &problem),
				 1);
		assert_int_equal(mail_name_domain(domains[i], &domain.domain, &name), 0);
		memcpy(key + domain.is_subdomains, name.text, name.len);
		row.key_len = name.len + domain.is_subdomains;
		assert_int_equal(text_builder_add(builder, &row, NULL), 0);
	}
	world.memory = test_malloc(text_table_size(builder));
	world.domains = text_table_write(builder, world.memory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	test_free(world.memory);
	return 0;
}

static struct relay_question question_of(const char *client,
					 const struct relay_path *path)
{
	const bool has_ar = strcmp(client, "ar") == 0 || strcmp(client, "both") == 0;

	return (struct relay_question){
		.domains = world.domains,
		.flags = has_ar ? FLAG_PA | FLAG_AR : FLAG_PA,
		.is_authenticated =
			strcmp(client, "login") == 0 || strcmp(client, "both") == 0,
		.has_domain = path->has_domain,
		.local = path->local.text,
		.local_len = path->local.len,
		.domain = path->domain.text,
		.domain_len = path->domain.len,
	};
}

static const char *verdict_of(const char *client, const char *arg)
{
	struct relay_question question;
	struct relay_path read;
	struct smtp_path path;

	if (smtp_parse_rcpt(arg, strlen(arg), SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8, &path))
		return "syntax";
	assert_int_equal(relay_read_path(arg, &path, &read), 0);
	question = question_of(client, &read);
	return names[relay_decide(&question)];
}

static void the_golden_table_holds(void **state)
{
	struct golden golden;
	size_t rows = 0;

	(void)state;
	golden_open(&golden, "smtp_relay.tsv");
	while (golden_next(&golden)) {
		const char *got;

		assert_true(golden.fields >= 4);
		got = verdict_of(golden.field[0], golden.field[1]);
		if (strcmp(got, golden.field[2]) != 0)
			fail_msg("line %u, %s: %s is %s", golden.line, golden.field[3],
				 golden.field[1], got);
		rows++;
	}
	assert_true(rows >= ROWS_MIN);
}

static const struct {
	const char *why;
	const char *arg;
	const char *client;
	bool is_spoofed;
} senders[] = {
	{"one of ours, from anybody", "FROM:<anna@example.org>", "anon", true},
	{"in other letters, with a route and a dot",
	 "FROM:<@example.net:anna@EXAMPLE.org.>", "anon", true},
	{"below a domain", "FROM:<anna@x.sub.example.org>", "anon", true},
	{"a U-label", "FROM:<anna@m\xc3\xbcnchen.example>", "anon", true},
	{"a literal of ours", "FROM:<anna@[192.0.2.1]>", "anon", true},
	{"AR without a login is nothing", "FROM:<anna@example.org>", "ar", true},
	{"who is authenticated", "FROM:<anna@example.org>", "login", false},
	{"one of theirs", "FROM:<anna@example.net>", "anon", false},
	{"ours in theirs", "FROM:<\"anna@example.org\"@example.net>", "anon", false},
	{"the null sender", "FROM:<>", "anon", false},
};

static void a_local_sender_is_for_who_is_authenticated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		const char *arg = senders[i].arg;
		struct relay_question question;
		struct relay_path read;
		struct smtp_path path;

		assert_int_equal(smtp_parse_mail(arg, strlen(arg),
						 SMTP_ALLOW_USUAL | SMTP_ALLOW_UTF8,
						 &path),
				 0);
		assert_int_equal(relay_read_path(arg, &path, &read), 0);
		question = question_of(senders[i].client, &read);
		if (relay_is_spoofed(&question) != senders[i].is_spoofed)
			fail_msg("%s", senders[i].why);
	}
}

static void without_local_domains_nothing_is_decided(void **state)
{
	struct relay_question question = {
		.has_domain = true, .domain = "x", .domain_len = 1};
	void *memory = test_malloc(text_table_size(NULL));

	(void)state;
	assert_false(relay_is_on(NULL));
	assert_int_equal(relay_decide(&question), RELAY_LOCAL);
	question.domains = text_table_write(NULL, memory);
	assert_false(relay_is_on(question.domains));
	assert_int_equal(relay_decide(&question), RELAY_LOCAL);
	assert_false(relay_is_spoofed(&question));
	test_free(memory);
}

/* Each refusal has a reply of one line that fits, and says what is missing. */
static void every_refusal_says_what_is_missing(void **state)
{
	(void)state;
	for (enum relay_verdict v = 0; v < RELAY_VERDICT_COUNT; v++) {
		const char *reply = relay_reply(v);

		assert_int_equal(reply != NULL, relay_is_refusal(v));
		assert_non_null(relay_reason(v));
		if (!reply)
			continue;
		assert_true(strncmp(reply, "550 5.7.1 relaying denied", 25) == 0);
		assert_non_null(strstr(reply, v == RELAY_NO_AR || v == RELAY_ROUTE_NO_AR
						      ? "AR"
						      : "AUTH"));
		assert_ptr_equal(strchr(reply, '\r'), reply + strlen(reply) - 2);
		assert_true(strlen(reply) <= 512);
	}
	assert_true(strncmp(relay_spoof_reply(), "550 5.7.1 ", 10) == 0);
}

static void why_tells_who_may_relay(void **state)
{
	static const struct {
		uint16_t flags;
		const char *says;
	} rows[] = {
		{FLAG_PA | FLAG_AS, "no AR"},
		{FLAG_AR | FLAG_AA, "AA"},
		{FLAG_AR | FLAG_AM, "AM"},
		{FLAG_AR | FLAG_AS, "AUTH"},
		{FLAG_PA | FLAG_AR, "never"},
		{FLAG_AA, "never"},
		{FLAG_AR | FLAG_AA | FLAG_AS, "counts as authenticated"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strstr(relay_words(true, rows[i].flags), rows[i].says))
			fail_msg("row %zu: %s", i, relay_words(true, rows[i].flags));
	assert_non_null(strstr(relay_words(false, FLAG_AR), "mail host"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_golden_table_holds),
		cmocka_unit_test(a_local_sender_is_for_who_is_authenticated),
		cmocka_unit_test(without_local_domains_nothing_is_decided),
		cmocka_unit_test(every_refusal_says_what_is_missing),
		cmocka_unit_test(why_tells_who_may_relay),
	};

	return cmocka_run_group_tests_name("proc/gate_smtp_relay", tests, set_up,
					   tear_down);
}
