/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/text_table - see text_table.h. A hash with open addressing over rows; the slots hold the
 * numbers of rows, the texts stand one behind the other.
 */
#include "base/text_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#define TABLE_MAGIC   0x42545854u /* "TXTB" */
#define TABLE_VERSION 1u
#define SLOT_FREE     0u  /* a slot holds the number of a row, and one */
#define SLOTS_FIRST   64u /* at most half of them are used */
#define ROWS_FIRST    256u
#define TEXT_FIRST    8192u

struct stored_row {
	uint32_t at; /* of the key in the text; the value stands behind it */
	uint16_t key_len, value_len;
	uint32_t line;
	uint16_t origin;
	uint16_t pad;
};

static_assert(sizeof(struct stored_row) == 16, "rows are compact");

struct text_table {
	uint32_t magic;
	uint32_t version;
	uint64_t size_bytes;
	uint32_t row_count;
	uint32_t slot_count; /* a power of two; the slots follow the rows */
	uint64_t text_bytes; /* behind the slots */
	uint8_t rows[];
};

static_assert(sizeof(struct text_table) % 8 == 0, "rows are aligned");

struct text_builder {
	struct stored_row *rows;
	uint32_t *slots;
	char *text;
	uint32_t row_count, row_cap;
	uint32_t slot_count;
	size_t text_len, text_cap;
};

/* What a lookup needs, of a builder or of a finished block. */
struct view {
	const struct stored_row *rows;
	const uint32_t *slots;
	const char *text;
	uint32_t slot_count;
};

/* ---- lookup ---- */

/* The keys come from the admin's own files: nobody else can choose which of them meet. */
static uint32_t key_hash(const char *key, size_t len)
{
	static const uint8_t seed[SIPHASH_KEY_BYTES] = "postern";

	return (uint32_t)siphash24(seed, key, len);
}

static struct view view_of_builder(const struct text_builder *builder)
{
	return (struct view){builder->rows, builder->slots, builder->text,
			     builder->slot_count};
}

static struct view view_of_table(const struct text_table *table)
{
	const struct stored_row *rows = (const void *)table->rows;
	const uint32_t *slots = (const void *)(rows + table->row_count);

	return (struct view){rows, slots, (const char *)(slots + table->slot_count),
			     table->slot_count};
}

/* The slot of a key, or the free one where it belongs. There always is a free one. */
static uint32_t view_slot(const struct view *view, const char *key, size_t len)
{
	uint32_t slot = key_hash(key, len) & (view->slot_count - 1);

	while (view->slots[slot] != SLOT_FREE) {
		const struct stored_row *row = &view->rows[view->slots[slot] - 1];

		if (row->key_len == len &&
		    (len == 0 || memcmp(view->text + row->at, key, len) == 0))
			break;
		slot = (slot + 1) & (view->slot_count - 1);
	}
	return slot;
}

static void view_read(const struct view *view, uint32_t index, struct text_row *out_row)
{
	const struct stored_row *row = &view->rows[index];
	const char *key = view->text + row->at;

	*out_row = (struct text_row){
		.key = key,
		.key_len = row->key_len,
		.value = row->value_len ? key + row->key_len : NULL,
		.value_len = row->value_len,
		.origin = row->origin,
		.line = row->line,
	};
}

static bool view_find(const struct view *view, const char *key, size_t len,
		      struct text_row *out_row)
{
	uint32_t slot;

	if (view->slot_count == 0)
		return false;
	slot = view_slot(view, key, len);
	if (view->slots[slot] == SLOT_FREE)
		return false;
	view_read(view, view->slots[slot] - 1, out_row);
	return true;
}

/* ---- builder ---- */

struct text_builder *text_builder_new(void)
{
	return calloc(1, sizeof(struct text_builder));
}

void text_builder_free(struct text_builder **builder)
{
	if (!*builder)
		return;
	free((*builder)->rows);
	free((*builder)->slots);
	free((*builder)->text);
	free(*builder);
	*builder = NULL;
}

/* Twice as many slots; every row finds a new one. */
static int builder_grow_slots(struct text_builder *builder)
{
	const uint32_t count =
		builder->slot_count ? builder->slot_count * 2 : SLOTS_FIRST;
	uint32_t *slots = calloc(count, sizeof(*slots));
	struct view view = {builder->rows, slots, builder->text, count};

	if (!slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < builder->row_count; i++) {
		struct text_row row;

		view_read(&view, i, &row);
		slots[view_slot(&view, row.key, row.key_len)] = i + 1;
	}
	free(builder->slots);
	builder->slots = slots;
	builder->slot_count = count;
	return 0;
}

static int builder_grow_rows(struct text_builder *builder)
{
	const uint32_t cap = builder->row_cap ? builder->row_cap * 2 : ROWS_FIRST;
	struct stored_row *rows = reallocarray(builder->rows, cap, sizeof(*rows));

	if (!rows)
		return -ENOMEM;
	builder->rows = rows;
	builder->row_cap = cap;
	return 0;
}

static int builder_grow_text(struct text_builder *builder, size_t len)
{
	size_t cap = builder->text_cap ? builder->text_cap : TEXT_FIRST;
	char *text;

	while (cap < builder->text_len + len)
		cap *= 2;
	text = realloc(builder->text, cap);
	if (!text)
		return -ENOMEM;
	builder->text = text;
	builder->text_cap = cap;
	return 0;
}

/* Room for one more row with so many bytes of text. */
static int builder_make_room(struct text_builder *builder, size_t len)
{
	int err = 0;

	if (builder->row_count == TEXT_TABLE_ROWS_MAX ||
	    builder->text_len + len > UINT32_MAX)
		return -ENOSPC;
	if ((builder->row_count + 1) * 2 > builder->slot_count)
		err = builder_grow_slots(builder);
	if (!err && builder->row_count == builder->row_cap)
		err = builder_grow_rows(builder);
	if (!err && builder->text_len + len > builder->text_cap)
		err = builder_grow_text(builder, len);
	return err;
}

int text_builder_add(struct text_builder *builder, const struct text_row *row,
		     struct text_row *out_first)
{
	const size_t len = row->key_len + row->value_len;
	struct text_row first;
	struct view view;
	char *text;
	int err;

	assert(row->key_len <= TEXT_TABLE_TEXT_MAX &&
	       row->value_len <= TEXT_TABLE_TEXT_MAX);
	if (text_builder_find(builder, row->key, row->key_len, &first)) {
		if (out_first)
			*out_first = first;
		return -EEXIST;
	}
	err = builder_make_room(builder, len);
	if (err)
		return err;
	text = builder->text + builder->text_len;
	if (row->key_len)
		memcpy(text, row->key, row->key_len);
	if (row->value_len)
		memcpy(text + row->key_len, row->value, row->value_len);
	view = view_of_builder(builder);
	builder->slots[view_slot(&view, row->key, row->key_len)] = builder->row_count + 1;
	builder->rows[builder->row_count++] = (struct stored_row){
		.at = (uint32_t)builder->text_len,
		.key_len = (uint16_t)row->key_len,
		.value_len = (uint16_t)row->value_len,
		.line = row->line,
		.origin = row->origin,
	};
	builder->text_len += len;
	return 0;
}

size_t text_builder_count(const struct text_builder *builder)
{
	return builder->row_count;
}

bool text_builder_find(const struct text_builder *builder, const char *key, size_t len,
		       struct text_row *out_row)
{
	const struct view view = view_of_builder(builder);

	return view_find(&view, key, len, out_row);
}

void text_builder_row(const struct text_builder *builder, size_t index,
		      struct text_row *out_row)
{
	const struct view view = view_of_builder(builder);

	assert(index < builder->row_count);
	view_read(&view, (uint32_t)index, out_row);
}

/* ---- the finished block ---- */

static size_t table_bytes(uint32_t rows, uint32_t slots, uint64_t text_bytes)
{
	const size_t bytes = sizeof(struct text_table) +
			     (size_t)rows * sizeof(struct stored_row) +
			     (size_t)slots * sizeof(uint32_t) + text_bytes;

	return (bytes + 7) / 8 * 8;
}

static const struct text_builder empty;

size_t text_table_size(const struct text_builder *builder)
{
	if (!builder)
		builder = &empty;
	return table_bytes(builder->row_count, builder->slot_count, builder->text_len);
}

const struct text_table *text_table_write(const struct text_builder *builder,
					  void *memory)
{
	struct text_table *table = memory;
	uint8_t *at = table->rows;

	if (!builder)
		builder = &empty;
	*table = (struct text_table){
		.magic = TABLE_MAGIC,
		.version = TABLE_VERSION,
		.size_bytes = text_table_size(builder),
		.row_count = builder->row_count,
		.slot_count = builder->slot_count,
		.text_bytes = builder->text_len,
	};
	if (builder->row_count == 0)
		return table; /* perhaps with slots: of an addition that failed */
	memcpy(at, builder->rows, builder->row_count * sizeof(struct stored_row));
	at += builder->row_count * sizeof(struct stored_row);
	memcpy(at, builder->slots, builder->slot_count * sizeof(uint32_t));
	at += builder->slot_count * sizeof(uint32_t);
	if (builder->text_len)
		memcpy(at, builder->text, builder->text_len);
	return table;
}

const struct text_table *text_table_attach(const void *memory, size_t size_bytes)
{
	const struct text_table *table = memory;

	if ((uintptr_t)memory % sizeof(uint64_t) != 0 || size_bytes < sizeof(*table) ||
	    table->magic != TABLE_MAGIC || table->version != TABLE_VERSION ||
	    table->row_count > TEXT_TABLE_ROWS_MAX ||
	    table->slot_count > 4 * TEXT_TABLE_ROWS_MAX ||
	    (table->slot_count & (table->slot_count - 1)) != 0 ||
	    table->slot_count < table->row_count || table->text_bytes > UINT32_MAX)
		return NULL;
	if (table->size_bytes !=
		    table_bytes(table->row_count, table->slot_count, table->text_bytes) ||
	    table->size_bytes > size_bytes)
		return NULL;
	return table;
}

bool text_table_find(const struct text_table *table, const char *key, size_t len,
		     struct text_row *out_row)
{
	const struct view view = view_of_table(table);

	return table->row_count > 0 && view_find(&view, key, len, out_row);
}

size_t text_table_count(const struct text_table *table)
{
	return table->row_count;
}

void text_table_row(const struct text_table *table, size_t index,
		    struct text_row *out_row)
{
	const struct view view = view_of_table(table);

	assert(index < table->row_count);
	view_read(&view, (uint32_t)index, out_row);
}
