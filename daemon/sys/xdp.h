/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * sys/xdp - the kernel side, through libbpf: program, links, maps, pins.
 *
 * Called by the keeper only. No policy: it puts into the maps what it is told.
 * Everything is pinned below one directory (default /sys/fs/bpf/postern) and outlives the process;
 * see bpf/abi.h for the layout. Errors are -errno; nothing is logged.
 */
#ifndef SYS_XDP_H
#define SYS_XDP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "base/prefix_table.h"

#define XDP_POLICY_MAX	   32u
#define XDP_NAME_MAX	   32u
#define XDP_BATCH_MAX	   256u
#define XDP_SYN_EXEMPT_MAX 256u
#define XDP_SYN_RATE_MAX   1000000u
#define XDP_SYN_BURST_MAX  1000000u
#define XDP_PROBLEM_MAX	   2048u

struct xdp; /* the open maps and program */

enum xdp_mode {
	XDP_AUTO, /* native, else generic */
	XDP_NATIVE,
	XDP_GENERIC,
	XDP_OFF, /* (as a result: not attached) */
};

struct xdp_ban {
	struct prefix prefix;
	uint16_t policy;
	uint64_t ends_ns; /* boot-time clock */
	uint64_t packets;
	uint64_t last_seen_ns;
};

struct xdp_counters {
	uint64_t passed;
	uint64_t dropped_ban;
	uint64_t dropped_ban_prefix;
	uint64_t dropped_blacklisted;
	uint64_t dropped_not_permitted;
	uint64_t dropped_no_entry;
	uint64_t dropped_runt;
	uint64_t dropped_syn_rate;
	uint64_t would_drop_syn_rate; /* passed, as the mode is observe */
};

enum xdp_syn_mode {
	XDP_SYN_OFF,
	XDP_SYN_OBSERVE,
	XDP_SYN_ENFORCE,
};

/* How many connections one source may begin. */
struct xdp_syn_limit {
	enum xdp_syn_mode mode;
	uint32_t rate;	/* SYNs a second; > 0 unless off */
	uint32_t burst; /* at once; > 0 unless off */
};

/* A source was over its limit just now. Both numbers are counted on since it was first seen; it may be forgotten
 * meanwhile, and then they begin anew. */
struct xdp_syn_report {
	struct prefix source; /* IPv4 /32, IPv6 /64 */
	uint16_t policy;
	uint16_t port;	 /* of the last SYN, host order */
	uint64_t passed; /* SYNs let through */
	uint64_t over;	 /* SYNs over the rate: dropped, unless only observed */
};

/**
 * xdp_open - load the program; take over the pinned maps that fit, make the others.
 * @pin_dir: on a bpffs; made if missing (one level)
 * @bans_max: capacity of the exact bans; if the pinned map has another, its bans are carried over
 * @out_xdp: owned by the caller; xdp_close() closes descriptors and leaves all pins
 *
 * Nothing that the kernel drops now is passed at any moment in between: an attached program
 * goes on with the maps it has until xdp_attach() puts ours in its place. So load policies,
 * services and bans first, and attach then.
 *
 * Needs all of root's capabilities at the first start; everything else works with CAP_BPF,
 * CAP_PERFMON and CAP_NET_ADMIN, as the owner of the directory.
 *
 * Return: 0; -errno (-EMEDIUMTYPE: pin_dir is not on a bpffs; -ENOSPC: more bans than bans_max).
 */
int xdp_open(const char *pin_dir, uint32_t bans_max, struct xdp **out_xdp) MUST_CHECK;
void xdp_close(struct xdp **xdp);

/* In a forked child: unmap what is shared with the kernel. NULL is allowed. Nothing but xdp_close() afterwards. */
void xdp_forget(struct xdp *xdp);

/* What went wrong last, in words, for a log line: "" if there is nothing to add to the errno.
 * Valid until the next call of this module. May hold the end of the verifier's log. */
const char *xdp_problem(void);

/* Descriptor of the loaded program, borrowed. For BPF_PROG_TEST_RUN. */
int xdp_program_fd(const struct xdp *xdp);

/**
 * xdp_attach - attach to an interface, or replace the program of our pinned link there.
 * @ifname: interface
 * @wanted: XDP_AUTO, XDP_NATIVE or XDP_GENERIC
 * @out_got: XDP_NATIVE or XDP_GENERIC
 *
 * Return: 0; -ENODEV; -EBUSY, someone else's program is there; -errno.
 */
int xdp_attach(struct xdp *xdp, const char *ifname, enum xdp_mode wanted,
	       enum xdp_mode *out_got) MUST_CHECK;

enum xdp_link_state {
	XDP_LINK_ON, /* our program runs on the interface */
	XDP_LINK_LOST, /* it did, but the interface has gone since; one of its name may be there again */
	XDP_LINK_NONE, /* never attached, or taken off */
};

/* By the kernel's word, not by what was once done. */
enum xdp_link_state xdp_link_state(const char *pin_dir, const char *ifname);

/* Take our link off one interface that is no longer configured. 0; -ENOENT; -errno. */
int xdp_detach_interface(struct xdp *xdp, const char *ifname);

/* Names of the interfaces that have a pinned link of ours. Returns how many (<= max). The name is
 * the one of the time of attaching; xdp_attach() knows a renamed interface again. */
size_t xdp_interfaces(const char *pin_dir, char (*out_names)[16], size_t max);

/* Take every link and pin of ours off; works without a daemon. 0, also if there is nothing; -errno of
 * the first failure (-EMEDIUMTYPE: not a bpffs; -ENOTEMPTY: all ours is gone, something else lies there). */
int xdp_detach_all(const char *pin_dir) MUST_CHECK;

/* Stable ids: read all names; set one ("" frees it). */
int xdp_policy_names(struct xdp *xdp, char (*out_names)[XDP_NAME_MAX]) MUST_CHECK;
int xdp_policy_name_set(struct xdp *xdp, uint16_t policy, const char *name) MUST_CHECK;

/**
 * xdp_policy_load - fill new tries from a table and swap them in (IPv4, then IPv6).
 * @policy: id
 * @name: for the pins policy-NAME-4 and policy-NAME-6 of the inner tries
 * @table: the address list; NULL: empty (everything is dropped for want of an entry)
 *
 * Before the swap the old tries decide, afterwards the new ones: no packet sees a mixture.
 * Waits for an RCU grace period (10..230 ms).
 */
int xdp_policy_load(struct xdp *xdp, uint16_t policy, const char *name,
		    const struct prefix_table *table) MUST_CHECK;

/* Does the policy's loaded trie pair equal the table? 0; 1, differs; -errno. (verify) */
int xdp_policy_compare(struct xdp *xdp, uint16_t policy, const struct prefix_table *table,
		       size_t *out_differences) MUST_CHECK;

/* Services: port (host order) -> policy; and which ports are guarded now. */
int xdp_service_set(struct xdp *xdp, uint16_t port, uint16_t policy,
		    bool v6_longer_than_64) MUST_CHECK;
int xdp_service_remove(struct xdp *xdp, uint16_t port);
int xdp_service_list(struct xdp *xdp, uint16_t *out_ports, uint16_t *out_policies,
		     size_t max, size_t *out_count) MUST_CHECK;

/**
 * xdp_ban_set - set bans, or change when they end (their counters stay).
 * @bans: prefix, policy and ends_ns are used; IPv4 /32 and IPv6 /64 go to `bans`, others to
 *        `ban_prefixes*`
 * @count: <= XDP_BATCH_MAX
 * @out_done: how many were set, from the front
 *
 * Return: 0; -E2BIG or -ENOSPC, map full; -errno.
 */
int xdp_ban_set(struct xdp *xdp, const struct xdp_ban *bans, size_t count,
		size_t *out_done) MUST_CHECK;

/* The same for many new bans at once: batch update, counters of existing ones start anew. */
int xdp_ban_load(struct xdp *xdp, const struct xdp_ban *bans, size_t count) MUST_CHECK;

/* Remove one. 0; -ENOENT; -errno. */
int xdp_ban_remove(struct xdp *xdp, const struct prefix *prefix, uint16_t policy);

/* Look one up, with its counters. 0; -ENOENT; -errno. */
int xdp_ban_get(struct xdp *xdp, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban) MUST_CHECK;

/**
 * xdp_ban_walk - read all bans page by page (exact ones, then prefixes).
 * @restart: begin anew
 * @out_bans, @max: room, <= XDP_BATCH_MAX
 * @out_count: bans written; 0 at the end
 *
 * One walk at a time. Return: 0; -errno.
 */
int xdp_ban_walk(struct xdp *xdp, bool restart, struct xdp_ban *out_bans, size_t max,
		 size_t *out_count) MUST_CHECK;

/* The limit of one policy; in force with the next packet. 0; -EINVAL; -errno. */
int xdp_syn_limit_set(struct xdp *xdp, uint16_t policy,
		      const struct xdp_syn_limit *limit) MUST_CHECK;
int xdp_syn_limit_get(struct xdp *xdp, uint16_t policy,
		      struct xdp_syn_limit *out_limit) MUST_CHECK;

/**
 * xdp_syn_exempt - say for whom no limit holds, in no policy.
 * @prefixes: all of them, in any order, some may be there twice; who is not among them is not exempt any more
 * @count: <= XDP_SYN_EXEMPT_MAX
 *
 * New ones are put in before old ones are taken out. Return: 0; -E2BIG; -errno.
 */
int xdp_syn_exempt(struct xdp *xdp, const struct prefix *prefixes,
		   size_t count) MUST_CHECK;

/* What is known of one source. 0; -ENOENT; -errno. The port is 0. */
int xdp_syn_source(struct xdp *xdp, const struct prefix *source, uint16_t policy,
		   struct xdp_syn_report *out_report) MUST_CHECK;

/* Readable when there are reports; borrowed. */
int xdp_syn_reports_fd(const struct xdp *xdp);

/* Takes the reports that are there. Returns how many (<= max); more may be left. */
size_t xdp_syn_reports_read(struct xdp *xdp, struct xdp_syn_report *out_reports,
			    size_t max);

/* Each ban there is, in any order; a walk that is under way goes on afterwards. 0; -errno, also of on_ban. */
int xdp_ban_each(struct xdp *xdp, int (*on_ban)(void *context, const struct xdp_ban *ban),
		 void *context) MUST_CHECK;

/* Sum over the CPUs. */
int xdp_counters(struct xdp *xdp, uint16_t policy,
		 struct xdp_counters *out_counters) MUST_CHECK;

#endif
