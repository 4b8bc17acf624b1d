/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/prefix_spans - what nested prefixes say, as spans that do not overlap.
 *
 * For a table that knows no longest match: each address is in one span at most, and the span says what the longest
 * prefix would. Spans are sorted and as few as can be. Of one family at a time.
 * In postern: address lists and bans of prefixes, for the sets of nftables.
 */
#ifndef BASE_PREFIX_SPANS_H
#define BASE_PREFIX_SPANS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/prefix_table.h"

struct prefix_span {
	struct addr first, last; /* both belong to it */
	uint64_t value;		 /* > 0 */
};

/* Zeroed: empty. */
struct prefix_spans {
	struct prefix_span *spans; /* owned */
	size_t count, room;
};

/* A ban as far as it counts here. */
struct prefix_ends {
	struct prefix prefix;
	uint64_t ends_ns; /* > 0 */
};

void prefix_spans_free(struct prefix_spans *spans);

/**
 * prefix_spans_of_table - where the longest row of a table is one of those that are asked for.
 * @family: ADDR_V4 or ADDR_V6
 * @is_wanted: by the value of the row
 * @spans: empty before; value 1
 *
 * Return: 0; -ENOMEM, and what is in @spans counts for nothing.
 */
int prefix_spans_of_table(const struct prefix_table *table, enum addr_family family,
			  bool (*is_wanted)(uint16_t value),
			  struct prefix_spans *spans) MUST_CHECK;

/**
 * prefix_spans_of_bans - where bans hold, and how long.
 * @bans: of one family, each prefix once; sorted by this call
 * @table: a longer row of it ends what a shorter ban says; of the same length the ban wins
 * @spans: empty before; the value is the end of the ban that lasts longest there
 *
 * Return: 0; -ENOMEM, and what is in @spans counts for nothing.
 */
int prefix_spans_of_bans(struct prefix_ends *bans, size_t count,
			 const struct prefix_table *table,
			 struct prefix_spans *spans) MUST_CHECK;

/* The span in which an address is; NULL. */
const struct prefix_span *prefix_spans_find(const struct prefix_spans *spans,
					    const struct addr *addr);

/* The address behind this one. false: it is the last of its family. */
bool addr_after(const struct addr *addr, struct addr *out_next);

/* The address before this one, which is not the first of its family. */
struct addr addr_before(const struct addr *addr);

#endif
