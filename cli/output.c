/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * cli/output - see the header.
 */
#include "cli/output.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "cli/text.h"

#define TSV_CELL_MAX 65536u /* a field is never cut below this */
#define GAP_SPACES   2

struct output {
	struct cli *cli;
	const struct column *columns;
	size_t column_count;
	size_t rows;
	size_t held;  /* rows of a table held back in cells */
	bool flushed; /* widths are decided, the head is written */
	size_t width[OUTPUT_COLUMNS_MAX];
	char **cells; /* OUTPUT_PEEK_ROWS rows of column_count */
	char text[TSV_CELL_MAX];
};

const char *member_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t member_number(const json_t *object, const char *key, int64_t otherwise)
{
	const json_t *value = json_object_get(object, key);

	return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

bool member_has(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);

	return value && !json_is_null(value);
}

void print_plain(struct cli *cli, const char *text)
{
	char cell[OUTPUT_CELL_MAX];
	struct buf buf = BUF_OVER(cell);

	text_add_plain(&buf, text);
	(void)fputs(buf.text, cli->out);
}

void output_json(struct cli *cli, const json_t *value)
{
	(void)json_dumpf(value, cli->out, JSON_COMPACT | JSON_ENCODE_ANY);
	(void)fputc('\n', cli->out);
}

struct output *output_new(struct cli *cli, const struct column *columns, size_t count)
{
	AUTO(output_free) struct output *output = calloc(1, sizeof(*output));

	assert(count <= OUTPUT_COLUMNS_MAX);
	if (!output)
		return NULL;
	output->cli = cli;
	output->columns = columns;
	output->column_count = count;
	output->cells = calloc(OUTPUT_PEEK_ROWS * count, sizeof(*output->cells));
	if (!output->cells)
		return NULL;
	for (size_t i = 0; i < count; i++)
		output->width[i] = strlen(columns[i].title);
	return TAKE_PTR(output);
}

void output_free(struct output **output)
{
	if (!*output)
		return;
	for (size_t i = 0;
	     (*output)->cells && i < (*output)->held * (*output)->column_count; i++)
		free((*output)->cells[i]);
	free((*output)->cells);
	free(*output);
	*output = NULL;
}

size_t output_count(const struct output *output)
{
	return output->rows;
}

/* What scripts read: as it was sent. */
static void cell_raw(struct buf *buf, const json_t *value)
{
	if (json_is_string(value) && json_string_value(value)[0])
		text_add_tsv(buf, json_string_value(value));
	else if (json_is_integer(value))
		buf_printf(buf, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	else if (json_is_boolean(value))
		buf_puts(buf, json_is_true(value) ? "1" : "0");
	else
		buf_puts(buf, "-");
}

static void cell_list(struct buf *buf, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		if (i > 0)
			buf_puts(buf, " ");
		cell_raw(buf, item);
	}
	if (json_array_size(list) == 0)
		buf_puts(buf, "-");
}

static void cell_tsv(struct buf *buf, const struct column *column, const json_t *value)
{
	if (column->kind == COLUMN_LIST)
		cell_list(buf, value);
	else if (column->kind == COLUMN_ENDS && json_is_null(value))
		buf_puts(buf, "forever");
	else
		cell_raw(buf, value);
}

/* What people read of a time, null included. */
static void cell_time(struct buf *buf, const struct column *column, const json_t *value,
		      int64_t now_s)
{
	char text[TEXT_TIME_MAX];

	if (!value)
		buf_puts(buf, "-");
	else if (!json_is_integer(value))
		buf_puts(buf, column->kind == COLUMN_ENDS ? "forever" : "never");
	else if (column->kind == COLUMN_CLOCK)
		buf_puts(buf, text_clock(json_integer_value(value), text));
	else
		buf_puts(buf, text_relative(json_integer_value(value), now_s, text));
}

static void cell_human(struct buf *buf, const struct column *column, const json_t *value,
		       int64_t now_s)
{
	char text[TEXT_TIME_MAX];

	switch (column->kind) {
	case COLUMN_AGO:
	case COLUMN_ENDS:
	case COLUMN_CLOCK:
		cell_time(buf, column, value, now_s);
		return;
	case COLUMN_LIST:
		cell_list(buf, value);
		return;
	case COLUMN_BOOL:
		buf_puts(buf, json_is_true(value) ? "yes" : "no");
		return;
	case COLUMN_BYTES:
		if (json_is_integer(value)) {
			buf_puts(buf, text_bytes(json_integer_value(value), text));
			return;
		}
		break;
	case COLUMN_TEXT:
	case COLUMN_NUMBER:
		break;
	}
	if (json_is_string(value) && json_string_value(value)[0])
		text_add_plain(buf, json_string_value(value));
	else if (json_is_string(value))
		buf_puts(buf, "-");
	else
		cell_raw(buf, value);
}

static bool column_is_right(const struct column *column)
{
	return column->kind == COLUMN_NUMBER || column->kind == COLUMN_BYTES;
}

/* One cell of a line; the last of a line is not padded. */
static void table_cell(struct output *output, size_t i, const char *text)
{
	bool last = i + 1 == output->column_count;
	int width = (int)output->width[i];

	if (column_is_right(&output->columns[i]))
		(void)fprintf(output->cli->out, "%*s", width, text);
	else
		(void)fprintf(output->cli->out, "%-*s", last ? 0 : width, text);
	(void)fprintf(output->cli->out, "%*s", last ? 0 : GAP_SPACES, "");
	if (last)
		(void)fputc('\n', output->cli->out);
}

/* Head and held rows, now that their widths are known. */
static void table_flush(struct output *output)
{
	if (output->flushed || output->held == 0)
		return;
	output->flushed = true;
	for (size_t i = 0; i < output->column_count; i++)
		table_cell(output, i, output->columns[i].title);
	for (size_t i = 0; i < output->held * output->column_count; i++) {
		table_cell(output, i % output->column_count, output->cells[i]);
		free_mem(&output->cells[i]);
	}
	output->held = 0;
}

static void table_row(struct output *output, const json_t *row)
{
	char memory[OUTPUT_CELL_MAX];

	for (size_t i = 0; i < output->column_count; i++) {
		const struct column *column = &output->columns[i];
		struct buf buf = BUF_OVER(memory);
		char *copy;

		cell_human(&buf, column, json_object_get(row, column->key),
			   output->cli->now_s);
		if (output->flushed) {
			table_cell(output, i, buf.text);
			continue;
		}
		copy = strdup(buf.text);
		if (!copy)
			abort(); /* nothing sensible is left to be printed */
		output->cells[output->held * output->column_count + i] = copy;
		if (buf.len > output->width[i])
			output->width[i] = buf.len;
	}
	if (!output->flushed && ++output->held == OUTPUT_PEEK_ROWS)
		table_flush(output);
}

static void tsv_row(struct output *output, const json_t *row)
{
	for (size_t i = 0; i < output->column_count; i++) {
		const struct column *column = &output->columns[i];
		struct buf buf;

		buf_init(&buf, output->text, sizeof(output->text));
		cell_tsv(&buf, column, json_object_get(row, column->key));
		(void)fputs(buf.text, output->cli->out);
		(void)fputc(i + 1 < output->column_count ? '\t' : '\n', output->cli->out);
	}
}

void output_row(void *context, const json_t *row)
{
	struct output *output = context;

	switch (output->cli->format) {
	case CLI_TABLE:
		table_row(output, row);
		break;
	case CLI_TSV:
		tsv_row(output, row);
		break;
	case CLI_JSON:
		(void)fputs(output->rows ? ",\n" : "[", output->cli->out);
		(void)json_dumpf(row, output->cli->out, JSON_COMPACT);
		break;
	}
	output->rows++;
}

void output_end(struct output *output, const char *empty)
{
	if (output->cli->format == CLI_JSON)
		(void)fputs(output->rows ? "]\n" : "[]\n", output->cli->out);
	if (output->cli->format != CLI_TABLE)
		return;
	table_flush(output);
	if (output->rows == 0 && empty)
		(void)fprintf(output->cli->out, "%s\n", empty);
}

void output_array(struct cli *cli, const struct column *columns, size_t count,
		  const json_t *array)
{
	AUTO(output_free) struct output *output = output_new(cli, columns, count);
	const json_t *row;
	size_t i;

	if (!output)
		abort(); /* as above */
	json_array_foreach(array, i, row) output_row(output, row);
	output_end(output, NULL);
}
