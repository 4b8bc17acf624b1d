/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_smtp_pipe - replies that a client waits for, in their order.
 *
 * A command that goes to the backend leaves an entry; a command that postern answers itself
 * while entries wait leaves its answer. The queue lives in a block of the gate, which an
 * idle session does not hold. RFC 2920.
 */
#ifndef PROC_GATE_SMTP_PIPE_H
#define PROC_GATE_SMTP_PIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proc/session.h"
#include "wire/smtp.h"

#define PIPELINE_MAX \
	100u /* replies awaited: RFC 5321 4.5.3.1.8 asks for 100 recipients */
#define PIPELINE_TEXT_MAX   4096u /* an answer to EHLO, or a reply that must wait */
#define PIPELINE_ROUTES_MAX 3072u /* addresses of routed recipients; six of the longest */

#define SMTP_EXPECT_TEXT_MAX MSG_USER_MAX

struct smtp_expect {
	const char *
		local; /* postern's own answer: static, or text below; NULL: the backend's */
	uint8_t verb; /* enum smtp_verb */
	bool is_strike_candidate;
	bool is_routed; /* the two addresses below are there (proc/gate_smtp_route) */
	uint16_t to_at, said_at;
	char text
		[SMTP_EXPECT_TEXT_MAX]; /* recipient of a RCPT, escaped; or a local answer */
};

struct smtp_pipeline {
	uint16_t head, count;
	uint16_t text_len;
	uint16_t text_last; /* where its last line begins */
	struct smtp_expect expected[PIPELINE_MAX];
	uint16_t routes_len;
	char text[PIPELINE_TEXT_MAX];
	char routes
		[PIPELINE_ROUTES_MAX]; /* NUL-terminated texts, until all are answered */
};

/* The queue, made if there is none; NULL: the session has been ended for want of memory. */
struct smtp_pipeline *pipe_open(struct session *session);

/* Nothing is awaited: give the block back. */
void pipe_close(struct session *session);

/* May one more be awaited? */
bool pipe_has_room(const struct session *session);

/* How many are awaited. */
size_t pipe_count(const struct session *session);

/* Adds an entry at the end, zeroed but for the verb; NULL as pipe_open(). The caller has asked pipe_has_room(). */
struct smtp_expect *pipe_push(struct session *session, enum smtp_verb verb);

/* The first entry, or NULL. */
struct smtp_expect *pipe_head(const struct session *session);

/* The last entry; there is one. */
const struct smtp_expect *pipe_last(const struct session *session);

/* Drops the first entry. */
void pipe_pop(struct session *session);

#endif
