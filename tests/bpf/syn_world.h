/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tests/bpf/syn_world - a world in which SYNs have a limit, and the buckets that the kernel keeps.
 *
 * The kernel's clock cannot be replaced. Buckets fill at one a second, which is long for what a test does between two
 * packets, and time is made to pass by writing into the bucket.
 */
#ifndef TESTS_BPF_SYN_WORLD_H
#define TESTS_BPF_SYN_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "bpf/abi.h"
#include "world.h"

#define BURST	  5u
#define OTHERPORT 143u /* guarded by policy 1 */
#define SOURCE	  "192.0.2.7"
#define SECOND_NS UINT64_C(1000000000)

/* cmocka test set-up: both policies let everybody in, and policy 0 has a limit of BURST. */
int syn_world_open(void **state);

/* One a second and so many at once. */
void syn_limit(struct xdp *xdp, uint16_t policy, enum xdp_syn_mode mode, uint32_t burst);

/* A pinned map, owned by the caller. */
int syn_pin(const char *name);

/* What the kernel keeps of a source that it knows; put: in policy 0. */
struct ban_key syn_key(const char *source, uint16_t policy);
struct syn_source syn_source_get(const char *source, uint16_t policy);
void syn_source_put(const char *source, const struct syn_source *value);

/* So many seconds pass for the bucket in policy 0, and since the last report. */
void syn_time_passes(const char *source, uint64_t seconds);

/* The next SYN to policy 0 finds no token, however long the machine takes to send it; nor one for what comes again. */
void syn_drain(const char *source, bool again_too);

/* So many SYNs to policy 0, of each of which becomes the same. */
void syn_expect(struct xdp *xdp, const char *source, unsigned int count,
		const char *want);

#endif
