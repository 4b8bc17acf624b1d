/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/dns_message - see the header.
 */
#include "unit/dns_message.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

#define AT_ANSWERS   6
#define AT_AUTHORITY 8

void message_number(struct dns_message *message, uint32_t number, size_t width)
{
	assert(message->len + width <= sizeof(message->bytes));
	while (width-- > 0)
		message->bytes[message->len++] = (uint8_t)((uint64_t)number >> 8 * width);
}

void message_name(struct dns_message *message, const char *name)
{
	while (*name) {
		size_t len = strcspn(name, ".");

		if (name[0] == '@') {
			message_number(message,
				       0xc000u | (uint32_t)strtoul(name + 1, NULL, 10),
				       2);
			return;
		}
		message_number(message, (uint32_t)len, 1);
		for (size_t i = 0; i < len; i++)
			message_number(message, (unsigned char)name[i], 1);
		name += len;
		if (*name == '.')
			name++;
	}
	message_number(message, 0, 1);
}

void message_begin(struct dns_message *message, const char *question)
{
	message_begin_type(message, question, MESSAGE_TYPE_PTR);
}

void message_begin_type(struct dns_message *message, const char *question, uint16_t type)
{
	memset(message, 0, sizeof(*message));
	message->ttl_s = 300;
	message_number(message, 0x12348180, 4);
	message_number(message, 1, 2);
	message_number(message, 0, 6);
	message_name(message, question);
	message_number(message, type, 2);
	message_number(message, 1, 2);
}

/* Everything in front of the data; returns where its length stands. */
static size_t message_head(struct dns_message *message, const char *owner, uint16_t type,
			   uint32_t ttl_s)
{
	message_name(message, owner);
	message_number(message, type, 2);
	message_number(message, 1, 2);
	message_number(message, ttl_s, 4);
	message_number(message, 0, 2);
	return message->len - 2;
}

static void message_end(struct dns_message *message, size_t at_len, size_t at_count)
{
	size_t len = message->len - at_len - 2;

	message->bytes[at_len] = (uint8_t)(len >> 8);
	message->bytes[at_len + 1] = (uint8_t)len;
	message->bytes[at_count + 1]++;
}

void message_record(struct dns_message *message, const char *owner, uint16_t type,
		    uint32_t ttl_s, const char *target)
{
	size_t at_len = message_head(message, owner, type, ttl_s);

	message_name(message, target);
	message_end(message, at_len, AT_ANSWERS);
}

void message_data(struct dns_message *message, const char *owner, uint16_t type,
		  const void *bytes, size_t len)
{
	size_t at_len = message_head(message, owner, type, message->ttl_s);

	assert(message->len + len <= sizeof(message->bytes));
	if (len > 0)
		memcpy(message->bytes + message->len, bytes, len);
	message->len += len;
	message_end(message, at_len, AT_ANSWERS);
}

void message_addr(struct dns_message *message, const char *text)
{
	struct addr addr;

	if (addr_parse(text, &addr))
		abort();
	message_data(message, "@12",
		     addr.family == ADDR_V4 ? MESSAGE_TYPE_A : MESSAGE_TYPE_AAAA,
		     addr.bytes, addr.family == ADDR_V4 ? 4 : 16);
}

void message_text(struct dns_message *message, const char *text)
{
	uint8_t bytes[256];
	size_t len = strlen(text);

	assert(len < sizeof(bytes));
	bytes[0] = (uint8_t)len;
	memcpy(bytes + 1, text, len);
	message_data(message, "@12", MESSAGE_TYPE_TXT, bytes, len + 1);
}

void message_soa(struct dns_message *message, const char *zone, uint32_t ttl_s,
		 uint32_t minimum_s)
{
	size_t at_len = message_head(message, zone, MESSAGE_TYPE_SOA, ttl_s);

	message_name(message, "ns.example");
	message_name(message, "root.example");
	for (uint32_t i = 0; i < 4; i++)
		message_number(message, i, 4);
	message_number(message, minimum_s, 4);
	message_end(message, at_len, AT_AUTHORITY);
}
