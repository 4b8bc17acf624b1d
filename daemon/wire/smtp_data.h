/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_data - finds the end of a message, and leaves no second reading of it.
 *
 * The message ends at the bytes CRLF "." CRLF and nowhere else (RFC 5321 §4.1.1.4); the
 * CRLF of the DATA command counts as the first. What another server might take for
 * a line end is made one, or refused:
 *
 *   bare LF                      -> CRLF
 *   CRs directly before a CRLF   -> gone
 *   any other bare CR            -> CRLF
 *   NUL                          -> space
 *   "." first on a line whose start was made so      -> ".."
 *   "." alone on a line, or before NUL, unless it is the end -> ".."
 *
 * So the output holds CR and LF as pairs alone and no NUL, and CRLF "." CRLF once, as its
 * end. A clean message is passed on byte by byte as it is, without a copy. Pure, constant
 * state. Used by proc/ (gate).
 *
 * How a message flows:
 *
 *     smtp_data_init(&data, SMTP_DATA_NORMALIZE);
 *     for each time bytes were received behind those still in the buffer:
 *         do {
 *             io = (struct smtp_data_io){.in = buffer, .in_len = held, .room = ..., ...};
 *             result = smtp_data_next(&data, &io);
 *             send io.out, io.out_len         (lies in the buffer, or in room)
 *             drop io.consumed bytes from the front of the buffer, after the send
 *         } while (result == SMTP_DATA_AGAIN);
 */
#ifndef WIRE_SMTP_DATA_H
#define WIRE_SMTP_DATA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMTP_DATA_HELD_MAX \
	2u /* bytes left in the buffer after SMTP_DATA_MORE: "\r", ".", ".\r" */
#define SMTP_DATA_ROOM_MIN 16u /* any room from this on works, with more calls */
#define SMTP_DATA_GROWTH_MAX \
	2u /* output is at most so many times the input, over a message */

enum smtp_data_mode {
	SMTP_DATA_NORMALIZE,
	SMTP_DATA_REJECT, /* a bare CR or LF refuses the message; NUL becomes a space */
};

/* What a message held; bits. */
enum smtp_data_fault {
	SMTP_DATA_BARE_LF = 1u << 0,
	SMTP_DATA_BARE_CR = 1u << 1, /* a CR before a CRLF as well */
	SMTP_DATA_NUL = 1u << 2,
};

enum smtp_data_result {
	SMTP_DATA_MORE,	 /* at most SMTP_DATA_HELD_MAX bytes not consumed: receive more */
	SMTP_DATA_AGAIN, /* send the output, then call again with the rest of the input */
	SMTP_DATA_END,	 /* the output ends the message; commands follow in the input */
	SMTP_DATA_REFUSED, /* REJECT: a bare CR or LF. Close the backend, so that nothing
			    * is delivered, and call on until END, without output */
};

struct smtp_data {
	enum smtp_data_mode mode;
	uint8_t start;	/* private: what stands before the next byte */
	uint8_t faults; /* enum smtp_data_fault, of the message so far */
	bool refused;	/* REFUSED was returned */
	uint64_t crs;	/* private: CRs consumed whose meaning the next byte decides */
	uint64_t owed;	/* private: CRLFs that did not fit */
};

struct smtp_data_io {
	const char *in; /* received, from the first byte not consumed */
	size_t in_len;
	char *room; /* for output that differs from the input; must not overlap in */
	size_t room_bytes; /* >= SMTP_DATA_ROOM_MIN; 2 * in_len makes AGAIN rare */
	size_t consumed;   /* result: bytes of in that are done with */
	const char *out;   /* result: what to send: in itself (clean), or room */
	size_t out_len;	   /* result: 0: nothing to send */
};

/* Begin a message, after the 354 reply. */
void smtp_data_init(struct smtp_data *data, enum smtp_data_mode mode);

/**
 * smtp_data_next - take input, give output.
 * @data: state
 * @io: in, in_len, room, room_bytes from the caller; consumed, out, out_len always written
 *
 * Return: enum smtp_data_result. After END call smtp_data_init() before the next message.
 */
enum smtp_data_result smtp_data_next(struct smtp_data *data, struct smtp_data_io *io);

#endif
