/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/unit/proc/test_snapshot - what is laid out is found again, and nothing else is believed.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "proc/snapshot.h"

#define SEALS (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

static struct prefix_builder *builder_of(const char *const *texts, size_t count)
{
	struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row first, second;

	assert_non_null(builder);
	for (size_t i = 0; i < count; i++) {
		struct prefix_row row = {.value = (uint16_t)(i + 1)};

		assert_int_equal(prefix_parse(texts[i], &row.prefix), 0);
		assert_int_equal(prefix_builder_add(builder, &row), 0);
	}
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	return builder;
}

/* Two policies, the second without an entry. */
static int make(int *out_fd)
{
	static const char *const texts[] = {"192.0.2.0/24", "2001:db8::/32", "192.0.2.7"};
	struct prefix_builder *builders[] = {builder_of(texts, 3), builder_of(NULL, 0)};
	static struct protected_set set;
	static struct conf conf;
	const struct text_row domain = {.key = "example.org", .key_len = 11, .line = 3};
	const struct text_row route = {
		.key = "a@b", .key_len = 3, .value = "c@d", .value_len = 3};
	struct snapshot_parts parts = {&conf, &set, builders, NULL, NULL};
	AUTO(text_builder_free) struct text_builder *domains = text_builder_new();
	AUTO(text_builder_free) struct text_builder *routes = text_builder_new();
	struct prefix prefix;
	int err;

	assert_int_equal(text_builder_add(domains, &domain, NULL), 0);
	assert_int_equal(text_builder_add(routes, &route, NULL), 0);
	parts.domains = domains;
	parts.routes = routes;
	conf_init(&conf);
	conf.policy_count = 2;
	conf.generation = 42;
	memset(&set, 0, sizeof(set));
	assert_int_equal(prefix_parse("198.51.100.2", &prefix), 0);
	assert_int_equal(protected_add(&set, &prefix, "backend"), 0);
	err = snapshot_make(&parts, out_fd);
	prefix_builder_free(&builders[0]);
	prefix_builder_free(&builders[1]);
	return err;
}

static void everything_is_found_again(void **state)
{
	AUTO(close_fd) int fd = -1;
	struct snapshot snapshot = {0};
	struct text_row text;
	struct prefix_row row;
	struct addr addr;

	(void)state;
	assert_int_equal(make(&fd), 0);
	assert_int_equal(snapshot_open(fd, &snapshot), 0);
	close_fd(&fd);
	assert_int_equal(snapshot.conf->generation, 42);
	assert_int_equal(snapshot.conf->policy_count, 2);
	assert_int_equal(snapshot.protected_set->count, 1);
	assert_string_equal(snapshot.protected_set->items[0].why, "backend");
	assert_int_equal(addr_parse("192.0.2.7", &addr), 0);
	assert_true(prefix_table_find(snapshot.tables[0], &addr, &row));
	assert_int_equal(row.value, 3);
	assert_false(prefix_table_find(snapshot.tables[1], &addr, &row));
	assert_int_equal(prefix_table_count(snapshot.tables[1]), 0);
	assert_null(snapshot.tables[2]);
	assert_int_equal(text_table_count(snapshot.domains), 1);
	assert_true(text_table_find(snapshot.domains, "example.org", 11, &text));
	assert_int_equal(text.line, 3);
	assert_true(text_table_find(snapshot.routes, "a@b", 3, &text));
	assert_memory_equal(text.value, "c@d", 3);
	snapshot_close(&snapshot);
	assert_null(snapshot.conf);
}

static void nobody_can_change_it(void **state)
{
	AUTO(close_fd) int fd = -1;
	struct stat st;

	(void)state;
	assert_int_equal(make(&fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_ptr_equal(
		mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_GET_SEALS) & SEALS, SEALS);
}

/* A copy of a good one with some bytes changed. */
static int copy_with(size_t offset, uint64_t value, size_t cut, int seals)
{
	AUTO(close_fd) int good = -1;
	AUTO(free_mem) char *bytes = NULL;
	struct stat st;
	int fd = memfd_create("copy", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(make(&good), 0);
	assert_int_equal(fstat(good, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_non_null(bytes);
	assert_int_equal(pread(good, bytes, (size_t)st.st_size, 0), st.st_size);
	if (offset != SIZE_MAX)
		memcpy(bytes + offset, &value, sizeof(value));
	assert_int_equal(pwrite(fd, bytes, (size_t)st.st_size - cut, 0),
			 st.st_size - (ssize_t)cut);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void what_is_no_snapshot_is_refused(void **state)
{
	static const struct {
		const char *why;
		size_t offset;
		uint64_t value;
		size_t cut;
		int seals;
		int want;
	} rows[] = {
		{"a true copy", SIZE_MAX, 0, 0, SEALS, 0},
		{"not sealed against shrinking", SIZE_MAX, 0, 0, SEALS & ~F_SEAL_SHRINK,
		 -EPROTO},
		{"not sealed against writing", SIZE_MAX, 0, 0, SEALS & ~F_SEAL_WRITE,
		 -EPROTO},
		{"another magic", 0, 1, 0, SEALS, -EPROTO},
		{"another size", 8, 4096, 0, SEALS, -EPROTO},
		{"a byte short", SIZE_MAX, 0, 1, SEALS, -EPROTO},
		{"conf past the end", 16, UINT64_MAX - 63, 0, SEALS, -EPROTO},
		{"conf in the head", 16, 0, 0, SEALS, -EPROTO},
		{"a part not aligned", 24, 1025, 0, SEALS, -EPROTO},
		{"a table past the end", 32, UINT64_C(1) << 40, 0, SEALS, -EPROTO},
		{"a size that wraps", 32 + 8 * CONF_POLICIES_MAX, UINT64_MAX, 0, SEALS,
		 -EPROTO},
		{"domains in the head", 32 + 16 * CONF_POLICIES_MAX, 64, 0, SEALS,
		 -EPROTO},
		{"routes that are no table", 48 + 16 * CONF_POLICIES_MAX, 4096, 0, SEALS,
		 -EPROTO},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		AUTO(close_fd)
		int fd = copy_with(rows[i].offset, rows[i].value, rows[i].cut,
				   rows[i].seals);
		struct snapshot snapshot = {.size_bytes = 7};

		if (snapshot_open(fd, &snapshot) != rows[i].want)
			fail_msg("%s", rows[i].why);
		if (rows[i].want)
			assert_int_equal(snapshot.size_bytes,
					 7); /* untouched on failure */
		else
			snapshot_close(&snapshot);
	}
}

static void an_empty_file_is_refused(void **state)
{
	AUTO(close_fd) int fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct snapshot snapshot;

	(void)state;
	assert_int_equal(fcntl(fd, F_ADD_SEALS, SEALS), 0);
	assert_int_equal(snapshot_open(fd, &snapshot), -EPROTO);
	assert_int_equal(snapshot_open(-1, &snapshot), -EBADF);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_found_again),
		cmocka_unit_test(nobody_can_change_it),
		cmocka_unit_test(what_is_no_snapshot_is_refused),
		cmocka_unit_test(an_empty_file_is_refused),
	};

	return cmocka_run_group_tests_name("proc/snapshot", tests, NULL, NULL);
}
