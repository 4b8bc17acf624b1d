/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/bpf/frame - builds Ethernet frames header by header, right or wrong.
 */
#ifndef TESTS_BPF_FRAME_H
#define TESTS_BPF_FRAME_H

#include <stddef.h>
#include <stdint.h>

#define FRAME_MAX	   16384u /* seven extension headers of the greatest length fit */
#define FRAME_ETHERNET	   14u
#define FRAME_IPV4	   20u
#define FRAME_IPV6	   40u
#define FRAME_TCP	   20u
#define FRAME_MORE	   0x2000u /* IPv4: more fragments */
#define FRAME_DONT	   0x4000u /* IPv4: do not fragment */
#define FRAME_SYN	   0x02u
#define FRAME_ACK	   0x10u
#define FRAME_SOURCE4	   "192.0.2.7"
#define FRAME_SOURCE6	   "2001:db8:1:2::7"
#define FRAME_LENGTH_RIGHT (-1)

struct frame {
	uint8_t bytes[FRAME_MAX];
	size_t len;
	size_t ip; /* where the IP header begins */
};

/* Ethernet with some VLAN tags; the outer ones 802.1ad, the last 802.1Q. */
void frame_ethernet(struct frame *frame, unsigned int tags, uint16_t protocol);

/* IPv4; words: header length; options are no-ops. */
void frame_ipv4(struct frame *frame, const char *source, unsigned int words,
		uint16_t fragment, uint8_t protocol);

void frame_ipv6(struct frame *frame, const char *source, uint8_t next);

/* An extension header of a kind; length is the byte that says it; it is as long as that says. */
void frame_extension(struct frame *frame, uint8_t kind, uint8_t next, uint8_t length);

/* An IPv6 fragment header. */
void frame_fragment(struct frame *frame, uint8_t next, uint16_t offset_and_more);

/* The first bytes (at most 20) of a TCP header. */
void frame_tcp(struct frame *frame, uint16_t port, size_t bytes);

/* Sets the length that the IP header says; FRAME_LENGTH_RIGHT: the true one. */
void frame_length(struct frame *frame, int length);

/* Of a frame whose last header is a whole one of TCP: which flags it has. frame_tcp() makes a SYN. */
void frame_flags(struct frame *frame, uint8_t flags);

/* A whole TCP packet from an address of either family: a SYN. */
void frame_knock(struct frame *frame, const char *source, uint16_t port);

#endif
