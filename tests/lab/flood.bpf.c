/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fast half of tests/lab/flood: the kernel runs this over frames of its own making (BPF_F_TEST_XDP_LIVE_FRAMES), and sends each
 * out of the interface.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

#include "tests/lab/flood.h"

const volatile struct flood_sources flood_sources;
const volatile struct flood_sums flood_sums;
const volatile __u32 flood_interface;

SEC("xdp")
int flood_frame(struct xdp_md *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct flood_frame *frame = (void *)(long)ctx->data;
	const struct flood_sources sources = flood_sources;
	const struct flood_sums sums = flood_sums;

	if ((void *)(frame + 1) > end)
		return XDP_ABORTED;
	flood_vary(frame, &sources, &sums,
		   (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32());
	return (int)bpf_redirect(flood_interface, 0);
}

char LICENSE[] SEC("license") = "GPL";
