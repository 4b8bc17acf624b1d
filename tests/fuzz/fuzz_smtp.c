/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_smtp - any command line is parsed inside its bounds; a path that is accepted and
 * written anew is accepted strictly, and written the same.
 *
 * The first byte of the input is what the parsers are to forgive.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "target.h"
#include "wire/smtp.h"

static void check_path(const char *arg, size_t len, const struct smtp_path *path)
{
	target_check_span(path->mailbox, len);
	target_check_span(path->local, len);
	target_check_span(path->domain.text, len);
	target_check_span(path->route, len);
	target_check_span(path->params, len);
	assert(path->mailbox.len <= SMTP_PATH_MAX_BYTES);
	assert(path->domain.text.len <= SMTP_DOMAIN_MAX_BYTES);
	assert(path->is_null == (path->mailbox.len == 0));
	for (size_t i = 0; i < path->mailbox.len; i++) {
		size_t at = path->mailbox.at + i;
		bool is_domain = at >= path->local.at + path->local.len;
		char c = arg[at];

		assert(c != '\r' && c != '\n' && c != '\0');
		assert((path->is_quoted && !is_domain) || c != ' ');
		/* A general literal may hold brackets, RFC 5321 §4.1.3. */
		assert(path->is_quoted || is_domain || (c != '<' && c != '>'));
	}
}

static int parse(enum smtp_verb verb, const char *arg, size_t len, unsigned int allow,
		 struct smtp_path *out_path)
{
	return verb == SMTP_RCPT ? smtp_parse_rcpt(arg, len, allow, out_path)
				 : smtp_parse_mail(arg, len, allow, out_path);
}

static void fuzz_path(enum smtp_verb verb, const char *arg, size_t len,
		      unsigned int allow)
{
	/* What the form of an address may be stays; how sloppily it is written does not. */
	const unsigned int strict = allow & ~(SMTP_ALLOW_SPACE | SMTP_ALLOW_NO_BRACKETS);
	char first_text[4096];
	char second_text[4096];
	struct buf first = BUF_OVER(first_text);
	struct buf second = BUF_OVER(second_text);
	struct smtp_path path;
	size_t head = verb == SMTP_RCPT ? strlen("RCPT ") : strlen("MAIL ");

	if (parse(verb, arg, len, allow, &path) != 0)
		return;
	check_path(arg, len, &path);
	smtp_write_path(&first, verb, arg, &path);
	if (first.overflow)
		return;
	assert(!memchr(first.text, '\r', first.len) &&
	       !memchr(first.text, '\n', first.len));
	if (parse(verb, first.text + head, first.len - head, strict, &path) != 0)
		abort();
	check_path(first.text + head, first.len - head, &path);
	assert(path.route.len == 0);
	smtp_write_path(&second, verb, first.text + head, &path);
	assert(first.len == second.len &&
	       memcmp(first.text, second.text, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct smtp_command command;
	struct smtp_domain name;
	struct smtp_auth auth;
	const char *line;
	const char *arg;
	size_t len;

	if (size < 1)
		return 0;
	line = (const char *)data + 1;
	len = size - 1;
	smtp_parse_command(line, len, &command);
	target_check_span(command.word, len);
	target_check_span(command.arg, len);
	assert(command.verb < SMTP_VERB_COUNT);
	assert(smtp_verb_name(command.verb)[0] != '\0');

	arg = line + command.arg.at;
	len = command.arg.len;
	fuzz_path(SMTP_MAIL, arg, len, data[0]);
	fuzz_path(SMTP_RCPT, arg, len, data[0]);
	if (smtp_parse_ehlo(arg, len, data[0], &name) == 0)
		assert(name.text.at == 0 && name.text.len == len &&
		       len <= SMTP_DOMAIN_MAX_BYTES);
	if (smtp_parse_auth(arg, len, &auth) == 0) {
		target_check_span(auth.mechanism, len);
		target_check_span(auth.initial, len);
		assert(auth.mechanism.len > 0 &&
		       auth.mechanism.len <= SMTP_MECHANISM_MAX_BYTES);
	}
	return 0;
}
