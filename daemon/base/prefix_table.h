/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/prefix_table - an immutable table of prefixes; the longest match wins.
 *
 * One block of memory without pointers, sorted, each row with the index of the
 * row around it: a lookup is a binary search and a short walk outwards. The keeper
 * builds it, puts it into shared memory, and every process looks up in the same copy.
 * It is the twin of the kernel's LPM tries (bpf/maps.h).
 */
#ifndef BASE_PREFIX_TABLE_H
#define BASE_PREFIX_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define PREFIX_TABLE_ROWS_MAX \
	4000000u /* per table: a list of a million lines, and room */

struct prefix_row {
	struct prefix prefix;
	uint16_t value;	 /* the caller's; postern: flags */
	uint16_t origin; /* the caller's; postern: number of the list file */
	uint32_t line;	 /* the caller's; postern: line in that file */
};

struct prefix_table;   /* the finished block */
struct prefix_builder; /* grows on the heap while lists are read */

struct prefix_builder *prefix_builder_new(void);
void prefix_builder_free(struct prefix_builder **builder);

/* Adds a row, in any order, no bits behind its length. 0; -ENOMEM; -ENOSPC: _ROWS_MAX. */
int prefix_builder_add(struct prefix_builder *builder,
		       const struct prefix_row *row) MUST_CHECK;

/* Rows added so far. */
size_t prefix_builder_count(const struct prefix_builder *builder);

/**
 * prefix_builder_sort - put the rows in order and look for duplicates.
 * @builder: rows; sorted afterwards
 * @out_first, @out_second: two rows of the same prefix (in order of addition), on -EEXIST
 *
 * Return: 0; -EEXIST, the duplicate that was added first is in the two outputs.
 */
int prefix_builder_sort(struct prefix_builder *builder, struct prefix_row *out_first,
			struct prefix_row *out_second) MUST_CHECK;

/* Bytes that prefix_table_write() needs for a sorted builder; a multiple of 8. */
size_t prefix_table_size(const struct prefix_builder *builder);

/**
 * prefix_table_write - write the finished block.
 * @builder: sorted
 * @memory: prefix_table_size() bytes, aligned to 8
 *
 * Return: the block, which is @memory.
 */
const struct prefix_table *prefix_table_write(const struct prefix_builder *builder,
					      void *memory);

/**
 * prefix_table_attach - the table in memory that prefix_table_write() wrote.
 * @memory: aligned to 8; borrowed
 * @size_bytes: of @memory, which may be larger than the table
 *
 * Looks at the header only: the rows are those of this program, in sealed memory.
 *
 * Return: the block, which is @memory; NULL if it is not one or does not lie within.
 */
const struct prefix_table *prefix_table_attach(const void *memory, size_t size_bytes);

/**
 * prefix_table_find - the longest prefix that contains an address.
 * @table: finished block
 * @addr: IPv4 or IPv6
 * @out_row: untouched if there is none
 *
 * Return: true if there is one.
 */
bool prefix_table_find(const struct prefix_table *table, const struct addr *addr,
		       struct prefix_row *out_row);

/* Rows in all; and of one family (the IPv4 rows are numbered first). */
size_t prefix_table_count(const struct prefix_table *table);
size_t prefix_table_count_family(const struct prefix_table *table,
				 enum addr_family family);

/* Row number index (0..count-1) in sorted order, IPv4 first. */
void prefix_table_row(const struct prefix_table *table, size_t index,
		      struct prefix_row *out_row);

/* Number of the first row behind a prefix in the order, whatever it is; prefix_table_count(): none. */
size_t prefix_table_after(const struct prefix_table *table, const struct prefix *prefix);

/* Is there a row that lies strictly inside this prefix (longer than it)? */
bool prefix_table_has_inside(const struct prefix_table *table,
			     const struct prefix *prefix);

#endif
