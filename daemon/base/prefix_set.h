/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/prefix_set - expiring prefixes in shared memory: one writer, many readers.
 *
 * Key: (group, prefix); value: when it ends on the boot-time clock. Fixed
 * capacity, open addressing, position-independent, so that it lies in a memfd which the
 * writer maps read-write and the readers read-only. A sequence number makes a
 * reader repeat what a write disturbed, a bounded number of times. Items may carry a value of a
 * fixed size each.
 * In postern: the bans, where group is the policy id, and the recent logins; the ledger writes, gates
 * read.
 */
#ifndef BASE_PREFIX_SET_H
#define BASE_PREFIX_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define PREFIX_SET_GROUPS_MAX 32u
#define PREFIX_SET_READ_TRIES 64u    /* repeats before a reader takes what it sees */
#define PREFIX_SET_VALUE_MAX  256u   /* bytes of a value */
#define PREFIX_SET_WALK_SLOTS 65536u /* slots that one step of a walk looks at, at most */

struct prefix_set; /* the block in shared memory */

struct prefix_set_item {
	struct prefix prefix;
	uint16_t group;	  /* < PREFIX_SET_GROUPS_MAX */
	uint64_t ends_ns; /* boot-time clock; CLOCK_FOREVER_NS: never */
};

/* What a reader asks. */
struct prefix_set_question {
	struct addr addr;
	uint16_t group;
	uint64_t now_ns; /* boot-time clock */
};

/* Bytes for this many items; a multiple of the page size. */
size_t prefix_set_size(size_t capacity);

/* The same with a value each; value_bytes is a multiple of 8, at most PREFIX_SET_VALUE_MAX. */
size_t prefix_set_valued_size(size_t capacity, size_t value_bytes);

/*
 * Format zeroed memory of prefix_set_size(capacity) bytes, from mmap(). Returns the set,
 * which is memory. Needs getrandom(2).
 */
struct prefix_set *prefix_set_init(void *memory, size_t capacity);

/* The same with a value each, in memory of prefix_set_valued_size(). */
struct prefix_set *prefix_set_valued_init(void *memory, size_t capacity,
					  size_t value_bytes);

/* The set in memory that prefix_set_init() formatted; NULL if it does not look like one. */
const struct prefix_set *prefix_set_attach(const void *memory, size_t size_bytes);

/**
 * prefix_set_put - add an item, or change when it ends.
 * Return: 0, added; 1, was there and was changed; -ENOSPC, full (nothing changed).
 */
int prefix_set_put(struct prefix_set *set, const struct prefix_set_item *item) MUST_CHECK;

/* The same with the item's value: value_bytes of them, as at prefix_set_valued_init(). */
int prefix_set_put_value(struct prefix_set *set, const struct prefix_set_item *item,
			 const void *value) MUST_CHECK;

/* Remove exactly this (group, prefix). true if it was there. */
bool prefix_set_remove(struct prefix_set *set, uint16_t group,
		       const struct prefix *prefix);

/* Writer's own look at exactly this (group, prefix), ended or not. */
bool prefix_set_get(const struct prefix_set *set, uint16_t group,
		    const struct prefix *prefix, struct prefix_set_item *out_item);

/* The same with its value, if it has one. */
bool prefix_set_get_value(const struct prefix_set *set, uint16_t group,
			  const struct prefix *prefix, struct prefix_set_item *out_item,
			  void *out_value);

/**
 * prefix_set_find - the longest live item of a group that contains an address.
 * @now_ns: boot-time clock
 * @out_item: untouched if there is none
 *
 * Safe in a reader while the writer works. Cost: one probe for each prefix length in use.
 *
 * Return: true if there is one.
 */
bool prefix_set_find(const struct prefix_set *set, uint16_t group,
		     const struct addr *addr, uint64_t now_ns,
		     struct prefix_set_item *out_item);

/* The same with its value, which is all zero if the writer was in the way too long. */
bool prefix_set_find_value(const struct prefix_set *set,
			   const struct prefix_set_question *question,
			   struct prefix_set_item *out_item, void *out_value);

/* Bytes of a value; 0: items have none. */
size_t prefix_set_value_bytes(const struct prefix_set *set);

size_t prefix_set_count(const struct prefix_set *set);

/**
 * prefix_set_walk - visit the items in slot order, a bounded step at a time.
 * @cursor: 0 to begin; opaque
 * @out_items, @max: where to put items, how many fit
 * @out_count: how many were put; 0 does not mean the end: a step ends after
 * PREFIX_SET_WALK_SLOTS slots
 *
 * Return: the next cursor; 0 at the end. Items moved by a removal between two steps may
 * be seen twice or missed: the caller that needs all of them makes no removal meanwhile.
 */
size_t prefix_set_walk(const struct prefix_set *set, size_t cursor,
		       struct prefix_set_item *out_items, size_t max, size_t *out_count);

#endif
