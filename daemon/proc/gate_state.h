/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/gate_state - the root struct of a gate: what all its sessions share.
 *
 * Owned by gate.c, which fills it at start and on messages of the keeper; passed down to
 * everything else. There are no globals.
 */
#ifndef PROC_GATE_STATE_H
#define PROC_GATE_STATE_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/log.h"
#include "base/prefix_set.h"
#include "base/tally.h"
#include "proc/channel.h"
#include "proc/gate_mailbox_state.h"
#include "proc/gate_pool.h"
#include "proc/gate_sockets.h"
#include "proc/gate_tls.h"
#include "proc/gate_wheel.h"
#include "proc/msg.h"
#include "proc/relay_pipes.h"
#include "proc/snapshot.h"
#include "sys/digest.h"
#include "wire/sasl.h"

/* Holds one command line of AUTH (RFC 4954 section 4: 12288 octets) and one page more. */
#define GATE_SMALL_BYTES 16384u
/* One read of a message body. */
#define GATE_BIG_BYTES 65536u
/* A session can hold input and output of both its legs, a pipeline, and what is known of a sender. */
#define GATE_SMALL_PER_SESSION 6u
#define GATE_LISTENERS_MAX     (CONF_SERVICES_MAX * CONF_LISTEN_MAX)
#define GATE_NO_SESSION	       UINT32_MAX
/* A reply of our own: RFC 5321 4.5.3.1.5 has 512 octets. */
#define GATE_REPLY_BYTES 600u
/* Sessions that ended with checks unanswered, and are remembered until they are answered. */
#define GATE_LATE_MAX 256u

struct session;
struct ttlmap;
struct gate;
struct gate_test;
struct session;
struct ttlmap;

/* A session that ended while the checker was still asked about it: what it finds is told all the same. */
struct gate_late {
	uint64_t session_id; /* 0: not in use */
	struct addr addr;
	uint8_t service;
	uint32_t due; /* bits 1 << enum conf_check: applied, and not answered */
};

struct gate_listener {
	struct gate *gate;
	struct event *readable; /* owned */
	int fd;			/* owned */
	struct conf_endpoint endpoint;
	int service; /* index into conf.services; -1: it is in no configuration any more */
};

/* Budgets for lines that a stranger can provoke. */
struct gate_log_limits {
	struct log_limit refused, crowded, accept, http, xclient, backend, proxy,
		smuggling, tls, greylist;
};

struct gate {
	struct event_base *base;
	uint32_t index;
	uint32_t fds_max; /* open files that this process may have */
	uint64_t now_ns;  /* monotonic clock, read once an event */
	uint64_t now_ms;
	uint64_t id_base; /* of session numbers: gate and start time */
	uint64_t id_count;

	struct snapshot snapshot;
	const struct conf *conf; /* of snapshot; NULL before the first CONF */
	const struct prefix_set *shared[SHARED_COUNT]; /* NULL: none yet */
	void *shared_memory[SHARED_COUNT];
	size_t shared_bytes[SHARED_COUNT];
	struct digest *digest;
	struct gate_tls tls;

	struct channel *keeper, *ledger, *checker;

	struct session *sessions; /* session_max of them */
	uint32_t session_max;
	uint32_t session_count;
	uint32_t *free_sessions; /* stack of indexes */
	uint32_t *
		ids; /* hash of session numbers: index of the first, or GATE_NO_SESSION */
	uint32_t hash_mask;
	struct tally counts; /* sessions of each client, at all gates */
	uint8_t client_seed[16];

	struct pool small, big;
	struct relay_pipes pipes;
	char *in_client; /* scratch: a block of big; a session may take it over */
	char in_backend
		[GATE_SMALL_BYTES]; /* scratch, as the two below: within one event only */
	char out_client[GATE_SMALL_BYTES];
	char out_backend[GATE_SMALL_BYTES];
	char room
		[GATE_SMALL_BYTES]; /* of wire/smtp_data; what does not go out at once fits a small block */
	char reply[GATE_REPLY_BYTES]; /* scratch: a reply of our own, said at once */
	struct sasl_scratch sasl;     /* wiped after each use */

	struct ttlmap *good; /* clients that delivered; gate_smtp_early */
	struct gate_late late[GATE_LATE_MAX]; /* a ring */
	uint32_t late_next;

	struct gate_test *tests; /* GATE_TESTS_MAX; NULL: nobody has tested yet */

	struct wheel wheel;
	struct event *tick;
	struct gate_listener *listeners; /* GATE_LISTENERS_MAX; unused ones have fd -1 */
	struct gate_sockets sockets;
	uint8_t good_backend
		[CONF_SERVICES_MAX]; /* index of the address that worked last */
	struct mailbox_offer offers[CONF_SERVICES_MAX]; /* of POP3 and IMAP services */
	struct ttlmap *detected; /* clients and what they did lately; NULL: not yet */
	struct ttlmap
		*syns; /* those that the kernel has reported lately; NULL: not yet */
	struct gate_log_limits log_limits;

	bool is_started, is_draining;
	bool is_leaving; /* another program has taken over: only the sessions that are there */
	uint64_t drain_ends_ms;
	uint64_t
		grey_pause_ends_ms; /* until then the ledger is not asked about recipients */
	int exit_status;
};

#endif
