/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_sync - the one road on which bans reach the kernel.
 *
 * Autoban, command, expiry, start and reload all hand in batches of (policy, prefix). What is sent
 * to the keeper for each is decided when it is sent: in the set: set it, with the set's end; not in
 * it: remove it. So the kernel ends with what the set says, whatever the order of the batches.
 */
#ifndef PROC_LEDGER_SYNC_H
#define PROC_LEDGER_SYNC_H

#include "proc/ledger_state.h"
#include "sys/db.h"

#define SYNC_WINDOW_MAX 8u /* messages to the keeper that are not answered yet */

enum ban_cause {
	CAUSE_STRIKES,
	CAUSE_COMMAND,
	CAUSE_EXPIRED,
	CAUSE_PROTECTED, /* lifted: the address must stay reachable now */
	CAUSE_REPAIR,	 /* start or reload: the kernel is brought to what the set says */
};

struct ban_change {
	struct prefix prefix;
	uint8_t policy;	     /* id; LEDGER_POLICY_NONE: only in the store */
	uint8_t edit;	     /* enum ban_edit_kind */
	uint8_t cause;	     /* enum ban_cause */
	bool existed;	     /* set: there was one, which changes */
	bool was_over;	     /* set: there was one that has ended, not taken out yet */
	bool is_unstored;    /* the store could not take it yet */
	bool is_without_xdp; /* the keeper has no XDP: the gates alone enforce it */
	int error;	     /* 0; why it was not done */
	uint32_t key;	     /* policy in the store; 0: unknown */
	uint32_t why;	     /* index into whys of the batch */
	uint32_t tag;	     /* the caller's */
	int64_t began_s, ends_s; /* wall clock */
	uint64_t ends_ns;	 /* boot-time clock */
	uint64_t
		seen_mono_ns; /* autoban: when the reply was read that made the last strike; else 0 */
};

struct ban_batch;
typedef void (*batch_done_fn)(void *context, struct ban_batch *batch);

struct ban_batch {
	struct ban_change *changes; /* owned */
	size_t count, capacity;
	char (*whys)[DB_WHY_MAX]; /* owned */
	size_t why_count;
	bool is_urgent;	    /* overtakes what is not */
	bool is_load;	    /* many at once */
	batch_done_fn done; /* may be NULL; the batch is freed after it */
	void *context;
	/* sync's own: */
	struct ledger *ledger;
	size_t sent, waiting;
	bool is_queued;
	struct ban_batch *next;
};

/* A batch with room for changes and reasons; NULL without memory. */
struct ban_batch *batch_new(size_t capacity, size_t whys);
void batch_free(struct ban_batch **batch);

/* The next change, zeroed; NULL: full. */
struct ban_change *batch_add(struct ban_batch *batch);

const char *batch_why(const struct ban_batch *batch, const struct ban_change *change);

struct sync_queue *sync_new(void);
void sync_free(struct sync_queue **queue);

/* Called when the keeper has answered for some changes of a batch (or had nothing to hear of them). */
typedef void (*sync_answered_fn)(struct ledger *ledger, struct ban_batch *batch,
				 size_t first, size_t count);
void sync_on_answer(struct ledger *ledger, sync_answered_fn answered);

/* Bring these to the kernel. Takes the batch. */
void sync_submit(struct ledger *ledger, struct ban_batch **batch);

/* Send what the window allows; also called once a second, in case the channel was full. */
void sync_pump(struct ledger *ledger);

/* Is a change of this ban still on its way to the kernel, or not answered yet? */
bool sync_is_pending(const struct ledger *ledger, const struct prefix *prefix,
		     uint8_t policy);

#endif
