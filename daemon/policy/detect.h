/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/detect - attempts at a denial of service that a gate can tell: so many events of one kind within a time.
 *
 * Every one of them comes from a client with which a connection stands, so with a source address that is its
 * own: a flood of forged packets counts for nobody. Pure: the time is an argument.
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

#endif
