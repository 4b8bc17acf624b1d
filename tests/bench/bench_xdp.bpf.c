/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The program of bpf/ behind a source address that is another in every run:
 * BPF_PROG_TEST_RUN alone would ask for one address again and again, and measure the cache.
 *
 * Three programs, each with one more step: the address alone; and parsing; and the whole verdict. Two peers
 * beside the verdict, for IPv4: parsing and one look into the kernel's simplest hash, or into an LPM trie, of the
 * same addresses. So a figure can be judged on any machine.
 */
#include "bpf/postern.bpf.c"

#include "tests/bench/bench_xdp.h"

#define SOURCE4_AT (ETH_HLEN + 12)
#define SOURCE6_AT (ETH_HLEN + 8)

/* Numbers first .. first + count - 1, at random. */
struct {
	__u32 first;
	__u32 count;
} bench_numbers;

static __always_inline void source_write(struct xdp_md *ctx)
{
	void *begin = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *ethernet = begin;
	__u32 number;

	if (begin + SOURCE6_AT + 16 > end)
		return;
	/* The upper bits of 32 random ones: no division. */
	number = bench_numbers.first +
		 (__u32)(((__u64)bpf_get_prandom_u32() * bench_numbers.count) >> 32);
	if (ethernet->h_proto == bpf_htons(ETH_P_IP))
		*(__u32 *)(begin + SOURCE4_AT) = bench_source4(number);
	else
		__builtin_memcpy(begin + SOURCE6_AT, &(__u64){bench_source6(number)}, 8);
}

SEC("xdp.frags")
int bench_source(struct xdp_md *ctx)
{
	source_write(ctx);
	return XDP_PASS;
}

SEC("xdp.frags")
int bench_parse(struct xdp_md *ctx)
{
	struct packet packet = {};

	source_write(ctx);
	if (parse_packet(ctx, &packet) != PARSE_PORTS)
		return XDP_PASS;
	return packet.src32[0] + packet.src32[1] + packet.port ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int bench_verdict(struct xdp_md *ctx)
{
	source_write(ctx);
	return judge(ctx);
}

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_BANS_DEFAULT);
	__type(key, __u32);
	__type(value, __u32);
} bench_hash SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, ABI_BANS_DEFAULT);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct list4_key);
	__type(value, __u32);
} bench_trie SEC(".maps");

SEC("xdp.frags")
int bench_in_hash(struct xdp_md *ctx)
{
	struct packet packet = {};

	source_write(ctx);
	if (parse_packet(ctx, &packet) != PARSE_PORTS)
		return XDP_PASS;
	return bpf_map_lookup_elem(&bench_hash, &packet.src32[0]) ? XDP_DROP : XDP_PASS;
}

SEC("xdp.frags")
int bench_in_trie(struct xdp_md *ctx)
{
	struct list4_key key = {.prefixlen = 32};
	struct packet packet = {};

	source_write(ctx);
	if (parse_packet(ctx, &packet) != PARSE_PORTS)
		return XDP_PASS;
	__builtin_memcpy(key.addr, packet.src, sizeof(key.addr));
	return bpf_map_lookup_elem(&bench_trie, &key) ? XDP_DROP : XDP_PASS;
}
