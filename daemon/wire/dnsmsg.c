/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/dnsmsg - see the header.
 */
#include "wire/dnsmsg.h"

#include <errno.h>
#include <string.h>

#define HEADER_BYTES  12u
#define TRUNCATED_AT  2u
#define TRUNCATED_BIT 0x02u
#define MESSAGE_MAX   UINT16_MAX
#define CLASS_IN      1u
#define POINTERS_MAX  64u /* in one name; each leads backwards, so they end anyway */
#define POINTER_BITS  0xc0u
#define SOA_NUMBERS   5u	/* serial, refresh, retry, expire, minimum */
#define TTL_MAX_S     INT32_MAX /* RFC 2181 8: the topmost bit set means 0 */
#define NAME_WIRE_MAX 255u	/* RFC 1035 3.1 */

/* Reads forward; once something did not fit, `bad` stays set and zeros come out. */
struct cursor {
	const uint8_t *bytes;
	size_t len, at;
	bool bad;
};

static uint32_t cursor_number(struct cursor *cursor, size_t width)
{
	uint32_t number = 0;

	if (cursor->bad || cursor->len - cursor->at < width) {
		cursor->bad = true;
		return 0;
	}
	for (size_t i = 0; i < width; i++)
		number = number << 8 | cursor->bytes[cursor->at++];
	return number;
}

static void cursor_skip(struct cursor *cursor, size_t count)
{
	if (cursor->bad || cursor->len - cursor->at < count)
		cursor->bad = true;
	else
		cursor->at += count;
}

/* ---- names ------------------------------------------------------------------------------------- */

/* A walk through the labels of a name. */
struct labels {
	struct cursor cursor;
	size_t part; /* where the part of the name being read begins */
	size_t end;  /* behind the name in its own place; 0: not known yet */
	size_t wire_len;
	unsigned int pointers;
};

static void labels_begin(struct labels *labels, const struct cursor *at)
{
	*labels = (struct labels){.cursor = *at, .part = at->at};
}

/*
 * name = *( length 1*63OCTET ) ( 0 / pointer )    RFC 1035 3.1, 4.1.4
 *
 * A pointer leads to an earlier place than the part of the name it ends, and what stands there ends before that
 * part: so there is no circle, and a name needs nothing of what comes behind it.
 *
 * Return: length of the next label, which then lies in front of the cursor; 0 at the end, or if it is bad.
 */
static size_t labels_next(struct labels *labels)
{
	struct cursor *cursor = &labels->cursor;

	for (;;) {
		uint32_t len = cursor_number(cursor, 1);
		size_t target;

		if (cursor->bad || (len & POINTER_BITS) == 0) {
			labels->wire_len += len + 1;
			cursor_skip(cursor, len);
			if (labels->wire_len > NAME_WIRE_MAX)
				cursor->bad = true;
			if (len == 0 && !labels->end)
				labels->end = cursor->at;
			return cursor->bad ? 0 : len;
		}
		target = (len & ~POINTER_BITS) << 8 | cursor_number(cursor, 1);
		if (!labels->end)
			labels->end = cursor->at;
		if ((len & POINTER_BITS) != POINTER_BITS || target >= labels->part ||
		    ++labels->pointers > POINTERS_MAX)
			cursor->bad = true;
		if (cursor->bad)
			return 0;
		cursor->len = labels->part;
		labels->part = target;
		cursor->at = target;
	}
}

static void cursor_skip_name(struct cursor *cursor)
{
	struct labels labels;

	labels_begin(&labels, cursor);
	while (labels_next(&labels))
		;
	if (labels.cursor.bad)
		cursor->bad = true;
	else
		cursor->at = labels.end;
}

static void cursor_name(struct cursor *cursor, struct dnsmsg_name *out_name)
{
	struct labels labels;
	size_t len;

	*out_name = (struct dnsmsg_name){.is_plain = true};
	labels_begin(&labels, cursor);
	while ((len = labels_next(&labels)) > 0) {
		const uint8_t *label = labels.cursor.bytes + labels.cursor.at - len;

		/* NAME_WIRE_MAX octets are at most two fewer as text. */
		if (out_name->len > 0)
			out_name->text[out_name->len++] = '.';
		for (size_t i = 0; i < len; i++) {
			bool plain = label[i] > ' ' && label[i] < 0x7f && label[i] != '.';

			out_name->is_plain &= plain;
			out_name->text[out_name->len++] = plain ? (char)label[i] : '?';
		}
	}
	out_name->text[out_name->len] = '\0';
	if (labels.cursor.bad)
		cursor->bad = true;
	else
		cursor->at = labels.end;
}

static uint8_t lower(uint8_t octet)
{
	return octet >= 'A' && octet <= 'Z' ? octet | 0x20u : octet;
}

/* The same name, octet by octet, letters of either case (RFC 4343). A bad one equals none. */
static bool names_equal(const struct cursor *a, size_t a_at, size_t b_at)
{
	struct cursor at = *a;
	struct labels left, right;
	size_t len;

	at.at = a_at;
	labels_begin(&left, &at);
	at.at = b_at;
	labels_begin(&right, &at);
	do {
		const uint8_t *x, *y;

		len = labels_next(&left);
		if (labels_next(&right) != len || left.cursor.bad || right.cursor.bad)
			return false;
		x = left.cursor.bytes + left.cursor.at - len;
		y = right.cursor.bytes + right.cursor.at - len;
		for (size_t i = 0; i < len; i++)
			if (lower(x[i]) != lower(y[i]))
				return false;
	} while (len > 0);
	return true;
}

/* ---- records ----------------------------------------------------------------------------------- */

/* A record as it lies there; of its data only the bounds are known. */
struct raw_record {
	size_t owner_at;
	uint32_t type, class, ttl_s;
	struct cursor data; /* ends where the record does; may look back for pointers */
};

static void cursor_record(struct cursor *cursor, struct raw_record *out_record)
{
	uint32_t len;

	out_record->owner_at = cursor->at;
	cursor_skip_name(cursor);
	out_record->type = cursor_number(cursor, 2);
	out_record->class = cursor_number(cursor, 2);
	out_record->ttl_s = cursor_number(cursor, 4);
	if (out_record->ttl_s > TTL_MAX_S)
		out_record->ttl_s = 0;
	len = cursor_number(cursor, 2);
	out_record->data = *cursor;
	cursor_skip(cursor, len);
	if (!cursor->bad)
		out_record->data.len = cursor->at;
}

static void data_addr(struct cursor *data, uint8_t family, struct addr *out_addr)
{
	const size_t len = family == ADDR_V4 ? 4 : 16;

	*out_addr = (struct addr){.family = family};
	if (data->len - data->at == len)
		memcpy(out_addr->bytes, data->bytes + data->at, len);
	cursor_skip(data, len);
}

/* The fields of a record by its type. false: they do not fill its data exactly. */
static bool record_decode(const struct raw_record *raw, struct dnsmsg_record *out_record)
{
	struct cursor data = raw->data;

	out_record->ttl_s = raw->ttl_s;
	out_record->data = data.bytes + data.at;
	out_record->len = data.len - data.at;
	switch (raw->type) {
	case DNSMSG_A:
		data_addr(&data, ADDR_V4, &out_record->addr);
		break;
	case DNSMSG_AAAA:
		data_addr(&data, ADDR_V6, &out_record->addr);
		break;
	case DNSMSG_MX:
		out_record->preference = (uint16_t)cursor_number(&data, 2);
		cursor_name(&data, &out_record->name);
		break;
	case DNSMSG_PTR:
	case DNSMSG_CNAME:
		cursor_name(&data, &out_record->name);
		break;
	case DNSMSG_TXT:
		/* Without any string it is against RFC 1035 3.3.14, but no reason to lose the other records. */
		while (!data.bad && data.at < data.len)
			cursor_skip(&data, cursor_number(&data, 1));
		break;
	default:
		return true;
	}
	return !data.bad && data.at == data.len;
}

/* ---- messages ---------------------------------------------------------------------------------- */

/* What is known while the records pass by. */
struct reading {
	struct dnsmsg message;
	struct cursor answers; /* at the first one */
	bool has_ttl;
};

static void reading_ttl(struct reading *reading, uint32_t ttl_s)
{
	if (!reading->has_ttl || ttl_s < reading->message.ttl_s)
		reading->message.ttl_s = ttl_s;
	reading->has_ttl = true;
}

static bool is_ours(const struct reading *reading, const struct raw_record *record)
{
	return record->class == CLASS_IN &&
	       names_equal(&reading->answers, record->owner_at,
			   reading->message.owner_at);
}

/* The CNAME of the present owner. Return: 1, followed; 0, there is none; -EBADMSG. */
static int reading_follow(struct reading *reading)
{
	struct cursor cursor = reading->answers;
	struct dnsmsg_record decoded;

	for (uint32_t i = 0; i < reading->message.answers; i++) {
		struct raw_record record;

		cursor_record(&cursor, &record);
		if (cursor.bad)
			return -EBADMSG;
		if (record.type != DNSMSG_CNAME || !is_ours(reading, &record))
			continue;
		if (!record_decode(&record, &decoded))
			return -EBADMSG;
		reading_ttl(reading, record.ttl_s);
		reading->message.owner_at = (uint16_t)record.data.at;
		return 1;
	}
	return 0;
}

/* Counts the records of the type, with the chain behind us; leaves @cursor behind the answers. */
static int reading_count(struct reading *reading, struct cursor *cursor)
{
	struct dnsmsg_record decoded;

	for (uint32_t i = 0; i < reading->message.answers; i++) {
		struct raw_record record;

		cursor_record(cursor, &record);
		if (cursor->bad)
			return -EBADMSG;
		if (record.type != reading->message.type || !is_ours(reading, &record))
			continue;
		if (!record_decode(&record, &decoded))
			return -EBADMSG;
		reading_ttl(reading, record.ttl_s);
		reading->message.count++;
	}
	return 0;
}

/* The zone's word on how long its "no" holds: the smaller of the record's TTL and its minimum. */
static int reading_soa(struct reading *reading, struct cursor *cursor,
		       uint32_t authorities)
{
	for (uint32_t i = 0; i < authorities; i++) {
		struct raw_record record;
		uint32_t minimum_s = 0;

		cursor_record(cursor, &record);
		if (cursor->bad)
			return -EBADMSG;
		if (record.class != CLASS_IN || record.type != DNSMSG_SOA)
			continue;
		cursor_skip_name(&record.data);
		cursor_skip_name(&record.data);
		for (unsigned int n = 0; n < SOA_NUMBERS; n++)
			minimum_s = cursor_number(&record.data, 4);
		if (record.data.bad || record.data.at != record.data.len)
			return -EBADMSG;
		reading_ttl(reading, record.ttl_s < minimum_s ? record.ttl_s : minimum_s);
		return 0;
	}
	/* RFC 2308 5: without it a "no" is not kept. */
	reading->message.ttl_s = 0;
	return 0;
}

static int reading_answers(struct reading *reading, uint32_t authorities)
{
	struct cursor cursor = reading->answers;
	unsigned int cnames = 0;
	int result = 0;

	if (reading->message.type != DNSMSG_CNAME)
		while ((result = reading_follow(reading)) > 0)
			if (++cnames > DNSMSG_CNAMES_MAX)
				return -EBADMSG;
	if (!result)
		result = reading_count(reading, &cursor);
	reading->message.len = cursor.at;
	if (!result && reading->message.count == 0)
		result = reading_soa(reading, &cursor, authorities);
	return result;
}

bool dnsmsg_is_truncated(const uint8_t *bytes, size_t len)
{
	return len > TRUNCATED_AT && (bytes[TRUNCATED_AT] & TRUNCATED_BIT);
}

int dnsmsg_read(const uint8_t *bytes, size_t len, struct dnsmsg *out_message)
{
	struct cursor cursor = {.bytes = bytes, .len = len};
	struct reading reading = {.message = {.bytes = bytes}};
	uint32_t questions, authorities;
	int err;

	if (len > MESSAGE_MAX)
		return -EBADMSG;
	cursor_skip(&cursor, 4); /* id, flags */
	questions = cursor_number(&cursor, 2);
	reading.message.answers = cursor_number(&cursor, 2);
	authorities = cursor_number(&cursor, 2);
	cursor_skip(&cursor, 2);
	if (cursor.bad || questions != 1)
		return -EBADMSG;
	if (reading.message.answers > DNSMSG_RECORDS_MAX) {
		reading.message.answers = DNSMSG_RECORDS_MAX;
		authorities = 0; /* they cannot be found behind what is not read */
	}
	if (authorities > DNSMSG_RECORDS_MAX)
		authorities = DNSMSG_RECORDS_MAX;
	reading.message.owner_at = (uint16_t)cursor.at;
	cursor_skip_name(&cursor);
	reading.message.type = (uint16_t)cursor_number(&cursor, 2);
	cursor_skip(&cursor, 2); /* class */
	if (cursor.bad)
		return -EBADMSG;
	reading.message.answers_at = (uint16_t)cursor.at;
	reading.answers = cursor;
	err = reading_answers(&reading, authorities);
	if (err)
		return err;
	*out_message = reading.message;
	return 0;
}

void dnsmsg_walk_init(struct dnsmsg_walk *walk, const struct dnsmsg *message)
{
	*walk = (struct dnsmsg_walk){message, message->answers_at, message->answers};
}

bool dnsmsg_walk_next(struct dnsmsg_walk *walk, struct dnsmsg_record *out_record)
{
	const struct dnsmsg *message = walk->message;
	struct cursor cursor = {message->bytes, message->len, walk->at, false};

	while (walk->left > 0) {
		struct raw_record record;

		walk->left--;
		cursor_record(&cursor, &record);
		walk->at = cursor.at;
		if (cursor.bad)
			break;
		if (record.type == message->type && record.class == CLASS_IN &&
		    names_equal(&cursor, record.owner_at, message->owner_at) &&
		    record_decode(&record, out_record))
			return true;
	}
	walk->left = 0;
	return false;
}

int dnsmsg_text(const struct dnsmsg_record *record, char *out_text, size_t cap_bytes)
{
	size_t at = 0, len = 0;

	for (size_t i = 0; i < record->len; i += record->data[i] + 1u)
		len += record->data[i];
	if (len >= cap_bytes)
		return -EMSGSIZE;
	while (at < record->len) {
		const size_t part = record->data[at++];

		memcpy(out_text, record->data + at, part);
		out_text += part;
		at += part;
	}
	*out_text = '\0';
	return (int)len;
}
