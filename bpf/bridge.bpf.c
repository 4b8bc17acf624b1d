/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf/bridge - what of a bridge's traffic is for the gates?
 *
 * Runs at the ingress of every port of a bridge that stands between clients and mail host (tc, direct
 * action), before the bridge itself sees a frame. Two kinds of packets are taken off and come in at the
 * bridge's own interface instead, as if they had been sent to it: what belongs to a connection of
 * this host, by the kernel's own table of them (the clients' side of a session and the mail host's answers
 * to it, and what hosts on the way report of it in ICMP), and what clients send to a guarded port, if a gate is to have it. Everything else goes over
 * the bridge untouched: other ports, other protocols, ARP, the mail host's own mail.
 *
 * So neither netfilter's view of bridges nor a table of sessions is needed, and the answer to a session that
 * the mail host has with a client directly is never taken for one of ours.
 *
 * Loaded and attached by sys/xdp_bridge. What is taken off gets a mark: by the one of a connection the routes
 * deliver it to this host, by the one of a new client nftables leads it to a gate.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/parse.h"

/* All headers that parse.h looks at: Ethernet, IPv6, the extensions, the ports. */
#define HEADERS_MAX_BYTES 512u
/* Types of ICMP that quote: <linux/icmp.h> draws in more of the C library than there is here. */
#define ICMP_DEST_UNREACH   3
#define ICMP_TIME_EXCEEDED  11
#define ICMP6_INFORMATIONAL 128u /* and more: no errors, RFC 4443 §2.1 */
#define LOOPBACK4	    0x7f000001u
#define ANY_PORT	    1u /* of a source that asks whether somebody listens */

/* Set before loading. */
const volatile __u32 mark_connection, mark_new;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_BRIDGE_PORTS_MAX);
	__type(key, __u32);
	__type(value, struct bridge_port);
} bridge_ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, ABI_SERVICE_MAX);
	__type(key, struct service_key);
	__type(value, struct bridge_way);
} bridge_ways SEC(".maps");

struct icmp {
	__u8 type;
	__u8 rest[7]; /* code, checksum, and what depends on the type */
};

enum fate {
	LEAVE, /* on the bridge */
	TAKE_CONNECTION,
	TAKE_NEW,
	DROP,
};

static __always_inline const struct bridge_way *way_of(__u16 port)
{
	const struct service_key key = {.port = port};

	return bpf_map_lookup_elem(&bridge_ways, &key);
}

/* Which socket of this host would have it? *out_state: 0: none */
static __always_inline void find_socket(struct __sk_buff *skb,
					struct bpf_sock_tuple *tuple, __u32 bytes,
					__u32 *out_state)
{
	struct bpf_sock *sock =
		bpf_skc_lookup_tcp(skb, tuple, bytes, BPF_F_CURRENT_NETNS, 0);

	*out_state = 0;
	if (!sock)
		return;
	*out_state = sock->state;
	bpf_sk_release(sock);
}

/* Does it belong to a connection of this host? */
static __always_inline int has_connection(struct __sk_buff *skb,
					  const struct packet *packet)
{
	struct bpf_sock_tuple tuple = {};
	__u32 state;

	if (packet->family == ABI_FAMILY_V4) {
		tuple.ipv4.saddr = packet->src32[0];
		tuple.ipv4.daddr = packet->dest32[0];
		tuple.ipv4.sport = bpf_htons(packet->source_port);
		tuple.ipv4.dport = bpf_htons(packet->port);
		find_socket(skb, &tuple, sizeof(tuple.ipv4), &state);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, packet->src, sizeof(tuple.ipv6.saddr));
		__builtin_memcpy(tuple.ipv6.daddr, packet->dest,
				 sizeof(tuple.ipv6.daddr));
		tuple.ipv6.sport = bpf_htons(packet->source_port);
		tuple.ipv6.dport = bpf_htons(packet->port);
		find_socket(skb, &tuple, sizeof(tuple.ipv6), &state);
	}
	/* One that listens at this port of every address is not meant. */
	return state != 0 && state != BPF_TCP_LISTEN;
}

/* A host on the way that could not pass a packet on says so in ICMP, and quotes it: RFC 792, RFC 4443 §3. */
static __always_inline enum parse_result parse_quoted(struct __sk_buff *skb,
						      struct packet *out_packet)
{
	struct cursor cursor = {
		.pos = (void *)(long)skb->data,
		.end = (void *)(long)skb->data_end,
		.left = LENGTH_UNKNOWN,
	};
	struct ethhdr *ethernet = cursor_take(&cursor, sizeof(*ethernet));
	struct ipv6hdr *ip6;
	struct icmp *icmp;
	struct iphdr *ip;

	if (!ethernet)
		return PARSE_OTHER;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		ip = cursor_take(&cursor, sizeof(*ip));
		icmp = cursor_take(&cursor, sizeof(*icmp));
		/* With options it is left to the mail host. */
		if (!ip || !icmp || ip->ihl != IPV4_WORDS_MIN ||
		    ip->protocol != IPPROTO_ICMP ||
		    ip->frag_off & bpf_htons(IPV4_OFFSET_MASK))
			return PARSE_OTHER;
		if (icmp->type != ICMP_DEST_UNREACH && icmp->type != ICMP_TIME_EXCEEDED)
			return PARSE_OTHER;
		return parse_ipv4(&cursor, out_packet);
	}
	if (ethernet->h_proto != bpf_htons(ETH_P_IPV6))
		return PARSE_OTHER;
	ip6 = cursor_take(&cursor, sizeof(*ip6));
	icmp = cursor_take(&cursor, sizeof(*icmp));
	if (!ip6 || !icmp || ip6->nexthdr != IPPROTO_ICMPV6 ||
	    icmp->type >= ICMP6_INFORMATIONAL)
		return PARSE_OTHER;
	return parse_ipv6(&cursor, out_packet);
}

/* Was the packet that it quotes one of a gate? Then it is for the gate to make its packets shorter, say. */
static __always_inline enum fate fate_of_error(struct __sk_buff *skb)
{
	struct packet quoted = {}, answer = {};

	if (parse_quoted(skb, &quoted) != PARSE_PORTS)
		return LEAVE;
	if (!way_of(quoted.port) && !way_of(quoted.source_port))
		return LEAVE;
	__builtin_memcpy(answer.src, quoted.dest, sizeof(answer.src));
	__builtin_memcpy(answer.dest, quoted.src, sizeof(answer.dest));
	answer.family = quoted.family;
	answer.port = quoted.source_port;
	answer.source_port = quoted.port;
	return has_connection(skb, &answer) ? TAKE_CONNECTION : LEAVE;
}

/* Does a gate listen? Nobody does while the keeper is dead. */
static __always_inline int has_listener(struct __sk_buff *skb, __u16 family,
					__u16 gate_port)
{
	struct bpf_sock_tuple tuple = {};
	__u32 state;

	if (family == ABI_FAMILY_V4) {
		tuple.ipv4.saddr = tuple.ipv4.daddr = bpf_htonl(LOOPBACK4);
		tuple.ipv4.sport = bpf_htons(ANY_PORT);
		tuple.ipv4.dport = bpf_htons(gate_port);
		find_socket(skb, &tuple, sizeof(tuple.ipv4), &state);
	} else {
		tuple.ipv6.saddr[3] = tuple.ipv6.daddr[3] = bpf_htonl(1);
		tuple.ipv6.sport = bpf_htons(ANY_PORT);
		tuple.ipv6.dport = bpf_htons(gate_port);
		find_socket(skb, &tuple, sizeof(tuple.ipv6), &state);
	}
	return state == BPF_TCP_LISTEN;
}

/* A client's packet to a guarded port, not of a session that a gate has. */
static __always_inline enum fate fate_of_new(struct __sk_buff *skb,
					     const struct bridge_port *from,
					     const struct packet *packet,
					     const struct bridge_way *way)
{
	const __u8 family =
		packet->family == ABI_FAMILY_V4 ? ABI_BRIDGE_V4 : ABI_BRIDGE_V6;
	const int is_spoken = from->families & family;

	if (way->way == ABI_WAY_PASS)
		return LEAVE;
	if (way->way == ABI_WAY_TAKE)
		return is_spoken ? TAKE_NEW : DROP; /* nobody could answer */
	if (is_spoken && has_listener(skb, packet->family, way->gate_port))
		return TAKE_NEW;
	return LEAVE;
}

/* Does it come from where clients are, and is it to be looked at? */
static __always_inline int is_clients(struct __sk_buff *skb,
				      const struct bridge_port *from)
{
	const struct ethhdr *ethernet = (void *)(long)skb->data;

	if (from->side != ABI_SIDE_OWN)
		return from->side == ABI_SIDE_OUTER;
	if ((void *)(ethernet + 1) > (void *)(long)skb->data_end)
		return 0;
	for (__u32 i = 0; i < sizeof(from->mac); i++)
		if (ethernet->h_dest[i] != from->mac[i])
			return 0;
	return 1;
}

static __always_inline enum fate fate_of(struct __sk_buff *skb,
					 const struct bridge_port *from)
{
	const struct bridge_way *to;
	struct packet packet = {};

	(void)bpf_skb_pull_data(skb, skb->len < HEADERS_MAX_BYTES ? skb->len
								  : HEADERS_MAX_BYTES);
	switch (parse_frame((void *)(long)skb->data, (void *)(long)skb->data_end,
			    &packet)) {
	case PARSE_OTHER:
		return fate_of_error(skb);
	case PARSE_RUNT:
		/* Its ports come with a later fragment, unseen: as in bpf/postern. */
		return is_clients(skb, from) ? DROP : LEAVE;
	case PARSE_PORTS:
		break;
	}
	to = way_of(packet.port);
	if (!to && !way_of(packet.source_port))
		return LEAVE;
	if (has_connection(skb, &packet))
		return TAKE_CONNECTION;
	return to && is_clients(skb, from) ? fate_of_new(skb, from, &packet, to) : LEAVE;
}

/* In at the bridge's own interface, as if sent to it. */
static __always_inline int take(struct __sk_buff *skb, const struct bridge_port *from,
				__u32 mark)
{
	(void)bpf_skb_store_bytes(skb, 0, from->mac, sizeof(from->mac), 0);
	skb->mark = mark;
	return (int)bpf_redirect(from->bridge, BPF_F_INGRESS);
}

SEC("tc")
int postern_bridge(struct __sk_buff *skb)
{
	const __u32 index = skb->ifindex;
	const struct bridge_port *from = bpf_map_lookup_elem(&bridge_ports, &index);

	/* What has a VLAN tag is of another network than the bridge's own interface. */
	if (!from || skb->vlan_present)
		return TC_ACT_UNSPEC;
	switch (fate_of(skb, from)) {
	case LEAVE:
		break;
	case TAKE_CONNECTION:
		return take(skb, from, mark_connection);
	case TAKE_NEW:
		return take(skb, from, mark_new);
	case DROP:
		return TC_ACT_SHOT;
	}
	return TC_ACT_UNSPEC;
}

char _license[] SEC("license") = "GPL";
