/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/sys/grey_place - a store of greylisting in a directory of its own, and short words for its rows.
 */
#ifndef UNIT_SYS_GREY_PLACE_H
#define UNIT_SYS_GREY_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "sys/db_grey.h"

#define CAPACITY 10000u

struct place {
	char dir[64];
	char path[96];
	struct db_grey *db;
};

/* Set-up and tear-down of cmocka. */
int place_make(void **state);
int place_remove(void **state);

/* As after the death of the process: nothing is committed on the way out. */
void place_reopen(struct place *place);

struct prefix prefix_of(const char *text);

/* @origin: a prefix, or a domain */
struct db_grey_row row_of(enum db_grey_kind kind, const char *origin, int64_t at_s);
struct db_grey_row triplet(const char *origin, uint8_t digest, int64_t at_s);

void put(struct place *place, const struct db_grey_row *row);
void put_triplet(struct place *place, const char *origin, uint8_t digest, int64_t at_s);
void put_proven(struct place *place, const char *origin, uint8_t digest, int64_t at_s);
void put_kind(struct place *place, enum db_grey_kind kind, const char *origin);

uint64_t rows_of(struct place *place, enum db_grey_kind kind);

/* Is exactly this triplet found, one by one? */
bool is_found(struct place *place, const char *origin, uint8_t digest);

/* A db_grey_fn that writes down what it sees: "w:192.0.2.0/24/7 "; w, p, n, c for the kinds. */
struct seen {
	char text[1024];
	struct buf buf;
};

int see(void *context, const struct db_grey_row *row);

/* All rows of a range, read so many at a time (max; 100 unless said). */
void assert_range(struct place *place, struct db_grey_range range, const char *want);

#endif
