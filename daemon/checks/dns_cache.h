/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/dns_cache - answers of the DNS, kept for as long as their TTL says.
 *
 * Bounded twice, by entries and by bytes; the one that was not used for longest makes room. Pure storage: time is
 * an argument. Called by checks/resolver.
 */
#ifndef CHECKS_DNS_CACHE_H
#define CHECKS_DNS_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/siphash.h"

#define DNS_CACHE_ANSWER_MAX 16384u /* bytes of one answer; a longer one is not kept */
#define DNS_CACHE_ENTRY_BYTES \
	512u /* so much for each entry on average; together they may not take more */

struct dns_cache;

/* What is known about a name and a type. */
struct dns_kept {
	uint64_t expires_ns;
	uint16_t type;
	uint8_t status; /* enum dns_status */
	uint32_t ttl_s; /* as it was when it came */
	size_t len;
	const uint8_t *bytes; /* the message; NULL if there was none */
};

/**
 * dns_cache_new - an empty one.
 * @entries_max: > 0
 * @seed: for the hash, from the caller's random source
 *
 * Return: the cache; NULL without memory.
 */
struct dns_cache *dns_cache_new(uint32_t entries_max,
				const uint8_t seed[SIPHASH_KEY_BYTES]);
void dns_cache_free(struct dns_cache **cache);

/* Another limit; what is too much goes at once. */
void dns_cache_resize(struct dns_cache *cache, uint32_t entries_max);

/**
 * dns_cache_get - what is known, if it has not expired.
 * @name: in lower case, without a final dot
 *
 * Return: valid until dns_cache_release(), which has to follow; NULL: nothing is known.
 */
const struct dns_kept *dns_cache_get(struct dns_cache *cache, const char *name,
				     uint16_t type, uint64_t now_ns);
void dns_cache_release(struct dns_cache *cache, const struct dns_kept *kept);

/**
 * dns_cache_put - keep an answer, in place of an earlier one.
 * @answer: bytes are copied
 *
 * Without memory, or if it is too long, it is not kept, and an earlier one is forgotten.
 */
void dns_cache_put(struct dns_cache *cache, const char *name,
		   const struct dns_kept *answer);

/* What it holds, expired ones included. */
size_t dns_cache_count(const struct dns_cache *cache);
size_t dns_cache_bytes(const struct dns_cache *cache);

#endif
