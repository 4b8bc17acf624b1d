/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * checks/resolver - questions to the DNS: from the cache if it is known, once if many ask at the same time.
 *
 * Stands between the checks of all gates and sys/dns. An answer is kept for its TTL, "no" for what the zone's
 * SOA says (RFC 2308), failures not at all. When nobody answers any more it stops asking for a while
 * (checks/breaker). Asynchronous; no log, no clock: resolver_turn() says what time it is.
 */
#ifndef CHECKS_RESOLVER_H
#define CHECKS_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/siphash.h"
#include "sys/dns.h"
#include "wire/dnsmsg.h"

#define RESOLVER_OPEN_MAX \
	4096u /* questions under way; beyond it the answer is DNS_FAILED at once */

struct resolver;
struct resolver_question;

/* What the DNS says. */
struct dns_answer {
	enum dns_status
		status; /* DNS_ANSWER: there is at least one record of the type asked for */
	uint32_t ttl_s;	 /* as it came; 0 if it may not be kept */
	const char *why; /* static; DNS_FAILED and DNS_TIMED_OUT: as a phrase */
	struct dnsmsg
		message; /* to be walked; empty unless DNS_ANSWER. Valid during the call */
};

typedef void (*resolver_reply_fn)(void *context, const struct dns_answer *answer);

/* One who waits for an answer. Memory of the caller, all zero before its first use. */
struct resolver_wait {
	TAILQ_ENTRY(resolver_wait) next;
	struct resolver_question *question; /* NULL: not waiting */
	resolver_reply_fn reply;
	void *context;
	bool want_fresh; /* in: do not look into the cache */
};

struct resolver_limits {
	uint32_t cache_entries; /* > 0 */
	uint32_t ttl_min_s;	/* an answer that may be kept is kept at least so long */
	uint32_t ttl_max_s;	/* and at most so long */
};

/* The breaker has opened: nobody has answered for a while. */
typedef void (*resolver_silent_fn)(void *context);

/**
 * resolver_new - one for each process that asks.
 * @dns: borrowed; has to be closed before the resolver is freed
 * @seed: for the hashes, from the caller's random source
 *
 * Return: the resolver; NULL without memory.
 */
struct resolver *resolver_new(struct dns *dns, const struct resolver_limits *limits,
			      const uint8_t seed[SIPHASH_KEY_BYTES]);
void resolver_free(struct resolver **resolver);

void resolver_set_limits(struct resolver *resolver, const struct resolver_limits *limits);
void resolver_on_silent(struct resolver *resolver, resolver_silent_fn on_silent,
			void *context);

/* Time of this turn of the loop, monotonic clock: before anything else in it. */
void resolver_turn(struct resolver *resolver, uint64_t now_ns);
uint64_t resolver_now_ns(const struct resolver *resolver);

/**
 * resolver_ask - one question of class IN.
 * @wait: reply, context and want_fresh are set; must not be waiting; must stay until it has been replied to or
 * cancelled
 * @name: with or without a final dot; letters of any case
 * @type: one of enum dnsmsg_type, or any other
 *
 * Replied to exactly once, perhaps before this returns.
 */
void resolver_ask(struct resolver *resolver, struct resolver_wait *wait, const char *name,
		  uint16_t type);

/* Wait no longer. The question goes on, for the cache. Does nothing if it is not waiting. */
void resolver_cancel(struct resolver_wait *wait);

/* The same, since no answer came in time: for the breaker. */
void resolver_give_up(struct resolver *resolver, struct resolver_wait *wait);

struct resolver_counts {
	uint64_t asked;	 /* questions sent to the DNS */
	uint64_t cached; /* answered from the cache */
	uint64_t shared; /* that waited for somebody else's question */
	uint64_t failed; /* DNS_FAILED and DNS_TIMED_OUT */
	size_t cache_entries, cache_bytes;
	bool is_silent; /* the breaker is open */
};

void resolver_count(const struct resolver *resolver, struct resolver_counts *out_counts);

#endif
