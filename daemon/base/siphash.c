/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static uint64_t sip_rotate(uint64_t x, unsigned int bits)
{
	return (x << bits) | (x >> (64 - bits));
}

static uint64_t sip_load(const uint8_t *bytes)
{
	uint64_t word;

	memcpy(&word, bytes, sizeof(word));
	return le64toh(word);
}

static void sip_rounds(struct sip *s, int rounds)
{
	for (int i = 0; i < rounds; i++) {
		s->v0 += s->v1;
		s->v2 += s->v3;
		s->v1 = sip_rotate(s->v1, 13) ^ s->v0;
		s->v3 = sip_rotate(s->v3, 16) ^ s->v2;
		s->v0 = sip_rotate(s->v0, 32);
		s->v2 += s->v1;
		s->v0 += s->v3;
		s->v1 = sip_rotate(s->v1, 17) ^ s->v2;
		s->v3 = sip_rotate(s->v3, 21) ^ s->v0;
		s->v2 = sip_rotate(s->v2, 32);
	}
}

static void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_rounds(s, 2);
	s->v0 ^= word;
}

uint64_t siphash24(const uint8_t key[SIPHASH_KEY_BYTES], const void *bytes, size_t len)
{
	const uint64_t k0 = sip_load(key);
	const uint64_t k1 = sip_load(key + 8);
	struct sip s = {
		.v0 = k0 ^ UINT64_C(0x736f6d6570736575),
		.v1 = k1 ^ UINT64_C(0x646f72616e646f6d),
		.v2 = k0 ^ UINT64_C(0x6c7967656e657261),
		.v3 = k1 ^ UINT64_C(0x7465646279746573),
	};
	const uint8_t *at = bytes;
	const size_t whole = len & ~(size_t)7;
	uint64_t last = (uint64_t)len << 56;

	for (size_t i = 0; i < whole; i += 8)
		sip_word(&s, sip_load(at + i));
	for (size_t i = whole; i < len; i++)
		last |= (uint64_t)at[i] << (8 * (i - whole));
	sip_word(&s, last);
	s.v2 ^= 0xff;
	sip_rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
