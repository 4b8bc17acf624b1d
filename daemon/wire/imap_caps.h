/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap_caps - what a server offers before the login, and what of it may be shown.
 *
 * Pure. Used by proc/ (gate). RFC 9051 §6.1.1, §7.2.2; RFC 4959, RFC 7888, RFC 2221.
 */
#ifndef WIRE_IMAP_CAPS_H
#define WIRE_IMAP_CAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* What is worth knowing of a list; bits. */
enum imap_cap {
	IMAP_CAP_REV1 = 1u << 0,
	IMAP_CAP_REV2 =
		1u << 1, /* has SASL-IR, ENABLE, LITERAL-, ... in it; RFC 9051 §E */
	IMAP_CAP_STARTTLS = 1u << 2,
	IMAP_CAP_LOGINDISABLED = 1u << 3,
	IMAP_CAP_SASL_IR = 1u << 4,
	IMAP_CAP_ID = 1u << 5,
	IMAP_CAP_LITERAL_PLUS = 1u << 6,
	IMAP_CAP_LITERAL_MINUS = 1u << 7,
	IMAP_CAP_AUTH = 1u << 8, /* any mechanism */
};

/* The bits of a list of words: "IMAP4rev1 SASL-IR AUTH=PLAIN". */
uint32_t imap_caps_parse(const char *list, size_t len);

/* Is "AUTH=mechanism" in the list, and one that works through a gate? */
bool imap_caps_has_mechanism(const char *list, size_t len, const char *mechanism,
			     size_t mechanism_len);

/* How postern stands to the client. */
struct imap_view {
	bool offers_starttls; /* of postern's own */
	bool hides_login;     /* no login before TLS */
};

/**
 * imap_caps_write - the list that a client is told before it logs in.
 * @list, @len: what the backend offers; empty: nothing is known
 * @view: how postern stands to the client
 * @out: receives the words, parted by a space
 *
 * The backend's words in their order, but: IMAP4rev1 is always there; STARTTLS is postern's
 * own; SASL-IR and ID postern has itself; LOGIN-REFERRALS, which lead around the gate,
 * UNAUTHENTICATE, after which a login would go unseen, and mechanisms that
 * only work without a gate are left out.
 */
void imap_caps_write(const char *list, size_t len, const struct imap_view *view,
		     struct buf *out);

#endif
