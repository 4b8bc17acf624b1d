/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link: golden.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "wire/base64.h"
#include "wire/sasl.h"

/* "MECHANISM [initial]|line|line" as the client sent it. */
static void play(const char *client, bool is_offered, struct sasl_dialogue *dialogue,
		 struct sasl_scratch *scratch)
{
	size_t mech_len = strcspn(client, " |");
	const char *at = client + mech_len;

	sasl_begin(dialogue, client, mech_len, is_offered);
	while (*at) {
		size_t len = strcspn(++at, "|");

		sasl_client_line(dialogue, at, len, scratch);
		at += len;
	}
}

static void the_table_of_auth_replies_holds(void **state)
{
	struct golden golden;
	size_t count = 0;

	(void)state;
	golden_open(&golden, "smtp_auth.tsv");
	for (; golden_next(&golden); count++) {
		static struct sasl_scratch scratch;
		struct smtp_enhanced enhanced;
		struct sasl_dialogue dialogue;
		const char *user;
		const char *got;

		assert_int_equal(golden.fields, 6);
		golden_enhanced(golden.field[0] + 4, &enhanced);
		play(golden.field[1], strcmp(golden.field[2], "yes") == 0, &dialogue,
		     &scratch);
		got = sasl_outcome_name(
			sasl_outcome((unsigned int)strtoul(golden.field[0], NULL, 10),
				     enhanced, &dialogue));
		if (strcmp(golden.field[3], got) != 0)
			fail_msg("smtp_auth.tsv:%u: %s: %s", golden.line, golden.field[5],
				 got);
		user = strcmp(golden.field[4], "-") != 0 ? golden.field[4] : "";
		if (dialogue.user_len != strlen(user) ||
		    memcmp(dialogue.user, user, dialogue.user_len) != 0)
			fail_msg("smtp_auth.tsv:%u: user '%.*s'", golden.line,
				 dialogue.user_len, dialogue.user);
	}
	assert_true(count >= 40);
}

static const struct {
	const char *why;
	const char *client;
	const char *secret; /* of the last line; "" none */
	bool is_repeatable;
} secrets[] = {
	{"PLAIN", "PLAIN AHUAcHc=", "pw", true},
	{"LOGIN", "LOGIN|dQ==|cHc=", "pw", true},
	{"LOGIN, only the user yet", "LOGIN|dQ==", "", false},
	{"a token", "XOAUTH2 dXNlcj11AWF1dGg9QmVhcmVyIHRvawEB", "Bearer tok\x01\x01",
	 true},
	{"a digest is another one each time", "CRAM-MD5|dSAwMTIz", "", false},
	{"broken", "PLAIN A!!!", "", false},
	{"cancelled", "LOGIN|dQ==|*", "", false},
};

static void secrets_are_found_where_they_are(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		static struct sasl_scratch scratch;
		struct sasl_dialogue dialogue;

		play(secrets[i].client, true, &dialogue, &scratch);
		if (scratch.secret_len != strlen(secrets[i].secret) ||
		    memcmp(scratch.bytes + scratch.secret_at, secrets[i].secret,
			   scratch.secret_len) != 0)
			fail_msg("%s: '%.*s'", secrets[i].why, scratch.secret_len,
				 scratch.bytes + scratch.secret_at);
		assert_int_equal(dialogue.is_repeatable, secrets[i].is_repeatable);
	}
}

static void a_long_user_is_cut_and_said(void **state)
{
	static struct sasl_scratch scratch;
	struct sasl_dialogue dialogue;
	char line[176];

	(void)state;
	memset(line, 'Y', sizeof(line)); /* 132 bytes */
	sasl_begin(&dialogue, "LOGIN", 5, true);
	sasl_client_line(&dialogue, line, sizeof(line), &scratch);
	assert_true(dialogue.user_is_cut);
	assert_int_equal(dialogue.user_len, SASL_USER_MAX);
	sasl_begin(&dialogue, "LOGIN", 5, true);
	sasl_client_line(&dialogue, line, 171, &scratch); /* 128 bytes */
	assert_false(dialogue.user_is_cut);
	assert_int_equal(dialogue.user_len, SASL_USER_MAX);
}

static void a_line_larger_than_the_scratch_is_broken(void **state)
{
	static struct sasl_scratch scratch;
	static char line[12292];
	struct sasl_dialogue dialogue;

	(void)state;
	memset(line, 'A', sizeof(line));
	sasl_begin(&dialogue, "LOGIN", 5, true);
	sasl_client_line(&dialogue, line, sizeof(line) - 4, &scratch);
	assert_false(dialogue.is_broken);
	sasl_client_line(&dialogue, line, sizeof(line), &scratch);
	assert_true(dialogue.is_broken);
}

static const struct {
	const char *text;
	int err;
	int lenient_err;
	const char *bytes; /* of whatever succeeds */
} codes[] = {
	/* RFC 4648 §10 */
	{"", 0, 0, ""},
	{"Zg==", 0, 0, "f"},
	{"Zm8=", 0, 0, "fo"},
	{"Zm9v", 0, 0, "foo"},
	{"Zm9vYg==", 0, 0, "foob"},
	{"Zm9vYmE=", 0, 0, "fooba"},
	{"Zm9vYmFy", 0, 0, "foobar"},
	{"Zg", -EBADMSG, 0, "f"},
	{"Zg=", -EBADMSG, 0, "f"},
	{"Zm8", -EBADMSG, 0, "fo"},
	{"Zh==", -EBADMSG, 0, "f"},
	{"Zm9=", -EBADMSG, 0, "fo"},
	{"Zm 9v", -EBADMSG, 0, "foo"},
	{"Z===", -EBADMSG, 0, ""},
	{"====", -EBADMSG, 0, ""},
	{"Zg==Zg==", -EBADMSG, 0, "f"},
	{"Zm9!", -EBADMSG, -EBADMSG, ""},
	{"Zm-_", -EBADMSG, -EBADMSG, ""},
	{"Zm9v\n", -EBADMSG, -EBADMSG, ""},
	{"*", -EBADMSG, -EBADMSG, ""},
};

static void base64_strict_and_lenient(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		const char *text = codes[i].text;
		size_t len = 99;
		char out[8];

		assert_int_equal(
			base64_decode(text, strlen(text), out, sizeof(out), &len),
			codes[i].err);
		assert_int_equal(len, codes[i].err ? 99 : strlen(codes[i].bytes));
		assert_int_equal(
			base64_decode_lenient(text, strlen(text), out, sizeof(out), &len),
			codes[i].lenient_err);
		if (!codes[i].lenient_err && (len != strlen(codes[i].bytes) ||
					      memcmp(out, codes[i].bytes, len) != 0))
			fail_msg("'%s': %zu bytes", text, len);
	}
}

static void base64_never_leaves_its_room(void **state)
{
	size_t len;
	char out[3];

	(void)state;
	assert_int_equal(base64_decode("Zm9v", 4, out, 3, &len), 0);
	assert_int_equal(base64_decode("Zm9v", 4, out, 2, &len), -ENOSPC);
	assert_int_equal(base64_decode_lenient("Zm9vYg", 6, out, 3, &len), -ENOSPC);
}

/* RFC 4648 section 10, and what is encoded is decoded again. */
static void base64_is_written(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {{"", ""},
		    {"f", "Zg=="},
		    {"fo", "Zm8="},
		    {"foo", "Zm9v"},
		    {"foob", "Zm9vYg=="},
		    {"fooba", "Zm9vYmE="},
		    {"foobar", "Zm9vYmFy"}};
	unsigned char all[256];
	char out[345], back[256];
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		base64_encode(rows[i].bytes, strlen(rows[i].bytes), out);
		assert_string_equal(out, rows[i].text);
	}
	for (size_t i = 0; i < sizeof(all); i++)
		all[i] = (unsigned char)i;
	base64_encode(all, sizeof(all), out);
	assert_int_equal(base64_decode(out, strlen(out), back, sizeof(back), &len), 0);
	assert_int_equal(len, sizeof(all));
	assert_memory_equal(back, all, sizeof(all));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_auth_replies_holds),
		cmocka_unit_test(secrets_are_found_where_they_are),
		cmocka_unit_test(a_long_user_is_cut_and_said),
		cmocka_unit_test(a_line_larger_than_the_scratch_is_broken),
		cmocka_unit_test(base64_strict_and_lenient),
		cmocka_unit_test(base64_never_leaves_its_room),
		cmocka_unit_test(base64_is_written),
	};

	return cmocka_run_group_tests_name("wire/sasl", tests, NULL, NULL);
}
