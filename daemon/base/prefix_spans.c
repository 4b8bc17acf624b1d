/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/prefix_spans - see prefix_spans.h.
 *
 * One sweep over prefixes in the order of their addresses, shorter ones first: those around the present place stand
 * on a stack, each with what holds where nothing longer says otherwise.
 */
#include "base/prefix_spans.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 64u
#define DEPTH_MAX  (2u * 129u) /* a row and a ban of each length of IPv6 */

struct level {
	struct addr last;
	uint64_t value; /* 0: none */
};

struct sweep {
	struct prefix_spans *spans;
	struct level stack[DEPTH_MAX];
	size_t depth;
	struct addr at; /* all before it has been told */
	bool is_over;	/* nothing comes behind what has been told */
	int error;
};

void prefix_spans_free(struct prefix_spans *spans)
{
	free_mem(&spans->spans);
	spans->count = spans->room = 0;
}

/* ---- addresses ---- */

static int addr_order(const struct addr *a, const struct addr *b)
{
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

bool addr_after(const struct addr *addr, struct addr *out_next)
{
	struct addr next = *addr;

	for (size_t i = addr_bits((enum addr_family)addr->family) / 8u; i > 0; i--) {
		if (++next.bytes[i - 1] != 0) {
			*out_next = next;
			return true;
		}
	}
	return false;
}

struct addr addr_before(const struct addr *addr)
{
	struct addr before = *addr;

	for (size_t i = addr_bits((enum addr_family)addr->family) / 8u; i > 0; i--)
		if (before.bytes[i - 1]-- != 0)
			break;
	return before;
}

static struct addr prefix_last(const struct prefix *prefix)
{
	const unsigned int bits = addr_bits((enum addr_family)prefix->addr.family);
	struct addr last = prefix->addr;

	for (unsigned int bit = prefix->len; bit < bits; bit++)
		last.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	return last;
}

/* ---- the sweep ---- */

static void sweep_emit(struct sweep *sweep, const struct addr *last, uint64_t value)
{
	struct prefix_spans *spans = sweep->spans;
	struct prefix_span *before =
		spans->count ? &spans->spans[spans->count - 1] : NULL;
	struct addr next;

	if (value == 0 || sweep->error)
		return;
	if (before && before->value == value && addr_after(&before->last, &next) &&
	    addr_equal(&next, &sweep->at)) {
		before->last = *last;
		return;
	}
	if (spans->count == spans->room) {
		const size_t room = spans->room ? 2 * spans->room : ROOM_FIRST;
		struct prefix_span *grown =
			reallocarray(spans->spans, room, sizeof(*grown));

		if (!grown) {
			sweep->error = -ENOMEM;
			return;
		}
		spans->spans = grown;
		spans->room = room;
	}
	assert(spans->spans);
	spans->spans[spans->count++] = (struct prefix_span){sweep->at, *last, value};
}

/* The innermost level ends. */
static void sweep_pop(struct sweep *sweep)
{
	const struct level *top = &sweep->stack[--sweep->depth];

	if (sweep->is_over || addr_order(&sweep->at, &top->last) > 0)
		return;
	sweep_emit(sweep, &top->last, top->value);
	sweep->is_over = !addr_after(&top->last, &sweep->at);
}

static void sweep_end(struct sweep *sweep)
{
	while (sweep->depth > 0)
		sweep_pop(sweep);
}

static uint64_t sweep_value(const struct sweep *sweep)
{
	return sweep->depth ? sweep->stack[sweep->depth - 1].value : 0;
}

/* Goes on to where a prefix begins. */
static void sweep_to(struct sweep *sweep, const struct prefix *prefix)
{
	struct addr last;

	while (sweep->depth > 0 &&
	       addr_order(&sweep->stack[sweep->depth - 1].last, &prefix->addr) < 0)
		sweep_pop(sweep);
	if (sweep->depth > 0 && addr_order(&sweep->at, &prefix->addr) < 0) {
		last = addr_before(&prefix->addr);
		sweep_emit(sweep, &last, sweep_value(sweep));
	}
	if (sweep->depth == 0 || addr_order(&sweep->at, &prefix->addr) < 0)
		sweep->at = prefix->addr;
}

static void sweep_push(struct sweep *sweep, const struct prefix *prefix, uint64_t value)
{
	assert(sweep->depth < DEPTH_MAX); /* each prefix once */
	sweep->stack[sweep->depth++] = (struct level){prefix_last(prefix), value};
}

/* ---- of a table ---- */

int prefix_spans_of_table(const struct prefix_table *table, enum addr_family family,
			  bool (*is_wanted)(uint16_t value), struct prefix_spans *spans)
{
	const size_t begin =
		family == ADDR_V4 ? 0 : prefix_table_count_family(table, ADDR_V4);
	const size_t end = begin + prefix_table_count_family(table, family);
	struct sweep sweep = {.spans = spans};

	for (size_t i = begin; i < end && !sweep.error; i++) {
		struct prefix_row row;

		prefix_table_row(table, i, &row);
		sweep_to(&sweep, &row.prefix);
		sweep_push(&sweep, &row.prefix, is_wanted(row.value));
	}
	sweep_end(&sweep);
	return sweep.error;
}

/* ---- of bans ---- */

static int ends_compare(const void *a, const void *b)
{
	const struct prefix_ends *x = a, *y = b;

	return prefix_compare(&x->prefix, &y->prefix);
}

/* The rows of the table inside the outermost ban that the sweep is in. */
struct rows {
	const struct prefix_table *table;
	size_t next;
	struct prefix outer;
};

static bool rows_peek(const struct rows *rows, struct prefix_row *out_row)
{
	if (rows->next >= prefix_table_count(rows->table))
		return false;
	prefix_table_row(rows->table, rows->next, out_row);
	return prefix_covers(&rows->outer, &out_row->prefix);
}

/* Those that stand before a ban in the order, or are the same prefix; all of them: NULL. */
static void rows_push(struct rows *rows, struct sweep *sweep, const struct prefix *ban)
{
	struct prefix_row row;

	while (!sweep->error && rows_peek(rows, &row) &&
	       (!ban || prefix_compare(&row.prefix, ban) <= 0)) {
		sweep_to(sweep, &row.prefix);
		sweep_push(sweep, &row.prefix, 0); /* what shorter bans said is over */
		rows->next++;
	}
}

int prefix_spans_of_bans(struct prefix_ends *bans, size_t count,
			 const struct prefix_table *table, struct prefix_spans *spans)
{
	struct sweep sweep = {.spans = spans};
	struct rows rows = {.table = table};

	if (count > 0)
		qsort(bans, count, sizeof(*bans), ends_compare);
	for (size_t i = 0; i < count && !sweep.error; i++) {
		const struct prefix *prefix = &bans[i].prefix;
		uint64_t value;

		if (i == 0 || !prefix_covers(&rows.outer, prefix)) {
			if (i > 0)
				rows_push(&rows, &sweep, NULL);
			sweep_end(&sweep);
			rows.outer = *prefix;
			rows.next = prefix_table_after(table, prefix);
		}
		rows_push(&rows, &sweep, prefix);
		sweep_to(&sweep, prefix);
		value = sweep_value(&sweep);
		sweep_push(&sweep, prefix,
			   value > bans[i].ends_ns ? value : bans[i].ends_ns);
	}
	if (count > 0)
		rows_push(&rows, &sweep, NULL);
	sweep_end(&sweep);
	return sweep.error;
}

/* ---- looking ---- */

const struct prefix_span *prefix_spans_find(const struct prefix_spans *spans,
					    const struct addr *addr)
{
	size_t low = 0, high = spans->count;

	while (low < high) { /* the first that begins behind it */
		const size_t middle = low + (high - low) / 2;

		if (addr_order(&spans->spans[middle].first, addr) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || spans->spans[low - 1].first.family != addr->family ||
	    addr_order(&spans->spans[low - 1].last, addr) < 0)
		return NULL;
	return &spans->spans[low - 1];
}
