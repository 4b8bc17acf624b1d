/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/text_table - an immutable table of texts, found by their keys.
 *
 * One block of memory without pointers, like base/prefix_table: the keeper builds it, puts it into
 * shared memory, and every process looks up in the same copy. Keys are bytes, compared as they are:
 * whoever fills the table and whoever asks bring them into the same form first. Used for the local
 * domains and the routing table.
 */
#ifndef BASE_TEXT_TABLE_H
#define BASE_TEXT_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define TEXT_TABLE_ROWS_MAX 1000000u /* per table */
#define TEXT_TABLE_TEXT_MAX 65535u   /* bytes of a key, of a value */

struct text_row {
	const char *key; /* not NUL-terminated */
	size_t key_len;
	const char *value; /* the same; NULL if value_len is 0 */
	size_t value_len;
	uint16_t origin; /* the caller's; postern: number of the file */
	uint32_t line;	 /* the caller's; postern: line in that file */
};

struct text_table;   /* the finished block */
struct text_builder; /* grows on the heap while files are read */

struct text_builder *text_builder_new(void);
void text_builder_free(struct text_builder **builder);

/**
 * text_builder_add - add a row, in any order.
 * @builder: grows
 * @row: copied
 * @out_first: the row that has this key already, on -EEXIST; valid until the next addition; may be NULL
 *
 * Return: 0; -EEXIST; -ENOMEM; -ENOSPC, more than TEXT_TABLE_ROWS_MAX or 4 GiB of text. On failure
 * nothing has changed.
 */
int text_builder_add(struct text_builder *builder, const struct text_row *row,
		     struct text_row *out_first) MUST_CHECK;

/* Rows added so far. */
size_t text_builder_count(const struct text_builder *builder);

/* As text_table_find() and text_table_row(), while it is being built; valid until the next addition. */
bool text_builder_find(const struct text_builder *builder, const char *key, size_t len,
		       struct text_row *out_row);
void text_builder_row(const struct text_builder *builder, size_t index,
		      struct text_row *out_row);

/* Bytes that text_table_write() needs; a multiple of 8. NULL: of an empty table. */
size_t text_table_size(const struct text_builder *builder);

/**
 * text_table_write - write the finished block.
 * @builder: NULL: an empty table
 * @memory: text_table_size() bytes, aligned to 8
 *
 * Return: the block, which is @memory.
 */
const struct text_table *text_table_write(const struct text_builder *builder,
					  void *memory);

/**
 * text_table_attach - the table in memory that text_table_write() wrote.
 * @memory: aligned to 8; borrowed
 * @size_bytes: of @memory, which may be larger than the table
 *
 * Looks at the header only: the rows are those of this program, in sealed memory.
 *
 * Return: the block, which is @memory; NULL if it is not one or does not lie within.
 */
const struct text_table *text_table_attach(const void *memory, size_t size_bytes);

/**
 * text_table_find - the row of a key.
 * @table: finished block
 * @key, @len: compared byte by byte
 * @out_row: valid as long as the block; untouched if there is none
 *
 * Return: true if there is one.
 */
bool text_table_find(const struct text_table *table, const char *key, size_t len,
		     struct text_row *out_row);

size_t text_table_count(const struct text_table *table);

/* Row number index (0..count-1), in the order of addition. */
void text_table_row(const struct text_table *table, size_t index,
		    struct text_row *out_row);

#endif
