/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel against slow twins on random input: the tries against base/prefix_table and a linear search, the
 * parser against a second reading of the same headers. SEED= replays a run.
 *
 * link: world.c frame.c
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "base/prefix_table.h"
#include "bpf/abi.h"
#include "policy/flags.h"
#include "world.h"

#define LISTS	 12u
#define ROWS_MAX 3000u
#define PROBES	 4000u /* of one list, in the trie */
#define KNOCKS	 300u  /* of one list, through the program */
#define FRAMES	 40000u

/* ---- tries ---- */

struct list {
	struct prefix_row rows[ROWS_MAX];
	size_t count;
	void *memory;
	const struct prefix_table *table;
};

/* Few different bytes, so that prefixes nest and addresses meet them. */
static struct addr random_addr(uint64_t *seed, uint8_t family)
{
	static const uint8_t bytes[] = {0x00, 0x01, 0x80, 0xfe, 0xff};
	struct addr addr = {.family = family};

	for (unsigned int i = 0; i < addr_bits(family) / 8; i++) {
		const uint64_t random = world_random(seed);

		addr.bytes[i] = random % 8 ? bytes[(random >> 8) % sizeof(bytes)]
					   : (uint8_t)(random >> 16);
	}
	return addr;
}

static const struct prefix_row *linear_find(const struct list *list,
					    const struct addr *addr)
{
	const struct prefix_row *best = NULL;

	for (size_t i = 0; i < list->count; i++) {
		const struct prefix_row *row = &list->rows[i];

		if (prefix_contains(&row->prefix, addr) &&
		    (!best || row->prefix.len > best->prefix.len))
			best = row;
	}
	return best;
}

static bool list_has(const struct list *list, const struct prefix *prefix)
{
	for (size_t i = 0; i < list->count; i++) {
		if (prefix_equal(&list->rows[i].prefix, prefix))
			return true;
	}
	return false;
}

static void list_make(struct list *list, size_t count, uint64_t *seed)
{
	AUTO(prefix_builder_free) struct prefix_builder *builder = prefix_builder_new();
	struct prefix_row first, second;

	assert_non_null(builder);
	list->count = 0;
	while (list->count < count) {
		const struct addr addr =
			random_addr(seed, world_random(seed) % 2 ? ADDR_V4 : ADDR_V6);
		const struct prefix prefix =
			prefix_make(&addr, (uint8_t)(world_random(seed) %
						     (addr_bits(addr.family) + 1u)));
		struct prefix_row *row = &list->rows[list->count];

		if (list_has(list, &prefix)) {
			count--;
			continue;
		}
		*row = (struct prefix_row){
			.prefix = prefix,
			.value = (uint16_t)(world_random(seed) & 0x3fff)};
		assert_int_equal(prefix_builder_add(builder, row), 0);
		list->count++;
	}
	assert_int_equal(prefix_builder_sort(builder, &first, &second), 0);
	list->memory = malloc(prefix_table_size(builder) + 8);
	assert_non_null(list->memory);
	list->table = prefix_table_write(builder, list->memory);
}

/* An address at the edge of a row, a bit of it turned half of the time; or any. */
static struct addr probe_addr(const struct list *list, uint64_t *seed)
{
	const uint64_t random = world_random(seed);
	const struct prefix_row *row;
	struct addr addr;
	unsigned int bits;

	if (random % 4 == 0 || list->count == 0)
		return random_addr(seed, random & 16 ? ADDR_V4 : ADDR_V6);
	row = &list->rows[(random >> 8) % list->count];
	addr = row->prefix.addr;
	bits = addr_bits(addr.family);
	for (unsigned int bit = row->prefix.len; bit < bits && random & 32; bit++)
		addr.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	if (random & 64) {
		const unsigned int bit = (unsigned int)(world_random(seed) % bits);

		addr.bytes[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
	}
	return addr;
}

/* The longest entry in the kernel's trie. Returns whether there is one. */
static bool trie_find(const int tries[2], const struct addr *addr,
		      struct list_value *out_value)
{
	struct list6_key key = {.prefixlen = addr_bits(addr->family)};

	memcpy(key.addr, addr->bytes, sizeof(key.addr));
	return bpf_map_lookup_elem(tries[addr->family == ADDR_V6], &key, out_value) == 0;
}

static void probe_tries(const struct list *list, const int tries[2], uint64_t *seed)
{
	for (unsigned int i = 0; i < PROBES; i++) {
		const struct addr addr = probe_addr(list, seed);
		const struct prefix_row *linear = linear_find(list, &addr);
		struct list_value value = {0};
		struct prefix_row row = {0};
		bool in_table = prefix_table_find(list->table, &addr, &row);
		bool in_trie = trie_find(tries, &addr, &value);
		char text[ADDR_TEXT_MAX];

		if (in_table != (linear != NULL) || in_trie != in_table ||
		    (linear &&
		     (row.prefix.len != linear->prefix.len ||
		      row.value != linear->value || value.length != row.prefix.len ||
		      value.flags != row.value)))
			fail_msg("%s: linear /%d, table /%d, trie /%d",
				 addr_format(&addr, text),
				 linear ? linear->prefix.len : -1,
				 in_table ? row.prefix.len : -1,
				 in_trie ? (int)value.length : -1);
	}
}

static const char *reason_of(const struct prefix_row *row)
{
	if (!row)
		return "dropped_no_entry";
	if (row->value & FLAG_BL)
		return "dropped_blacklisted";
	return row->value & FLAG_PA ? "passed" : "dropped_not_permitted";
}

static void probe_program(struct xdp *xdp, const struct list *list, uint64_t *seed)
{
	for (unsigned int i = 0; i < KNOCKS; i++) {
		const struct addr addr = probe_addr(list, seed);
		const char *want = reason_of(linear_find(list, &addr)), *got;
		char text[ADDR_TEXT_MAX];

		got = world_reason(xdp, addr_format(&addr, text), WORLD_PORT, 0);
		if (strcmp(got, want) != 0)
			fail_msg("%s: %s instead of %s", text, got, want);
	}
}

static void lists_agree(void **state)
{
	static struct list list;
	struct xdp *xdp = *state;
	uint64_t seed = world_seed();

	for (unsigned int i = 0; i < LISTS; i++) {
		AUTO(close_fd) int trie4 = -1;
		AUTO(close_fd) int trie6 = -1;
		size_t differences = 1;

		list_make(&list, i == 0 ? 0 : (size_t)1 << i, &seed);
		assert_int_equal(xdp_policy_load(xdp, 0, "p0", list.table), 0);
		assert_int_equal(xdp_policy_compare(xdp, 0, list.table, &differences), 0);
		trie4 = bpf_obj_get(WORLD_PINS "/policy-p0-4");
		trie6 = bpf_obj_get(WORLD_PINS "/policy-p0-6");
		assert_true(trie4 >= 0 && trie6 >= 0);
		probe_tries(&list, (const int[]){trie4, trie6}, &seed);
		probe_program(xdp, &list, &seed);
		free_mem(&list.memory);
	}
}

/* The longest ban that has not ended; how many ended ones are longer. */
static const struct prefix_row *
live_find(const struct list *bans, const struct addr *addr, unsigned int *out_ended)
{
	const struct prefix_row *best = NULL;

	for (size_t i = 0; i < bans->count; i++) {
		const struct prefix_row *row = &bans->rows[i];

		if (!row->value && prefix_contains(&row->prefix, addr) &&
		    (!best || row->prefix.len > best->prefix.len))
			best = row;
	}
	for (size_t i = 0; i < bans->count; i++) {
		const struct prefix_row *row = &bans->rows[i];

		if (row->value && prefix_contains(&row->prefix, addr) &&
		    (!best || row->prefix.len > best->prefix.len))
			*out_ended += 1;
	}
	return best;
}

/* Bans of prefixes, some ended, over a list: against the rule read aloud. */
static void bans_agree(void **state)
{
	static struct list list;
	static struct list bans; /* value 1: ended */
	struct xdp *xdp = *state;
	uint64_t seed = world_seed();

	list_make(&list, 40, &seed);
	list_make(&bans, 120, &seed);
	assert_int_equal(xdp_policy_load(xdp, 0, "p0", list.table), 0);
	assert_int_equal(xdp_service_set(xdp, WORLD_PORT, 0, true), 0);
	for (size_t i = 0; i < bans.count; i++) {
		struct xdp_ban ban = {.prefix = bans.rows[i].prefix,
				      .ends_ns = ABI_FOREVER_NS};
		size_t done;

		bans.rows[i].value = world_random(&seed) % 8 == 0;
		if (bans.rows[i].value)
			ban.ends_ns = 1;
		assert_int_equal(xdp_ban_set(xdp, &ban, 1, &done), 0);
	}
	for (unsigned int i = 0; i < PROBES; i++) {
		const struct addr addr = probe_addr(i % 2 ? &bans : &list, &seed);
		const struct prefix_row *entry = linear_find(&list, &addr);
		unsigned int ended = 0;
		const struct prefix_row *best = live_find(&bans, &addr, &ended);
		char text[ADDR_TEXT_MAX];
		uint32_t want;

		if (ended > ABI_EXPIRED_DEPTH_MAX)
			continue;
		want = reason_of(entry)[0] == 'p' ? XDP_PASS : XDP_DROP;
		if (best && (!entry || best->prefix.len >= entry->prefix.len))
			want = XDP_DROP;
		if (world_knock(xdp, addr_format(&addr, text), WORLD_PORT) != want)
			fail_msg("%s: should be %s: ban /%d, entry /%d", text,
				 want == XDP_PASS ? "passed" : "dropped",
				 best ? best->prefix.len : -1,
				 entry ? entry->prefix.len : -1);
	}
	free_mem(&list.memory);
	free_mem(&bans.memory);
}

/* ---- parser ---- */

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

enum outcome {
	OTHER,
	FOUND, /* a guarded port: there is no entry */
	RUNT,
};

static enum outcome twin_ports(const uint8_t *tcp, long left, bool is_first)
{
	if (left < 4)
		return is_first ? RUNT : OTHER;
	if (is_first && left < 14)
		return RUNT;
	return get16(tcp + 2) == WORLD_PORT ? FOUND : OTHER;
}

static enum outcome twin_ipv4(const uint8_t *ip, long left)
{
	const long said = left >= 20 && get16(ip + 2) ? (long)get16(ip + 2) : left;
	long header;

	if (left < 20 || ip[0] >> 4 != 4 || (ip[0] & 15) < 5 || ip[9] != IPPROTO_TCP ||
	    get16(ip + 6) & 0x1fff)
		return OTHER;
	header = (ip[0] & 15) * 4;
	if (said < left)
		left = said;
	if (left < header)
		return OTHER;
	return twin_ports(ip + header, left - header, get16(ip + 6) & FRAME_MORE);
}

static enum outcome twin_ipv6(const uint8_t *ip, long left)
{
	const uint8_t *at = ip + 40;
	bool is_first = false;
	uint8_t kind;

	if (left < 40 || ip[0] >> 4 != 6)
		return OTHER;
	left -= 40;
	if (get16(ip + 4) && (long)get16(ip + 4) < left)
		left = (long)get16(ip + 4);
	kind = ip[6];
	for (int headers = 0; kind != IPPROTO_TCP; headers++) {
		long bytes = 8;

		if (headers == 6 ||
		    !(kind == 0 || kind == 43 || kind == 60 || kind == 51 || kind == 44))
			return OTHER;
		if (left < 8)
			return is_first ? RUNT : OTHER;
		if (kind == 44 && get16(at + 2) & 0xfff8)
			return OTHER;
		if (kind == 44 && get16(at + 2) & 1)
			is_first = true;
		if (kind == 51)
			bytes = (at[1] + 2) * 4;
		else if (kind != 44)
			bytes = (at[1] + 1) * 8;
		if (left < bytes)
			return is_first ? RUNT : OTHER;
		kind = at[0];
		at += bytes;
		left -= bytes;
	}
	return twin_ports(at, left, is_first);
}

static enum outcome twin_parse(const struct frame *frame)
{
	size_t at = 12;

	for (int tags = 0; tags < 2; tags++) {
		const unsigned int protocol = get16(frame->bytes + at);

		if (protocol != ETH_P_8021Q && protocol != ETH_P_8021AD)
			break;
		at += 4;
		if (at + 2 > frame->len)
			return OTHER;
	}
	if (get16(frame->bytes + at) == ETH_P_IP)
		return twin_ipv4(frame->bytes + at + 2, (long)(frame->len - at - 2));
	if (get16(frame->bytes + at) == ETH_P_IPV6)
		return twin_ipv6(frame->bytes + at + 2, (long)(frame->len - at - 2));
	return OTHER;
}

/* A plausible frame with some of it spoiled. */
static void random_frame(struct frame *frame, uint64_t *seed)
{
	static const uint8_t kinds[] = {0, 43, 60, 51, 44, IPPROTO_TCP, IPPROTO_UDP};
	const uint64_t random = world_random(seed);
	const unsigned int headers = (unsigned int)(random >> 8) % 9;
	uint8_t kind = headers ? kinds[(random >> 16) % 5] : IPPROTO_TCP;

	frame_ethernet(frame, (unsigned int)(random % 4),
		       random & 16 ? ETH_P_IP : ETH_P_IPV6);
	if (random & 16) {
		frame_ipv4(frame, FRAME_SOURCE4, 5 + (unsigned int)(random >> 20) % 11,
			   (random >> 24) % 4 ? 0 : FRAME_MORE, IPPROTO_TCP);
	} else {
		frame_ipv6(frame, FRAME_SOURCE6, kind);
		for (unsigned int i = 0; i < headers; i++) {
			const uint8_t next =
				i + 1 < headers
					? kinds[world_random(seed) % sizeof(kinds)]
					: IPPROTO_TCP;

			if (kind == 44)
				frame_fragment(frame, next,
					       world_random(seed) % 4 ? 0 : 1);
			else
				frame_extension(frame, kind, next,
						(uint8_t)(world_random(seed) % 3));
			kind = next;
		}
	}
	frame_tcp(frame, WORLD_PORT, FRAME_TCP);
	frame_length(frame, FRAME_LENGTH_RIGHT);
	for (uint64_t spoil = (random >> 32) % 4; spoil > 0; spoil--)
		frame->bytes[FRAME_ETHERNET +
			     world_random(seed) % (frame->len - FRAME_ETHERNET)] =
			(uint8_t)world_random(seed);
	if ((random >> 40) % 4 == 0) /* anywhere */
		frame->len = FRAME_ETHERNET +
			     world_random(seed) % (frame->len - FRAME_ETHERNET);
	else if ((random >> 40) % 4 == 1) /* about the ports */
		frame->len -= world_random(seed) % (FRAME_TCP + 8);
}

static void frames_agree(void **state)
{
	struct xdp *xdp = *state;
	uint64_t seed = world_seed();
	unsigned int seen[3] = {0};

	for (unsigned int i = 0; i < FRAMES; i++) {
		const bool want_counted = i % 16 == 0;
		struct frame frame;
		enum outcome want;
		uint32_t verdict;

		random_frame(&frame, &seed);
		want = twin_parse(&frame);
		seen[want]++;
		if (want_counted) {
			const struct world_result result = world_run(xdp, &frame);

			verdict = result.verdict;
			assert_int_equal(result.moved[0].dropped_runt, want == RUNT);
			assert_int_equal(result.moved[0].dropped_no_entry, want == FOUND);
		} else {
			verdict = world_verdict(xdp, &frame);
		}
		if (verdict != (want == OTHER ? XDP_PASS : XDP_DROP))
			fail_msg("frame %u of %zu bytes: verdict %u, twin says %d", i,
				 frame.len, verdict, (int)want);
	}
	/* A test that meets only one outcome tests nothing. */
	for (size_t i = 0; i < 3; i++)
		assert_true(seen[i] > FRAMES / 200);
}

/* Bytes of any kind pass or drop, and nothing worse. */
static void noise_agrees(void **state)
{
	struct xdp *xdp = *state;
	uint64_t seed = world_seed();

	for (unsigned int i = 0; i < FRAMES / 4; i++) {
		struct frame frame = {.len = FRAME_ETHERNET + world_random(&seed) % 200};

		for (size_t j = 0; j < frame.len; j++)
			frame.bytes[j] = (uint8_t)world_random(&seed);
		if (i % 2) {
			frame.bytes[12] = 0x86;
			frame.bytes[13] = 0xdd;
			frame.bytes[14] = 0x60;
		} else {
			frame.bytes[12] = 0x08;
			frame.bytes[13] = 0x00;
			frame.bytes[14] = (uint8_t)(0x40 | (frame.bytes[14] & 15));
		}
		assert_int_equal(world_verdict(xdp, &frame),
				 twin_parse(&frame) == OTHER ? XDP_PASS : XDP_DROP);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_agree, world_open, world_close),
		cmocka_unit_test_setup_teardown(bans_agree, world_open, world_close),
		cmocka_unit_test_setup_teardown(frames_agree, world_open, world_close),
		cmocka_unit_test_setup_teardown(noise_agrees, world_open, world_close),
	};

	return cmocka_run_group_tests_name("bpf/twin", tests, world_enter, NULL);
}
