/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/dnsmsg: answers as they should be, and of people who mean no good.
 *
 * link: ../dns_message.c
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "unit/dns_message.h"
#include "wire/dnsmsg.h"

#define QUESTION    "7.2.0.192.in-addr.arpa"
#define AT_QUESTION "@12"

/* What a message says. */
struct told {
	uint32_t count, ttl_s;
	char text[2048]; /* its names, addresses and texts, one after the other */
	bool all_plain;
};

static void told_add(struct buf *out, uint16_t type, const struct dnsmsg_record *record)
{
	char text[ADDR_TEXT_MAX], joined[600];

	if (type == DNSMSG_A || type == DNSMSG_AAAA)
		buf_printf(out, "%s ", addr_format(&record->addr, text));
	else if (type == DNSMSG_TXT)
		buf_printf(out, "%d:%s ", dnsmsg_text(record, joined, sizeof(joined)),
			   joined);
	else if (type == DNSMSG_MX)
		buf_printf(out, "%u=%s ", record->preference, record->name.text);
	else
		buf_printf(out, "%s ", record->name.text);
}

static void told_fill(struct told *told, const struct dnsmsg *message)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	uint32_t count = 0;
	struct buf out;

	memset(&record, 0, sizeof(record));
	buf_init(&out, told->text, sizeof(told->text));
	told->all_plain = true;
	dnsmsg_walk_init(&walk, message);
	while (dnsmsg_walk_next(&walk, &record)) {
		count++;
		told->all_plain &= record.name.is_plain;
		told_add(&out, message->type, &record);
	}
	assert_false(dnsmsg_walk_next(&walk, &record));
	assert_int_equal(count, message->count);
	told->count = count;
	told->ttl_s = message->ttl_s;
}

/* Reads a copy of exactly its length, so that a sanitizer sees the byte behind it. */
static int read_copy(const struct dns_message *message, struct told *out_told)
{
	uint8_t *copy = malloc(message->len ? message->len : 1);
	struct dnsmsg read = {.count = 77};
	int err;

	assert_non_null(copy);
	memcpy(copy, message->bytes, message->len);
	err = dnsmsg_read(copy, message->len, &read);
	if (err)
		assert_int_equal(read.count, 77);
	else
		told_fill(out_told, &read);
	free(copy);
	return err;
}

static void a_plain_answer_is_read(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "mail.example.org");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 200, "a.example");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 400, "b.example");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "mail.example.org a.example b.example ");
	assert_int_equal(told.ttl_s, 200);
	assert_true(told.all_plain);
}

static void addresses_are_read(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin_type(&message, "a.example", MESSAGE_TYPE_A);
	message_addr(&message, "127.0.0.2");
	message_addr(&message, "192.0.2.1");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "127.0.0.2 192.0.2.1 ");

	message_begin_type(&message, "a.example", MESSAGE_TYPE_AAAA);
	message_addr(&message, "2001:db8::1");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "2001:db8::1 ");
}

static void other_types_are_left_aside(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin_type(&message, "a.example", MESSAGE_TYPE_A);
	message_text(&message, "beside");
	message_addr(&message, "127.0.0.2");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "127.0.0.2 ");
}

static void texts_are_joined(void **state)
{
	static const char two[] = "\x06v=spf1\x05 -all";
	static const char with_nul[] = "\x03"
				       "a\0b";
	struct dnsmsg_record record = {0};
	struct dns_message message;
	struct dnsmsg_walk walk;
	struct dnsmsg read;
	struct told told;
	char text[16];

	(void)state;
	message_begin_type(&message, "a.example", MESSAGE_TYPE_TXT);
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_TXT, two, sizeof(two) - 1);
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_TXT, "", 1);
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_TXT, "",
		     0); /* no string at all */
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_TXT, with_nul, 4);
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "11:v=spf1 -all 0: 0: 3:a ");

	assert_int_equal(dnsmsg_read(message.bytes, message.len, &read), 0);
	dnsmsg_walk_init(&walk, &read);
	assert_true(dnsmsg_walk_next(&walk, &record));
	assert_int_equal(dnsmsg_text(&record, text, 12), 11); /* just room for the NUL */
	text[0] = 'x';
	assert_int_equal(dnsmsg_text(&record, text, 11), -EMSGSIZE);
	assert_int_equal(text[0], 'x');
}

static void mail_exchangers_are_read(void **state)
{
	static const uint8_t mx[] = {0, 10, 2, 'm', 'x', 0xc0, 12};
	static const uint8_t null_mx[] = {0, 0, 0}; /* RFC 7505 */
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin_type(&message, "example.org", MESSAGE_TYPE_MX);
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_MX, mx, sizeof(mx));
	message_data(&message, AT_QUESTION, MESSAGE_TYPE_MX, null_mx, sizeof(null_mx));
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "10=mx.example.org 0= ");
}

static void cnames_lead_on_and_strangers_do_not(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, "8.2.0.192.in-addr.arpa", MESSAGE_TYPE_PTR, 1,
		       "stranger.example");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60,
		       "7.0/25.2.0.192.in-addr.arpa");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 1, "beside.example");
	message_record(&message, "7.0/25.2.0.192.IN-ADDR.arpa", MESSAGE_TYPE_PTR, 300,
		       "mail.example");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "mail.example ");
	assert_int_equal(told.ttl_s, 60);
}

/* Some resolvers put the target in front of the CNAME. */
static void the_order_of_a_chain_does_not_matter(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, "c.example", MESSAGE_TYPE_PTR, 300, "mail.example");
	message_record(&message, "b.example", MESSAGE_TYPE_CNAME, 50, "c.example");
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60, "b.example");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "mail.example ");
	assert_int_equal(told.ttl_s, 50);
}

static void chain_of(struct dns_message *message, unsigned int links)
{
	char from[16] = AT_QUESTION, to[16];

	message_begin(message, QUESTION);
	for (unsigned int i = 1; i <= links; i++) {
		struct buf name = BUF_OVER(to);

		buf_printf(&name, "n%u.example", i);
		message_record(message, from, MESSAGE_TYPE_CNAME, 60, to);
		(void)text_copy(from, sizeof(from), to);
	}
	message_record(message, from, MESSAGE_TYPE_PTR, 60, "mail.example");
}

static void a_chain_has_an_end(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	chain_of(&message, DNSMSG_CNAMES_MAX);
	assert_int_equal(read_copy(&message, &told), 0);
	assert_int_equal(told.count, 1);
	chain_of(&message, DNSMSG_CNAMES_MAX + 1);
	assert_int_equal(read_copy(&message, &told), -EBADMSG);

	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60, "b.example");
	message_record(&message, "b.example", MESSAGE_TYPE_CNAME, 60, AT_QUESTION);
	assert_int_equal(read_copy(&message, &told), -EBADMSG);
}

static const struct {
	const char *why;
	uint32_t ttl_s, minimum_s, want_s;
} soa_rows[] = {
	{"the minimum is smaller", 3600, 900, 900},
	{"the TTL is smaller", 30, 900, 30},
	{"the topmost bit of a TTL means 0", 0x80000000u, 900, 0},
	{"a minimum of 0", 3600, 0, 0},
};

static void no_record_takes_the_ttl_of_the_soa(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(soa_rows) / sizeof(soa_rows[0]); i++) {
		message_begin(&message, QUESTION);
		message_soa(&message, "2.0.192.in-addr.arpa", soa_rows[i].ttl_s,
			    soa_rows[i].minimum_s);
		assert_int_equal(read_copy(&message, &told), 0);
		if (told.count != 0 || told.ttl_s != soa_rows[i].want_s)
			fail_msg("%s: %u", soa_rows[i].why, told.ttl_s);
	}
}

static void without_an_soa_no_is_not_kept(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin(&message, QUESTION);
	assert_int_equal(read_copy(&message, &told), 0);
	assert_int_equal(told.ttl_s, 0);

	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60, "b.example");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_int_equal(told.count, 0);
	assert_int_equal(told.ttl_s, 0);
}

static void odd_bytes_in_a_name_are_told(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "a\nb.example");
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "a?b.example ");
	assert_false(told.all_plain);

	/* A dot inside a label would read as two labels. */
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300, "evil#mail.example");
	*(uint8_t *)memchr(message.bytes, '#', message.len) = '.';
	assert_int_equal(read_copy(&message, &told), 0);
	assert_string_equal(told.text, "evil?mail.example ");
	assert_false(told.all_plain);
}

/* "a.b" as one label and as two are two names. */
static void owners_are_compared_by_label(void **state)
{
	struct dns_message message;
	struct told told;

	(void)state;
	message_begin_type(&message, "a.b", MESSAGE_TYPE_A);
	message_data(&message, "a#b", MESSAGE_TYPE_A, "\x7f\0\0\x02", 4);
	*(uint8_t *)memchr(message.bytes, '#', message.len) = '.';
	assert_int_equal(read_copy(&message, &told), 0);
	assert_int_equal(told.count, 0);
}

static const struct {
	const char *why, *target;
} pointer_rows[] = {
	{"a pointer to itself", "@52"},
	{"a pointer behind itself", "@60"},
	{"a pointer into the future after a label", "a.@2000"},
	{"a circle through the label in front", "a.@52"},
};

static void pointers_that_lead_nowhere_are_refused(void **state)
{
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(pointer_rows) / sizeof(pointer_rows[0]); i++) {
		struct dns_message message;

		message_begin(&message, QUESTION);
		assert_int_equal(message.len, 40); /* so that the data begins at 52 */
		message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 300,
			       pointer_rows[i].target);
		if (read_copy(&message, &told) == 0)
			fail_msg("%s was read", pointer_rows[i].why);
	}
}

static void a_name_has_255_octets_at_most(void **state)
{
	static const char label63[] =
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
	struct dns_message message;
	struct told told;
	char name[300];

	(void)state;
	for (unsigned int extra = 0; extra < 2; extra++) {
		struct buf buf = BUF_OVER(name);

		buf_printf(&buf, "%s.%s.%s.%.*s", label63, label63, label63,
			   (int)(61 + extra), label63);
		message_begin(&message, QUESTION);
		message_record(&message, AT_QUESTION, MESSAGE_TYPE_PTR, 60, name);
		assert_int_equal(read_copy(&message, &told), extra ? -EBADMSG : 0);
	}
}

static void a_cut_message_is_refused_at_every_byte(void **state)
{
	struct dns_message message;
	struct told told;
	size_t whole;

	(void)state;
	message_begin(&message, QUESTION);
	message_record(&message, AT_QUESTION, MESSAGE_TYPE_CNAME, 60, "x.example");
	message_record(&message, "x.example", MESSAGE_TYPE_PTR, 60, "mail.@49");
	whole = message.len;
	for (message.len = 0; message.len < whole; message.len++)
		if (read_copy(&message, &told) == 0)
			fail_msg("read with %zu of %zu bytes", message.len, whole);
}

static const struct {
	const char *why;
	uint16_t type;
	const char *data;
	size_t len;
} data_rows[] = {
	{"an A record of three bytes", MESSAGE_TYPE_A, "\x7f\0\0", 3},
	{"an A record of five bytes", MESSAGE_TYPE_A, "\x7f\0\0\2\0", 5},
	{"an A record of none", MESSAGE_TYPE_A, "", 0},
	{"an AAAA record of four bytes", MESSAGE_TYPE_AAAA, "\x7f\0\0\2", 4},
	{"a TXT record whose string is cut", MESSAGE_TYPE_TXT, "\x05text", 5},
	{"an MX record without a name", MESSAGE_TYPE_MX, "\0\x0a", 2},
	{"a byte behind the name of an MX record", MESSAGE_TYPE_MX, "\0\x0a\0\0", 4},
	{"a byte behind the name of a PTR record", MESSAGE_TYPE_PTR, "\0\0", 2},
};

static void data_of_another_length_is_refused(void **state)
{
	struct told told;

	(void)state;
	for (size_t i = 0; i < sizeof(data_rows) / sizeof(data_rows[0]); i++) {
		struct dns_message message;

		message_begin_type(&message, "a.example", data_rows[i].type);
		message_data(&message, AT_QUESTION, data_rows[i].type, data_rows[i].data,
			     data_rows[i].len);
		if (read_copy(&message, &told) == 0)
			fail_msg("%s was read", data_rows[i].why);
	}
}

/* A message with so many A records of 16 bytes. */
static size_t many(uint8_t *bytes, unsigned int count)
{
	struct dns_message one;
	size_t head;

	message_begin_type(&one, "a.example", MESSAGE_TYPE_A);
	head = one.len;
	message_addr(&one, "127.0.0.2");
	one.bytes[6] = (uint8_t)(count >> 8);
	one.bytes[7] = (uint8_t)count;
	memcpy(bytes, one.bytes, head);
	for (unsigned int i = 0; i < count; i++)
		memcpy(bytes + head + i * (one.len - head), one.bytes + head,
		       one.len - head);
	return head + count * (one.len - head);
}

static void records_are_looked_at_up_to_a_limit(void **state)
{
	static uint8_t bytes[UINT16_MAX + 1];
	struct dnsmsg message;
	size_t len;

	(void)state;
	len = many(bytes, DNSMSG_RECORDS_MAX);
	assert_int_equal(dnsmsg_read(bytes, len, &message), 0);
	assert_int_equal(message.count, DNSMSG_RECORDS_MAX);
	assert_int_equal(message.len, len);
	len = many(bytes, DNSMSG_RECORDS_MAX + 1);
	assert_int_equal(dnsmsg_read(bytes, len, &message), 0);
	assert_int_equal(message.count, DNSMSG_RECORDS_MAX);
	assert_int_equal(dnsmsg_read(bytes, UINT16_MAX + 1, &message), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_plain_answer_is_read),
		cmocka_unit_test(addresses_are_read),
		cmocka_unit_test(other_types_are_left_aside),
		cmocka_unit_test(texts_are_joined),
		cmocka_unit_test(mail_exchangers_are_read),
		cmocka_unit_test(cnames_lead_on_and_strangers_do_not),
		cmocka_unit_test(the_order_of_a_chain_does_not_matter),
		cmocka_unit_test(a_chain_has_an_end),
		cmocka_unit_test(no_record_takes_the_ttl_of_the_soa),
		cmocka_unit_test(without_an_soa_no_is_not_kept),
		cmocka_unit_test(odd_bytes_in_a_name_are_told),
		cmocka_unit_test(owners_are_compared_by_label),
		cmocka_unit_test(pointers_that_lead_nowhere_are_refused),
		cmocka_unit_test(a_name_has_255_octets_at_most),
		cmocka_unit_test(a_cut_message_is_refused_at_every_byte),
		cmocka_unit_test(data_of_another_length_is_refused),
		cmocka_unit_test(records_are_looked_at_up_to_a_limit),
	};

	return cmocka_run_group_tests_name("wire/dnsmsg", tests, NULL, NULL);
}
