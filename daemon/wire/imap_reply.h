/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/imap_reply - what an IMAP server says before and at a login, line by line.
 *
 * Works on the receive buffer of the backend's connection; returns spans into it. Pure.
 * Used by proc/ (gate).
 *
 * Standards: RFC 9051 §7, §9; RFC 5530 (response codes); RFC 2221 (referrals).
 */
#ifndef WIRE_IMAP_REPLY_H
#define WIRE_IMAP_REPLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/sasl.h"
#include "wire/span.h"

#define IMAP_REPLY_LINE_MAX_BYTES 8192u /* with CRLF; capabilities and challenges */

enum imap_reply_result {
	IMAP_REPLY_MORE,   /* no whole line yet: receive more */
	IMAP_REPLY_LINE,   /* a line */
	IMAP_REPLY_BROKEN, /* no IMAP, or past a limit: give the connection up; sticky */
};

enum imap_reply_kind {
	IMAP_REPLY_GO_ON,    /* "+": a literal, or the next line of a login, is wanted */
	IMAP_REPLY_UNTAGGED, /* "*" */
	IMAP_REPLY_TAGGED,   /* the end of a command */
};

enum imap_status {
	IMAP_STATUS_NONE, /* of "+", and of data */
	IMAP_STATUS_OK,
	IMAP_STATUS_NO,
	IMAP_STATUS_BAD,
	IMAP_STATUS_BYE,
	IMAP_STATUS_PREAUTH,
	IMAP_STATUS_CAPABILITY, /* "* CAPABILITY ..." */
};

/* What stands in brackets behind a status. */
enum imap_code {
	IMAP_CODE_NONE,
	IMAP_CODE_OTHER,
	IMAP_CODE_ALERT,
	IMAP_CODE_CAPABILITY,
	IMAP_CODE_AUTHENTICATIONFAILED,
	IMAP_CODE_AUTHORIZATIONFAILED,
	IMAP_CODE_CANNOT,
	IMAP_CODE_CLIENTBUG,
	IMAP_CODE_CONTACTADMIN,
	IMAP_CODE_EXPIRED,
	IMAP_CODE_INUSE,
	IMAP_CODE_LIMIT,
	IMAP_CODE_NOPERM,
	IMAP_CODE_OVERQUOTA,
	IMAP_CODE_PRIVACYREQUIRED,
	IMAP_CODE_REFERRAL,
	IMAP_CODE_SERVERBUG,
	IMAP_CODE_UNAVAILABLE,
	IMAP_CODE_WEBALERT,
};

struct imap_reply_parser {
	size_t searched; /* bytes at the start of the buffer that hold no LF */
	bool broken;
};

struct imap_reply_line {
	size_t consumed; /* with its line end; 0 unless LINE */
	size_t len;	 /* without it */
	enum imap_reply_kind kind;
	enum imap_status status;
	enum imap_code code;
	struct span tag;       /* TAGGED */
	struct span code_args; /* behind the code's word: capabilities */
	struct span text;      /* for people; "+": the challenge; CAPABILITY: the list */
};

/* Begin, also after a reconnect. */
void imap_reply_init(struct imap_reply_parser *parser);

/**
 * imap_reply_next - take one line from the buffer.
 * @parser: state
 * @bytes: the buffer, from the first byte not consumed yet; may be moved between calls
 * @len: bytes in it
 * @out_line: spans count from @bytes; written if LINE
 *
 * response-tagged = tag SP ("OK" / "NO" / "BAD") SP resp-text
 * response-data = "*" SP (status / data)
 * continue-req = "+" SP (resp-text / base64)
 * resp-text = ["[" resp-text-code "]" SP] [text]    RFC 9051 §9
 *
 * A bare LF ends a line; "+" may stand alone, and a text may be missing, as servers do. NUL
 * or CR inside, a line past IMAP_REPLY_LINE_MAX_BYTES, data with a literal, and all else is
 * BROKEN. The buffer must hold a whole line.
 *
 * Return: enum imap_reply_result.
 */
enum imap_reply_result imap_reply_next(struct imap_reply_parser *parser,
				       const char *bytes, size_t len,
				       struct imap_reply_line *out_line);

/**
 * imap_outcome - what the line that ends a login means.
 * @line: tagged, or an untagged BYE
 * @bytes: what its spans point into
 * @dialogue: what the client had sent; LOGIN: sasl_password()
 */
enum sasl_outcome imap_outcome(const struct imap_reply_line *line, const char *bytes,
			       const struct sasl_dialogue *dialogue);

#endif
