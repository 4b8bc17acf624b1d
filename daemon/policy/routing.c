/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/routing - see routing.h.
 */
#include "policy/routing.h"

#include <assert.h>
#include <string.h>

#define TAG '+'

static char lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
}

size_t routing_key(const struct routing_address *address, bool is_key,
		   char out_key[ROUTING_KEY_MAX])
{
	size_t len = 0;

	assert(address->local_len <= ROUTING_LOCAL_MAX &&
	       address->domain_len <= ROUTING_DOMAIN_MAX);
	for (; len < address->local_len; len++)
		out_key[len] = is_key ? lower(address->local[len]) : address->local[len];
	out_key[len++] = '@';
	memcpy(out_key + len, address->domain, address->domain_len);
	return len + address->domain_len;
}

/* The address in a value; the domain begins behind the last @. */
static struct routing_address address_of(const char *text, size_t len)
{
	const char *at = memrchr(text, '@', len);
	struct routing_address address;

	assert(at); /* proc/config writes none without */
	address.local_len = (size_t)(at - text);
	address.domain_len = len - address.local_len - 1;
	assert(address.local_len <= sizeof(address.local) &&
	       address.domain_len <= sizeof(address.domain));
	memcpy(address.local, text, address.local_len);
	memcpy(address.domain, at + 1, address.domain_len);
	return address;
}

static bool address_equal(const struct routing_address *a,
			  const struct routing_address *b)
{
	if (a->local_len != b->local_len || a->domain_len != b->domain_len ||
	    memcmp(a->domain, b->domain, a->domain_len) != 0)
		return false;
	for (size_t i = 0; i < a->local_len; i++)
		if (lower(a->local[i]) != lower(b->local[i]))
			return false;
	return true;
}

/* The row of the first local_len bytes of the local part: all of it, without its tag, or 0: the domain. */
static bool row_find(const struct text_table *table,
		     const struct routing_address *address, size_t local_len,
		     struct text_row *out_row)
{
	struct routing_address wanted = *address;
	char key[ROUTING_KEY_MAX];

	wanted.local_len = local_len;
	return text_table_find(table, key, routing_key(&wanted, true, key), out_row);
}

/* Length of the local part without its tag; all of it, if there is none. */
static size_t untagged_len(const struct routing_address *address)
{
	const char *tag = address->local_len > 1 ? memchr(address->local + 1, TAG,
							  address->local_len - 1)
						 : NULL;

	return tag ? (size_t)(tag - address->local) : address->local_len;
}

static bool address_step(const struct text_table *table,
			 const struct routing_address *from,
			 struct routing_address *out_to, struct text_row *out_row)
{
	const size_t bare_len = untagged_len(from);
	const size_t tag_len = from->local_len - bare_len;

	if (from->local_len == 0)
		return false;
	if (row_find(table, from, from->local_len, out_row)) {
		*out_to = address_of(out_row->value, out_row->value_len);
		return true;
	}
	if (tag_len == 0 || !row_find(table, from, bare_len, out_row))
		return false;
	*out_to = address_of(out_row->value, out_row->value_len);
	/* A tag that does not fit is left out: better there than nowhere. */
	if (out_to->local_len + tag_len <= sizeof(out_to->local)) {
		memcpy(out_to->local + out_to->local_len, from->local + bare_len,
		       tag_len);
		out_to->local_len += tag_len;
	}
	return true;
}

static bool domain_step(const struct text_table *table,
			const struct routing_address *from,
			struct routing_address *out_to, struct text_row *out_row)
{
	if (!row_find(table, from, 0, out_row))
		return false;
	*out_to = address_of(out_row->value, out_row->value_len);
	if (out_to->local_len == 0) {
		memcpy(out_to->local, from->local, from->local_len);
		out_to->local_len = from->local_len;
	}
	return true;
}

bool routing_find(const struct text_table *table, const struct routing_address *said,
		  struct routing_address *out_to, struct text_row *out_row)
{
	struct routing_address to, further;
	struct text_row row, next;

	if (!address_step(table, said, &to, &row)) {
		if (!domain_step(table, said, &to, &row))
			return false;
		if (address_step(table, &to, &further, &next))
			to = further;
	}
	if (address_equal(&to, said))
		return false;
	*out_to = to;
	if (out_row)
		*out_row = row;
	return true;
}

/* ---- what must not be in the table ---- */

/* From an address that a row leads to: the row that leads on, if any does. */
static bool leads_on(const struct text_table *table, const struct routing_address *from,
		     struct routing_address *out_to, struct text_row *out_row)
{
	struct routing_address to;

	if (!address_step(table, from, &to, out_row) &&
	    !domain_step(table, from, &to, out_row))
		return false;
	*out_to = to;
	return !address_equal(&to, from);
}

static bool row_is(const struct text_row *a, const struct text_row *b)
{
	return a->key_len == b->key_len && memcmp(a->key, b->key, a->key_len) == 0;
}

bool routing_conflict(const struct text_table *table, size_t index,
		      struct routing_conflict *out_conflict)
{
	struct routing_address from, at, to;
	struct text_row row, next, last;
	bool is_loop;

	text_table_row(table, index, &row);
	from = address_of(row.key, row.key_len);
	at = address_of(row.value, row.value_len);
	if (address_equal(&from, &at)) {
		/* Only an address in a domain that has a route gains by it. */
		*out_conflict = (struct routing_conflict){true, row, row};
		return from.local_len == 0 || !row_find(table, &from, 0, &next);
	}
	if (!leads_on(table, &at, &to, &next))
		return false;
	is_loop = row_is(&next, &row);
	/* Does it come back? As many steps as there are rows, if need be: a loop elsewhere ends it, too. */
	last = next;
	for (size_t i = 0; !is_loop && i < text_table_count(table); i++) {
		at = to;
		if (!leads_on(table, &at, &to, &last))
			break;
		is_loop = row_is(&last, &row);
		if (row_is(&last, &next))
			break;
	}
	*out_conflict = (struct routing_conflict){is_loop, row, next};
	return true;
}
