/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/greylist_key - by what two attempts are known to be of the same triplet.
 *
 *   where from  the IPv4 /24 or IPv6 /64 of the client; or, if SPF permits the client to send for
 *               the domain, that domain: the pools of large providers retry from anywhere
 *   sender      without case, and without what changes from one message to the next
 *   recipient   without case
 *
 * What changes is taken out of the sender's local part:
 *
 *   - the tag of BATV (prvs=TAG=local, btv1==TAG==local);
 *   - hash and time of SRS (SRS0=HASH=TIME=host=local, SRS1=HASH=host==HASH=TIME=host=local);
 *   - all from the first "+" on: extensions, and VERP as mailing lists write it;
 *   - numbers, and words that look like one of a kind (an identifier in hexadecimal, a long word
 *     with digits in it) become "#".
 *
 * The recipient in a VERP address may stay: it is part of the triplet anyway. A quoted local part is
 * left as it is. Two senders that become the same by this share their triplet, which only ever makes a
 * delay shorter.
 *
 * Pure. Standards: RFC 6647; draft-levine-smtp-batv.
 */
#ifndef POLICY_GREYLIST_KEY_H
#define POLICY_GREYLIST_KEY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/buf.h"

#define GREY_DIGEST_BYTES 16u
#define GREY_SENDER_MAX	  512u /* a path has 256 bytes at most, RFC 5321 4.5.3.1.3 */
#define GREY_V4_LEN	  24
#define GREY_V6_LEN	  64

/* The network that an address counts for. */
struct prefix grey_network_of(const struct addr *addr);

/* Does a prefix have the length of such a network? */
bool grey_is_network(const struct prefix *prefix);

/**
 * grey_sender_fold - a sender without what changes from message to message.
 * @mailbox: local@domain as it was said, without brackets; empty: the null sender; any bytes
 * @len: bytes
 * @out: appended; holds at most as many bytes as @mailbox
 */
void grey_sender_fold(const char *mailbox, size_t len, struct buf *out);

/**
 * grey_sender_digest, grey_digest - one short key for sender and recipient.
 * @mailbox: as it was said
 * @len: bytes
 * @sender: what grey_sender_digest() made of the sender
 * @out: the same on every machine and after every restart
 *
 * 128 bits of two hashes with fixed keys. Who makes two of his own triplets collide has saved
 * himself one delay.
 */
void grey_sender_digest(const char *mailbox, size_t len, uint8_t out[GREY_DIGEST_BYTES]);
void grey_digest(const uint8_t sender[GREY_DIGEST_BYTES], const char *mailbox, size_t len,
		 uint8_t out[GREY_DIGEST_BYTES]);

#endif
