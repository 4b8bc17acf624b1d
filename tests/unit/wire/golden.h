/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/wire/golden - reads the tables of tests/golden.
 *
 * A row is a line of fields parted by tabs; "#" begins a comment line.
 */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define GOLDEN_LINE_MAX	  1024
#define GOLDEN_FIELDS_MAX 8

struct golden {
	FILE *file;
	unsigned int line; /* of the row read last */
	size_t fields;
	char *field[GOLDEN_FIELDS_MAX];
	char text[GOLDEN_LINE_MAX];
};

/* Open tests/golden/NAME; fails the test if it is not there. */
void golden_open(struct golden *golden, const char *name);

/* The next row, or false at the end. */
bool golden_next(struct golden *golden);

/* "5.7.8", or "-" for none. */
struct smtp_enhanced;
void golden_enhanced(const char *field, struct smtp_enhanced *out_enhanced);

#endif
