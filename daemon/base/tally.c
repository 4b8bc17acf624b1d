/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/tally - see tally.h.
 *
 * A bucket is a cache line of words, each the upper 48 bits of a hash and a count of 16 bits: a word changes at
 * once, so that readers need no lock. Buckets are four times as many as names would fill. Ahead of them stands
 * the key of the hash.
 */
#include "base/tally.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "base/clock.h"

#define COUNT_BITS  16u
#define SPARE	    4u /* slots for each name */
#define BUCKET_SIZE (TALLY_BUCKET_SLOTS * sizeof(uint64_t))

static_assert(TALLY_COUNT_MAX == (1u << COUNT_BITS) - 1, "a count fits its bits");
static_assert(BUCKET_SIZE == 64, "a cache line");

size_t tally_size(uint32_t writers, uint32_t names)
{
	const size_t buckets = (size_t)names * SPARE / TALLY_BUCKET_SLOTS + 1;

	assert(writers > 0);
	return (1 + writers * buckets) * BUCKET_SIZE;
}

void tally_init(void *memory)
{
	uint64_t fallback[2];

	if (getrandom(memory, SIPHASH_KEY_BYTES, GRND_NONBLOCK) == SIPHASH_KEY_BYTES)
		return;
	/* Early in a boot. Still, no stranger knows it to the nanosecond. */
	fallback[0] = clock_boot_ns();
	fallback[1] = clock_mono_ns() ^ (uintptr_t)memory;
	memcpy(memory, fallback, SIPHASH_KEY_BYTES);
}

static uint64_t *part_of(const struct tally *tally, uint32_t writer)
{
	return tally->slots + (size_t)writer * tally->buckets * TALLY_BUCKET_SLOTS;
}

int tally_join(struct tally *tally, void *memory, size_t size_bytes, uint32_t writers,
	       uint32_t own)
{
	size_t buckets;

	assert(writers > 0 && own < writers);
	if (size_bytes < BUCKET_SIZE)
		return -EINVAL;
	buckets = (size_bytes / BUCKET_SIZE - 1) / writers;
	if (buckets == 0 || buckets > UINT32_MAX)
		return -EINVAL;
	memcpy(tally->key, memory, sizeof(tally->key));
	tally->slots = (uint64_t *)memory + TALLY_BUCKET_SLOTS;
	tally->writers = writers;
	tally->own = own;
	tally->buckets = (uint32_t)buckets;
	memset(part_of(tally, own), 0, buckets * BUCKET_SIZE);
	return 0;
}

uint64_t tally_hash(const struct tally *tally, const void *name, size_t len)
{
	return siphash24(tally->key, name, len);
}

/* The upper bits of a word; never 0, which is a free slot. */
static uint64_t tag_of(uint64_t hash)
{
	return (hash >> COUNT_BITS | 1) << COUNT_BITS;
}

static bool has_tag(uint64_t word, uint64_t tag)
{
	return (word & ~(uint64_t)TALLY_COUNT_MAX) == tag;
}

static uint64_t *bucket_of(const struct tally *tally, uint32_t writer, uint64_t hash)
{
	const uint64_t bucket = (hash & UINT32_MAX) * tally->buckets >> 32;

	return part_of(tally, writer) + bucket * TALLY_BUCKET_SLOTS;
}

/* The slot of a hash, or NULL. */
static uint64_t *slot_find(const struct tally *tally, uint32_t writer, uint64_t hash)
{
	uint64_t *bucket = bucket_of(tally, writer, hash);

	for (size_t i = 0; i < TALLY_BUCKET_SLOTS; i++)
		if (has_tag(__atomic_load_n(&bucket[i], __ATOMIC_RELAXED), tag_of(hash)))
			return &bucket[i];
	return NULL;
}

static uint64_t *slot_free(const struct tally *tally, uint64_t hash)
{
	uint64_t *bucket = bucket_of(tally, tally->own, hash);

	for (size_t i = 0; i < TALLY_BUCKET_SLOTS; i++)
		if (bucket[i] == 0)
			return &bucket[i];
	return NULL;
}

void tally_add(struct tally *tally, uint64_t hash)
{
	uint64_t *slot;
	uint64_t word;

	if (!tally->slots)
		return;
	slot = slot_find(tally, tally->own, hash);
	if (!slot)
		slot = slot_free(tally, hash);
	if (!slot)
		return;
	word = *slot ? *slot : tag_of(hash);
	if ((word & TALLY_COUNT_MAX) < TALLY_COUNT_MAX)
		__atomic_store_n(slot, word + 1, __ATOMIC_RELAXED);
}

void tally_remove(struct tally *tally, uint64_t hash)
{
	uint64_t *slot = tally->slots ? slot_find(tally, tally->own, hash) : NULL;

	if (!slot)
		return;
	__atomic_store_n(slot, (*slot & TALLY_COUNT_MAX) > 1 ? *slot - 1 : 0,
			 __ATOMIC_RELAXED);
}

uint32_t tally_count(const struct tally *tally, uint64_t hash)
{
	uint32_t count = 0;

	for (uint32_t i = 0; tally->slots && i < tally->writers; i++) {
		const uint64_t *slot = slot_find(tally, i, hash);

		if (slot)
			count += (uint32_t)(__atomic_load_n(slot, __ATOMIC_RELAXED) &
					    TALLY_COUNT_MAX);
	}
	return count;
}
