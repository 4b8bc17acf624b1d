/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/strikes - how many strikes a client has, when it is banned, and for how long.
 *
 * Pure: the ledger keeps one record per client and hands it in with the time.
 * One record counts strikes whatever the service, and in which policies they were made.
 */
#ifndef POLICY_STRIKES_H
#define POLICY_STRIKES_H

#include <stdbool.h>
#include <stdint.h>

#include "policy/conf.h"

#define STRIKES_KEPT_MAX \
	32u /* a client's remembered strikes; conf max may not exceed it */
#define STRIKE_DIGEST_BYTES 8u

enum strike_kind {
	STRIKE_LOGIN,	  /* a refused credential */
	STRIKE_RECIPIENT, /* a refused recipient */
	STRIKE_DOS, /* an attempt at a denial of service: bans at once, and is not counted */
	STRIKE_KIND_COUNT,
};

struct strike {
	int64_t at_s; /* wall clock */
	uint8_t kind; /* enum strike_kind */
	uint8_t policy_id;
	/* Keyed, of user and password; all 0: unknown. */
	uint8_t digest[STRIKE_DIGEST_BYTES];
};

struct strikes_record {
	struct strike
		kept[STRIKES_KEPT_MAX]; /* oldest first; only those inside the window */
	uint32_t count;
	int64_t credit_until_s; /* not counted until then, after a successful login */
};

enum strike_result {
	STRIKE_COUNTED,
	STRIKE_REPEATED, /* same credential again, ignored by repeat-credentials */
	STRIKE_CREDITED, /* ignored by success-credit */
	STRIKE_LIMIT,	 /* counted, and it is the one that bans */
};

/**
 * strikes_add - count one strike.
 * @conf: settings of the policy in which it was made
 * @record: the client's; zeroed for a new one; changed
 * @strike: the new one
 * @out_policies: on STRIKE_LIMIT the policies (bit 1 << id) in which strikes were made
 *
 * On STRIKE_LIMIT the record is emptied: the ban takes over. A clock that steps back
 * keeps strikes (they leave when the window has passed from their time on).
 */
enum strike_result strikes_add(const struct conf_strikes *conf,
			       struct strikes_record *record, const struct strike *strike,
			       uint32_t *out_policies);

/* A successful login: clears the strikes and gives credit, if success-credit is set. */
void strikes_succeed(const struct conf_strikes *conf, struct strikes_record *record,
		     int64_t now_s);

/**
 * ban_length_s - how long the next ban lasts.
 * @conf: settings
 * @earlier: bans of this client that began within ban_memory_s
 *
 * ban_time_s doubled for each earlier one, at most ban_time_max_s; saturates.
 *
 * Return: seconds; DURATION_FOREVER_S.
 */
int64_t ban_length_s(const struct conf_strikes *conf, uint32_t earlier);

const char *strike_kind_name(enum strike_kind kind); /* "login", "recipient" */

#endif
