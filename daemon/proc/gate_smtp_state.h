/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_state - what a session keeps for SMTP.
 */
#ifndef PROC_GATE_SMTP_STATE_H
#define PROC_GATE_SMTP_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/greylist_key.h"
#include "wire/line.h"
#include "wire/sasl.h"
#include "wire/smtp_data.h"
#include "wire/smtp_reply.h"

#define SESSION_MECHS_MAX 256u /* mechanisms of the backend, with the NUL */

struct smtp_pipeline;
struct smtp_spf;

/* What the ledger says of the recipients; see gate_smtp_grey.h. */
struct smtp_grey {
	uint8_t sender[GREY_DIGEST_BYTES]; /* digest, of the present message */
	uint8_t step;	 /* enum smtp_grey_step of the present command */
	uint8_t verdict; /* enum grey_verdict */
	bool has_null_sender;
	bool has_deferred; /* a recipient of the present message */
	uint32_t ask;	   /* number of the question that waits */
	uint32_t wait_s;
	uint32_t data_wait_s; /* > 0: DATA of the present message is deferred */
	uint64_t ends_ms;     /* then nobody waits for the answer any more */
};

/* SMTP's own state. */
struct smtp_state {
	struct line_scanner lines;
	struct smtp_reply_parser replies;
	union {
		struct smtp_data data;	    /* SESSION_DATA, SESSION_SWALLOW */
		struct sasl_dialogue login; /* SESSION_AUTH */
	};
	struct smtp_pipeline *pipeline; /* replies awaited; NULL: none */
	const char *
		swallow_reply; /* what SESSION_SWALLOW ends with; static; NULL: text of pipeline */
	struct smtp_spf *spf; /* of the sender; NULL: not asked. See gate_smtp_spf.h */
	uint32_t spf_serial;  /* of the message */
	uint8_t spf_result;   /* enum spf_result */
	bool spf_was_asked;
	uint32_t caps; /* enum smtp_cap of the backend */
	uint32_t xclient_left;
	uint64_t told_login;	/* to the backend, see gate_smtp_xclient; 0: none */
	bool xclient_has_login; /* the backend takes one */
	bool wants_no_login;	/* the client is about to log in itself */
	bool is_renewing;  /* an EHLO is under way that the client knows nothing of */
	uint32_t commands; /* since the last message that was accepted */
	uint32_t errors;
	uint64_t greet_ms;  /* SESSION_GREET: when it is time for the greeting */
	bool has_spoken;    /* first bytes have come */
	bool has_pipelined; /* before the reply to EHLO had gone out */
	bool is_esmtp;
	bool has_hello;	     /* the present EHLO was answered with 250 */
	bool has_acted;	     /* the backend was told of a message or a login */
	bool in_mail;	     /* MAIL was passed on, and not refused */
	bool has_rcpt;	     /* RCPT was passed on */
	bool auth_waits;     /* for the backend's reply to a line of the login */
	bool data_has_end;   /* the end of the message was found */
	bool data_again;     /* the scan has more output for the same input */
	uint8_t data_faults; /* enum smtp_data_fault of all messages */
	struct smtp_grey grey;
	char mechs[SESSION_MECHS_MAX];
};

#endif
