/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/text_table.h"

#define MANY 100000u /* as many domains as a provider hosts */

static struct text_row row_of(const char *key, const char *value, uint32_t line)
{
	return (struct text_row){
		.key = key,
		.key_len = strlen(key),
		.value = value,
		.value_len = strlen(value),
		.origin = 3,
		.line = line,
	};
}

static int add(struct text_builder *builder, const char *key, const char *value,
	       uint32_t line)
{
	const struct text_row row = row_of(key, value, line);

	return text_builder_add(builder, &row, NULL);
}

static bool row_is(const struct text_row *row, const char *key, const char *value)
{
	return row->key_len == strlen(key) && memcmp(row->key, key, row->key_len) == 0 &&
	       row->value_len == strlen(value) &&
	       (!row->value_len || memcmp(row->value, value, row->value_len) == 0);
}

/* A block of exactly the size that was announced, so that ASan sees a step beyond it. */
static const struct text_table *finish(const struct text_builder *builder,
				       void **out_memory)
{
	const size_t size = text_table_size(builder);
	void *memory = test_malloc(size);
	const struct text_table *table = text_table_write(builder, memory);

	assert_int_equal(size % 8, 0);
	assert_ptr_equal(text_table_attach(memory, size), table);
	*out_memory = memory;
	return table;
}

static void what_was_added_is_found_with_its_place(void **state)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_table *table;
	struct text_row row;
	void *memory;

	(void)state;
	assert_int_equal(add(builder, "a@b.example", "c@d.example", 7), 0);
	assert_int_equal(add(builder, "b.example", "", 8), 0);
	assert_int_equal(add(builder, "", "of nothing", 9), 0);
	table = finish(builder, &memory);
	assert_int_equal(text_table_count(table), 3);
	assert_true(text_table_find(table, "a@b.example", 11, &row));
	assert_true(row_is(&row, "a@b.example", "c@d.example"));
	assert_int_equal(row.line, 7);
	assert_int_equal(row.origin, 3);
	assert_true(text_table_find(table, "b.example", 9, &row));
	assert_true(row_is(&row, "b.example", ""));
	assert_null(row.value);
	assert_true(text_table_find(table, "", 0, &row));
	assert_true(row_is(&row, "", "of nothing"));
	text_table_row(table, 1, &row);
	assert_true(row_is(&row, "b.example", ""));
	test_free(memory);
}

static void neighbours_of_a_key_are_not_found(void **state)
{
	static const char *const others[] = {"b.exampl", "b.examplee", "B.example",
					     "b.example\0", "c.example"};
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_table *table;
	struct text_row row = {.line = 77};
	void *memory;

	(void)state;
	assert_int_equal(add(builder, "b.example", "x", 1), 0);
	table = finish(builder, &memory);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		const size_t len = i == 3 ? 10 : strlen(others[i]);

		assert_false(text_table_find(table, others[i], len, &row));
		assert_false(text_builder_find(builder, others[i], len, &row));
	}
	assert_int_equal(row.line, 77);
	test_free(memory);
}

static void the_same_key_twice_tells_the_first_and_changes_nothing(void **state)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_row again = row_of("k", "second", 2);
	struct text_row first, row;

	(void)state;
	assert_int_equal(add(builder, "k", "first", 1), 0);
	assert_int_equal(text_builder_add(builder, &again, &first), -EEXIST);
	assert_true(row_is(&first, "k", "first"));
	assert_int_equal(first.line, 1);
	assert_int_equal(text_builder_count(builder), 1);
	assert_true(text_builder_find(builder, "k", 1, &row));
	assert_true(row_is(&row, "k", "first"));
}

static void an_empty_table_is_one(void **state)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_table *table;
	struct text_row row;
	void *memory;

	(void)state;
	assert_false(text_builder_find(builder, "x", 1, &row));
	table = finish(builder, &memory);
	assert_int_equal(text_table_count(table), 0);
	assert_false(text_table_find(table, "x", 1, &row));
	test_free(memory);
	assert_int_equal(text_table_size(NULL), text_table_size(builder));
	table = finish(NULL, &memory);
	assert_int_equal(text_table_count(table), 0);
	test_free(memory);
}

static void many_are_all_found_and_as_many_others_are_not(void **state)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	const struct text_table *table;
	struct text_row row;
	char key[64];
	void *memory;

	(void)state;
	for (unsigned int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "domain-%u.example", i);
		assert_int_equal(add(builder, key, i % 3 ? key : "", i + 1), 0);
	}
	table = finish(builder, &memory);
	assert_int_equal(text_table_count(table), MANY);
	for (unsigned int i = 0; i < MANY; i++) {
		(void)snprintf(key, sizeof(key), "domain-%u.example", i);
		assert_true(text_table_find(table, key, strlen(key), &row));
		assert_true(row_is(&row, key, i % 3 ? key : ""));
		assert_int_equal(row.line, i + 1);
		(void)snprintf(key, sizeof(key), "domain-%u.example", i + MANY);
		assert_false(text_table_find(table, key, strlen(key), &row));
	}
	test_free(memory);
}

static void other_memory_is_no_table(void **state)
{
	AUTO(text_builder_free) struct text_builder *builder = text_builder_new();
	uint32_t *words;
	void *memory;
	size_t size;

	(void)state;
	assert_int_equal(add(builder, "k", "v", 1), 0);
	(void)finish(builder, &memory);
	size = text_table_size(builder);
	words = memory;
	assert_non_null(text_table_attach(memory, size));
	assert_null(text_table_attach(memory, size - 1));
	assert_null(text_table_attach(memory, 8));
	for (size_t i = 0; i < 6; i++) { /* magic, version, size, rows, slots */
		words[i] ^= 2;
		assert_null(text_table_attach(memory, size));
		words[i] ^= 2;
	}
	assert_non_null(text_table_attach(memory, size));
	test_free(memory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found_with_its_place),
		cmocka_unit_test(neighbours_of_a_key_are_not_found),
		cmocka_unit_test(the_same_key_twice_tells_the_first_and_changes_nothing),
		cmocka_unit_test(an_empty_table_is_one),
		cmocka_unit_test(many_are_all_found_and_as_many_others_are_not),
		cmocka_unit_test(other_memory_is_no_table),
	};

	return cmocka_run_group_tests_name("base/text_table", tests, NULL, NULL);
}
