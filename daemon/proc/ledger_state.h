/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/ledger_state - the ledger's root struct, and the small questions every part of it asks.
 *
 * The ledger's parts know each other only downwards:
 *
 *   ledger - ledger_ctl - ledger_ctl_* - ledger_strikes, ledger_repair, ledger_grey - ledger_bans
 *          - ledger_store, ledger_grey_store, ledger_sync, ledger_events - ledger_ask - ledger_state
 *   ledger, ledger_ctl_* - ledger_recent - ledger_gather - ledger_state
 */
#ifndef PROC_LEDGER_STATE_H
#define PROC_LEDGER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/prefix_set.h"
#include "proc/msg.h"
#include "proc/snapshot.h"

struct event_base;
struct channel;
struct asks;
struct store;
struct sync_queue;
struct recent;
struct strikes;
struct repair;
struct ctl;
struct events;
struct findings;
struct gather;
struct tests;
struct grey;
struct grey_store;
struct ledger_checker;

#define LEDGER_POLICY_NONE 255u	     /* a policy of the store that is not configured */
#define LEDGER_DB_PATH	   "bans.db" /* below the state directory, where the ledger stands */

/* The clocks, read once a turn of the loop. */
struct ledger_now {
	uint64_t boot_ns, mono_ns;
	int64_t wall_s;
};

struct ledger {
	struct event_base *base;
	struct ledger_now now;
	int64_t started_wall_s;
	int exit_status;
	bool is_ready;	     /* READY has been sent */
	bool is_without_xdp; /* by the keeper's last answer: only the gates enforce bans */

	struct channel *keeper;
	struct channel *gates[CONF_GATES_MAX]; /* by number; NULL: none */

	struct snapshot snapshot;
	bool has_snapshot;
	uint32_t keys
		[CONF_POLICY_IDS]; /* policy id -> key in the store; 0: not configured */

	struct prefix_set *set; /* the bans; shared with the gates; we alone write */
	void *set_memory;
	size_t set_bytes;
	size_t set_capacity;

	struct asks *asks;
	struct store *store;
	struct sync_queue *sync;
	struct strikes *strikes;
	struct recent *recent;
	struct repair *repair;
	struct events *events;
	struct findings *findings;
	struct gather *gather;
	struct tests *tests;
	struct grey *grey;
	struct grey_store *grey_store;
	struct ledger_checker *checker;
	struct ctl *ctl;

	/* Who walks through the kernel's bans: the keeper has one cursor. NULL: nobody. */
	const void *walker;

	gid_t admin_gid;      /* group postern; (gid_t)-1: there is none */
	size_t expire_cursor; /* where the search for ended bans goes on */
	bool is_checking_protected; /* after a reload: this round also lifts bans now protected */
	bool next_round_protected;
};

/* Read the clocks; first thing in every callback of the loop. */
void ledger_turn(struct ledger *ledger);

const struct conf *ledger_conf(const struct ledger *ledger);

/* Index in conf.policies of the policy with a kernel id; -1. */
int ledger_policy_index(const struct ledger *ledger, uint32_t id);

/* Kernel id of the policy with a key of the store; LEDGER_POLICY_NONE if it is not configured. */
uint32_t ledger_policy_of_key(const struct ledger *ledger, uint32_t key);

/* Name of a policy id; "-". */
const char *ledger_policy_name(const struct ledger *ledger, uint32_t id);

/*
 * A ban's end on the two clocks. While the ledger runs bans end by the boot-time clock, which no one
 * can set; what is stored is the wall clock at the time of the ban, and decides after a restart.
 */
uint64_t ledger_boot_from_wall(const struct ledger *ledger, int64_t ends_s);
int64_t ledger_wall_from_boot(const struct ledger *ledger, uint64_t ends_ns);

/* RECHECK to every gate. prefix NULL: all sessions. */
void ledger_recheck(struct ledger *ledger, const struct prefix *prefix);

/* End the loop with a status; the keeper starts a new ledger. */
void ledger_fail(struct ledger *ledger);

#endif
