/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Blocks of a gate: as many as were promised and no more, none twice, and cold ones cost nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "proc/gate_pool.h"

#define BLOCK_BYTES 16384u
#define BLOCKS	    200u

static void a_pool_gives_what_it_promised_and_no_more(void **state)
{
	struct pool pool = {0};
	char *blocks[BLOCKS];

	(void)state;
	assert_int_equal(pool_init(&pool, BLOCKS, BLOCK_BYTES), 0);
	assert_int_equal(pool_bytes(&pool), (size_t)BLOCKS * BLOCK_BYTES);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i] = pool_take(&pool);
		assert_non_null(blocks[i]);
		memset(blocks[i], (int)i, BLOCK_BYTES);
	}
	assert_null(pool_take(&pool));
	/* If two were one, the later would have written over the earlier. */
	for (unsigned int i = 0; i < BLOCKS; i++) {
		assert_int_equal((unsigned char)blocks[i][0], i);
		assert_int_equal((unsigned char)blocks[i][BLOCK_BYTES - 1], i);
		pool_give(&pool, &blocks[i]);
		assert_null(blocks[i]);
	}
	assert_int_equal(pool.free_count, BLOCKS);
	pool_done(&pool);
	assert_null(pool_take(&pool));
}

static void giving_nothing_is_allowed(void **state)
{
	struct pool pool = {0};
	void *nothing = NULL;

	(void)state;
	assert_int_equal(pool_init(&pool, 1, BLOCK_BYTES), 0);
	pool_give(&pool, &nothing);
	assert_int_equal(pool.free_count, 1);
	pool_done(&pool);
}

/* Pages of the pool that are in memory. */
static size_t pages_resident(const struct pool *pool)
{
	static unsigned char map[BLOCKS * BLOCK_BYTES / 4096];
	const size_t pages = pool_bytes(pool) / 4096;
	size_t count = 0;

	assert_int_equal(mincore(pool->memory, pool_bytes(pool), map), 0);
	for (size_t i = 0; i < pages; i++)
		count += map[i] & 1;
	return count;
}

static void a_burst_gives_its_memory_back(void **state)
{
	struct pool pool = {0};
	char *blocks[BLOCKS];

	(void)state;
	assert_int_equal(pool_init(&pool, BLOCKS, BLOCK_BYTES), 0);
	assert_int_equal(pages_resident(&pool), 0);
	for (unsigned int i = 0; i < BLOCKS; i++) {
		blocks[i] = pool_take(&pool);
		memset(blocks[i], 1, BLOCK_BYTES);
	}
	assert_int_equal(pages_resident(&pool), BLOCKS * BLOCK_BYTES / 4096);
	for (unsigned int i = 0; i < BLOCKS; i++)
		pool_give(&pool, &blocks[i]);
	assert_in_range(pages_resident(&pool), 1, POOL_WARM_BLOCKS * BLOCK_BYTES / 4096);
	pool_done(&pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_gives_what_it_promised_and_no_more),
		cmocka_unit_test(giving_nothing_is_allowed),
		cmocka_unit_test(a_burst_gives_its_memory_back),
	};

	return cmocka_run_group_tests_name("proc/gate_pool", tests, NULL, NULL);
}
