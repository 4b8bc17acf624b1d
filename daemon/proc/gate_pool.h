/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_pool - blocks of one size, reserved at start, paid for when first used.
 *
 * A gate takes all address space it can ever need once; the kernel gives memory page by page as
 * blocks are touched, and gets most of it back when a burst is over. So an idle session
 * costs no block, and the worst case is a number that is known, and logged, at start.
 */
#ifndef PROC_GATE_POOL_H
#define PROC_GATE_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define POOL_WARM_BLOCKS 64u /* free blocks that keep their pages */

struct pool {
	char *memory;	    /* count * block_bytes; owned */
	uint32_t *free;	    /* stack of the numbers of free blocks; owned */
	size_t block_bytes; /* a multiple of the page size */
	uint32_t count;
	uint32_t free_count;
};

/**
 * pool_init - reserve memory for count blocks.
 * @block_bytes: a multiple of the page size
 *
 * Return: 0; -ENOMEM, pool untouched.
 */
int pool_init(struct pool *pool, uint32_t count, size_t block_bytes) MUST_CHECK;
void pool_done(struct pool *pool);

/* A block with any content, or NULL if all are taken. */
void *pool_take(struct pool *pool);

/* Give *block back; leaves NULL behind. NULL is let through. */
void pool_give(struct pool *pool, void *block);

size_t pool_bytes(const struct pool *pool);

#endif
