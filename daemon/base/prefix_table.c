/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/prefix_table.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TABLE_MAGIC   0x42545850u /* "PXTB" */
#define TABLE_VERSION 1u
#define ROWS_FIRST \
	1024u /* a builder's first allocation; then half as much again each time */

/* A row's link: its parent's number, and its own length in the low byte. */
#define LINK_LEN_BITS 8u
#define LINK_NONE     ((UINT32_C(1) << 24) - 1)

static_assert(PREFIX_TABLE_ROWS_MAX < LINK_NONE,
	      "a row number has to fit beside the length");

struct row4 {
	uint32_t addr; /* host order */
	uint32_t link; /* in a builder: order of addition instead of the parent */
	uint32_t line;
	uint16_t value;
	uint16_t origin;
};

struct row6 {
	uint64_t hi, lo; /* host order */
	uint32_t link;
	uint32_t line;
	uint16_t value;
	uint16_t origin;
};

static_assert(sizeof(struct row4) == 16 && sizeof(struct row6) == 32, "rows are compact");

struct prefix_table {
	uint32_t magic;
	uint32_t version;
	uint64_t size_bytes;
	uint32_t count4; /* rows of IPv4: they follow this header */
	uint32_t count6; /* rows of IPv6: they follow those */
	uint64_t reserved;
	uint8_t rows[];
};

static_assert(sizeof(struct prefix_table) % 16 == 0, "rows are aligned");

struct prefix_builder {
	struct row4 *rows4;
	struct row6 *rows6;
	uint32_t count4, cap4;
	uint32_t count6, cap6;
};

/* Where a row or an address stands in the order; IPv4 in the uppermost 32 bits. */
struct key {
	uint64_t hi, lo;
	uint32_t len;
};

static uint32_t link_make(uint32_t number, uint8_t len)
{
	return number << LINK_LEN_BITS | len;
}

static uint32_t link_number(uint32_t link)
{
	return link >> LINK_LEN_BITS;
}

static uint8_t link_len(uint32_t link)
{
	return (uint8_t)link;
}

static uint32_t addr_load4(const struct addr *addr)
{
	uint32_t word_be;

	memcpy(&word_be, addr->bytes, sizeof(word_be));
	return be32toh(word_be);
}

static uint64_t addr_load8(const struct addr *addr, size_t offset)
{
	uint64_t word_be;

	memcpy(&word_be, addr->bytes + offset, sizeof(word_be));
	return be64toh(word_be);
}

/* ---- order ---- */

static int key_compare(const struct key *a, const struct key *b)
{
	if (a->hi != b->hi)
		return a->hi < b->hi ? -1 : 1;
	if (a->lo != b->lo)
		return a->lo < b->lo ? -1 : 1;
	return (a->len > b->len) - (a->len < b->len);
}

static struct key key_of_prefix(const struct addr *addr, uint8_t len)
{
	return (struct key){addr_load8(addr, 0), addr_load8(addr, 8), len};
}

static struct key key_of_row4(const struct row4 *row)
{
	return (struct key){(uint64_t)row->addr << 32, 0, link_len(row->link)};
}

static struct key key_of_row6(const struct row6 *row)
{
	return (struct key){row->hi, row->lo, link_len(row->link)};
}

/* Does the prefix outer contain the address of inner? */
static bool key_contains(const struct key *outer, const struct key *inner)
{
	const uint64_t hi = outer->hi ^ inner->hi;
	const uint64_t lo = outer->lo ^ inner->lo;

	if (outer->len == 0)
		return true;
	if (outer->len <= 64)
		return hi >> (64 - outer->len) == 0;
	return hi == 0 && lo >> (128 - outer->len) == 0;
}

/* ---- builder ---- */

struct prefix_builder *prefix_builder_new(void)
{
	return calloc(1, sizeof(struct prefix_builder));
}

void prefix_builder_free(struct prefix_builder **builder)
{
	if (!*builder)
		return;
	free((*builder)->rows4);
	free((*builder)->rows6);
	free(*builder);
	*builder = NULL;
}

/* Room for one more row of this size. */
static int rows_grow(void **rows, uint32_t count, uint32_t *cap, size_t row_bytes)
{
	uint32_t want = *cap + *cap / 2;
	void *grown;

	if (count < *cap)
		return 0;
	if (want < ROWS_FIRST)
		want = ROWS_FIRST;
	if (want > PREFIX_TABLE_ROWS_MAX)
		want = PREFIX_TABLE_ROWS_MAX;
	grown = reallocarray(*rows, want, row_bytes);
	if (!grown)
		return -ENOMEM;
	*rows = grown;
	*cap = want;
	return 0;
}

static int builder_add4(struct prefix_builder *builder, const struct prefix_row *row)
{
	const uint32_t order = builder->count4 + builder->count6;
	void *rows = builder->rows4;
	int err;

	err = rows_grow(&rows, builder->count4, &builder->cap4, sizeof(struct row4));
	if (err)
		return err;
	builder->rows4 = rows;
	builder->rows4[builder->count4++] = (struct row4){
		.addr = addr_load4(&row->prefix.addr),
		.link = link_make(order, row->prefix.len),
		.line = row->line,
		.value = row->value,
		.origin = row->origin,
	};
	return 0;
}

static int builder_add6(struct prefix_builder *builder, const struct prefix_row *row)
{
	const uint32_t order = builder->count4 + builder->count6;
	void *rows = builder->rows6;
	int err;

	err = rows_grow(&rows, builder->count6, &builder->cap6, sizeof(struct row6));
	if (err)
		return err;
	builder->rows6 = rows;
	builder->rows6[builder->count6++] = (struct row6){
		.hi = addr_load8(&row->prefix.addr, 0),
		.lo = addr_load8(&row->prefix.addr, 8),
		.link = link_make(order, row->prefix.len),
		.line = row->line,
		.value = row->value,
		.origin = row->origin,
	};
	return 0;
}

int prefix_builder_add(struct prefix_builder *builder, const struct prefix_row *row)
{
	assert(row->prefix.len <= addr_bits(row->prefix.addr.family));

	if (builder->count4 + builder->count6 >= PREFIX_TABLE_ROWS_MAX)
		return -ENOSPC;
	if (row->prefix.addr.family == ADDR_V4)
		return builder_add4(builder, row);
	assert(row->prefix.addr.family == ADDR_V6);
	return builder_add6(builder, row);
}

size_t prefix_builder_count(const struct prefix_builder *builder)
{
	return (size_t)builder->count4 + builder->count6;
}

/* Equal prefixes end up in order of addition: qsort() itself promises nothing. */
static int row4_compare(const void *a, const void *b)
{
	const struct row4 *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (link_len(x->link) != link_len(y->link))
		return link_len(x->link) < link_len(y->link) ? -1 : 1;
	return (x->link > y->link) - (x->link < y->link);
}

static int row6_compare(const void *a, const void *b)
{
	const struct row6 *x = a, *y = b;
	const struct key kx = key_of_row6(x), ky = key_of_row6(y);
	const int order = key_compare(&kx, &ky);

	return order ? order : (x->link > y->link) - (x->link < y->link);
}

static void row4_read(const struct row4 *row, struct prefix_row *out_row)
{
	const uint32_t addr_be = htobe32(row->addr);

	*out_row = (struct prefix_row){
		.prefix = {.addr = {.family = ADDR_V4}, .len = link_len(row->link)},
		.value = row->value,
		.origin = row->origin,
		.line = row->line,
	};
	memcpy(out_row->prefix.addr.bytes, &addr_be, sizeof(addr_be));
}

static void row6_read(const struct row6 *row, struct prefix_row *out_row)
{
	const uint64_t addr_be[2] = {htobe64(row->hi), htobe64(row->lo)};

	*out_row = (struct prefix_row){
		.prefix = {.addr = {.family = ADDR_V6}, .len = link_len(row->link)},
		.value = row->value,
		.origin = row->origin,
		.line = row->line,
	};
	memcpy(out_row->prefix.addr.bytes, addr_be, sizeof(addr_be));
}

int prefix_builder_sort(struct prefix_builder *builder, struct prefix_row *out_first,
			struct prefix_row *out_second)
{
	uint32_t earliest = LINK_NONE;

	if (builder->count4 > 0)
		qsort(builder->rows4, builder->count4, sizeof(struct row4), row4_compare);
	if (builder->count6 > 0)
		qsort(builder->rows6, builder->count6, sizeof(struct row6), row6_compare);

	/* Of all duplicates the one that was added first: a reader meets it first. */
	for (uint32_t i = 1; i < builder->count4; i++) {
		const struct row4 *row = &builder->rows4[i];

		if (row[-1].addr != row->addr ||
		    link_len(row[-1].link) != link_len(row->link) ||
		    link_number(row->link) >= earliest)
			continue;
		earliest = link_number(row->link);
		row4_read(row - 1, out_first);
		row4_read(row, out_second);
	}
	for (uint32_t i = 1; i < builder->count6; i++) {
		const struct row6 *row = &builder->rows6[i];

		if (row[-1].hi != row->hi || row[-1].lo != row->lo ||
		    link_len(row[-1].link) != link_len(row->link) ||
		    link_number(row->link) >= earliest)
			continue;
		earliest = link_number(row->link);
		row6_read(row - 1, out_first);
		row6_read(row, out_second);
	}
	return earliest == LINK_NONE ? 0 : -EEXIST;
}

/* ---- the finished block ---- */

static const struct row4 *table_rows4(const struct prefix_table *table)
{
	return (const struct row4 *)(const void *)table->rows;
}

static const struct row6 *table_rows6(const struct prefix_table *table)
{
	return (const struct row6 *)(const void *)(table_rows4(table) + table->count4);
}

static size_t rows_size(uint32_t count4, uint32_t count6)
{
	return sizeof(struct prefix_table) + count4 * sizeof(struct row4) +
	       count6 * sizeof(struct row6);
}

size_t prefix_table_size(const struct prefix_builder *builder)
{
	return rows_size(builder->count4, builder->count6);
}

static struct key table_key(const struct prefix_table *table, bool is_v4, uint32_t index)
{
	return is_v4 ? key_of_row4(&table_rows4(table)[index])
		     : key_of_row6(&table_rows6(table)[index]);
}

static uint32_t table_parent(const struct prefix_table *table, bool is_v4, uint32_t index)
{
	return link_number(is_v4 ? table_rows4(table)[index].link
				 : table_rows6(table)[index].link);
}

/* From row index outwards, the first row that contains key; LINK_NONE. */
static uint32_t table_climb(const struct prefix_table *table, bool is_v4, uint32_t index,
			    const struct key *key)
{
	while (index != LINK_NONE) {
		const struct key row = table_key(table, is_v4, index);
		const uint32_t parent = table_parent(table, is_v4, index);

		if (key_contains(&row, key))
			return index;
		assert(parent == LINK_NONE || parent < index); /* so that it ends */
		index = parent;
	}
	return LINK_NONE;
}

/* Each row's parent is the nearest one outwards from the row before it. */
static void table_link(struct prefix_table *table, bool is_v4)
{
	struct row4 *rows4 = (struct row4 *)(void *)table->rows;
	struct row6 *rows6 = (struct row6 *)(void *)(rows4 + table->count4);
	const uint32_t count = is_v4 ? table->count4 : table->count6;

	for (uint32_t i = 0; i < count; i++) {
		const struct key key = table_key(table, is_v4, i);
		const uint32_t before = i > 0 ? i - 1 : LINK_NONE;
		const uint32_t parent = table_climb(table, is_v4, before, &key);

		if (is_v4)
			rows4[i].link = link_make(parent, link_len(rows4[i].link));
		else
			rows6[i].link = link_make(parent, link_len(rows6[i].link));
	}
}

const struct prefix_table *prefix_table_write(const struct prefix_builder *builder,
					      void *memory)
{
	struct prefix_table *table = memory;
	uint8_t *rows6;

	*table = (struct prefix_table){
		.magic = TABLE_MAGIC,
		.version = TABLE_VERSION,
		.size_bytes = prefix_table_size(builder),
		.count4 = builder->count4,
		.count6 = builder->count6,
	};
	rows6 = table->rows + builder->count4 * sizeof(struct row4);
	if (builder->count4 > 0)
		memcpy(table->rows, builder->rows4,
		       builder->count4 * sizeof(struct row4));
	if (builder->count6 > 0)
		memcpy(rows6, builder->rows6, builder->count6 * sizeof(struct row6));
	table_link(table, true);
	table_link(table, false);
	return table;
}

const struct prefix_table *prefix_table_attach(const void *memory, size_t size_bytes)
{
	const struct prefix_table *table = memory;

	if ((uintptr_t)memory % sizeof(uint64_t) != 0 || size_bytes < sizeof(*table) ||
	    table->magic != TABLE_MAGIC || table->version != TABLE_VERSION ||
	    table->count4 > PREFIX_TABLE_ROWS_MAX ||
	    table->count6 > PREFIX_TABLE_ROWS_MAX)
		return NULL;
	if (table->size_bytes != rows_size(table->count4, table->count6) ||
	    table->size_bytes > size_bytes)
		return NULL;
	return table;
}

/* How many rows stand before or at key in the order. */
static uint32_t table_rank(const struct prefix_table *table, bool is_v4,
			   const struct key *key)
{
	uint32_t low = 0;
	uint32_t high = is_v4 ? table->count4 : table->count6;

	while (low < high) {
		const uint32_t middle = low + (high - low) / 2;
		const struct key row = table_key(table, is_v4, middle);

		if (key_compare(&row, key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool prefix_table_find(const struct prefix_table *table, const struct addr *addr,
		       struct prefix_row *out_row)
{
	const bool is_v4 = addr->family == ADDR_V4;
	const struct key key = key_of_prefix(addr, addr_bits(addr->family));
	uint32_t rank, found;

	if (addr->family != ADDR_V4 && addr->family != ADDR_V6)
		return false;
	/* The row before an address in the order is in the longest match, or is it. */
	rank = table_rank(table, is_v4, &key);
	found = table_climb(table, is_v4, rank > 0 ? rank - 1 : LINK_NONE, &key);
	if (found == LINK_NONE)
		return false;
	prefix_table_row(table, is_v4 ? found : table->count4 + found, out_row);
	return true;
}

size_t prefix_table_count(const struct prefix_table *table)
{
	return (size_t)table->count4 + table->count6;
}

size_t prefix_table_count_family(const struct prefix_table *table,
				 enum addr_family family)
{
	return family == ADDR_V4 ? table->count4 : family == ADDR_V6 ? table->count6 : 0;
}

void prefix_table_row(const struct prefix_table *table, size_t index,
		      struct prefix_row *out_row)
{
	assert(index < prefix_table_count(table));

	if (index < table->count4)
		row4_read(&table_rows4(table)[index], out_row);
	else
		row6_read(&table_rows6(table)[index - table->count4], out_row);
}

size_t prefix_table_after(const struct prefix_table *table, const struct prefix *prefix)
{
	const bool is_v4 = prefix->addr.family == ADDR_V4;
	const struct key key = key_of_prefix(&prefix->addr, prefix->len);

	return (is_v4 ? 0 : (size_t)table->count4) + table_rank(table, is_v4, &key);
}

bool prefix_table_has_inside(const struct prefix_table *table,
			     const struct prefix *prefix)
{
	const size_t next = prefix_table_after(table, prefix);
	struct prefix_row row;

	if (next >= prefix_table_count(table))
		return false;
	prefix_table_row(table, next, &row);
	return prefix_covers(prefix, &row.prefix);
}
