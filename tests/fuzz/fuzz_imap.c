/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_imap - any stream of a client, whole and cut, gives the same commands; and a LOGIN that
 * is written anew says the same when it is read again.
 *
 * The first byte of the input chooses the cuts, and whether prompts are refused.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "target.h"
#include "wire/imap.h"
#include "wire/imap_caps.h"
#include "wire/imap_read.h"
#include "wire/imap_write.h"
#include "wire/sasl.h"

#define REFUSES 1u /* prompts: the first bit of the first byte */

static void check_same(const char *text, const struct imap_login *login,
		       const char *again, const struct imap_login *login_again)
{
	static struct sasl_scratch scratch, scratch_again;
	struct sasl_dialogue dialogue, dialogue_again;

	imap_login_dialogue(text, login, &dialogue, &scratch);
	imap_login_dialogue(again, login_again, &dialogue_again, &scratch_again);
	assert(dialogue.user_len == dialogue_again.user_len);
	assert(memcmp(dialogue.user, dialogue_again.user, dialogue.user_len) == 0);
	assert(dialogue.is_presented == dialogue_again.is_presented);
	assert(scratch.secret_len == scratch_again.secret_len);
	assert(memcmp(scratch.bytes + scratch.secret_at,
		      scratch_again.bytes + scratch_again.secret_at,
		      scratch.secret_len) == 0);
}

static void check_login(const char *text, const struct imap_command *command,
			uint32_t caps)
{
	static char memory[IMAP_COMMAND_MAX_BYTES + IMAP_WRITE_GROWTH_MAX];
	struct imap_login_writer writer = {0};
	struct imap_login login, login_again;
	struct imap_command again;
	struct buf out = BUF_OVER(memory);
	struct imap_reader reader;
	struct imap_read read;
	enum imap_read_result result;

	if (imap_parse_login(text, command->args, &login) != 0)
		return;
	buf_puts(&out, "a ");
	while (!imap_write_login(&writer, text, &login, caps, &out))
		;
	assert(!out.overflow);

	imap_reader_init(&reader);
	do
		result = imap_read_next(&reader, out.text, out.len, &read);
	while (result == IMAP_READ_PROMPT);
	assert(result == IMAP_READ_COMMAND && read.consumed == out.len);
	if (imap_parse_command(out.text, read.len, &again) != 0 ||
	    again.verb != IMAP_LOGIN ||
	    imap_parse_login(out.text, again.args, &login_again) != 0)
		abort();
	check_same(text, &login, out.text, &login_again);
}

/* What a server is told, read as a server does: no key of it says who the client is. */
static void check_filtered(const char *text, struct span pairs)
{
	char fields_memory[256], memory[320];
	struct buf fields = BUF_OVER(fields_memory);
	struct buf out = BUF_OVER(memory);
	struct imap_command command;
	struct imap_id_pair pair;
	struct span left;

	imap_filter_id(text, pairs, &fields);
	imap_write_id("a", NULL, &fields, &out);
	assert(!fields.overflow && !out.overflow);
	if (imap_parse_command(out.text, out.len - 2, &command) != 0 ||
	    imap_parse_id(out.text, command.args, &left) != 0)
		abort();
	while (imap_next_id_pair(out.text, &left, &pair))
		assert(strncasecmp(out.text + pair.key.span.at, "x-", 2) != 0 &&
		       !pair.key.has_escapes);
}

static void check_id(const char *text, size_t len, struct span args)
{
	struct imap_id_pair pair;
	struct span pairs, all;
	unsigned int count = 0;

	if (imap_parse_id(text, args, &pairs) != 0)
		return;
	for (all = pairs; imap_next_id_pair(text, &all, &pair); count++) {
		target_check_span(pair.key.span, len);
		target_check_span(pair.value.span, len);
	}
	assert(count <= IMAP_ID_PAIRS_MAX && all.len <= pairs.len);
	check_filtered(text, pairs);
}

static void check_command(const char *text, size_t len)
{
	struct imap_authenticate found;
	struct imap_command command;

	if (imap_parse_command(text, len, &command) != 0) {
		assert(command.tag.len <= IMAP_TAG_MAX_BYTES);
		return;
	}
	target_check_span(command.tag, len);
	target_check_span(command.word, len);
	target_check_span(command.args, len);
	check_login(text, &command, 0);
	check_login(text, &command, IMAP_CAP_LITERAL_PLUS);
	check_login(text, &command, IMAP_CAP_LITERAL_MINUS);
	check_id(text, len, command.args);
	if (imap_parse_authenticate(text, command.args, &found) == 0) {
		target_check_span(found.mechanism, len);
		target_check_span(found.initial, len);
		assert(found.mechanism.len <= IMAP_MECHANISM_MAX_BYTES);
	}
}

static uint64_t feed(const char *in, size_t len, size_t step, uint8_t kind)
{
	struct imap_reader reader;
	size_t received = target_received(0, len, step);
	size_t dropped = 0;
	uint64_t sum = 0;

	imap_reader_init(&reader);
	for (;;) {
		struct imap_read read;
		enum imap_read_result result;

		result = imap_read_next(&reader, in + dropped, received - dropped, &read);
		assert(read.len <= received - dropped);
		assert(read.consumed <= received - dropped);
		if (result == IMAP_READ_MORE) {
			assert(received - dropped < IMAP_COMMAND_MAX_BYTES);
			if (received == len)
				return sum;
			received = target_received(received, len, step);
			continue;
		}
		sum = sum * 31 + result * 7u + read.consumed;
		if (result == IMAP_READ_TOO_LONG && !read.consumed)
			return sum;
		if (result == IMAP_READ_PROMPT && !(kind & REFUSES))
			continue;
		if (result == IMAP_READ_COMMAND)
			check_command(in + dropped, read.len);
		dropped += read.consumed;
		imap_reader_init(&reader);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 0)
		target_feed(feed, data + 1, size - 1, data[0], data[0]);
	return 0;
}
