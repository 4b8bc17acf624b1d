/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/dns_table - see the header.
 */
#include "unit/dns_table.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "base/buf.h"

#define TYPE_FAIL    0xfffeu
#define TYPE_TIMEOUT 0xffffu
#define TYPE_ANY     0u
#define TTL_S	     300u
#define STRING_MAX   255u
#define CHAIN_MAX    8
#define QUESTION_AT  0xc00cu /* pointer to it */

struct row {
	char name[256];
	uint16_t type;
	uint16_t failed; /* of FAIL and TIMEOUT: the type that fails, or TYPE_ANY */
	size_t len;
	uint8_t *data; /* as it stands in the message */
};

static const struct {
	const char *name;
	uint16_t type;
} types[] = {
	{"A", DNSMSG_A},   {"AAAA", DNSMSG_AAAA}, {"CNAME", DNSMSG_CNAME},
	{"MX", DNSMSG_MX}, {"PTR", DNSMSG_PTR},	  {"TXT", DNSMSG_TXT},
	{"SPF", 99},	   {"FAIL", TYPE_FAIL},	  {"TIMEOUT", TYPE_TIMEOUT},
	{"*", TYPE_ANY},
};

unsigned int table_asked;
static struct row rows[TABLE_ROWS_MAX];
static size_t row_count;
static uint8_t message[TABLE_MESSAGE_MAX];
static size_t message_len;
static struct dns_answer answer;

static uint16_t type_of(const char *name)
{
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(types[i].name, name) == 0)
			return types[i].type;
	fail_msg("no type of the table: %s", name);
	return 0;
}

void table_clear(void)
{
	for (size_t i = 0; i < row_count; i++)
		free(rows[i].data);
	row_count = 0;
	table_asked = 0;
}

static void put(struct row *row, const void *bytes, size_t len)
{
	row->data = realloc(row->data, row->len + len + 1);
	assert_non_null(row->data);
	memcpy(row->data + row->len, bytes, len);
	row->len += len;
}

static void put_octet(struct row *row, unsigned int octet)
{
	uint8_t byte = (uint8_t)octet;

	put(row, &byte, 1);
}

/* Labels, not compressed; "" is the root. */
static void put_name(struct row *row, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		put_octet(row, (unsigned int)len);
		put(row, name, len);
		name += len + (name[len] == '.');
	}
	put_octet(row, 0);
}

/* One octet of a quoted string; moves @text. */
static unsigned int next_octet(const char **text)
{
	char digits[3] = {0};

	if ((*text)[0] != '\\' || (*text)[1] != 'x')
		return (unsigned char)*(*text)++;
	memcpy(digits, *text + 2, 2);
	*text += 4;
	return (unsigned int)strtoul(digits, NULL, 16);
}

/* What is longer than a string may be goes on in another. */
static void put_strings(struct row *row, const char *text)
{
	while (*text == '"') {
		size_t len_at = row->len;

		put_octet(row, 0);
		for (text++; *text && *text != '"';) {
			if (row->data[len_at] == STRING_MAX) {
				len_at = row->len;
				put_octet(row, 0);
			}
			put_octet(row, next_octet(&text));
			row->data[len_at]++;
		}
		assert_int_equal(*text, '"');
		text += 1 + strspn(text + 1, " ");
	}
	assert_int_equal(*text, '\0');
}

static struct row *new_row(const char *name, uint16_t type)
{
	struct row *row = &rows[row_count++];

	assert_true(row_count <= TABLE_ROWS_MAX && strlen(name) < sizeof(row->name));
	*row = (struct row){.type = type};
	memcpy(row->name, name, strlen(name) + 1);
	return row;
}

void table_add(const char *name, const char *type, const char *data)
{
	struct row *row = new_row(name, type_of(type));
	uint8_t address[16];
	char *rest;

	switch (row->type) {
	case DNSMSG_A:
		assert_int_equal(inet_pton(AF_INET, data, address), 1);
		put(row, address, 4);
		break;
	case DNSMSG_AAAA:
		assert_int_equal(inet_pton(AF_INET6, data, address), 1);
		put(row, address, 16);
		break;
	case DNSMSG_MX:
		put_octet(row, 0);
		put_octet(row, (unsigned int)strtoul(data, &rest, 10));
		put_name(row, rest + 1);
		break;
	case DNSMSG_PTR:
	case DNSMSG_CNAME:
		put_name(row, data);
		break;
	case TYPE_FAIL:
	case TYPE_TIMEOUT:
		row->failed = type_of(data);
		break;
	default:
		put_strings(row, data);
		break;
	}
}

void table_add_long(const char *name, const char *head, const char *part,
		    unsigned int times)
{
	struct row *row = new_row(name, DNSMSG_TXT);
	size_t len = strlen(head) + times * strlen(part);
	char *text = malloc(len + 1);
	size_t at = strlen(head);

	assert_non_null(text);
	memcpy(text, head, at);
	for (unsigned int i = 0; i < times; i++, at += strlen(part))
		memcpy(text + at, part, strlen(part));
	for (size_t i = 0; i < len; i += STRING_MAX) {
		size_t string_len = len - i < STRING_MAX ? len - i : STRING_MAX;

		put_octet(row, (unsigned int)string_len);
		put(row, text + i, string_len);
	}
	free(text);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void message_put(const void *bytes, size_t len)
{
	assert_true(message_len + len <= sizeof(message));
	memcpy(message + message_len, bytes, len);
	message_len += len;
}

static void message_number(uint32_t number, size_t width)
{
	while (width-- > 0) {
		uint8_t byte = (uint8_t)((uint64_t)number >> 8 * width);

		message_put(&byte, 1);
	}
}

static void message_record(const struct row *row, size_t owner_at)
{
	message_number((uint32_t)(0xc000u | owner_at), 2);
	message_number(row->type, 2);
	message_number(1, 2);
	message_number(TTL_S, 4);
	message_number((uint32_t)row->len, 2);
	message_put(row->data, row->len);
	message[7]++; /* answers */
	if (message[7] == 0)
		message[6]++;
}

static bool name_equal(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static const struct row *find_failure(const char *name, uint16_t type)
{
	for (size_t i = 0; i < row_count; i++)
		if (rows[i].type >= TYPE_FAIL && name_equal(rows[i].name, name) &&
		    (rows[i].failed == type || rows[i].failed == TYPE_ANY))
			return &rows[i];
	return NULL;
}

/* The labels of a row's data as text, for the next link of a chain. */
static void name_of(const struct row *row, char out_name[256])
{
	size_t len = 0;

	for (size_t at = 0; row->data[at] > 0; at += row->data[at] + 1u) {
		memcpy(out_name + len, row->data + at + 1, row->data[at]);
		len += row->data[at];
		out_name[len++] = '.';
	}
	out_name[len > 0 ? len - 1 : 0] = '\0';
}

/* Puts the records of a name, along its CNAMEs. Returns whether the name is there. */
static bool message_fill(const char *question, uint16_t type)
{
	size_t owner_at = QUESTION_AT & 0x3fffu;
	char name[256];
	bool exists = false;

	(void)text_copy(name, sizeof(name), question);
	for (int link = 0; link < CHAIN_MAX; link++) {
		const struct row *cname = NULL;

		exists = false;
		for (size_t i = 0; i < row_count; i++) {
			if (!name_equal(rows[i].name, name) || rows[i].type >= TYPE_FAIL)
				continue;
			exists = true;
			if (rows[i].type == type)
				message_record(&rows[i], owner_at);
			else if (rows[i].type == DNSMSG_CNAME)
				cname = &rows[i];
		}
		if (!cname)
			break;
		message_record(cname, owner_at);
		owner_at = message_len - cname->len;
		name_of(cname, name);
	}
	return exists;
}

const struct dns_answer *table_answer(const char *name, uint16_t type)
{
	const struct row *failure = find_failure(name, type);
	struct row question = {0};
	bool exists;

	table_asked++;
	answer = (struct dns_answer){.ttl_s = TTL_S};
	if (failure) {
		answer.status = failure->type == TYPE_FAIL ? DNS_FAILED : DNS_TIMED_OUT;
		answer.why = failure->type == TYPE_FAIL ? "the resolver failed"
							: "no resolver answered";
		return &answer;
	}
	message_len = 0;
	message_number(0x12348180, 4);
	message_number(1, 2);
	message_number(0, 2);
	message_number(0, 4);
	put_name(&question, name);
	message_put(question.data, question.len);
	free(question.data);
	message_number(type, 2);
	message_number(1, 2);
	exists = message_fill(name, type);
	if (dnsmsg_read(message, message_len, &answer.message) != 0) {
		answer.status = DNS_FAILED; /* a chain that has no end */
		answer.why = "the resolver failed";
	} else if (answer.message.count > 0) {
		answer.status = DNS_ANSWER;
	} else {
		answer.status = exists ? DNS_NO_RECORD : DNS_NO_NAME;
	}
	return &answer;
}
