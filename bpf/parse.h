/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/parse - from the first byte of a frame to the TCP ports and flags.
 *
 * A cursor that never moves without a bounds check, and one step per header:
 * Ethernet with up to two VLAN tags, IPv4 with options (RFC 791), IPv6 with
 * extension headers (RFC 8200 §4), ports and flags of TCP (RFC 9293 §3.1).
 * Called by bpf/postern.bpf.c and bpf/bridge.bpf.c. Touches the packet only to read it.
 */
#ifndef BPF_PARSE_H
#define BPF_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

#define VLAN_TAGS_MAX	 2 /* 802.1ad: one of the provider, one of the customer */
#define EXTENSIONS_MAX	 6 /* each kind once, destination options twice: RFC 8200 §4.1 */
#define IPV4_OFFSET_MASK 0x1fff
#define IPV4_MORE_MASK	 0x2000
#define IPV6_OFFSET_MASK 0xfff8
#define IPV6_MORE_MASK	 0x0001
#define LENGTH_UNKNOWN	 (~0u)
#define EXTENSION_BYTES	 8 /* the shortest extension header, and the unit of the others */
#define IPV4_WORDS_MIN	 5 /* with more there are options */
#define TCP_SYN		 0x02
#define TCP_ACK		 0x10

enum parse_result {
	PARSE_OTHER, /* not TCP, not ours, or not understood */
	PARSE_PORTS, /* TCP: struct packet is complete */
	PARSE_RUNT,  /* a first fragment that ends before ports and flags */
};

/* What a verdict needs to know of a packet. */
struct packet {
	union {
		__u8 src[16]; /* IPv4 in the first 4 */
		__u32 src32[4];
	};
	union {
		__u8 dest[16];
		__u32 dest32[4];
	};
	__u16 family;	   /* ABI_FAMILY_* */
	__u16 port;	   /* TCP destination, host order */
	__u16 source_port; /* host order */
	__u16 is_syn;	   /* it begins a connection: SYN without ACK */
	__be32 sequence;   /* of a SYN only */
};

struct cursor {
	void *pos;
	void *end;  /* of the frame */
	__u32 left; /* bytes that the IP header still promises: a frame may be padded */
};

struct vlan_tag {
	__be16 control;
	__be16 protocol; /* of what follows */
};

struct extension {
	__u8 next;
	__u8 length;   /* in units that depend on the kind */
	__be16 offset; /* fragment header: offset, and whether more follow */
	__u8 rest[4];
};

struct ports {
	__be16 source;
	__be16 dest;
};

/* From the ports to the flags. */
struct tcp_rest {
	__be16 sequence[2]; /* not aligned to its size */
	__u8 acknowledged[4];
	__u8 offset;
	__u8 flags;
};

/* The next bytes; NULL if they are not all there. */
static __always_inline void *cursor_peek(const struct cursor *cursor, __u32 bytes)
{
	if (cursor->pos + bytes > cursor->end || bytes > cursor->left)
		return NULL;
	return cursor->pos;
}

/* The same, and then they are behind us. */
static __always_inline void *cursor_take(struct cursor *cursor, __u32 bytes)
{
	void *here = cursor_peek(cursor, bytes);

	if (!here)
		return NULL;
	cursor->pos = here + bytes;
	cursor->left -= bytes;
	return here;
}

/* A whole packet that ends before the flags is no SYN: the stack drops it. What a first fragment leaves open, the
 * next could say. */
static __always_inline enum parse_result parse_ports(struct cursor *cursor, int is_first,
						     struct packet *out_packet)
{
	struct ports *ports = cursor_take(cursor, sizeof(*ports));
	struct tcp_rest *rest;

	if (!ports)
		return is_first ? PARSE_RUNT : PARSE_OTHER;
	out_packet->port = bpf_ntohs(ports->dest);
	out_packet->source_port = bpf_ntohs(ports->source);
	rest = cursor_take(cursor, sizeof(*rest));
	if (!rest)
		return is_first ? PARSE_RUNT : PARSE_PORTS;
	out_packet->is_syn = (rest->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	__builtin_memcpy(&out_packet->sequence, rest->sequence, sizeof(rest->sequence));
	return PARSE_PORTS;
}

static __always_inline enum parse_result parse_ipv4(struct cursor *cursor,
						    struct packet *out_packet)
{
	struct iphdr *ip = cursor_peek(cursor, sizeof(*ip));
	__u32 total, fragment;

	if (!ip || ip->version != 4 || ip->ihl < IPV4_WORDS_MIN)
		return PARSE_OTHER;
	if (ip->protocol != IPPROTO_TCP)
		return PARSE_OTHER;
	fragment = bpf_ntohs(ip->frag_off);
	if (fragment & IPV4_OFFSET_MASK)
		return PARSE_OTHER;

	total = bpf_ntohs(ip->tot_len);
	if (total != 0) /* 0: put together by the card, longer than the field holds */
		cursor->left = total;
	out_packet->family = ABI_FAMILY_V4;
	out_packet->src32[0] = ip->saddr;
	out_packet->dest32[0] = ip->daddr;

	if (!cursor_take(cursor, ip->ihl * 4u))
		return PARSE_OTHER;
	return parse_ports(cursor, fragment & IPV4_MORE_MASK, out_packet);
}

static __always_inline int is_extension(__u8 kind)
{
	return kind == IPPROTO_HOPOPTS || kind == IPPROTO_ROUTING ||
	       kind == IPPROTO_DSTOPTS || kind == IPPROTO_AH || kind == IPPROTO_FRAGMENT;
}

/* Bytes of an extension header behind its first 8. */
static __always_inline __u32 extension_rest(__u8 kind, __u8 length)
{
	if (kind == IPPROTO_FRAGMENT)
		return 0;
	if (kind == IPPROTO_AH)
		return length * 4u; /* in words, less 2: RFC 4302 §2.2 */
	return length * (__u32)EXTENSION_BYTES;
}

/* Steps over one extension header. PARSE_PORTS: the walk goes on. */
static __always_inline enum parse_result parse_extension(struct cursor *cursor,
							 __u8 *kind, int *is_first)
{
	struct extension *header;
	__u32 rest;

	if (!is_extension(*kind))
		return PARSE_OTHER;
	header = cursor_take(cursor, sizeof(*header));
	if (!header)
		return *is_first ? PARSE_RUNT : PARSE_OTHER;
	rest = extension_rest(*kind, header->length);
	if (*kind == IPPROTO_FRAGMENT) {
		if (header->offset & bpf_htons(IPV6_OFFSET_MASK))
			return PARSE_OTHER;
		if (header->offset & bpf_htons(IPV6_MORE_MASK))
			*is_first = 1;
	}
	*kind = header->next;
	if (!cursor_take(cursor, rest))
		return *is_first ? PARSE_RUNT : PARSE_OTHER;
	return PARSE_PORTS;
}

static __always_inline enum parse_result parse_ipv6(struct cursor *cursor,
						    struct packet *out_packet)
{
	struct ipv6hdr *ip = cursor_take(cursor, sizeof(*ip));
	enum parse_result result;
	int is_first = 0;
	__u8 kind;

	if (!ip || ip->version != 6)
		return PARSE_OTHER;
	if (ip->payload_len != 0) /* 0: a jumbogram, RFC 2675 */
		cursor->left = bpf_ntohs(ip->payload_len);
	out_packet->family = ABI_FAMILY_V6;
	__builtin_memcpy(out_packet->src, &ip->saddr, sizeof(out_packet->src));
	__builtin_memcpy(out_packet->dest, &ip->daddr, sizeof(out_packet->dest));

	kind = ip->nexthdr;
	for (int i = 0; i < EXTENSIONS_MAX && kind != IPPROTO_TCP; i++) {
		result = parse_extension(cursor, &kind, &is_first);
		if (result != PARSE_PORTS)
			return result;
	}
	if (kind != IPPROTO_TCP)
		return PARSE_OTHER;
	return parse_ports(cursor, is_first, out_packet);
}

static __always_inline int is_vlan(__be16 protocol)
{
	return protocol == bpf_htons(ETH_P_8021Q) || protocol == bpf_htons(ETH_P_8021AD);
}

/* @data, @end: of the frame. Fills out_packet as far as PARSE_PORTS promises. */
static __always_inline enum parse_result parse_frame(void *data, void *end,
						     struct packet *out_packet)
{
	struct cursor cursor = {
		.pos = data,
		.end = end,
		.left = LENGTH_UNKNOWN,
	};
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));
	__be16 protocol;

	if (!ethernet)
		return PARSE_OTHER;
	protocol = ethernet->h_proto;
	for (int i = 0; i < VLAN_TAGS_MAX && is_vlan(protocol); i++) {
		struct vlan_tag *tag = cursor_take(&cursor, sizeof(*tag));

		if (!tag)
			return PARSE_OTHER;
		protocol = tag->protocol;
	}
	if (protocol == bpf_htons(ETH_P_IP))
		return parse_ipv4(&cursor, out_packet);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return parse_ipv6(&cursor, out_packet);
	return PARSE_OTHER;
}

static __always_inline enum parse_result parse_packet(struct xdp_md *ctx,
						      struct packet *out_packet)
{
	return parse_frame((void *)(long)ctx->data, (void *)(long)ctx->data_end,
			   out_packet);
}

#endif
