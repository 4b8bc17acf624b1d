/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fuzz_pop3 - lines of clients and backends, whole and cut, read alike; spans stay inside their line;
 * and only a credential that was presented is ever refused.
 *
 * The first byte of the input chooses the cuts, the second what the client had sent.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "target.h"
#include "wire/line.h"
#include "wire/pop3.h"

static uint64_t check_command(const char *line, size_t len)
{
	struct pop3_command command;
	struct pop3_auth auth = {0};
	struct pop3_apop apop = {0};

	pop3_parse_command(line, len, &command);
	assert((unsigned int)command.verb < POP3_VERB_COUNT);
	target_check_span(command.arg, len);
	if (pop3_parse_auth(line, len, &auth) == 0) {
		target_check_span(auth.mechanism, len);
		target_check_span(auth.initial, len);
		assert(auth.mechanism.len <= POP3_MECHANISM_MAX_BYTES);
		assert(auth.has_initial == (auth.initial.len > 0));
		assert(!memchr(line + auth.initial.at, ' ', auth.initial.len));
	}
	if (pop3_parse_apop(line, len, &apop) == 0) {
		assert(apop.name.len > 0 && apop.digest.len == 32);
		target_check_span(apop.digest, len);
	}
	return command.verb * 31u + command.arg.at + command.arg.len * 7u +
	       auth.mechanism.len + auth.initial.len + apop.name.len;
}

static uint64_t check_capability(const char *line, size_t len)
{
	struct pop3_capa_line capa;
	struct span stamp = {0};
	struct span word;
	size_t words = 0;

	if (pop3_find_timestamp(line, len, &stamp)) {
		target_check_span(stamp, len);
		assert(stamp.len > 2 && line[stamp.at] == '<');
	}
	if (pop3_parse_capa(line, len, &capa) != 0)
		return stamp.at;
	assert(!pop3_is_end(line, len));
	target_check_span(capa.text, len);
	target_check_span(capa.params, len);
	for (; pop3_next_word(line, &capa.params, &word); words++)
		assert(word.len > 0 && word.at + word.len <= len && words < len);
	return stamp.at + capa.capability * 3u + words;
}

/* What the client had sent: nothing, an empty password, a whole one, a cancelled dialogue. */
static void make_dialogue(struct sasl_dialogue *dialogue, uint8_t kind, const char *line,
			  size_t len)
{
	static struct sasl_scratch scratch;

	if (kind & 1) {
		pop3_login_plain(dialogue, line, len < 300 ? len : 300, kind & 2);
		return;
	}
	sasl_begin(dialogue, "LOGIN", 5, kind & 4);
	sasl_client_line(dialogue, "dQ==", 4, &scratch);
	if (kind & 8)
		sasl_client_line(dialogue, "cHc=", 4, &scratch);
	if (kind & 16)
		sasl_client_line(dialogue, "*", 1, &scratch);
}

static uint64_t check_reply(const char *line, size_t len, uint8_t kind)
{
	struct sasl_dialogue dialogue;
	enum sasl_outcome outcome;
	struct pop3_reply reply;

	if (pop3_parse_reply(line, len, &reply) != 0)
		return 1;
	target_check_span(reply.text, len);
	make_dialogue(&dialogue, kind, line, len);
	outcome = pop3_outcome(&reply, line, &dialogue);
	assert((outcome == SASL_SUCCESS) == (reply.status == POP3_OK));
	assert((outcome == SASL_CONTINUES) == (reply.status == POP3_CHALLENGE));
	if (outcome == SASL_REFUSED)
		assert(dialogue.is_presented && dialogue.is_offered &&
		       !dialogue.is_cancelled);
	return 2u + outcome + reply.code * 11u + reply.text.at * 3u + reply.text.len;
}

static uint64_t feed(const char *in, size_t len, size_t step, uint8_t kind)
{
	struct line_scanner scanner;
	size_t received = target_received(0, len, step);
	size_t dropped = 0;
	uint64_t sum = 0;

	line_scanner_init(&scanner, 512);
	for (;;) {
		const char *at = in + dropped;
		enum line_result result;
		struct line line;

		result = line_next(&scanner, at, received - dropped, &line);
		dropped += line.consumed;
		if (result == LINE_READY) {
			sum = sum * 31 + check_command(at, line.len);
			sum = sum * 31 + check_capability(at, line.len);
			sum = sum * 31 + check_reply(at, line.len, kind);
		} else if (result == LINE_MORE && received == len) {
			return sum;
		} else if (result == LINE_MORE) {
			received = target_received(received, len, step);
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 1)
		target_feed(feed, data + 2, size - 2, data[0], data[1]);
	return 0;
}
