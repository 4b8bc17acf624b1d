/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/dns_message - DNS messages put together record by record, right or wrong on purpose.
 */
#ifndef UNIT_DNS_MESSAGE_H
#define UNIT_DNS_MESSAGE_H

#include <stddef.h>
#include <stdint.h>

#define MESSAGE_TYPE_A	   1
#define MESSAGE_TYPE_CNAME 5
#define MESSAGE_TYPE_SOA   6
#define MESSAGE_TYPE_PTR   12
#define MESSAGE_TYPE_MX	   15
#define MESSAGE_TYPE_TXT   16
#define MESSAGE_TYPE_AAAA  28

struct dns_message {
	uint8_t bytes[2048];
	size_t len;
	uint32_t
		ttl_s; /* of the records below that are not given one; 300 from the begin */
};

/* A header and one question for PTR. */
void message_begin(struct dns_message *message, const char *question);

/* The same for another type. */
void message_begin_type(struct dns_message *message, const char *question, uint16_t type);

void message_number(struct dns_message *message, uint32_t number, size_t width);

/* Labels as they are, not compressed. "@12" is a pointer to offset 12, also behind labels: "a.@12". */
void message_name(struct dns_message *message, const char *name);

/* A record of class IN whose data is a name; counted as an answer. */
void message_record(struct dns_message *message, const char *owner, uint16_t type,
		    uint32_t ttl_s, const char *target);

/* A record of class IN with these bytes as its data; counted as an answer. */
void message_data(struct dns_message *message, const char *owner, uint16_t type,
		  const void *bytes, size_t len);

/* An A or AAAA record of the owner "@12". */
void message_addr(struct dns_message *message, const char *addr);

/* A TXT record of the owner "@12" with one string. */
void message_text(struct dns_message *message, const char *text);

/* An SOA record; counted as authority. */
void message_soa(struct dns_message *message, const char *zone, uint32_t ttl_s,
		 uint32_t minimum_s);

#endif
