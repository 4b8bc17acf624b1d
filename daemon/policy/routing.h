/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/routing - the routing table: which recipient is delivered under which other address.
 *
 * Pure. The gate asks at RCPT; proc/config asks for what must not be in the table. A row has one of these
 * forms, key and value in the form of proc/mail_name (local parts without quotes, those of keys in lower case):
 *
 *     old@example.org -> new@example.net     a mailbox; "+tag" behind its name is kept
 *     @old.example    -> @new.example        a whole domain; the local part is kept
 *     @old.example    -> all@new.example     a whole domain into one mailbox; no tag is kept
 *
 * The closest wins: the address as it is, then without its tag, then its domain. What a route leads to is final,
 * with one exception: an address that the route of a domain leads to may have a route of its own there.
 */
#ifndef POLICY_ROUTING_H
#define POLICY_ROUTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text_table.h"

#define ROUTING_LOCAL_MAX  264u /* a local part, without quotes */
#define ROUTING_DOMAIN_MAX 264u
#define ROUTING_KEY_MAX	   (ROUTING_LOCAL_MAX + 1 + ROUTING_DOMAIN_MAX)

struct routing_address {
	char local[ROUTING_LOCAL_MAX]; /* without quotes; not NUL-terminated */
	size_t local_len;
	char domain[ROUTING_DOMAIN_MAX]; /* the same */
	size_t domain_len;
};

/**
 * routing_key - the key of a row, or the value: "local@domain".
 * @is_key: letters of ASCII in the local part become lower case
 * @out_key: ROUTING_KEY_MAX bytes, not NUL-terminated
 *
 * Return: its length.
 */
size_t routing_key(const struct routing_address *address, bool is_key,
		   char out_key[ROUTING_KEY_MAX]);

/**
 * routing_find - where a recipient is delivered.
 * @table: checked with routing_conflict()
 * @said: as the client said it; its letters may have any case
 * @out_to: untouched if there is no route
 * @out_row: the row that decided first, for its place; valid as long as @table; may be NULL
 *
 * Return: true, there is another address. A route to the address itself is none: it keeps an address out of
 * the route of its domain.
 */
bool routing_find(const struct text_table *table, const struct routing_address *said,
		  struct routing_address *out_to, struct text_row *out_row);

struct routing_conflict {
	bool is_loop;
	struct text_row row;  /* the route */
	struct text_row next; /* the one that leads on from where it leads */
};

/**
 * routing_conflict - does the row number index lead to an address that another row leads on?
 *
 * A loop, a chain, or a route to itself that keeps nothing out of anything.
 */
bool routing_conflict(const struct text_table *table, size_t index,
		      struct routing_conflict *out_conflict);

#endif
