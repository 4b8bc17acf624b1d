/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/ttlmap - a bounded map of fixed-size keys and values that expire.
 *
 * All memory is taken at start. When it is full, the entry that ends soonest
 * among a small sample makes room: an attacker can shorten memory, never grow it.
 */
#ifndef BASE_TTLMAP_H
#define BASE_TTLMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct ttlmap;

/**
 * ttlmap_new - make an empty map.
 * @capacity: entries, > 0
 * @key_bytes, @value_bytes: sizes, > 0; keys are compared byte by byte (zero the padding)
 * @seed: for the hash; from the random source of the caller
 *
 * Return: the map; NULL without memory.
 */
struct ttlmap *ttlmap_new(size_t capacity, size_t key_bytes, size_t value_bytes,
			  const uint8_t seed[16]);
void ttlmap_free(struct ttlmap **map);

/* The value of a key that has not expired, or NULL. Valid until put, remove or expire. */
void *ttlmap_get(struct ttlmap *map, const void *key, uint64_t now_ns);

/**
 * ttlmap_put - find or add a key; a new value is all zero.
 * @now_ns: current time; a value that has expired by then is a new one
 * @expires_ns: when it goes, on the caller's clock: from then on it is not found; also set
 * if the key was there
 * @out_evicted: set if a live entry had to go; may be NULL
 *
 * Return: the value, never NULL. Valid until the next put, remove or expire.
 */
void *ttlmap_put(struct ttlmap *map, const void *key, uint64_t now_ns,
		 uint64_t expires_ns, bool *out_evicted);

/* Removes a key, expired or not. true if it was there. */
bool ttlmap_remove(struct ttlmap *map, const void *key);

/* Drops expired entries among the next max_steps slots. Returns how many went. */
size_t ttlmap_expire(struct ttlmap *map, uint64_t now_ns, size_t max_steps);

/* Entries that take up room: with those that have expired and were not yet dropped. */
size_t ttlmap_count(const struct ttlmap *map);

#endif
