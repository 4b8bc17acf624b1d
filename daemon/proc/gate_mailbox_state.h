/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_mailbox_state - what a session keeps for POP3 and IMAP.
 */
#ifndef PROC_GATE_MAILBOX_STATE_H
#define PROC_GATE_MAILBOX_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "proc/gate_imap_state.h"
#include "proc/relay_stream_state.h"
#include "wire/line.h"
#include "wire/sasl.h"

#define MAILBOX_NAME_MAX 256u /* bytes of a user name that waits to be used */
#define OFFER_TEXT_MAX	 1024u
#define OFFER_MECHS_MAX	 256u

struct mailbox_talk;

/* What the backend of a service offered last: gate_mailbox_offer.h. */
struct mailbox_offer {
	uint64_t known_ms; /* monotonic clock; 0: not known */
	uint32_t caps;	   /* bits of the protocol */
	uint16_t text_len;
	char text[OFFER_TEXT_MAX];   /* capabilities, as the protocol keeps them */
	char mechs[OFFER_MECHS_MAX]; /* SASL mechanisms: words, with NUL */
};

struct mailbox_state {
	const struct mailbox_talk *talk; /* POP3's or IMAP's part */
	struct line_scanner lines;	 /* of the client */
	struct line_scanner replies;	 /* of the backend */
	struct sasl_dialogue login;	 /* SESSION_AUTH: what has been presented */
	struct relay_stream stream;	 /* SESSION_RELAY */
	struct mailbox_offer *draft;	 /* being told by the backend; NULL: none */
	uint32_t commands;
	uint32_t errors;
	bool has_told;	/* the backend who the client is */
	bool has_stamp; /* POP3: the client has this connection's timestamp, for APOP */
	bool is_bound; /* to this connection to the backend: no other one knows what was said */
	bool is_ready;	    /* the backend awaits a login */
	bool waits;	    /* SESSION_AUTH: for the backend's reply */
	bool is_line_spent; /* the line that waits in the client's input is done with */
	bool has_lines;	    /* what was passed on is answered by several lines */
	uint8_t step;	    /* of the protocol: which reply of the backend is awaited */
	uint16_t name_len;
	union {
		char name[MAILBOX_NAME_MAX]; /* POP3: of USER */
		struct imap_state imap;
	};
};

#endif
