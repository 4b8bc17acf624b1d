/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * link: golden.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "golden.h"
#include "wire/imap.h"
#include "wire/imap_reply.h"
#include "wire/sasl.h"

static void play_authenticate(const char *text, const struct imap_command *command,
			      const char *lines, struct sasl_dialogue *dialogue)
{
	static struct sasl_scratch scratch;
	struct imap_authenticate found;

	assert_int_equal(imap_parse_authenticate(text, command->args, &found), 0);
	sasl_begin(dialogue, text + found.mechanism.at, found.mechanism.len, true);
	if (found.has_initial)
		sasl_client_line(dialogue, text + found.initial.at, found.initial.len,
				 &scratch);
	while (lines && *lines) {
		size_t len = strcspn(++lines, "|");

		sasl_client_line(dialogue, lines, len, &scratch);
		lines += len;
	}
}

/* "LOGIN user secret" or "AUTHENTICATE MECHANISM [initial]|line|line" as the client sent it. */
static void play(const char *client, bool is_offered, struct sasl_dialogue *dialogue)
{
	static struct sasl_scratch scratch;
	const size_t len = strcspn(client, "|");
	struct imap_command command;
	struct imap_login login;
	char text[256];

	(void)snprintf(text, sizeof(text), "a %.*s", (int)len, client);
	assert_int_equal(imap_parse_command(text, strlen(text), &command), 0);
	if (command.verb == IMAP_LOGIN) {
		assert_int_equal(imap_parse_login(text, command.args, &login), 0);
		imap_login_dialogue(text, &login, dialogue, &scratch);
	} else {
		assert_int_equal(command.verb, IMAP_AUTHENTICATE);
		play_authenticate(text, &command, client[len] ? client + len : NULL,
				  dialogue);
	}
	dialogue->is_offered = is_offered;
}

static void the_table_of_login_replies_holds(void **state)
{
	struct golden golden;
	size_t count = 0;

	(void)state;
	golden_open(&golden, "imap_login.tsv");
	for (; golden_next(&golden); count++) {
		struct imap_reply_parser parser;
		struct sasl_dialogue dialogue;
		struct imap_reply_line line;
		char reply[512];
		const char *user;
		const char *got;

		assert_int_equal(golden.fields, 6);
		play(golden.field[1], strcmp(golden.field[2], "yes") == 0, &dialogue);
		(void)snprintf(reply, sizeof(reply), "%s\r\n", golden.field[0]);
		imap_reply_init(&parser);
		if (imap_reply_next(&parser, reply, strlen(reply), &line) !=
		    IMAP_REPLY_LINE)
			fail_msg("imap_login.tsv:%u: no reply", golden.line);
		got = sasl_outcome_name(imap_outcome(&line, reply, &dialogue));
		if (strcmp(golden.field[3], got) != 0)
			fail_msg("imap_login.tsv:%u: %s: %s", golden.line,
				 golden.field[5], got);
		user = strcmp(golden.field[4], "-") != 0 ? golden.field[4] : "";
		if (dialogue.user_len != strlen(user) ||
		    memcmp(dialogue.user, user, dialogue.user_len) != 0)
			fail_msg("imap_login.tsv:%u: user '%.*s'", golden.line,
				 dialogue.user_len, dialogue.user);
	}
	assert_true(count >= 80);
}

static void the_same_password_is_the_same_secret_in_each_form(void **state)
{
	static const char *const forms[] = {
		"a LOGIN anna pw\\x",
		"a LOGIN \"anna\" \"pw\\\\x\"",
		"a LOGIN {4}\r\nanna {4+}\r\npw\\x",
		"a LOGIN \"anna\" {4-}\r\npw\\x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		static struct sasl_scratch scratch;
		struct sasl_dialogue dialogue;
		struct imap_command command;
		struct imap_login login;

		assert_int_equal(imap_parse_command(forms[i], strlen(forms[i]), &command),
				 0);
		assert_int_equal(imap_parse_login(forms[i], command.args, &login), 0);
		imap_login_dialogue(forms[i], &login, &dialogue, &scratch);
		assert_true(dialogue.is_presented && dialogue.is_repeatable);
		assert_int_equal(dialogue.user_len, 4);
		assert_int_equal(scratch.secret_len, 4);
		assert_memory_equal(scratch.bytes + scratch.secret_at, "pw\\x", 4);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_table_of_login_replies_holds),
		cmocka_unit_test(the_same_password_is_the_same_secret_in_each_form),
	};

	return cmocka_run_group_tests_name("wire/imap_outcome", tests, NULL, NULL);
}
