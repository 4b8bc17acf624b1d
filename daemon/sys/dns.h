/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/dns - questions to DNS resolvers, without waiting (c-ares).
 *
 * No loop of its own: it says which descriptors it watches, and the caller says when they are
 * ready and when time has passed. Needs no file once dns_open() has returned, so it works in
 * an empty root. Called by the checker; tests replace it at link time.
 */
#ifndef SYS_DNS_H
#define SYS_DNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"

#define DNS_SERVERS_MAX	   8u
#define DNS_TRY_TIMEOUT_MS 2000 /* first try of a server; doubled for the second */
#define DNS_TRIES	   2
#define DNS_EDNS_BYTES	   1232 /* fits every path without fragments; DNS flag day 2020 */
#define DNS_FDS_MAX \
	64u /* sockets at a time: UDP and TCP of each server, and those closing */

enum dns_status {
	DNS_ANSWER,    /* there is an answer; it may still lack the record asked for */
	DNS_NO_NAME,   /* the name does not exist, or cannot exist */
	DNS_NO_RECORD, /* it exists, without a record of this type */
	DNS_FAILED, /* SERVFAIL, REFUSED, no server, malformed: says nothing about the name */
	DNS_TIMED_OUT, /* nobody answered: says nothing about the name either */
};

struct dns_server {
	struct addr addr;
	uint16_t port; /* host order */
};

struct dns;

/* @bytes, @len: the message, borrowed for the call; NULL and 0 if there is none. */
typedef void (*dns_reply_fn)(void *context, enum dns_status status, const uint8_t *bytes,
			     size_t len);

/* Watch this descriptor for what is true; with both false forget it: it is about to be closed. */
typedef void (*dns_watch_fn)(void *context, int fd, bool readable, bool writable);

/**
 * dns_open - make ready to ask. Reads the system's settings: call it before giving up the files.
 * @watch, @context: told about descriptors from the first question on
 * @out_dns: owned by the caller; untouched on failure
 *
 * Return: 0; -ENOMEM; -EIO, the library could not start.
 */
int dns_open(dns_watch_fn watch, void *context, struct dns **out_dns) MUST_CHECK;

/* Open questions are replied to with DNS_FAILED before this returns. */
void dns_close(struct dns **dns);

/**
 * dns_set_servers - whom to ask from now on, in this order.
 * @servers, @count: 1..DNS_SERVERS_MAX; count 0 leaves those of the system's settings
 *
 * Open questions are replied to with DNS_FAILED first, unless the servers stay the same.
 *
 * Return: 0; -EINVAL; -ENOMEM.
 */
int dns_set_servers(struct dns *dns, const struct dns_server *servers,
		    size_t count) MUST_CHECK;

/**
 * dns_ask - send a question of class IN.
 * @name: labels as they are, with or without a final dot; never searched in a domain of this host
 * @type: number of the record type
 * @reply, @context: called exactly once, perhaps before this returns
 */
void dns_ask(struct dns *dns, const char *name, uint16_t type, dns_reply_fn reply,
	     void *context);

/* A descriptor is ready. */
void dns_on_ready(struct dns *dns, int fd, bool readable, bool writable);

/* Time has passed: call it when dns_timeout_ms() is over. */
void dns_on_time(struct dns *dns);

/* Milliseconds until dns_on_time() wants to be called; -1: nothing is open. */
int dns_timeout_ms(struct dns *dns);

#endif
