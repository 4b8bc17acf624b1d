/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the program makes of each shape of packet. The list of policy 0 is empty, so a packet
 * whose port has been found is dropped for want of an entry; one that has not been understood passes
 * uncounted.
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
#include <string.h>

#include <cmocka.h>

#include "world.h"

#define FLAGS_END \
	14 /* bytes of TCP as far as the flags: a first fragment has to hold them */

enum outcome {
	FOUND,	/* the port was found */
	PASSED, /* not understood, or not ours */
	RUNT,
};

static const char *const outcome_names[] = {"port found", "passed", "runt"};

static void expect(struct xdp *xdp, const struct frame *frame, enum outcome want,
		   const char *why, unsigned int number)
{
	const struct world_result result = world_run(xdp, frame);
	const struct xdp_counters none = {0};
	struct xdp_counters wanted = none;
	enum outcome got = PASSED;

	if (result.moved[0].dropped_no_entry)
		got = FOUND;
	if (result.moved[0].dropped_runt)
		got = RUNT;
	if (got != want)
		fail_msg("%s (%u): %s instead of %s", why, number, outcome_names[got],
			 outcome_names[want]);
	assert_int_equal(result.verdict, want == PASSED ? XDP_PASS : XDP_DROP);
	wanted.dropped_no_entry = want == FOUND;
	wanted.dropped_runt = want == RUNT;
	assert_memory_equal(&result.moved[0], &wanted, sizeof(wanted));
	assert_memory_equal(&result.moved[1], &none, sizeof(none));
}

static void vlan_tags(void **state)
{
	struct frame frame;

	for (unsigned int tags = 0; tags <= 4; tags++) {
		frame_ethernet(&frame, tags, ETH_P_IP);
		frame_ipv4(&frame, FRAME_SOURCE4, 5, 0, IPPROTO_TCP);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, tags <= 2 ? FOUND : PASSED, "IPv4 in VLAN tags",
		       tags);

		frame_ethernet(&frame, tags, ETH_P_IPV6);
		frame_ipv6(&frame, FRAME_SOURCE6, IPPROTO_TCP);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, tags <= 2 ? FOUND : PASSED, "IPv6 in VLAN tags",
		       tags);
	}
	frame_ethernet(&frame, 2, ETH_P_IP);
	for (size_t len = FRAME_ETHERNET; len <= FRAME_ETHERNET + 8; len++) {
		frame.len = len;
		expect(*state, &frame, PASSED, "cut inside the tags", (unsigned int)len);
	}
}

static void other_protocols(void **state)
{
	static const uint16_t ethertypes[] = {ETH_P_ARP, ETH_P_PPP_SES, 0, 0x05dc,
					      0xffff};
	static const uint8_t protocols[] = {IPPROTO_UDP, IPPROTO_ICMP, IPPROTO_ESP,
					    IPPROTO_AH,	 IPPROTO_IPIP, IPPROTO_SCTP,
					    0,		 255};
	struct frame frame;

	for (size_t i = 0; i < sizeof(ethertypes) / sizeof(ethertypes[0]); i++) {
		frame_ethernet(&frame, 0, ethertypes[i]);
		frame_ipv4(&frame, FRAME_SOURCE4, 5, 0, IPPROTO_TCP);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		expect(*state, &frame, PASSED, "ethertype", ethertypes[i]);
	}
	for (size_t i = 0; i < sizeof(protocols); i++) {
		frame_ethernet(&frame, 0, ETH_P_IP);
		frame_ipv4(&frame, FRAME_SOURCE4, 5, 0, protocols[i]);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, PASSED, "IPv4 protocol", protocols[i]);
	}
}

static void other_ports(void **state)
{
	static const uint16_t ports[] = {0, 24, 26, 25 << 8, 40000, 65535};
	struct frame frame;

	for (size_t i = 0; i < sizeof(ports) / sizeof(ports[0]); i++) {
		frame_knock(&frame, FRAME_SOURCE4, ports[i]);
		expect(*state, &frame, PASSED, "port", ports[i]);
		frame_knock(&frame, FRAME_SOURCE6, ports[i]);
		expect(*state, &frame, PASSED, "IPv6 port", ports[i]);
	}
}

static void ipv4_header_lengths(void **state)
{
	struct frame frame;

	for (unsigned int words = 0; words <= 15; words++) {
		frame_ethernet(&frame, 0, ETH_P_IP);
		frame_ipv4(&frame, FRAME_SOURCE4, words, 0, IPPROTO_TCP);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		if (words < 5) { /* what would then be taken for the port */
			frame.bytes[FRAME_ETHERNET + words * 4 + 2] = 0;
			frame.bytes[FRAME_ETHERNET + words * 4 + 3] = WORLD_PORT;
		}
		expect(*state, &frame, words >= 5 ? FOUND : PASSED, "IHL", words);
	}
	for (unsigned int version = 0; version <= 15; version++) {
		frame_knock(&frame, FRAME_SOURCE4, WORLD_PORT);
		frame.bytes[FRAME_ETHERNET] = (uint8_t)(version << 4 | 5);
		expect(*state, &frame, version == 4 ? FOUND : PASSED, "version of IPv4",
		       version);
		frame_knock(&frame, FRAME_SOURCE6, WORLD_PORT);
		frame.bytes[FRAME_ETHERNET] = (uint8_t)(version << 4);
		expect(*state, &frame, version == 6 ? FOUND : PASSED, "version of IPv6",
		       version);
	}
}

/* The length that the IP header says counts, too: behind it there may be padding. */
static void said_lengths(void **state)
{
	struct frame frame;

	for (int length = 0; length <= 44; length++) {
		frame_knock(&frame, FRAME_SOURCE4, WORLD_PORT);
		frame_length(&frame, length);
		expect(*state, &frame, length == 0 || length >= 24 ? FOUND : PASSED,
		       "total length", (unsigned int)length);
		frame_knock(&frame, FRAME_SOURCE6, WORLD_PORT);
		frame_length(&frame, length);
		expect(*state, &frame, length == 0 || length >= 4 ? FOUND : PASSED,
		       "payload length", (unsigned int)length);
	}
}

static void cut_anywhere(void **state)
{
	const size_t ports4 = FRAME_ETHERNET + FRAME_IPV4 + 4;
	const size_t ports6 = FRAME_ETHERNET + FRAME_IPV6 + 4;
	struct frame frame;

	for (size_t len = FRAME_ETHERNET; len <= FRAME_ETHERNET + FRAME_IPV4 + FRAME_TCP;
	     len++) {
		frame_knock(&frame, FRAME_SOURCE4, WORLD_PORT);
		frame.len = len;
		expect(*state, &frame, len >= ports4 ? FOUND : PASSED, "IPv4 cut",
		       (unsigned int)len);
	}
	for (size_t len = FRAME_ETHERNET; len <= FRAME_ETHERNET + FRAME_IPV6 + FRAME_TCP;
	     len++) {
		frame_knock(&frame, FRAME_SOURCE6, WORLD_PORT);
		frame.len = len;
		expect(*state, &frame, len >= ports6 ? FOUND : PASSED, "IPv6 cut",
		       (unsigned int)len);
	}
}

static void ipv4_fragments(void **state)
{
	struct frame frame;

	for (unsigned int words = 5; words <= 15; words += 5) {
		for (size_t bytes = 0; bytes <= FRAME_TCP; bytes++) {
			frame_ethernet(&frame, 0, ETH_P_IP);
			frame_ipv4(&frame, FRAME_SOURCE4, words, FRAME_MORE, IPPROTO_TCP);
			frame_tcp(&frame, WORLD_PORT, bytes);
			frame_length(&frame, FRAME_LENGTH_RIGHT);
			expect(*state, &frame, bytes >= FLAGS_END ? FOUND : RUNT,
			       "first fragment", (unsigned int)bytes);
			frame_tcp(&frame, WORLD_PORT,
				  FRAME_TCP); /* padding that looks like ports */
			expect(*state, &frame, bytes >= FLAGS_END ? FOUND : RUNT,
			       "padded first fragment", (unsigned int)bytes);
		}
	}
	for (unsigned int offset = 1; offset < 0x2000; offset = offset * 2 + 1) {
		for (unsigned int more = 0; more <= FRAME_MORE; more += FRAME_MORE) {
			frame_ethernet(&frame, 0, ETH_P_IP);
			frame_ipv4(&frame, FRAME_SOURCE4, 5, (uint16_t)(offset | more),
				   IPPROTO_TCP);
			frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
			frame_length(&frame, FRAME_LENGTH_RIGHT);
			expect(*state, &frame, PASSED, "later fragment", offset | more);
		}
	}
	frame_ethernet(&frame, 0, ETH_P_IP);
	frame_ipv4(&frame, FRAME_SOURCE4, 5, FRAME_DONT, IPPROTO_TCP);
	frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
	frame_length(&frame, FRAME_LENGTH_RIGHT);
	expect(*state, &frame, FOUND, "not to be fragmented", 0);
	frame_ethernet(&frame, 0, ETH_P_IP);
	frame_ipv4(&frame, FRAME_SOURCE4, 5, FRAME_MORE, IPPROTO_UDP);
	frame_tcp(&frame, WORLD_PORT, 2);
	frame_length(&frame, FRAME_LENGTH_RIGHT);
	expect(*state, &frame, PASSED, "short first fragment of UDP", 0);
}

static const uint8_t kinds[] = {IPPROTO_HOPOPTS, IPPROTO_ROUTING, IPPROTO_DSTOPTS,
				IPPROTO_AH, IPPROTO_FRAGMENT};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* An IPv6 frame with extension headers: kinds[i] for each digit of the chain to the base KINDS. */
static void chain_frame(struct frame *frame, unsigned int count, unsigned int chain,
			uint8_t length)
{
	uint8_t kind[8], next;

	for (unsigned int i = 0; i < count; i++, chain /= (unsigned int)KINDS)
		kind[i] = kinds[chain % KINDS];
	frame_ethernet(frame, 0, ETH_P_IPV6);
	frame_ipv6(frame, FRAME_SOURCE6, count ? kind[0] : IPPROTO_TCP);
	for (unsigned int i = 0; i < count; i++) {
		next = i + 1 < count ? kind[i + 1] : IPPROTO_TCP;
		if (kind[i] == IPPROTO_FRAGMENT)
			frame_fragment(frame, next, 0);
		else
			frame_extension(frame, kind[i], next, length);
	}
	frame_tcp(frame, WORLD_PORT, FRAME_TCP);
	frame_length(frame, FRAME_LENGTH_RIGHT);
}

static void extension_chains(void **state)
{
	static const uint8_t lengths[] = {0, 1, 2, 31, 255};
	unsigned int chains = 1;
	struct frame frame;

	for (unsigned int count = 0; count <= 3; count++, chains *= (unsigned int)KINDS) {
		for (unsigned int chain = 0; chain < chains; chain++) {
			for (size_t i = 0; i < sizeof(lengths); i++) {
				if (count > 1 && lengths[i] == 255)
					continue; /* past the first page, where no driver puts headers */
				chain_frame(&frame, count, chain, lengths[i]);
				expect(*state, &frame, FOUND, "chain", chain);
			}
		}
	}
	for (unsigned int chain = 0; chain < KINDS; chain++) {
		/* All of one kind: the digits of 1 + 5 + 25 + ... times the kind. */
		for (unsigned int count = 4, ones = 156; count <= 8;
		     count++, ones = ones * 5 + 1) {
			chain_frame(&frame, count, ones * chain, 0);
			expect(*state, &frame, count <= 6 ? FOUND : PASSED, "long chain",
			       count);
		}
	}
}

/* Ends of the walk that are not TCP. */
static void extension_ends(void **state)
{
	static const uint8_t ends[] = {IPPROTO_UDP,
				       IPPROTO_ESP,
				       IPPROTO_NONE,
				       IPPROTO_ICMPV6,
				       135 /* mobility */,
				       139 /* HIP */,
				       140 /* shim6 */,
				       4,
				       41,
				       255};
	struct frame frame;

	for (size_t i = 0; i < sizeof(ends); i++) {
		frame_ethernet(&frame, 0, ETH_P_IPV6);
		frame_ipv6(&frame, FRAME_SOURCE6, ends[i]);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, PASSED, "next header", ends[i]);

		frame_ethernet(&frame, 0,
			       ETH_P_IPV6); /* what one would read who walked on */
		frame_ipv6(&frame, FRAME_SOURCE6, ends[i]);
		frame_extension(&frame, ends[i], IPPROTO_TCP, 0);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, PASSED, "next header, and TCP in it", ends[i]);

		frame_ethernet(&frame, 0, ETH_P_IPV6);
		frame_ipv6(&frame, FRAME_SOURCE6, IPPROTO_DSTOPTS);
		frame_extension(&frame, IPPROTO_DSTOPTS, ends[i], 0);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, PASSED, "next header behind options", ends[i]);
	}
}

static void extension_cuts(void **state)
{
	struct frame frame;
	size_t whole;

	for (unsigned int kind = 0; kind < KINDS; kind++) {
		chain_frame(&frame, 1, kind, 2);
		whole = frame.len;
		for (size_t len = FRAME_ETHERNET; len <= whole; len++) {
			chain_frame(&frame, 1, kind, 2);
			frame.len = len;
			expect(*state, &frame, len >= whole - 16 ? FOUND : PASSED,
			       "cut chain", (unsigned int)len);
		}
	}
}

static void ipv6_fragments(void **state)
{
	struct frame frame;

	for (size_t bytes = 0; bytes <= FRAME_TCP; bytes++) {
		frame_ethernet(&frame, 0, ETH_P_IPV6);
		frame_ipv6(&frame, FRAME_SOURCE6, IPPROTO_FRAGMENT);
		frame_fragment(&frame, IPPROTO_TCP, 1);
		frame_tcp(&frame, WORLD_PORT, bytes);
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, bytes >= FLAGS_END ? FOUND : RUNT,
		       "first fragment", (unsigned int)bytes);
		frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
		expect(*state, &frame, bytes >= FLAGS_END ? FOUND : RUNT,
		       "padded first fragment", (unsigned int)bytes);
	}
	for (unsigned int offset = 8; offset < 0x10000; offset *= 2) {
		for (unsigned int more = 0; more <= 1; more++) {
			frame_ethernet(&frame, 0, ETH_P_IPV6);
			frame_ipv6(&frame, FRAME_SOURCE6, IPPROTO_FRAGMENT);
			frame_fragment(&frame, IPPROTO_TCP, (uint16_t)(offset | more));
			frame_tcp(&frame, WORLD_PORT, FRAME_TCP);
			frame_length(&frame, FRAME_LENGTH_RIGHT);
			expect(*state, &frame, PASSED, "later fragment", offset | more);
		}
	}
	/* RFC 7112: the whole chain belongs into the first fragment. */
	for (size_t cut = 0; cut <= 24 + FLAGS_END; cut++) {
		frame_ethernet(&frame, 0, ETH_P_IPV6);
		frame_ipv6(&frame, FRAME_SOURCE6, IPPROTO_FRAGMENT);
		frame_fragment(&frame, IPPROTO_DSTOPTS, 1);
		frame_extension(&frame, IPPROTO_DSTOPTS, IPPROTO_TCP, 2);
		frame_tcp(&frame, WORLD_PORT, FLAGS_END);
		frame.len -= 24 + FLAGS_END - cut;
		frame_length(&frame, FRAME_LENGTH_RIGHT);
		expect(*state, &frame, cut == 24 + FLAGS_END ? FOUND : RUNT,
		       "chain cut by a fragment", (unsigned int)cut);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(vlan_tags, world_open, world_close),
		cmocka_unit_test_setup_teardown(other_protocols, world_open, world_close),
		cmocka_unit_test_setup_teardown(other_ports, world_open, world_close),
		cmocka_unit_test_setup_teardown(ipv4_header_lengths, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(said_lengths, world_open, world_close),
		cmocka_unit_test_setup_teardown(cut_anywhere, world_open, world_close),
		cmocka_unit_test_setup_teardown(ipv4_fragments, world_open, world_close),
		cmocka_unit_test_setup_teardown(extension_chains, world_open,
						world_close),
		cmocka_unit_test_setup_teardown(extension_ends, world_open, world_close),
		cmocka_unit_test_setup_teardown(extension_cuts, world_open, world_close),
		cmocka_unit_test_setup_teardown(ipv6_fragments, world_open, world_close),
	};

	return cmocka_run_group_tests_name("bpf/parse", tests, world_enter, NULL);
}
