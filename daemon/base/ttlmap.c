/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/ttlmap.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/siphash.h"

#define NO_ENTRY UINT32_MAX
#define EVICT_SAMPLE \
	16u /* entries that compete to make room; a full scan would stall a loop */

struct ttl_entry {
	uint64_t expires_ns;
	uint32_t next; /* in its bucket's chain, or in the list of free ones */
	uint32_t used;
	uint8_t bytes[]; /* key, then value; each rounded up to 8 */
};

struct ttlmap {
	uint8_t seed[SIPHASH_KEY_BYTES];
	size_t key_bytes, value_bytes;
	size_t value_offset; /* from the start of an entry */
	size_t stride;	     /* from one entry to the next */
	uint32_t capacity;
	uint32_t count;
	uint32_t free_first; /* entries that were given back */
	uint32_t fresh;	     /* from here on never used: their pages cost nothing yet */
	uint32_t evict_at;   /* next entry to be in the sample */
	uint32_t expire_at;  /* next entry to be looked at by ttlmap_expire() */
	uint32_t bucket_mask;
	uint32_t *buckets; /* first entry of each chain */
	uint8_t *entries;
};

static struct ttl_entry *ttl_entry(const struct ttlmap *map, uint32_t number)
{
	return (struct ttl_entry *)(void *)(map->entries + number * map->stride);
}

static void *ttl_value(const struct ttlmap *map, struct ttl_entry *entry)
{
	return (uint8_t *)entry + map->value_offset;
}

static size_t round_up8(size_t bytes)
{
	return (bytes + 7) & ~(size_t)7;
}

static uint32_t buckets_for(uint32_t capacity)
{
	uint32_t buckets = 1;

	while (buckets < capacity && buckets < UINT32_C(1) << 31)
		buckets *= 2;
	return buckets;
}

struct ttlmap *ttlmap_new(size_t capacity, size_t key_bytes, size_t value_bytes,
			  const uint8_t seed[16])
{
	AUTO(ttlmap_free) struct ttlmap *map = NULL;

	assert(capacity > 0 && capacity < NO_ENTRY);
	assert(key_bytes > 0 && key_bytes <= UINT16_MAX);
	assert(value_bytes > 0 && value_bytes <= UINT32_MAX);

	map = calloc(1, sizeof(*map));
	if (!map)
		return NULL;
	memcpy(map->seed, seed, sizeof(map->seed));
	map->key_bytes = key_bytes;
	map->value_bytes = value_bytes;
	map->value_offset = sizeof(struct ttl_entry) + round_up8(key_bytes);
	map->stride = map->value_offset + round_up8(value_bytes);
	map->capacity = (uint32_t)capacity;
	map->bucket_mask = buckets_for(map->capacity) - 1;
	map->buckets = calloc((size_t)map->bucket_mask + 1, sizeof(*map->buckets));
	map->entries = calloc(capacity, map->stride);
	if (!map->buckets || !map->entries)
		return NULL;
	memset(map->buckets, 0xff,
	       ((size_t)map->bucket_mask + 1) * sizeof(*map->buckets));
	map->free_first = NO_ENTRY;
	return TAKE_PTR(map);
}

void ttlmap_free(struct ttlmap **map)
{
	if (!*map)
		return;
	free((*map)->buckets);
	free((*map)->entries);
	free(*map);
	*map = NULL;
}

static uint32_t *ttl_bucket(const struct ttlmap *map, const void *key)
{
	return &map->buckets[siphash24(map->seed, key, map->key_bytes) &
			     map->bucket_mask];
}

/* The link that leads to a key's entry, or the NO_ENTRY at the end of its chain. */
static uint32_t *ttl_link(const struct ttlmap *map, const void *key)
{
	uint32_t *link = ttl_bucket(map, key);

	while (*link != NO_ENTRY &&
	       memcmp(ttl_entry(map, *link)->bytes, key, map->key_bytes) != 0)
		link = &ttl_entry(map, *link)->next;
	return link;
}

static void ttl_drop(struct ttlmap *map, uint32_t *link)
{
	const uint32_t number = *link;
	struct ttl_entry *entry = ttl_entry(map, number);

	*link = entry->next;
	entry->used = 0;
	entry->next = map->free_first;
	map->free_first = number;
	map->count--;
}

void *ttlmap_get(struct ttlmap *map, const void *key, uint64_t now_ns)
{
	const uint32_t *link = ttl_link(map, key);
	struct ttl_entry *entry;

	if (*link == NO_ENTRY)
		return NULL;
	entry = ttl_entry(map, *link);
	return entry->expires_ns > now_ns ? ttl_value(map, entry) : NULL;
}

/* Full: of the next few entries the one that ends soonest goes. true if it was live. */
static bool ttl_evict(struct ttlmap *map, uint64_t now_ns)
{
	const uint32_t sample =
		map->capacity < EVICT_SAMPLE ? map->capacity : EVICT_SAMPLE;
	struct ttl_entry *soonest = ttl_entry(map, map->evict_at);
	bool live;

	for (uint32_t i = 0; i < sample; i++) {
		struct ttl_entry *entry = ttl_entry(map, map->evict_at);

		map->evict_at = map->evict_at + 1 < map->capacity ? map->evict_at + 1 : 0;
		if (entry->expires_ns < soonest->expires_ns)
			soonest = entry;
	}
	live = soonest->expires_ns > now_ns;
	ttl_drop(map, ttl_link(map, soonest->bytes));
	return live;
}

/* The number of an entry that is not in use; NO_ENTRY: full. */
static uint32_t ttl_take_free(struct ttlmap *map)
{
	const uint32_t number = map->free_first;

	if (number != NO_ENTRY) {
		map->free_first = ttl_entry(map, number)->next;
		return number;
	}
	return map->fresh < map->capacity ? map->fresh++ : NO_ENTRY;
}

void *ttlmap_put(struct ttlmap *map, const void *key, uint64_t now_ns,
		 uint64_t expires_ns, bool *out_evicted)
{
	uint32_t *link = ttl_link(map, key);
	struct ttl_entry *entry;
	bool evicted = false;

	if (*link == NO_ENTRY) {
		uint32_t number = ttl_take_free(map);

		if (number == NO_ENTRY) {
			evicted = ttl_evict(map, now_ns);
			number = ttl_take_free(map);
		}
		link = ttl_bucket(map, key); /* the eviction may have changed the chain */
		entry = ttl_entry(map, number);
		entry->next = *link;
		*link = number;
		memcpy(entry->bytes, key, map->key_bytes);
		entry->used = 1;
		entry->expires_ns =
			0; /* as one that has ended: its value is to be cleared */
		map->count++;
	} else {
		entry = ttl_entry(map, *link);
	}

	if (entry->expires_ns <= now_ns)
		memset(ttl_value(map, entry), 0, map->value_bytes);
	entry->expires_ns = expires_ns;
	if (out_evicted)
		*out_evicted = evicted;
	return ttl_value(map, entry);
}

bool ttlmap_remove(struct ttlmap *map, const void *key)
{
	uint32_t *link = ttl_link(map, key);

	if (*link == NO_ENTRY)
		return false;
	ttl_drop(map, link);
	return true;
}

size_t ttlmap_expire(struct ttlmap *map, uint64_t now_ns, size_t max_steps)
{
	const size_t steps = max_steps < map->fresh ? max_steps : map->fresh;
	size_t dropped = 0;

	for (size_t i = 0; i < steps; i++) {
		struct ttl_entry *entry = ttl_entry(map, map->expire_at);

		map->expire_at = map->expire_at + 1 < map->fresh ? map->expire_at + 1 : 0;
		if (!entry->used || entry->expires_ns > now_ns)
			continue;
		ttl_drop(map, ttl_link(map, entry->bytes));
		dropped++;
	}
	return dropped;
}

size_t ttlmap_count(const struct ttlmap *map)
{
	return map->count;
}
