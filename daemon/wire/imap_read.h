/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap_read - finds the commands of an IMAP client in a receive buffer.
 *
 * A command is a line, or several with literals between them: bytes whose number was
 * announced at the end of the line before. All of it stays together in the buffer, and each
 * byte is looked at once. Only for the time before the login: afterwards nothing is parsed.
 * Pure. Used by proc/ (gate).
 *
 * Standards: RFC 9051 §2.2.1, §4.3; RFC 7888 (LITERAL+, LITERAL-).
 */
#ifndef WIRE_IMAP_READ_H
#define WIRE_IMAP_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define IMAP_LINE_MAX_BYTES \
	12288u /* with its end; RFC 2683 §3.2.1.5 asks for 8000, tokens and tickets for more */
#define IMAP_LITERAL_MAX_BYTES 8192u /* more than any name or password is long */
#define IMAP_LITERAL_MINUS_MAX_BYTES \
	4096u /* of one that does not wait, under LITERAL-; RFC 7888 §5 */
#define IMAP_LITERALS_MAX 64u /* of one command: ID has 30 pairs, RFC 2971 §3.3 */
#define IMAP_COMMAND_MAX_BYTES \
	16000u /* all of it: a block of the gate holds it, also when written anew */

enum imap_read_result {
	IMAP_READ_MORE,	    /* not whole yet: receive more */
	IMAP_READ_PROMPT,   /* the client waits for "+" before it sends a literal */
	IMAP_READ_COMMAND,  /* a command: use it, then drop `consumed` */
	IMAP_READ_TOO_LONG, /* past a limit */
};

struct imap_reader {
	uint32_t part_at;  /* where the line begins that is being read; past a literal */
	uint32_t searched; /* bytes of the buffer that hold no end of it; >= part_at */
	uint32_t literals; /* of this command */
};

struct imap_read {
	/*
	 * COMMAND: bytes of the command without its last line end. PROMPT: up to the literal.
	 * TOO_LONG: what there is of it, for the tag.
	 */
	size_t len;
	/*
	 * COMMAND: bytes to drop. PROMPT and TOO_LONG: the same if the command is refused now;
	 * 0, its end cannot be found: give the connection up.
	 */
	size_t consumed;
};

/* Begin, and begin anew when a command was dropped before its end. */
void imap_reader_init(struct imap_reader *reader);

/**
 * imap_read_next - look for the end of the first command in the buffer.
 * @reader: state; COMMAND and TOO_LONG begin anew
 * @bytes: the buffer, from the first byte not dropped yet; may be moved between calls
 * @len: bytes in it; what was there before is unchanged
 * @out_read: always written
 *
 * command-part = *CHAR [literal] CRLF
 * literal = "{" number ["+" / "-"] "}" CRLF *OCTET    RFC 9051 §9, RFC 7888 §6
 *
 * "{5}" makes the client wait for a "+", the others do not; "{5-}" stands in no standard,
 * and is taken for what LITERAL- allows. A line ends with LF, too. After PROMPT
 * either send "+" and call again, or refuse: drop `consumed` and call
 * imap_reader_init(). A literal too large that waits is refused in the same way.
 * The buffer must be able to hold IMAP_COMMAND_MAX_BYTES.
 *
 * Return: enum imap_read_result.
 */
enum imap_read_result imap_read_next(struct imap_reader *reader, const char *bytes,
				     size_t len, struct imap_read *out_read);

#endif
