/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/revname - see the header.
 */
#include "wire/revname.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "base/buf.h"
#include "wire/chars.h"

#define HEADER_BYTES 12u
#define TYPE_CNAME   5u
#define TYPE_SOA     6u
#define CLASS_IN     1u
#define POINTERS_MAX 64u /* in one name; each leads backwards, so they end anyway */
#define POINTER_BITS 0xc0u
#define SOA_NUMBERS  5u	       /* serial, refresh, retry, expire, minimum */
#define TTL_MAX_S    INT32_MAX /* RFC 2181 8: the topmost bit set means 0 */

const char *revname_of_addr(const struct addr *addr, char out_name[REVNAME_TEXT_MAX])
{
	struct buf buf;

	buf_init(&buf, out_name, REVNAME_TEXT_MAX);
	if (addr->family == ADDR_V4) {
		for (int i = 3; i >= 0; i--)
			buf_printf(&buf, "%u.", addr->bytes[i]);
		buf_puts(&buf, "in-addr.arpa");
		return out_name;
	}
	for (int i = 15; i >= 0; i--)
		buf_printf(&buf, "%x.%x.", addr->bytes[i] & 0xfu, addr->bytes[i] >> 4);
	buf_puts(&buf, "ip6.arpa");
	return out_name;
}

static const char *label_problem(const char *label, size_t len)
{
	if (len == 0)
		return "an empty label";
	if (len > REVNAME_LABEL_MAX)
		return "a label longer than 63 octets";
	if (label[0] == '-' || label[len - 1] == '-')
		return "a label that begins or ends with a hyphen";
	for (size_t i = 0; i < len; i++)
		if (!chars_is(label[i], CHARS_LET_DIG) && label[i] != '-')
			return "a character other than letters, digits and hyphens";
	return NULL;
}

const char *hostname_problem(const char *name, size_t len)
{
	const char *problem, *label = name;
	size_t labels = 0, label_len = 0;

	if (len > 0 && name[len - 1] == '.')
		len--;
	if (len == 0)
		return "empty";
	if (len > REVNAME_TEXT_MAX - 3) /* 255 octets are 253 characters and the root */
		return "longer than 255 octets";
	for (const char *end = name + len; label <= end; label += label_len + 1) {
		const char *dot = memchr(label, '.', (size_t)(end - label));

		label_len = (size_t)((dot ? dot : end) - label);
		problem = label_problem(label, label_len);
		if (problem)
			return problem;
		labels++;
	}
	label -= label_len + 1; /* the last one */
	if (chars_count(label, label_len, CHARS_DIGIT) == label_len)
		return labels == 4 ? "an address" : "a last label of digits only";
	return labels < 2 ? "a single label" : NULL;
}

/* ---- messages -------------------------------------------------------------------------------- */

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

/* A name as text. What text cannot say (a dot inside a label, controls) makes it not plain. */
struct name {
	char text[REVNAME_TEXT_MAX];
	size_t len;
	bool is_plain;
};

static bool name_add_label(struct name *name, const uint8_t *label, size_t len)
{
	if (name->len + len + 2 > sizeof(name->text))
		return false;
	if (name->len > 0)
		name->text[name->len++] = '.';
	for (size_t i = 0; i < len; i++) {
		bool plain = label[i] > ' ' && label[i] < 0x7f && label[i] != '.';

		name->is_plain &= plain;
		name->text[name->len++] = plain ? (char)label[i] : '?';
	}
	name->text[name->len] = '\0';
	return true;
}

/*
 * name = *( length 1*63OCTET ) ( 0 / pointer )    RFC 1035 3.1, 4.1.4
 *
 * A pointer leads to an earlier place than the part of the name it ends, so there is no circle.
 */
static void cursor_name(struct cursor *cursor, struct name *out_name)
{
	struct cursor walk = *cursor;
	size_t part = walk.at; /* where the part of the name being read begins */
	bool jumped = false;

	*out_name = (struct name){.is_plain = true};
	for (unsigned int pointers = 0; pointers <= POINTERS_MAX;) {
		uint32_t len = cursor_number(&walk, 1);

		if ((len & POINTER_BITS) == POINTER_BITS) {
			size_t target =
				(len & ~POINTER_BITS) << 8 | cursor_number(&walk, 1);

			if (!jumped)
				cursor->at = walk.at;
			jumped = true;
			pointers++;
			if (walk.bad || target >= part)
				break;
			part = target;
			walk.at = target;
			continue;
		}
		if (walk.bad || (len & POINTER_BITS))
			break;
		if (len == 0) {
			if (!jumped)
				cursor->at = walk.at;
			return;
		}
		cursor_skip(&walk, len);
		if (walk.bad ||
		    !name_add_label(out_name, walk.bytes + walk.at - len, len))
			break;
	}
	cursor->bad = true;
}

struct record {
	struct name owner;
	uint32_t type, class, ttl_s;
	struct cursor rdata; /* ends where the record does; may look back for pointers */
};

static void cursor_record(struct cursor *cursor, struct record *out_record)
{
	uint32_t len;

	cursor_name(cursor, &out_record->owner);
	out_record->type = cursor_number(cursor, 2);
	out_record->class = cursor_number(cursor, 2);
	out_record->ttl_s = cursor_number(cursor, 4);
	if (out_record->ttl_s > TTL_MAX_S)
		out_record->ttl_s = 0;
	len = cursor_number(cursor, 2);
	out_record->rdata = *cursor;
	cursor_skip(cursor, len);
	if (!cursor->bad)
		out_record->rdata.len = cursor->at;
}

/* What is known while the records pass by. */
struct reading {
	struct revname_answer answer;
	struct name owner; /* the question, then what CNAMEs led to */
	bool has_ttl;
};

static void reading_ttl(struct reading *reading, uint32_t ttl_s)
{
	if (!reading->has_ttl || ttl_s < reading->answer.ttl_s)
		reading->answer.ttl_s = ttl_s;
	reading->has_ttl = true;
}

static void reading_ptr(struct reading *reading, const struct name *target)
{
	struct revname_answer *answer = &reading->answer;

	if (answer->ptr_count >= REVNAME_NAMES_MAX)
		return;
	if (answer->ptr_count++ == 0)
		(void)text_copy(answer->other, sizeof(answer->other), target->text);
	if (!answer->name[0] && target->is_plain &&
	    !hostname_problem(target->text, target->len))
		(void)text_copy(answer->name, sizeof(answer->name), target->text);
}

/* false: the record is malformed. */
static bool reading_answer(struct reading *reading, struct record *record)
{
	struct name target;

	if (record->class != CLASS_IN || !record->owner.is_plain ||
	    strcasecmp(record->owner.text, reading->owner.text) != 0 ||
	    (record->type != TYPE_CNAME && record->type != REVNAME_TYPE_PTR))
		return true;
	cursor_name(&record->rdata, &target);
	if (record->rdata.bad || record->rdata.at != record->rdata.len)
		return false;
	reading_ttl(reading, record->ttl_s);
	if (record->type == TYPE_CNAME)
		reading->owner = target;
	else
		reading_ptr(reading, &target);
	return true;
}

/* The zone's word on how long its "no" holds: the smaller of the record's TTL and its minimum. */
static bool reading_soa(struct reading *reading, struct record *record)
{
	struct name name;
	uint32_t minimum_s = 0;

	if (record->class != CLASS_IN || record->type != TYPE_SOA)
		return true;
	cursor_name(&record->rdata, &name);
	cursor_name(&record->rdata, &name);
	for (unsigned int i = 0; i < SOA_NUMBERS; i++)
		minimum_s = cursor_number(&record->rdata, 4);
	if (record->rdata.bad || record->rdata.at != record->rdata.len)
		return false;
	reading_ttl(reading, record->ttl_s < minimum_s ? record->ttl_s : minimum_s);
	return true;
}

int revname_read_answer(const uint8_t *bytes, size_t len, const char *question,
			struct revname_answer *out_answer)
{
	struct cursor cursor = {.bytes = bytes, .len = len};
	struct reading reading = {.owner = {.is_plain = true}};
	uint32_t questions, answers, authorities;
	struct record record;
	struct name name;

	cursor_skip(&cursor, 4); /* id, flags */
	questions = cursor_number(&cursor, 2);
	answers = cursor_number(&cursor, 2);
	authorities = cursor_number(&cursor, 2);
	cursor_skip(&cursor, 2);
	if (cursor.bad || questions != 1 ||
	    !text_copy(reading.owner.text, sizeof(reading.owner.text), question))
		return -EBADMSG;
	cursor_name(&cursor, &name);
	cursor_skip(&cursor, 4); /* type, class */

	for (uint32_t i = 0; i < answers + authorities && i < REVNAME_RECORDS_MAX; i++) {
		bool good;

		cursor_record(&cursor, &record);
		if (cursor.bad)
			return -EBADMSG;
		if (i < answers)
			good = reading_answer(&reading, &record);
		else
			good = reading.answer.ptr_count > 0 ||
			       reading_soa(&reading, &record);
		if (!good)
			return -EBADMSG;
	}
	if (cursor.bad)
		return -EBADMSG;
	*out_answer = reading.answer;
	return 0;
}
