/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/fuzz/fuzz_dnsmsg - any bytes as a DNS message.
 *
 * A message that is taken has as many records as it says, each within the message and with texts that end; cut
 * to its answers it is read to the same end. A failure leaves the output as it was.
 *
 * link: target.c
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "target.h"
#include "wire/dnsmsg.h"

#define TEXT_MAX 65536u

static void check_name(const struct dnsmsg_name *name)
{
	if (name->len >= DNSMSG_NAME_MAX || strlen(name->text) != name->len)
		abort();
	for (const char *p = name->text; *p; p++)
		if (*p <= ' ' || *p > '~')
			abort();
}

static void check_record(const struct dnsmsg *message, const struct dnsmsg_record *record)
{
	static char text[TEXT_MAX];

	if (record->data < message->bytes ||
	    record->data + record->len > message->bytes + message->len ||
	    record->ttl_s > INT32_MAX || record->ttl_s < message->ttl_s)
		abort();
	if (message->type == DNSMSG_TXT) {
		const int len = dnsmsg_text(record, text, sizeof(text));

		if (len < 0 || (size_t)len >= record->len + 1 || text[len] != '\0')
			abort();
		if (len > 0 && dnsmsg_text(record, text, (size_t)len) >= 0)
			abort();
	}
	if (message->type == DNSMSG_PTR || message->type == DNSMSG_MX ||
	    message->type == DNSMSG_CNAME)
		check_name(&record->name);
}

static uint32_t walk(const struct dnsmsg *message)
{
	struct dnsmsg_record record;
	struct dnsmsg_walk walk;
	uint32_t count = 0;

	memset(&record, 0, sizeof(record));
	dnsmsg_walk_init(&walk, message);
	while (dnsmsg_walk_next(&walk, &record)) {
		check_record(message, &record);
		count++;
	}
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dnsmsg message, before, again;

	memset(&message, 0x5a, sizeof(message));
	before = message;
	if (dnsmsg_read(data, size, &message) != 0) {
		if (memcmp(&message, &before, sizeof(message)) != 0)
			abort();
		return 0;
	}
	if (message.len > size || message.count > DNSMSG_RECORDS_MAX ||
	    walk(&message) != message.count)
		abort();
	if (message.count == 0)
		return 0;
	if (dnsmsg_read(data, message.len, &again) != 0 || again.count != message.count ||
	    again.ttl_s != message.ttl_s || again.owner_at != message.owner_at)
		abort();
	return 0;
}
