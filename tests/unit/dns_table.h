/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/dns_table - the DNS as a table of records: what a resolver would answer, as a message.
 *
 * A row is a name, a type and data: A and AAAA an address; PTR and CNAME a name; MX "10 name"; TXT strings in
 * quotes, where \xHH is an octet and "..." "..." are several strings; FAIL and TIMEOUT a type, or "*" for all types.
 */
#ifndef UNIT_DNS_TABLE_H
#define UNIT_DNS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "checks/resolver.h"

#define TABLE_ROWS_MAX	  512
#define TABLE_MESSAGE_MAX 65535

void table_clear(void);

/* Fails the test if the row is malformed. */
void table_add(const char *name, const char *type, const char *data);

/* A TXT record whose text is repeated so many times behind a head, in strings of 255 octets. */
void table_add_long(const char *name, const char *head, const char *part,
		    unsigned int times);

/* What the table says; valid until the next call. Follows CNAMEs. Counts in table_asked. */
const struct dns_answer *table_answer(const char *name, uint16_t type);

extern unsigned int table_asked;

#endif
