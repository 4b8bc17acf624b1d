/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp_private - what the files of sys/xdp share; nobody else includes it.
 *
 * xdp.c opens program and maps, xdp_pin.c keeps the pins, xdp_link.c the links, xdp_policy.c the lists, services and
 * counters, xdp_ban.c the bans, xdp_cache.c what bpf/ban_cache.h remembers of them, xdp_syn.c the limits of SYNs, xdp_bridge.c the program of a bridge. libbpf comes in here
 * and nowhere else.
 */
#ifndef SYS_XDP_PRIVATE_H
#define SYS_XDP_PRIVATE_H

#include <limits.h>
#include <linux/bpf.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>

#include "bpf/abi.h"
#include "sys/xdp.h"

#define XDP_DIR_BYTES	   512u	 /* directory of the pins */
#define XDP_PATH_BYTES	   640u	 /* one pin in it */
#define XDP_PIN_NAME_BYTES 64u	 /* "policy-", a name, "-4" */
#define XDP_FILL_MAX	   1024u /* entries of one batch system call */

enum xdp_map {
	XDP_MAP_ABI,
	XDP_MAP_SERVICES,
	XDP_MAP_BANS,
	XDP_MAP_BAN_CACHE,
	XDP_MAP_BAN_CACHE_TURNS,
	XDP_MAP_BAN_PREFIXES4,
	XDP_MAP_BAN_PREFIXES6,
	XDP_MAP_POLICIES4,
	XDP_MAP_POLICIES6,
	XDP_MAP_COUNTERS,
	XDP_MAP_POLICY_NAMES,
	XDP_MAP_SYN_LIMITS,
	XDP_MAP_SYN_SOURCES,
	XDP_MAP_SYN_SEEN,
	XDP_MAP_SYN_EXEMPT,
	XDP_MAP_SYN_REPORTS,
	XDP_MAP_COUNT,
};

extern const char *const xdp_map_names[XDP_MAP_COUNT]; /* in the program and as pins */

enum xdp_list {
	XDP_LIST4,
	XDP_LIST6,
	XDP_LIST_COUNT,
};

/* Where a walk over all bans stands. */
struct xdp_walk {
	enum xdp_map map;  /* being read; XDP_MAP_COUNT: at the end */
	uint8_t *keys;	   /* of one batch, or of a whole trie */
	uint8_t *values;   /* of one batch; bans only */
	uint32_t count;	   /* in keys */
	uint32_t next;	   /* of them, not yet handed out */
	uint32_t batch;	   /* the kernel's place in the hash */
	bool has_batch;	   /* batch says where to go on */
	bool is_last_page; /* nothing of this map is left in the kernel */
};

/* A reading of reports. */
struct xdp_syn_read {
	struct xdp_syn_report *reports; /* borrowed from the caller */
	size_t count, max;
};

struct xdp {
	struct postern_bpf *program; /* owns the descriptors of program and maps */
	int program_fd;
	int map_fds[XDP_MAP_COUNT];
	int list_fds[XDP_POLICY_MAX][XDP_LIST_COUNT]; /* owned; -1: none */
	struct xdp_walk walk;
	struct ban_cache_bucket *cache; /* mapped; NULL: not open yet */
	uint32_t cache_mask;		/* buckets less one */
	struct ring_buffer *syn_ring;	/* NULL: not open yet */
	struct xdp_syn_read syn_read;	/* where its callback writes */
	char pin_dir[XDP_DIR_BYTES];
};

/* xdp.c */

/* Sets what xdp_problem() says; NULL clears. */
void xdp_problem_set(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* From now on xdp_problem() says what libbpf would have printed. */
void xdp_problem_collect(void);

/* Type information of the program, borrowed. */
const struct btf *xdp_program_btf(const struct xdp *xdp);

/* xdp_pin.c */

/* A name as a pin: bpffs allows no dot, and interfaces and policies have no colon. Returns out_pin. */
const char *xdp_pin_name(const char *before, const char *name, const char *after,
			 char out_pin[XDP_PIN_NAME_BYTES]);

/* Makes the directory if missing and looks whether it is on a bpffs. 0; -errno. */
int xdp_pin_dir_make(const char *pin_dir) MUST_CHECK;

/* Is it on a bpffs? 0; -ENOENT; -EMEDIUMTYPE; -errno. */
int xdp_pin_dir_check(const char *pin_dir) MUST_CHECK;

/* Opens a pin. The descriptor, owned by the caller; -errno. */
int xdp_pin_open(const char *pin_dir, const char *pin);

/* Pins, in one step in place of what has the name now. 0; -errno. */
int xdp_pin_replace(const char *pin_dir, const char *pin, int fd) MUST_CHECK;

int xdp_pin_rename(const char *pin_dir, const char *from, const char *to) MUST_CHECK;

/* 0, also if there is none; -errno. */
int xdp_pin_remove(const char *pin_dir, const char *pin);

/* Does a file name in the directory look like one of ours, and not like a link? */
bool xdp_pin_is_ours(const char *pin);

/* xdp_policy.c */

/* Opens the pinned lists of all named policies; puts them into new outer maps where those are new. */
int xdp_policy_take_over(struct xdp *xdp, bool is_new4, bool is_new6) MUST_CHECK;

/* xdp_ban.c */

/* Copies bans that have not ended from an older map of the same layout. 0; -errno. */
int xdp_ban_carry_over(int from_fd, int to_fd) MUST_CHECK;

void xdp_walk_done(struct xdp_walk *walk);

/* xdp_cache.c */

/* How many buckets go with so many bans: a power of two. */
uint32_t xdp_cache_buckets(uint32_t bans_max);

/* Maps the table. 0; -errno. */
int xdp_cache_open(struct xdp *xdp, uint32_t buckets) MUST_CHECK;
void xdp_cache_close(struct xdp *xdp);

/* Whatever is remembered of a ban does not hold any more. To be called after it was changed or removed in the map. */
void xdp_cache_drop(struct xdp *xdp, const struct ban_key *key);

/* Packets that were dropped and not yet added to the ban; `take`: whoever asks adds them. */
uint64_t xdp_cache_packets(struct xdp *xdp, const struct ban_key *key, bool take);

/* xdp_syn.c */

/* Opens the ring of reports. 0; -errno. */
int xdp_syn_open(struct xdp *xdp) MUST_CHECK;
void xdp_syn_close(struct xdp *xdp);

#endif
