/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/lab/flood - the frame that a flood is made of, and how each copy of it differs. The kernel's side and the program ask here.
 */
#ifndef LAB_FLOOD_H
#define LAB_FLOOD_H

#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/types.h>

struct flood_frame {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct tcphdr tcp;
	__u8 padding[6]; /* up to the 60 bytes of the least frame */
} __attribute__((packed));

/* Sources first .. first + count - 1, in host order. */
struct flood_sources {
	__u32 first;
	__u32 count;
};

/* What the two checksums come to without that which differs. */
struct flood_sums {
	__u32 ip;
	__u32 tcp;
};

static inline __u16 flood_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

/* Another source, port and sequence number, from random bits. Numbers in the frame are in network order. */
static inline void flood_vary(struct flood_frame *frame,
			      const struct flood_sources *sources,
			      const struct flood_sums *sums, __u64 bits)
{
	const __u32 low = (__u32)bits, high = (__u32)(bits >> 32);
	/* The upper bits of 32 random ones: no division. */
	const __u32 number =
		sources->first + (__u32)(((__u64)low * sources->count) >> 32);
	const __u32 source = __builtin_bswap32(number);
	const __u16 port = (__u16)(high | 0x0004); /* never below 1024: low byte first */
	__u32 sum = (source & 0xffff) + (source >> 16);

	frame->ip.saddr = source;
	frame->tcp.source = port;
	frame->tcp.seq = high;
	frame->ip.check = flood_fold(sums->ip + sum);
	sum += port + (high & 0xffff) + (high >> 16);
	frame->tcp.check = flood_fold(sums->tcp + sum);
}

#endif
