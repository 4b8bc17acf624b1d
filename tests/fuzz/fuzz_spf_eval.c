/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_spf_eval - a whole evaluation whose DNS is the input: each question gets the next line of it.
 *
 * The first line is "LOCAL DOMAIN HELO" with one byte in front for the family. Of the other lines the first byte
 * says what kind of answer it is. However the DNS lies, an evaluation ends, after no more questions than the limits
 * of RFC 7208 section 4.6.4 allow, with a result and with texts that are printable.
 *
 * link: target.c
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "checks/spf_eval.h"
#include "target.h"

#define QUESTIONS_MAX \
	140u /* 10 terms with 11 each, 11 records, 11 for the client's names, an explanation */
#define RECORDS_MAX 16u
#define STRING_MAX  255u

static uint8_t message[65536];
static size_t message_len;

static void put(const void *bytes, size_t len)
{
	memcpy(message + message_len, bytes, len);
	message_len += len;
}

static void put16(unsigned int number)
{
	const uint8_t bytes[2] = {(uint8_t)(number >> 8), (uint8_t)number};

	put(bytes, sizeof(bytes));
}

/* One record of the type asked for out of a piece of the input; its owner is the root, as is the question. */
static void put_record(uint16_t type, const uint8_t *data, size_t len)
{
	static const uint8_t head[] = {0xc0, 12};
	size_t len_at;

	put(head, sizeof(head));
	put16(type);
	put16(1);
	put16(0);
	put16(300);
	len_at = message_len;
	put16(0);
	if (type == DNSMSG_MX)
		put16(10);
	if (type == DNSMSG_A || type == DNSMSG_AAAA) {
		uint8_t addr[16] = {0};

		memcpy(addr, data, len < 16 ? len : 16);
		put(addr, type == DNSMSG_A ? 4 : 16);
	} else {
		/* The strings of a TXT record, or the labels of a name, parted by dots. */
		const size_t max = type == DNSMSG_TXT ? STRING_MAX : 63;

		do {
			const uint8_t *dot =
				type == DNSMSG_TXT ? NULL : memchr(data, '.', len);
			size_t part = dot ? (size_t)(dot - data) : len;

			if (part > max)
				part = max;
			message[message_len++] = (uint8_t)part;
			put(data, part);
			data += part;
			len -= part;
			if (dot && data == dot && len > 0) {
				data++;
				len--;
			}
			if (part == 0 && type != DNSMSG_TXT)
				break;
		} while (len > 0);
		if (type != DNSMSG_TXT)
			message[message_len++] = 0;
	}
	message[len_at] = (uint8_t)((message_len - len_at - 2) >> 8);
	message[len_at + 1] = (uint8_t)(message_len - len_at - 2);
}

/* @line: kind, then records parted by tabs */
static struct dns_answer answer_of(uint16_t type, const uint8_t *line, size_t len)
{
	static const uint8_t head[12] = {0, 0, 0x81, 0x80, 0, 1};
	static const enum dns_status others[] = {DNS_NO_NAME, DNS_NO_RECORD, DNS_FAILED,
						 DNS_TIMED_OUT};
	struct dns_answer answer = {.status = DNS_ANSWER};
	unsigned int count = 0;

	if (len == 0 || line[0] < '4') {
		answer.status = others[len == 0 ? 0 : line[0] & 3];
		return answer;
	}
	message_len = 0;
	put(head, sizeof(head));
	message[message_len++] = 0;
	put16(type);
	put16(1);
	for (line++, len--; count < RECORDS_MAX; count++) {
		const uint8_t *tab = memchr(line, '\t', len);
		size_t part = tab ? (size_t)(tab - line) : len;

		put_record(type, line, part);
		if (!tab) {
			count++;
			break;
		}
		line += part + 1;
		len -= part + 1;
	}
	message[7] = (uint8_t)count;
	if (dnsmsg_read(message, message_len, &answer.message) != 0)
		answer.status = DNS_FAILED;
	else if (answer.message.count == 0)
		answer.status = DNS_NO_RECORD;
	return answer;
}

/* Takes a piece off the input, up to a byte. */
static struct spf_text next_piece(const uint8_t **data, size_t *size, char end)
{
	const uint8_t *at = memchr(*data, end, *size);
	struct spf_text piece = {(const char *)*data, at ? (size_t)(at - *data) : *size};
	size_t used = piece.len + (at != NULL);

	*data += used;
	*size -= used;
	return piece;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct spf_eval eval;
	struct spf_sender sender = {.receiver = {"gate.example.net", 16},
				    .now_s = 1700000000};
	bool wants;

	if (size == 0 || size > 30000)
		return 0;
	sender.client.family = *data & 1 ? ADDR_V4 : ADDR_V6;
	data++;
	size--;
	sender.local = next_piece(&data, &size, ' ');
	sender.domain = next_piece(&data, &size, ' ');
	sender.helo = next_piece(&data, &size, '\n');
	wants = spf_eval_begin(&eval, &sender);
	for (unsigned int asked = 0; wants; asked++) {
		struct dns_answer answer;
		struct spf_text line = next_piece(&data, &size, '\n');

		assert(asked < QUESTIONS_MAX);
		assert(memchr(eval.question, '\0', sizeof(eval.question)) != NULL);
		assert(spf_name_is_valid(eval.question, strlen(eval.question)));
		answer = answer_of(eval.type, (const uint8_t *)line.text, line.len);
		wants = spf_eval_go_on(&eval, &answer);
	}
	assert(eval.has_result && eval.result < SPF_RESULT_COUNT);
	(void)target_check_text(eval.mechanism, sizeof(eval.mechanism));
	(void)target_check_text(eval.problem, sizeof(eval.problem));
	(void)target_check_text(eval.explanation, sizeof(eval.explanation));
	assert(eval.result == SPF_FAIL || eval.explanation[0] == '\0');
	return 0;
}
