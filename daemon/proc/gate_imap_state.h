/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_imap_state - what a session keeps for IMAP, besides what it shares with POP3.
 */
#ifndef PROC_GATE_IMAP_STATE_H
#define PROC_GATE_IMAP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/imap.h"
#include "wire/imap_read.h"
#include "wire/imap_reply.h"
#include "wire/imap_write.h"

#define IMAP_ID_FIELDS_MAX \
	1024u /* bytes of a client's ID that are kept for the backend */

/* Whose answer is awaited in SESSION_PREPARE: mailbox.step. */
enum imap_step {
	IMAP_STEP_ID,
	IMAP_STEP_CAPABILITY,
};

struct imap_state {
	struct imap_reader reader; /* of the client */
	struct imap_reply_parser replies;
	struct imap_login_writer writer; /* of a LOGIN whose literals wait for "+" */
	/*
	 * The command that stays at the front of the client's input, because the backend has to be
	 * connected first, or has to ask for the rest of it; consumed 0: none.
	 */
	struct imap_read held;
	char *id; /* fields of the client's ID for the backend: a block; NULL: none */
	uint32_t caps;	 /* enum imap_cap of this backend */
	bool is_login;	 /* LOGIN is passed on, not AUTHENTICATE */
	uint8_t tag_len; /* of it */
	char tag[IMAP_TAG_MAX_BYTES];
};

#endif
