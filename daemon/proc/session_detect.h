/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session_detect - who attempts a denial of service? (flag BAN)
 *
 * A client's address always meets the same gate, so what a gate counts is all there is; only of clients that a load
 * balancer brings each gate counts its own. The ledger hears of an attempt, and bans.
 */
#ifndef PROC_SESSION_DETECT_H
#define PROC_SESSION_DETECT_H

#include <stdint.h>

#include "base/addr.h"
#include "policy/detect.h"

struct gate;
struct msg_syns;
struct session;

/* Something that a client did, outside of a session or in one. */
struct detect_event {
	struct addr addr;
	uint16_t flags; /* of its entry */
	int service;	/* index into conf.services */
	enum detector detector;
};

/* The table of clients, once the configuration is known. 0; -ENOMEM. */
int detect_init(struct gate *gate);
void detect_done(struct gate *gate);

/* Count it, if the entry has BAN and the policy asks for it. */
void detect_note(struct gate *gate, const struct detect_event *event);

/* A connection stands: its handshake shows that the address is the client's own. */
void detect_accepted(struct gate *gate, const struct detect_event *event);

/* The kernel reports who begins too many connections. Counted are those that complete them at this gate. */
void detect_syn_reports(struct gate *gate, const struct msg_syns *message);

/* A session is over: what does the way in which it ended say? */
void detect_session(const struct session *session);

#endif
