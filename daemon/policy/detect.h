/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/detect - attempts at a denial of service that a gate can tell: so many events of one kind within a time.
 *
 * Every one of them comes from a client with which a connection stands, so with a source address that is its
 * own: a flood of forged packets counts for nobody. Of SYNs that the kernel has counted detect_syns() says whether that
 * holds. Pure: the time is an argument.
 */
#ifndef POLICY_DETECT_H
#define POLICY_DETECT_H

#include <stdbool.h>
#include <stdint.h>

#define DETECT_WINDOW_MAX_S UINT64_C(86400)

enum detector {
	DETECT_CONNECTS, /* connections */
	DETECT_CROWDED,	 /* connections past the limit of sessions of one client */
	DETECT_SLOW,	 /* connections that never got as far as a greeting or a login */
	DETECT_FLOODS,	 /* sessions that ended for too many errors or commands */
	DETECT_JUNK,	 /* sessions that did not speak the protocol */
	DETECT_TLS,	 /* handshakes that failed, or were one too many */
	DETECT_SYNS, /* times at which it began too many connections, and most of them stood */
	DETECT_COUNT,
};

/* max events within window_s are an attempt; 0: never. */
struct conf_detector {
	uint32_t max;
	int64_t window_s; /* 1..DETECT_WINDOW_MAX_S */
};

/* Of one client. All zero: nothing has been seen. */
struct detect_record {
	uint64_t began_ms[DETECT_COUNT]; /* of the present window */
	uint32_t count[DETECT_COUNT];	 /* in it */
};

/**
 * detect_count - count one event.
 * @conf: of this detector
 * @record: of the client; changed
 * @now_ms: monotonic clock
 *
 * A window begins with the first event that lies in no other.
 *
 * Return: true if this is the event that makes it an attempt; the count begins anew then.
 */
bool detect_count(const struct conf_detector *conf, struct detect_record *record,
		  enum detector detector, uint64_t now_ms);

const char *detector_name(enum detector detector);

#define DETECT_SYNS_GAP_MS \
	UINT64_C(10000) /* reports further apart say nothing of the time between */

/* Of one client in one policy, since the kernel first reported it. All zero: it has not yet. */
struct detect_syns {
	uint64_t passed, over; /* the kernel's numbers at the last report */
	uint64_t at_ms;	       /* of it; monotonic clock */
	uint32_t accepted;     /* connections that a gate has accepted since */
};

/* What lay between two reports. */
struct detect_syns_found {
	uint64_t passed, over; /* SYNs let through, and over the rate */
	uint32_t accepted;     /* of those let through, became connections */
};

/**
 * detect_syns - the kernel reports a client that begins too many connections: is it the client that does it?
 * @record: changed; its accepted has been counted up by the caller, and begins anew
 * @passed, @over: the kernel's numbers, counted on and on; smaller than before: it had forgotten the client
 * @now_ms: monotonic clock
 * @out_found: filled if the answer is true
 *
 * It is if since the last report some were over the rate, and at least half of those let through became connections.
 * Who forges an address cannot complete a handshake. Of the SYNs that pass, the owner of the address has its share and
 * no more; half of them can be the owner's only if it begins as many itself as the forger does. So one that itself
 * keeps below half the rate is not taken for an attacker, whatever others send in its name.
 *
 * Return: true, one event of DETECT_SYNS. The first report, and one long after the last, is none.
 */
bool detect_syns(struct detect_syns *record, uint64_t passed, uint64_t over,
		 uint64_t now_ms, struct detect_syns_found *out_found);

#endif
