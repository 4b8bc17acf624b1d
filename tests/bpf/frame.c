/* SPDX-License-Identifier: GPL-2.0-only */
#include "frame.h"

#include <arpa/inet.h>
#include <assert.h>
#include <linux/if_ether.h>
#include <netinet/in.h>
#include <string.h>

#define EXTENSION_BYTES 8u

static uint8_t *frame_grow(struct frame *frame, size_t bytes)
{
	uint8_t *here = frame->bytes + frame->len;

	assert(frame->len + bytes <= FRAME_MAX);
	memset(here, 0, bytes);
	frame->len += bytes;
	return here;
}

static void put16(uint8_t *at, unsigned int number)
{
	at[0] = (uint8_t)(number >> 8);
	at[1] = (uint8_t)number;
}

void frame_ethernet(struct frame *frame, unsigned int tags, uint16_t protocol)
{
	static const uint8_t macs[] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	frame->len = 0;
	memcpy(frame_grow(frame, sizeof(macs)), macs, sizeof(macs));
	for (unsigned int i = 0; i < tags; i++) {
		uint8_t *tag = frame_grow(frame, 4);

		put16(tag, i + 1 == tags ? ETH_P_8021Q : ETH_P_8021AD);
		put16(tag + 2, 100 + i);
	}
	put16(frame_grow(frame, 2), protocol);
}

void frame_ipv4(struct frame *frame, const char *source, unsigned int words,
		uint16_t fragment, uint8_t protocol)
{
	const size_t options = words > 5 ? (words - 5) * 4u : 0;
	uint8_t *ip;

	frame->ip = frame->len;
	ip = frame_grow(frame, FRAME_IPV4 + options);
	ip[0] = (uint8_t)(4u << 4 | words);
	put16(ip + 6, fragment);
	ip[8] = 64;
	ip[9] = protocol;
	assert(inet_pton(AF_INET, source, ip + 12) == 1);
	assert(inet_pton(AF_INET, "198.51.100.1", ip + 16) == 1);
	memset(ip + FRAME_IPV4, 1, options);
}

void frame_ipv6(struct frame *frame, const char *source, uint8_t next)
{
	uint8_t *ip;

	frame->ip = frame->len;
	ip = frame_grow(frame, FRAME_IPV6);
	ip[0] = 6u << 4;
	ip[6] = next;
	ip[7] = 64;
	assert(inet_pton(AF_INET6, source, ip + 8) == 1);
	assert(inet_pton(AF_INET6, "2001:db8:ffff::1", ip + 24) == 1);
}

void frame_extension(struct frame *frame, uint8_t kind, uint8_t next, uint8_t length)
{
	const size_t unit = kind == IPPROTO_AH ? 4 : EXTENSION_BYTES;
	uint8_t *header = frame_grow(frame, EXTENSION_BYTES + length * unit);

	header[0] = next;
	header[1] = length;
}

void frame_fragment(struct frame *frame, uint8_t next, uint16_t offset_and_more)
{
	uint8_t *header = frame_grow(frame, EXTENSION_BYTES);

	header[0] = next;
	put16(header + 2, offset_and_more);
}

void frame_tcp(struct frame *frame, uint16_t port, size_t bytes)
{
	uint8_t tcp[FRAME_TCP] = {0};

	put16(tcp, 40000);
	put16(tcp + 2, port);
	tcp[12] = 5u << 4;
	tcp[13] = FRAME_SYN;
	memcpy(frame_grow(frame, bytes), tcp, bytes);
}

void frame_flags(struct frame *frame, uint8_t flags)
{
	frame->bytes[frame->len - FRAME_TCP + 13] = flags;
}

void frame_length(struct frame *frame, int length)
{
	uint8_t *ip = frame->bytes + frame->ip;

	if (ip[0] >> 4 == 6)
		put16(ip + 4,
		      length < 0 ? (unsigned int)(frame->len - frame->ip - FRAME_IPV6)
				 : (unsigned int)length);
	else
		put16(ip + 2, length < 0 ? (unsigned int)(frame->len - frame->ip)
					 : (unsigned int)length);
}

void frame_knock(struct frame *frame, const char *source, uint16_t port)
{
	if (strchr(source, ':')) {
		frame_ethernet(frame, 0, ETH_P_IPV6);
		frame_ipv6(frame, source, IPPROTO_TCP);
	} else {
		frame_ethernet(frame, 0, ETH_P_IP);
		frame_ipv4(frame, source, 5, 0, IPPROTO_TCP);
	}
	frame_tcp(frame, port, FRAME_TCP);
	frame_length(frame, FRAME_LENGTH_RIGHT);
}
