/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/output - rows as a table for people, as TSV, or as a JSON array: three outputs of one record.
 *
 * Rows are written as they come. Only a table holds back its first rows, to find the widths.
 */
#ifndef CLI_OUTPUT_H
#define CLI_OUTPUT_H

#include <jansson.h>

#include "cli/cli.h"

#define OUTPUT_COLUMNS_MAX 16u
#define OUTPUT_PEEK_ROWS   1000u /* rows that decide the widths */
#define OUTPUT_CELL_MAX	   256u	 /* bytes of a table's cell, with the NUL; cut beyond */

enum column_kind {
	COLUMN_TEXT,
	COLUMN_NUMBER, /* to the right */
	COLUMN_BYTES,  /* "1.5M" */
	COLUMN_AGO,    /* a time: "3m ago"; null: "never" */
	COLUMN_ENDS,   /* a time: "in 59m"; null: "forever" */
	COLUMN_BOOL,   /* "yes", "no" */
	COLUMN_LIST,   /* an array, joined by spaces */
	COLUMN_CLOCK,  /* a time: local date and time */
};

/* A member of the row. In TSV times are seconds, sizes bytes; "-" stands for what is not there. */
struct column {
	const char *key;
	const char *title;
	enum column_kind kind;
};

struct output;

/**
 * output_new - begin a list.
 * @cli: format and streams; borrowed
 * @columns: borrowed
 * @count: <= OUTPUT_COLUMNS_MAX
 *
 * Return: the list; NULL without memory.
 */
struct output *output_new(struct cli *cli, const struct column *columns, size_t count);
void output_free(struct output **output);

/* A client_row_fn. @context: struct output. */
void output_row(void *context, const json_t *row);

/* Ends the list. @empty: what a table says if there was no row; NULL: nothing. */
void output_end(struct output *output, const char *empty);

size_t output_count(const struct output *output);

/* A table of an array's objects, in one go; for CLI_TABLE only. */
void output_array(struct cli *cli, const struct column *columns, size_t count,
		  const json_t *array);

/* One value on a line of its own, in JSON. */
void output_json(struct cli *cli, const json_t *value);

/* A member that is text; "" if it is not there. Valid as long as the object. */
const char *member_text(const json_t *object, const char *key);

/* A member that is a number; otherwise if it is not there. */
int64_t member_number(const json_t *object, const char *key, int64_t otherwise);

/* A member is there and not null. */
bool member_has(const json_t *object, const char *key);

/* A text member, escaped for a terminal, to the output stream. */
void print_plain(struct cli *cli, const char *text);

#endif
