/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * wire/sasl - what a gate must know of a login that it passes through.
 *
 * Who tried, whether a credential was really presented, and what the server's reply to it
 * means. A secret is decoded into the caller's scratch memory and nowhere else: the caller
 * digests it and wipes the memory. Pure. Used by proc/ (gate).
 *
 * Standards: RFC 4954 (AUTH), RFC 4422 (SASL), RFC 4616 (PLAIN), RFC 2195 (CRAM-MD5), RFC
 * 2831 (DIGEST-MD5), RFC 5802 (SCRAM), RFC 7628 (OAUTHBEARER), RFC 4648 (base64). LOGIN and
 * XOAUTH2 have none.
 */
#ifndef WIRE_SASL_H
#define WIRE_SASL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "wire/smtp_reply.h"

#define SASL_USER_MAX	   128u	 /* bytes kept of a user name */
#define SASL_SCRATCH_BYTES 9216u /* a line of 12288 bytes, decoded */

enum sasl_mechanism {
	SASL_OTHER, /* GSSAPI, ...: no user name is looked for */
	SASL_PLAIN,
	SASL_LOGIN,
	SASL_CRAM_MD5, /* and its kin: CRAM-SHA1 ... */
	SASL_DIGEST_MD5,
	SASL_SCRAM, /* all of them */
	SASL_XOAUTH2,
	SASL_OAUTHBEARER,
	SASL_NTLM,
	SASL_EXTERNAL,
	SASL_ANONYMOUS,
	SASL_MECHANISM_COUNT,
};

struct sasl_dialogue {
	enum sasl_mechanism mechanism;
	uint8_t lines;	   /* client lines so far, capped */
	bool is_offered;   /* the backend offers this mechanism */
	bool is_cancelled; /* the client sent "*" */
	bool is_broken; /* the last line: bad base64, or not in the form of the mechanism */
	bool is_presented;  /* a well-formed, non-empty credential was sent */
	bool is_repeatable; /* PLAIN, LOGIN, OAuth: the same again is the same secret */
	bool is_challenged; /* OAuth: the server answered the token with an error */
	bool user_is_cut;   /* longer than SASL_USER_MAX */
	uint8_t user_len;
	char user[SASL_USER_MAX]; /* raw bytes from a stranger, not terminated */
};

/* Decoded text of one client line; the caller wipes all of it after use. */
struct sasl_scratch {
	char bytes[SASL_SCRATCH_BYTES];
	uint16_t secret_at;
	uint16_t secret_len; /* 0: this line held no secret */
};

/**
 * sasl_begin - a dialogue begins with AUTH.
 * @dialogue: written anew
 * @mechanism, @len: as the client wrote it
 * @is_offered: does the backend offer it?
 *
 * The initial response, if there is one, is fed to sasl_client_line() next.
 */
void sasl_begin(struct sasl_dialogue *dialogue, const char *mechanism, size_t len,
		bool is_offered);

/**
 * sasl_client_line - look at one line of the client.
 * @dialogue: state
 * @line, @len: initial response ("=" is empty), or answer to a 334; without CRLF
 * @scratch: secret_at and secret_len always written; bytes hold the decoded line
 *
 * Decodes leniently (spaces, missing padding): what some server may accept must count. A
 * gate need not pass on what base64_decode() (wire/base64) refuses: it may answer 501
 * itself and send the backend "*".
 *
 * After the line that completes the credential is_presented is set, and scratch holds
 * the secret if is_repeatable.
 */
void sasl_client_line(struct sasl_dialogue *dialogue, const char *line, size_t len,
		      struct sasl_scratch *scratch);

/**
 * sasl_password - a login without SASL: a name and a secret, as they are.
 * @dialogue: written anew
 * @user, @user_len: any bytes; borrowed; may lie in @scratch
 *
 * The secret follows with sasl_secret(). IMAP's LOGIN, POP3's USER and PASS.
 */
void sasl_password(struct sasl_dialogue *dialogue, const char *user, size_t user_len);

/* Its secret: @len bytes at the start of scratch->bytes; secret_at and secret_len are written. */
void sasl_secret(struct sasl_dialogue *dialogue, struct sasl_scratch *scratch,
		 size_t len);

enum sasl_outcome {
	SASL_SUCCESS,	  /* logged in */
	SASL_REFUSED,	  /* the credential is wrong: a strike */
	SASL_TEMPORARY,	  /* the server could not find out */
	SASL_NOT_A_LOGIN, /* cancelled, malformed, not allowed here: nothing was tried */
	SASL_CONTINUES,	  /* 334: the dialogue goes on */
	SASL_OUTCOME_COUNT,
};

/**
 * sasl_outcome - what the server's reply to the client's last line means.
 * @code: reply code
 * @enhanced: of the last line
 * @dialogue: what the client had sent
 */
enum sasl_outcome sasl_outcome(unsigned int code, struct smtp_enhanced enhanced,
			       const struct sasl_dialogue *dialogue);

const char *sasl_outcome_name(enum sasl_outcome outcome);

#endif
