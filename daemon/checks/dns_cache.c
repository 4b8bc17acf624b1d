/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/dns_cache - see the header.
 *
 * A hash of chains, and one list in the order of use. An entry and its name and message are one piece of memory.
 */
#include "checks/dns_cache.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define BUCKETS 65536u /* chains stay short up to some million entries */

struct cache_entry {
	struct dns_kept kept; /* first: what get() hands out */
	TAILQ_ENTRY(cache_entry) used;
	struct cache_entry *next; /* in its chain */
	uint32_t bucket;
	uint32_t holds; /* handed out and not released */
	bool is_gone;	/* no longer in the cache; freed by the last release */
	size_t size;
	char name[]; /* with its NUL; the message behind it */
};

TAILQ_HEAD(cache_list, cache_entry);

struct dns_cache {
	uint8_t seed[SIPHASH_KEY_BYTES];
	uint32_t entries_max;
	uint32_t count;
	size_t bytes;
	struct cache_list used; /* the latest first */
	struct cache_entry *buckets[BUCKETS];
};

struct dns_cache *dns_cache_new(uint32_t entries_max,
				const uint8_t seed[SIPHASH_KEY_BYTES])
{
	struct dns_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return NULL;
	memcpy(cache->seed, seed, sizeof(cache->seed));
	cache->entries_max = entries_max;
	TAILQ_INIT(&cache->used);
	return cache;
}

static uint32_t cache_bucket(const struct dns_cache *cache, const char *name)
{
	return (uint32_t)siphash24(cache->seed, name, strlen(name)) & (BUCKETS - 1);
}

static void cache_drop(struct dns_cache *cache, struct cache_entry *entry)
{
	struct cache_entry **link = &cache->buckets[entry->bucket];

	while (*link != entry)
		link = &(*link)->next;
	*link = entry->next;
	TAILQ_REMOVE(&cache->used, entry, used);
	cache->count--;
	cache->bytes -= entry->size;
	entry->is_gone = true;
	if (entry->holds == 0)
		free(entry);
}

static void cache_trim(struct dns_cache *cache)
{
	const size_t bytes_max = (size_t)cache->entries_max * DNS_CACHE_ENTRY_BYTES;

	while (cache->count > cache->entries_max ||
	       (cache->bytes > bytes_max && cache->count > 1))
		cache_drop(cache, TAILQ_LAST(&cache->used, cache_list));
}

void dns_cache_free(struct dns_cache **cache)
{
	if (!*cache)
		return;
	while (!TAILQ_EMPTY(&(*cache)->used))
		cache_drop(*cache, TAILQ_FIRST(&(*cache)->used));
	free_mem(cache);
}

void dns_cache_resize(struct dns_cache *cache, uint32_t entries_max)
{
	cache->entries_max = entries_max;
	cache_trim(cache);
}

static struct cache_entry *cache_find(const struct dns_cache *cache, const char *name,
				      uint16_t type)
{
	struct cache_entry *entry = cache->buckets[cache_bucket(cache, name)];

	while (entry && (entry->kept.type != type || strcmp(entry->name, name) != 0))
		entry = entry->next;
	return entry;
}

const struct dns_kept *dns_cache_get(struct dns_cache *cache, const char *name,
				     uint16_t type, uint64_t now_ns)
{
	struct cache_entry *entry = cache_find(cache, name, type);

	if (!entry)
		return NULL;
	if (entry->kept.expires_ns <= now_ns) {
		cache_drop(cache, entry);
		return NULL;
	}
	TAILQ_REMOVE(&cache->used, entry, used);
	TAILQ_INSERT_HEAD(&cache->used, entry, used);
	entry->holds++;
	return &entry->kept;
}

void dns_cache_release(struct dns_cache *cache, const struct dns_kept *kept)
{
	struct cache_entry *entry = (struct cache_entry *)kept;

	(void)cache;
	if (--entry->holds == 0 && entry->is_gone)
		free(entry);
}

void dns_cache_put(struct dns_cache *cache, const char *name,
		   const struct dns_kept *answer)
{
	struct cache_entry *entry = cache_find(cache, name, answer->type);
	const size_t name_size = strlen(name) + 1;
	const size_t size = sizeof(*entry) + name_size + answer->len;

	if (entry)
		cache_drop(cache, entry);
	entry = answer->len <= DNS_CACHE_ANSWER_MAX ? malloc(size) : NULL;
	if (!entry)
		return;
	*entry = (struct cache_entry){
		.kept = *answer, .bucket = cache_bucket(cache, name), .size = size};
	memcpy(entry->name, name, name_size);
	entry->kept.bytes = NULL;
	if (answer->len > 0) {
		entry->kept.bytes = (uint8_t *)entry->name + name_size;
		memcpy(entry->name + name_size, answer->bytes, answer->len);
	}
	entry->next = cache->buckets[entry->bucket];
	cache->buckets[entry->bucket] = entry;
	TAILQ_INSERT_HEAD(&cache->used, entry, used);
	cache->count++;
	cache->bytes += size;
	cache_trim(cache);
}

size_t dns_cache_count(const struct dns_cache *cache)
{
	return cache->count;
}

size_t dns_cache_bytes(const struct dns_cache *cache)
{
	return cache->bytes;
}
