/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/bpf/world - a mount and a network namespace of the test's own, with a bpffs and the program
 * in it. All of it goes when the process ends.
 */
#ifndef TESTS_BPF_WORLD_H
#define TESTS_BPF_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "frame.h"
#include "sys/xdp.h"

#define WORLD_PINS    "/sys/fs/bpf/postern" /* in the namespace */
#define WORLD_PORT    25		    /* guarded by policy 0 */
#define WORLD_HOUR_NS (3600 * UINT64_C(1000000000))

/* One line of an address list. */
struct world_entry {
	const char *prefix; /* NULL ends the list */
	uint16_t flags;
};

/* cmocka group set-up: enters the namespaces. */
int world_enter(void **state);

/* cmocka test set-up and tear-down: *state is an open struct xdp, port 25 guarded by policy 0 with an empty list. */
int world_open(void **state);
int world_close(void **state);

/* Closes and opens again with another capacity; *state is the new one. */
struct xdp *world_reopen(void **state, uint32_t bans_max);

/* How many bans a walk meets. */
size_t world_walk_count(struct xdp *xdp);

struct prefix world_prefix(const char *text);

/* Loads a list of {prefix, flags} rows, ended by NULL, as policy "p<id>". */
void world_list(struct xdp *xdp, uint16_t policy, const struct world_entry *entries);

/* Bans a prefix in a policy. */
void world_ban(struct xdp *xdp, const char *prefix, uint16_t policy, uint64_t ends_ns);

/* What became of a frame: the verdict, and which counters moved. */
struct world_result {
	uint32_t verdict;	      /* XDP_PASS, XDP_DROP */
	struct xdp_counters moved[2]; /* of policies 0 and 1 */
};

struct world_result world_run(struct xdp *xdp, const struct frame *frame);

/* The verdict alone. */
uint32_t world_verdict(struct xdp *xdp, const struct frame *frame);

/* The verdict on a TCP packet from an address to a port. */
uint32_t world_knock(struct xdp *xdp, const char *source, uint16_t port);

/* The same, and the name of the one counter of the policy that moved ("none", "several"). */
const char *world_reason(struct xdp *xdp, const char *source, uint16_t port,
			 uint16_t policy);

/* Runs a command and fails the test if it fails. Words end with NULL. */
void world_command(const char *const *words);

/* Seed of a random test, printed; SEED= in the environment replays one. */
uint64_t world_seed(void);

/* The next number of a sequence (splitmix64). */
uint64_t world_random(uint64_t *seed);

#endif
