/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DATA scanner against rows, against its twin, and against every reading of a careless
 * server.
 * link: data_twin.c
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data_twin.h"
#include "unit/seed.h"

/* Strings up to this length are tried; the sanitizers make each ten times as slow. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SLOW 1 /* clang's way to say what gcc says with a macro */
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(IS_SLOW)
#define ALL_STRINGS_LEN 5u
#else
#define ALL_STRINGS_LEN 7u
#endif
#define FED_WHOLE_LEN (ALL_STRINGS_LEN + 1)
#define TEXT_MAX      16384u

static const char alphabet[] = {'\r', '\n', '.', '\0', 'a'};

static const struct {
	const char *why;
	const char *in; /* no NUL in these */
	const char *out;
	size_t consumed;
	uint8_t faults;
} rows[] = {
	{"an empty message is the dot at once", ".\r\nQUIT\r\n", ".\r\n", 3, 0},
	{"what follows the end is the next command", "a\r\n.\r\nMAIL", "a\r\n.\r\n", 6,
	 0},
	{"a stuffed dot stays stuffed", "..\r\n.\r\n", "..\r\n.\r\n", 7, 0},
	{"a dot with text behind it stays", ".a\r\n.\r\n", ".a\r\n.\r\n", 7, 0},
	{"LF.LF is no end", "a\n.\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 10,
	 SMTP_DATA_BARE_LF},
	{"LF.CRLF is no end", "a\n.\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 11,
	 SMTP_DATA_BARE_LF},
	{"CRLF.LF is no end", "a\r\n.\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 11,
	 SMTP_DATA_BARE_LF},
	{"CR.CR is no end", "a\r.\rb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 10,
	 SMTP_DATA_BARE_CR},
	{"CRLF.CR is no end", "a\r\n.\rb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 11,
	 SMTP_DATA_BARE_CR},
	{"CRLF.CRCRLF is no end", "a\r\n.\r\r\nb\r\n.\r\n", "a\r\n..\r\nb\r\n.\r\n", 13,
	 SMTP_DATA_BARE_CR},
	{"CRCRLF.CRLF holds the five bytes and is the end", "a\r\r\n.\r\nb", "a\r\n.\r\n",
	 7, SMTP_DATA_BARE_CR},
	{"CRs before CRLF collapse", "a\r\r\r\nb\r\n.\r\n", "a\r\nb\r\n.\r\n", 11,
	 SMTP_DATA_BARE_CR},
	{"each other CR is a line end", "a\r\rb\r\n.\r\n", "a\r\n\r\nb\r\n.\r\n", 9,
	 SMTP_DATA_BARE_CR},
	{"a first line made of a bare LF", "\n.\r\n\r\n.\r\n", "\r\n..\r\n\r\n.\r\n", 9,
	 SMTP_DATA_BARE_LF},
	{"a dot first of all, then LF", ".\nRSET\r\n.\r\n", "..\r\nRSET\r\n.\r\n", 11,
	 SMTP_DATA_BARE_LF},
	{"a dotted line behind LF is stuffed", "a\n.b\r\n.\r\n", "a\r\n..b\r\n.\r\n", 9,
	 SMTP_DATA_BARE_LF},
};

static void check_against_twin(const char *in, size_t len, const struct twin_cuts *cuts)
{
	static char twin_out[2 * TEXT_MAX];
	static char fed_out[2 * TEXT_MAX];
	struct twin_result want = {.out = twin_out};
	struct twin_feed got = {.out = fed_out};
	const char *wrong;

	twin_run(in, len, &want);
	twin_feed(SMTP_DATA_NORMALIZE, in, len, cuts, &got);
	assert_int_equal(got.is_end, want.is_end);
	wrong = twin_judge(got.out, got.out_len, got.is_end);
	if (wrong)
		fail_msg("%s, cut at %zu", wrong, cuts->first);
	assert_true(got.out_len <= want.out_len);
	assert_memory_equal(got.out, want.out, got.out_len);
	if (want.is_end) {
		assert_int_equal(got.out_len, want.out_len);
		assert_int_equal(got.consumed, want.consumed);
		assert_int_equal(got.faults, want.faults);
	}
	if (twin_is_clean(in, len) && got.is_copied)
		fail_msg("a clean message was copied, cut at %zu", cuts->first);

	twin_feed(SMTP_DATA_REJECT, in, len, cuts, &got);
	if (want.is_end) {
		const uint8_t bare = SMTP_DATA_BARE_CR | SMTP_DATA_BARE_LF;

		assert_true(got.is_end);
		assert_int_equal(got.consumed, want.consumed);
		assert_int_equal(got.is_refused, (want.faults & bare) != 0);
		if (!got.is_refused)
			assert_memory_equal(got.out, want.out, want.out_len);
	}
}

static void rows_hold(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct twin_cuts whole = {
			.first = strlen(rows[i].in), .then = 1, .room_bytes = 256};
		char out[256];
		struct twin_feed got = {.out = out};

		twin_feed(SMTP_DATA_NORMALIZE, rows[i].in, strlen(rows[i].in), &whole,
			  &got);
		if (!got.is_end || got.consumed != rows[i].consumed ||
		    got.out_len != strlen(rows[i].out) ||
		    memcmp(out, rows[i].out, got.out_len) != 0 ||
		    got.faults != rows[i].faults)
			fail_msg("%s: consumed %zu, '%.*s'", rows[i].why, got.consumed,
				 (int)got.out_len, out);
		check_against_twin(rows[i].in, strlen(rows[i].in), &whole);
	}
}

/* The string with this number, over the alphabet. */
static void write_string(char *at, unsigned int number, size_t len)
{
	for (size_t i = 0; i < len; i++, number /= sizeof(alphabet))
		at[i] = alphabet[number % sizeof(alphabet)];
}

/* A message: the string between a beginning and an end that a sender would write. */
static size_t write_message(char *text, const char *front, unsigned int number,
			    size_t len)
{
	static const char back[] = "b\r\n.\r\nQUIT\r\n";
	size_t at = strlen(front);

	memcpy(text, front, at);
	write_string(text + at, number, len);
	memcpy(text + at + len, back, sizeof(back) - 1);
	return at + len + sizeof(back) - 1;
}

static void try_string(const char *front, unsigned int number, size_t len)
{
	char text[64];
	size_t text_len = write_message(text, front, number, len);
	struct twin_cuts cuts = {.first = text_len, .then = text_len, .room_bytes = 128};

	check_against_twin(text, text_len, &cuts);
	cuts = (struct twin_cuts){
		.first = 1, .then = 1, .room_bytes = SMTP_DATA_ROOM_MIN};
	check_against_twin(text, text_len, &cuts);
	if (len == FED_WHOLE_LEN)
		return;
	cuts.then = text_len;
	for (cuts.first = 1; cuts.first < strlen(front) + len + 4; cuts.first++)
		check_against_twin(text, text_len, &cuts);
}

static void every_short_string_at_every_cut(void **state)
{
	unsigned int count = 1;

	(void)state;
	for (size_t len = 0; len <= FED_WHOLE_LEN; len++, count *= sizeof(alphabet)) {
		for (unsigned int number = 0; number < count; number++) {
			try_string("", number, len);
			if (len < ALL_STRINGS_LEN)
				try_string("x\r\n", number, len);
		}
	}
}

/* Every defect of three bytes at every place of the blocks that are scanned at once. */
static void defects_at_every_place_of_a_block(void **state)
{
	char text[400];

	(void)state;
	for (size_t at = 0; at < 200; at++) {
		for (unsigned int number = 0; number < 125; number++) {
			struct twin_cuts cuts = {.first = sizeof(text),
						 .then = 1,
						 .room_bytes = number & 1 ? 1024 : 33};

			memset(text, 'a', sizeof(text));
			memcpy(text + 60, "\r\n", 2);
			memcpy(text + 126, "\r\n.x", 4);
			write_string(text + at, number, 3);
			memcpy(text + sizeof(text) - 5, "\r\n.\r\n", 5);
			check_against_twin(text, sizeof(text), &cuts);
		}
	}
}

static void random_messages_are_as_the_twin_says(void **state)
{
	uint64_t seed = seed_start();
	static char text[TEXT_MAX];

	(void)state;
	for (int round = 0; round < 1000; round++) {
		size_t len = seed_below(&seed, sizeof(text) - 5);
		struct twin_cuts cuts = {.first = seed_below(&seed, (uint32_t)len + 1),
					 .then = 1 + seed_below(&seed, 700),
					 .room_bytes = 16 + seed_below(&seed, 5000)};
		unsigned int dirt = seed_below(&seed, 2) * seed_below(&seed, 40);
		size_t clean = seed_below(&seed, (uint32_t)len + 1);

		for (size_t i = 0; i < len; i++) {
			unsigned int dice = seed_below(&seed, 400);

			text[i] = dice < dirt && i > clean
					  ? alphabet[dice % sizeof(alphabet)]
					  : 'a';
			if (dice == 399 && i + 1 < len) {
				memcpy(text + i, "\r\n", 2);
				i++;
			}
		}
		memcpy(text + len, "\r\n.\r\n", 5);
		check_against_twin(text, len + 5, &cuts);
	}
}

/* What is owed to a long row of CRs is paid in steps, and the room is never left. */
static void a_long_row_of_crs_is_paid_in_steps(void **state)
{
	static char text[1500];
	struct twin_cuts cuts = {
		.first = 7, .then = 11, .room_bytes = SMTP_DATA_ROOM_MIN};

	(void)state;
	memset(text, '\r', sizeof(text));
	memcpy(text + sizeof(text) - 6, "a\r\n.\r\n", 6);
	check_against_twin(text, sizeof(text), &cuts);
	memcpy(text + sizeof(text) - 7, "\n.\n\r\n.\r\n", 7);
	check_against_twin(text, sizeof(text), &cuts);
}

static void a_clean_message_is_not_copied(void **state)
{
	static char text[TEXT_MAX];
	static char out[2 * TEXT_MAX];
	struct twin_cuts cuts = {.first = 1000, .then = 500, .room_bytes = 16};
	struct twin_feed got = {.out = out};

	(void)state;
	memset(text, 'a', sizeof(text));
	for (size_t i = 70; i + 80 < sizeof(text); i += 77)
		memcpy(text + i, "\r\n..", 4);
	memcpy(text + sizeof(text) - 5, "\r\n.\r\n", 5);
	twin_feed(SMTP_DATA_REJECT, text, sizeof(text), &cuts, &got);
	assert_true(got.is_end);
	assert_false(got.is_copied);
	assert_int_equal(got.out_len, sizeof(text));
	assert_memory_equal(out, text, sizeof(text));
}

/* The judge must not be asleep. */
static void the_judge_finds_a_second_end(void **state)
{
	static const struct {
		const char *out;
		size_t len;
		bool is_end;
	} bad[] = {
		{"a\n.\nb\r\n.\r\n", 10, true},
		{"a\r\n.\r\nb\r\n.\r\n", 12, true},
		{"a\r.\rb\r\n.\r\n", 10, true},
		{"a\r\n.\0\r\nb\r\n.\r\n", 13, true},
		{"a\r\n.\r\n", 6, false},
		{"a.\r\n", 4, true},
		{"a\r\n", 3, true},
		{".\r\nb\r\n.\r\n", 9, true},
		{"a\r\n\0.\r\nb\r\n.\r\n", 13, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		if (!twin_judge(bad[i].out, bad[i].len, bad[i].is_end))
			fail_msg("row %zu passed", i);
	}
	assert_null(twin_judge("a\r\n..\r\n.\r\n", 10, true));
	assert_null(twin_judge(".\r\n", 3, true));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_hold),
		cmocka_unit_test(the_judge_finds_a_second_end),
		cmocka_unit_test(every_short_string_at_every_cut),
		cmocka_unit_test(defects_at_every_place_of_a_block),
		cmocka_unit_test(random_messages_are_as_the_twin_says),
		cmocka_unit_test(a_long_row_of_crs_is_paid_in_steps),
		cmocka_unit_test(a_clean_message_is_not_copied),
	};

	return cmocka_run_group_tests_name("wire/smtp_data", tests, NULL, NULL);
}
