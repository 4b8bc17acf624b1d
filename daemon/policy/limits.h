/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * policy/limits - who may be banned, and who may not relay: promise 4, in one place.
 *
 * postern never bans its own addresses, the backends, the default gateway or a prefix of
 * never-ban. The ledger asks before it stores, the keeper again before it obeys.
 */
#ifndef POLICY_LIMITS_H
#define POLICY_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "policy/conf.h"

#define LIMITS_PROTECTED_MAX 256u
#define LIMITS_WHY_MAX	     64u
#define LIMITS_SHORTEST_V4   8u /* a shorter prefix needs --force */
#define LIMITS_SHORTEST_V6   32u
#define LIMITS_INTERNET_V4 \
	8u /* no one's own network is larger: a shorter prefix holds strangers */
#define LIMITS_INTERNET_V6 16u

/* A prefix that must stay reachable, and why ("own address", "backend", ...). */
struct protected_prefix {
	struct prefix prefix;
	char why[LIMITS_WHY_MAX];
};

struct protected_set {
	struct protected_prefix items[LIMITS_PROTECTED_MAX];
	uint32_t count;
};

/* Adds one; -ENOSPC. */
int protected_add(struct protected_set *set, const struct prefix *prefix,
		  const char *why) MUST_CHECK;

/* The first protected item that a ban of this prefix would hit (overlap); NULL. */
const struct protected_prefix *protected_find(const struct protected_set *set,
					      const struct prefix *ban);

/* Is the prefix so short that a ban of it needs --force? */
bool ban_is_wide(const struct prefix *ban);

/**
 * entry_is_open_relay - would this list entry let the Internet relay?
 * @prefix: of the entry
 * @flags: of the entry
 * @needs_ar: postern refuses relaying without AR. Otherwise the backend decides, and takes AA for a login
 *
 * PA and AA (counts as authenticated), with AR (the authenticated may relay) where that is
 * needed, on a prefix shorter than /8 (IPv4) or /16 (IPv6), but for fc00::/7, which is private.
 * Refused unless i-want-an-open-relay = yes.
 */
bool entry_is_open_relay(const struct prefix *prefix, uint16_t flags, bool needs_ar);

#endif
