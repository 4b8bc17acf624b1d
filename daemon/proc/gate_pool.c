/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pool - see gate_pool.h.
 */
#include "proc/gate_pool.h"

#include <assert.h>
#include <errno.h>
#include <sys/mman.h>

int pool_init(struct pool *pool, uint32_t count, size_t block_bytes)
{
	AUTO(free_mem) uint32_t *numbers = calloc(count, sizeof(*numbers));
	void *memory;

	if (!numbers)
		return -ENOMEM;
	memory = mmap(NULL, count * block_bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	/* Huge pages would make every block cost two megabytes. */
	(void)madvise(memory, count * block_bytes, MADV_NOHUGEPAGE);

	for (uint32_t i = 0; i < count; i++)
		numbers[i] = count - 1 - i;
	*pool = (struct pool){
		.memory = memory,
		.free = TAKE_PTR(numbers),
		.block_bytes = block_bytes,
		.count = count,
		.free_count = count,
	};
	return 0;
}

void pool_done(struct pool *pool)
{
	if (pool->memory)
		(void)munmap(pool->memory, pool_bytes(pool));
	pool->memory = NULL;
	free_mem(&pool->free);
	pool->count = 0;
	pool->free_count = 0;
}

void *pool_take(struct pool *pool)
{
	if (pool->free_count == 0)
		return NULL;
	return pool->memory + pool->free[--pool->free_count] * pool->block_bytes;
}

void pool_give(struct pool *pool, void *block)
{
	void **b = block;
	uint32_t number;

	if (!*b)
		return;
	number = (uint32_t)((size_t)((char *)*b - pool->memory) / pool->block_bytes);
	assert(number < pool->count && pool->free_count < pool->count);

	/* The stack hands out the warmest block first; what is below the warm ones goes cold. */
	if (pool->count - pool->free_count > POOL_WARM_BLOCKS)
		(void)madvise(*b, pool->block_bytes, MADV_DONTNEED);
	pool->free[pool->free_count++] = number;
	*b = NULL;
}

size_t pool_bytes(const struct pool *pool)
{
	return (size_t)pool->count * pool->block_bytes;
}
