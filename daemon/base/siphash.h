/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * base/siphash - SipHash-2-4 with 64 bits of result, for hash tables.
 *
 * Keyed, so that someone who chooses what is hashed (an address, a user name) cannot
 * choose the slot. Called by base/ttlmap and base/prefix_set. Pure.
 *
 * Standard: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
 */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_BYTES 16u

/**
 * siphash24 - hash some bytes under a key.
 * @key: secret of whoever owns the table
 * @bytes: what to hash; may be NULL if @len is 0
 * @len: how many bytes
 *
 * Return: the same number on every machine, whatever its byte order.
 */
uint64_t siphash24(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t len);

#endif
