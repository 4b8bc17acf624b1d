/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/tally - how often something is there, counted by several processes in one memory.
 *
 * Each writer has a part of the memory, in which it alone writes; the sum over all parts is the count. So a writer that
 * dies leaves nothing half done in the others' parts, and the one that comes in its place clears what it had counted.
 * What is counted is known by the hash of its name alone, 64 bits of a keyed one.
 * In postern: the sessions of each client, counted by the gates.
 */
#ifndef BASE_TALLY_H
#define BASE_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

#define TALLY_BUCKET_SLOTS 8u	  /* a cache line */
#define TALLY_COUNT_MAX	   65535u /* a count stays there */

struct tally {
	uint64_t *slots;  /* in memory; NULL: nothing is counted, and all counts are 0 */
	uint32_t writers; /* parts */
	uint32_t own;	  /* < writers */
	uint32_t buckets; /* of each part, > 0 */
	uint8_t key[SIPHASH_KEY_BYTES];
};

/* Bytes for so many different names in each part. */
size_t tally_size(uint32_t writers, uint32_t names);

/* Make zeroed memory of that size, from mmap(), an empty tally: draws the key. Needs getrandom(2). */
void tally_init(void *memory);

/**
 * tally_join - begin to count.
 * @memory: that tally_init() has made one; stays the caller's
 * @size_bytes: of it
 * @writers, @own: as at tally_size(), and which part is ours: it is cleared
 *
 * Return: 0; -EINVAL, the memory is too small.
 */
int tally_join(struct tally *tally, void *memory, size_t size_bytes, uint32_t writers,
	       uint32_t own);

/* The number of a name. */
uint64_t tally_hash(const struct tally *tally, const void *name, size_t len);

/* One more, one less, of ours. Where there is no room left in its bucket one is not counted. */
void tally_add(struct tally *tally, uint64_t hash);
void tally_remove(struct tally *tally, uint64_t hash);

/* How many there are, of all writers together. */
uint32_t tally_count(const struct tally *tally, uint64_t hash);

#endif
