/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/smtp_reply - the replies of a backend, line by line, and what its EHLO offers.
 *
 * Works on the receive buffer of the backend's connection; returns spans into it. Pure.
 * Used by proc/ (gate, backend).
 *
 * Standards: RFC 5321 §4.2 and §4.1.1.1 (EHLO), RFC 3463 and RFC 2034 (enhanced codes).
 */
#ifndef WIRE_SMTP_REPLY_H
#define WIRE_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "wire/span.h"

#define SMTP_REPLY_LINE_MAX_BYTES \
	2048u			  /* with CRLF; the standard says 512, servers more */
#define SMTP_REPLY_LINES_MAX 128u /* of one reply */

/* "5.7.8": RFC 3463 §2. */
struct smtp_enhanced {
	uint8_t class; /* 2, 4, 5; 0: the reply has none */
	uint16_t subject;
	uint16_t detail;
};

enum smtp_reply_result {
	SMTP_REPLY_MORE,   /* no whole line yet: receive more */
	SMTP_REPLY_LINE,   /* a line of a reply, more lines follow */
	SMTP_REPLY_END,	   /* the last line of a reply */
	SMTP_REPLY_BROKEN, /* no SMTP, or past a limit: give the connection up; sticky */
};

struct smtp_reply_parser {
	size_t searched; /* bytes at the start of the buffer that hold no LF */
	uint32_t lines;	 /* of the present reply */
	uint16_t code;	 /* of its first line; 0: no reply begun */
	bool broken;
};

struct smtp_reply_line {
	size_t consumed;	       /* with its line end; 0 unless LINE or END */
	struct span text;	       /* behind "250-" or "250 ", without line end */
	uint16_t code;		       /* 200..599 */
	uint16_t number;	       /* of this line in its reply, from 0 */
	struct smtp_enhanced enhanced; /* of this line: that of the last counts */
};

/* Begin, also after a reconnect. */
void smtp_reply_init(struct smtp_reply_parser *parser);

/**
 * smtp_reply_next - take one line of a reply from the buffer.
 * @parser: state
 * @bytes: the buffer, from the first byte not consumed yet; may be moved between calls
 * @len: bytes in it
 * @out_line: spans count from @bytes; written unless MORE or BROKEN
 *
 * Reply-line = *( Reply-code "-" [ textstring ] CRLF )
 *              Reply-code [ SP [ textstring ] ] CRLF    RFC 5321 §4.2
 *
 * All lines of a reply have one code. A bare LF ends a line; NUL or CR inside, another
 * code, a code outside 200..599, a line past SMTP_REPLY_LINE_MAX_BYTES or more
 * than SMTP_REPLY_LINES_MAX lines are BROKEN. The buffer must hold a whole line.
 *
 * Return: enum smtp_reply_result.
 */
enum smtp_reply_result smtp_reply_next(struct smtp_reply_parser *parser,
				       const char *bytes, size_t len,
				       struct smtp_reply_line *out_line);

/**
 * smtp_parse_enhanced - an enhanced status code at the start of a reply's text.
 * @text, @len: behind the reply code
 * @code: the reply code; the class must agree with it (RFC 2034 §4)
 * @out_enhanced: class 0 if there is none
 *
 * Return: bytes of it, without the space behind; 0, none.
 */
size_t smtp_parse_enhanced(const char *text, size_t len, unsigned int code,
			   struct smtp_enhanced *out_enhanced);

/**
 * smtp_rcpt_is_strike - does this reply to RCPT say that the recipient is bad?
 * @code: reply code
 * @enhanced: of the last line
 *
 * 550, 551 and 553, and every 5xx with 5.1.x; never 4xx.
 */
bool smtp_rcpt_is_strike(unsigned int code, struct smtp_enhanced enhanced);

/* What a line of an EHLO reply offers; bits. */
enum smtp_cap {
	SMTP_CAP_PIPELINING = 1u << 0,		/* RFC 2920 */
	SMTP_CAP_8BITMIME = 1u << 1,		/* RFC 6152 */
	SMTP_CAP_SIZE = 1u << 2,		/* RFC 1870 */
	SMTP_CAP_DSN = 1u << 3,			/* RFC 3461 */
	SMTP_CAP_SMTPUTF8 = 1u << 4,		/* RFC 6531 */
	SMTP_CAP_ENHANCEDSTATUSCODES = 1u << 5, /* RFC 2034 */
	SMTP_CAP_CHUNKING = 1u << 6,		/* RFC 3030 */
	SMTP_CAP_BINARYMIME = 1u << 7,		/* RFC 3030; only with CHUNKING */
	SMTP_CAP_STARTTLS = 1u << 8,		/* RFC 3207 */
	SMTP_CAP_AUTH = 1u << 9,		/* RFC 4954, and the old "AUTH=" */
	SMTP_CAP_VRFY = 1u << 10,
	SMTP_CAP_ETRN = 1u << 11,
	SMTP_CAP_EXPN = 1u << 12,
	SMTP_CAP_HELP = 1u << 13,
	SMTP_CAP_XCLIENT = 1u << 14,
	SMTP_CAP_XFORWARD = 1u << 15,
	SMTP_CAP_DELIVERBY = 1u << 16,	   /* RFC 2852 */
	SMTP_CAP_MTPRIORITY = 1u << 17,	   /* "MT-PRIORITY", RFC 6710 */
	SMTP_CAP_REQUIRETLS = 1u << 18,	   /* RFC 8689 */
	SMTP_CAP_LIMITS = 1u << 19,	   /* RFC 9422 */
	SMTP_CAP_FUTURERELEASE = 1u << 20, /* RFC 4865 */
};

struct smtp_ehlo_line {
	uint32_t cap;	     /* one bit of enum smtp_cap; 0: unknown */
	struct span keyword; /* as written, without the "=" of "AUTH=" */
	struct span params;  /* AUTH: mechanisms; XCLIENT: attributes */
	uint64_t size_max;   /* SIZE: bytes, 0: no limit said; else 0 */
	bool old_auth;	     /* "AUTH=LOGIN": say "AUTH LOGIN" instead, or drop it */
};

/**
 * smtp_parse_ehlo_line - classify one line, not the first, of a reply to EHLO.
 * @text, @len: behind "250-" or "250 "; borrowed
 * @out_line: spans inside @text; untouched on failure
 *
 * ehlo-line = ehlo-keyword *( SP ehlo-param )    RFC 5321 §4.1.1.1
 *
 * Return: 0; -EBADMSG, no ehlo-line (drop it).
 */
int smtp_parse_ehlo_line(const char *text, size_t len,
			 struct smtp_ehlo_line *out_line) MUST_CHECK;

/**
 * smtp_next_word - walk words parted by spaces: mechanisms, attributes.
 * @text: what the spans point into
 * @rest: what is left; begin with a copy of smtp_ehlo_line.params
 * @out_word: untouched at the end
 *
 * Return: true, one more; false, no more.
 */
bool smtp_next_word(const char *text, struct span *rest, struct span *out_word);

#endif
