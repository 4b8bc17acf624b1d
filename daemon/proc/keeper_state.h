/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/keeper_state - the keeper's root struct, and what its parts offer each other.
 *
 * The parts know each other only downwards:
 *
 *   keeper - keeper_reload - keeper_status, keeper_ops - keeper_children - keeper_listeners, keeper_kernel,
 *          keeper_intercept - keeper_bridge, keeper_fence, keeper_handover - keeper_snapshot, keeper_setup,
 *          keeper_memory
 *   keeper - keeper_syns
 *   keeper - keeper_watch - keeper_children, keeper_intercept, keeper_fence, keeper_kernel, keeper_snapshot
 *   keeper, keeper_reload, keeper_children, keeper_status - keeper_tls
 */
#ifndef PROC_KEEPER_STATE_H
#define PROC_KEEPER_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/log.h"
#include "policy/conf.h"
#include "proc/config.h"
#include "proc/msg.h"
#include "proc/snapshot.h"
#include "sys/netlink.h"
#include "sys/nft_fence.h"
#include "sys/xdp.h"
#include "sys/xdp_bridge.h"

struct channel;
struct event;
struct event_base;
struct nft_table;
struct prefix_set;

#define KEEPER_CHILDREN_MAX	(2u + CONF_GATES_MAX) /* ledger, checker, gates */
#define KEEPER_LISTENERS_MAX	(CONF_SERVICES_MAX * CONF_LISTEN_MAX)
#define KEEPER_WARNINGS_MAX	16u /* shown by status */
#define KEEPER_RESTART_FIRST_MS 100u
#define KEEPER_RESTART_MAX_MS	10000u /* a child that keeps dying costs little */
#define KEEPER_RESTART_CALM_S	60 /* lived so long: the next death counts as the first */
#define KEEPER_END_WAIT_S	10 /* checker and ledger, after the gates */
#define KEEPER_DRAIN_SLACK_S	2  /* gates, past their grace */
#define KEEPER_UPGRADE_MS	100u /* for the answer, which the ledger brings to the admin */
#define KEEPER_SIGNALS		5
#define RELOAD_TEXT_MAX		65536u /* what is answered to an order */
#define KEEPER_TLS_LOOK_S	5      /* are the certificate files as they were? */
#define KEEPER_TLS_PROBLEM_MAX	1024u

enum keeper_phase {
	PHASE_START, /* not every child has been ready yet */
	PHASE_RUN,
	PHASE_DRAIN, /* gates finish */
	PHASE_END,   /* checker and ledger finish */
};

struct keeper;

struct keeper_child {
	struct keeper *keeper;
	enum process_role role;
	uint32_t index;		 /* number of the gate */
	pid_t pid;		 /* 0: not running */
	struct channel *channel; /* NULL: not running */
	bool is_started;	 /* START has been sent */
	bool is_ready;		 /* READY has come */
	int64_t started_wall_s;
	uint64_t started_mono_ns;
	uint32_t restarts;
	uint32_t delay_ms; /* before the next start */
	struct event *restart;
};

/* The sockets of one endpoint, one for each gate. */
struct keeper_listener {
	struct conf_endpoint endpoint;
	int fds[CONF_GATES_MAX]; /* owned; conf.gates of them */
};

/* What the ledger tells the gates by memory. */
struct keeper_memory {
	int next_fd; /* what the running ledger fills; -1: no ledger */
	int fd;	     /* the last one that a ledger had filled, read-only; -1: none yet */
};

struct keeper_interface {
	char name[16];
	enum xdp_mode got;
	bool is_new;	/* attached by this run, not taken over from an earlier one */
	bool is_fenced; /* XDP cannot be attached: keeper_fence guards it */
};

/* A policy as the second fence has it. */
struct keeper_fence_policy {
	uint16_t id;
	bool has_fine;	 /* its list has IPv6 entries inside a client's /64 */
	uint64_t digest; /* of its list */
	const struct prefix_table *table; /* in the snapshot in force, or about to be */
	const char *name;		  /* in fence.wanted */
};

/* Where a walk through its bans stands. */
struct keeper_fence_walk {
	size_t cursor;
	bool is_in_prefixes, is_over;
};

/* The second fence: nftables drops where XDP cannot. */
struct keeper_fence {
	bool is_on;
	bool is_detached; /* by posternd --detach, which means it */
	bool is_settling; /* the ledger has not said all bans yet: those of an earlier run hold */
	struct nft_fence wanted; /* as it was put in force */
	struct keeper_fence_policy policies[NFT_FENCE_POLICIES_MAX];
	size_t rules;
	struct prefix_set *bans;     /* of clients, exactly; NULL: no fence */
	struct prefix_set *prefixes; /* of other lengths */
	size_t bans_bytes, prefixes_bytes;
	struct keeper_fence_walk walk;
	uint64_t asleep_ns;	  /* of the host, when the ends were said */
	struct netlink_line line; /* for changes of bans */
};

/* Certificates and what else the gates' TLS needs. */
struct keeper_tls {
	struct certificates *certificates; /* in force; NULL: none are needed */
	struct tls_tickets *
		tickets; /* a page of its own, that no child inherits; NULL before the start */
	uint64_t rotate_ns; /* when the next key is made; monotonic clock */
	struct event *look;
	char problem[KEEPER_TLS_PROBLEM_MAX]; /* why changed files are not in force; "" */
	bool is_told;			      /* the problem stands in the log */
	bool was_bad[CONF_CERTIFICATES_MAX];  /* told: expired, or soon */
};

/* What leads connections to the gates: nftables and a route. */
struct keeper_intercept {
	bool is_on;
	bool is_released;	 /* stopping: nothing new is led to the gates */
	bool are_gates_down;	 /* they die again and again */
	size_t rules;		 /* of our table, as it was put in force */
	struct nft_watched seen; /* since the last look */
	int watch_fd;
	struct event *watch, *pause; /* NULL: none */
};

/* Reports of the kernel on who begins too many connections. */
struct keeper_syns {
	struct event *readable, *pause; /* NULL: none */
	struct log_limit lines;
};

/* Where this host is a bridge between clients and mail host. */
struct keeper_bridge {
	struct xdp_bridge *program;  /* NULL: it never was one */
	struct xdp_bridge_plan plan; /* in force */
	bool is_stale; /* putting the present state of the host in force failed */
};

struct reload_wish;

/* A reload that is taken back unless it is confirmed. */
struct keeper_pending {
	bool is_on;
	uint64_t ends_ns; /* monotonic clock */
	struct event *timer;
	struct snapshot snapshot; /* what was in force before */
	int snapshot_fd;
	struct certificates *certificates;
};

/* Gates of programs before this one, which go on with the sessions that they have. */
#define KEEPER_LEAVING_MAX (4u * CONF_GATES_MAX)

/* From one program to the next. */
struct keeper_handover {
	char program[CONF_PATH_MAX]; /* what is executed */
	bool is_on;		     /* this one is on its way out */
	bool is_filtered; /* the program before has refused itself what this one would */
	/* What this one was given, and has not taken yet; -1: nothing. */
	int lock_fd, control_fd;
	struct keeper_listener listeners[KEEPER_LISTENERS_MAX];
	size_t listener_count;
	pid_t leaving[KEEPER_LEAVING_MAX];
	size_t leaving_count;
};

struct keeper {
	const char *config_path; /* borrowed */
	struct event_base *base;
	struct event *signals[KEEPER_SIGNALS];
	struct event *deadline; /* of the phase */
	enum keeper_phase phase;
	int exit_status;
	int64_t started_wall_s;

	struct snapshot snapshot; /* what is in force */
	int snapshot_fd;
	uint8_t digest_key[MSG_DIGEST_KEY_BYTES];

	struct xdp *xdp; /* NULL: nothing is dropped in the kernel */
	struct keeper_interface interfaces[CONF_INTERFACES_MAX];
	uint8_t interface_count;

	struct keeper_listener listeners[KEEPER_LISTENERS_MAX];
	size_t listener_count;

	struct keeper_child children[KEEPER_CHILDREN_MAX]; /* ledger, checker, gates */
	size_t child_count;
	struct keeper_memory memories[SHARED_COUNT];

	struct keeper_intercept intercept;
	struct keeper_bridge bridge;
	struct keeper_syns syns;
	struct keeper_fence fence;
	struct keeper_pending pending;
	struct keeper_handover handover;
	uint64_t generation; /* the last one that was given to a configuration */

	int control_fd, lock_fd;
	int watch_fd;
	struct event *watch, *watch_pause; /* NULL: none */
	char empty_dir[CONF_PATH_MAX];

	struct keeper_tls tls;

	char warnings[KEEPER_WARNINGS_MAX][CONFIG_NOTE_MAX_BYTES];
	size_t warning_count;
};

static inline const struct conf *keeper_conf(const struct keeper *keeper)
{
	return keeper->snapshot.conf;
}

static inline struct keeper_child *keeper_ledger(struct keeper *keeper)
{
	return &keeper->children[0];
}

/* ---- keeper_setup: what is on the file system. Each logs what is wrong. ---- */

/* Is this root, with all accounts there? 0; -EPERM; -ENOENT. */
int setup_check_accounts(void) MUST_CHECK;
/* Make run-dir, the empty directory and state-dir; take the lock. 0; -errno. */
int setup_directories(struct keeper *keeper, const struct conf *conf) MUST_CHECK;
/* Make the listening control socket. 0; -errno. */
int setup_control(struct keeper *keeper, const struct conf *conf) MUST_CHECK;
/* Is pin-dir on a bpffs? Mounts /sys/fs/bpf if nothing is there. 0; -errno. */
int setup_bpffs(const char *pin_dir) MUST_CHECK;
/* Descriptors for so many sessions, for the children. */
void setup_limits(const struct conf *conf);

/* ---- keeper_snapshot ---- */

/* Everything a ban must not hit. */
void protected_collect(const struct conf *conf, struct protected_set *out_set);
/* The one in force with what is protected now; -EALREADY: that is the same. 0; -errno. */
int snapshot_of_protected(const struct snapshot *old, int *out_fd,
			  struct snapshot *out_snapshot) MUST_CHECK;
/* Complete @conf (name servers) and lay it out. 0; -errno; logs nothing. */
int snapshot_of_config(struct config *config, uint64_t generation, int *out_fd,
		       struct snapshot *out_snapshot) MUST_CHECK;

/* ---- keeper_kernel: lists, services, interfaces. @problem gets one sentence on failure. ---- */

#define KEEPER_PROBLEM_MAX 512u

/* Give every policy its id: by name, as the kernel has it. 0; -errno. */
int kernel_assign_ids(struct keeper *keeper, struct conf *conf) MUST_CHECK;
/* Bring the kernel from what it has to @wanted. 0; -errno. */
int kernel_apply(struct keeper *keeper, const struct snapshot *wanted,
		 char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* Who may never be banned has no limit of SYNs either. 0; -errno. */
int kernel_exempt(struct keeper *keeper, const struct protected_set *set) MUST_CHECK;
/* What a policy says on SYNs. */
struct xdp_syn_limit kernel_syn_limit(const struct conf_policy *policy);
/* Attach to interfaces that are new. 0; -errno. */
int kernel_attach(struct keeper *keeper, const struct conf *conf,
		  char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* Attach again to configured interfaces that had gone and are back. */
void kernel_attach_lost(struct keeper *keeper);
/* The mode in which the program runs on an interface now; XDP_OFF: it does not. */
enum xdp_mode kernel_mode(const struct keeper *keeper, const char *interface);
/* A start that fails: take off what this run has attached. */
void kernel_attach_undo(struct keeper *keeper);
/* Detach from interfaces that are not configured any more. */
void kernel_detach_others(struct keeper *keeper, const struct conf *conf);
/* Is the port guarded, and by which policy (index)? */
bool conf_guards_port(const struct conf *conf, uint16_t port, uint8_t *out_policy);

/* ---- keeper_intercept ---- */

/* Bring nftables and the route from what they are to @conf. 0; -errno: @problem says why, nothing has changed. */
int intercept_apply(struct keeper *keeper, const struct conf *conf,
		    char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* See when somebody else changes our table, and put it back. 0; -errno. */
int intercept_watch(struct keeper *keeper) MUST_CHECK;
/* A gate became ready, or died: do they work at all? */
void intercept_gates_changed(struct keeper *keeper);
/* From now on new connections go straight to the mail host; those that the gates have stay theirs. */
void intercept_release(struct keeper *keeper);
/* Take everything off. */
void intercept_end(struct keeper *keeper);
/* The same, without a keeper; the second fence with it, or not. 0; -errno. */
int intercept_take_off(bool with_fence) MUST_CHECK;
/* Rules that our table should have, and has. 0; -errno. */
int intercept_rules(const struct keeper *keeper, size_t *out_wanted,
		    size_t *out_there) MUST_CHECK;
/* A gate asks for sockets with which it can connect in clients' names. */
void intercept_give_sockets(struct keeper_child *gate,
			    const struct msg_socket_want *want);

/* The host has changed: the bridge's ports and addresses, or somebody took our program off a port. */
void intercept_host_changed(struct keeper *keeper);

/* ---- keeper_bridge ---- */

/**
 * bridge_plan - which of the interfaces are ports of a bridge, and what is to be taken off it.
 * @table: where clients come in by a port, the bridge stands afterwards
 * @problem: says what the admin can do, if he can
 *
 * Return: 0; -errno.
 */
int bridge_plan(struct nft_table *table, struct xdp_bridge_plan *out_plan,
		char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* Put a plan in force. 0; -errno: @problem says why. */
int bridge_apply(struct keeper *keeper, const struct xdp_bridge_plan *plan,
		 char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* Ports that should have our program, and have not. */
size_t bridge_ports_lost(const struct keeper *keeper);
/* The bridge of which an interface is a port in front of the mail host; "": of none. */
void bridge_name(const struct keeper *keeper, const char *interface, char out_name[16]);

/* ---- keeper_fence: nftables drops on interfaces without XDP ---- */

/* Bring it to a snapshot and to what XDP guards now; there may be none. 0; -errno: @problem says why, nothing has changed. */
int fence_apply(struct keeper *keeper, const struct snapshot *wanted,
		char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* The same with what is in force, when interfaces have changed. Logs. */
void fence_refresh(struct keeper *keeper);
/* Does it stand on this interface? */
bool fence_guards(const struct keeper *keeper, const char *interface);
/* The ledger has said all bans. */
void fence_settle(struct keeper *keeper);
/* Changes that have been made elsewhere, where they were to be made; what fails is said in its place. */
void fence_edits(struct keeper *keeper, struct msg_bans *bans);
/* Without XDP it is what is asked for bans: one of them, all of them. */
bool fence_find(const struct keeper *keeper, const struct prefix *prefix, uint16_t policy,
		struct xdp_ban *out_ban);
void fence_walk(struct keeper *keeper, bool restart, struct xdp_ban *out_bans, size_t max,
		size_t *out_count);
/* Somebody changed nftables. 0; -errno: it has to be looked at again. */
int fence_on_change(struct keeper *keeper, const struct nft_watched *seen) MUST_CHECK;
/* What it has counted, of one policy. false: it does not stand. */
bool fence_counters(const struct keeper *keeper, const char *policy,
		    struct nft_fence_counters *out_counters);

/* A difference that was found. @prefix: NULL: it is not about one. */
typedef void (*fence_difference_fn)(void *context, const char *policy,
				    const struct prefix *prefix, const char *problem);
/* Nftables against what should be in it. */
void fence_verify(struct keeper *keeper, fence_difference_fn on_difference,
		  void *context);
/* The snapshot in force lies elsewhere now, with the same lists. */
void fence_snapshot_moved(struct keeper *keeper);
void fence_free(struct keeper *keeper);

/* ---- keeper_handover ---- */

/* Remember which program this is: at the start, while its file is still there. 0; -errno. */
int handover_note_program(struct keeper *keeper) MUST_CHECK;
/* Take over what the program before has left to this one, if one did. */
void handover_take(struct keeper *keeper);
/* The sockets of an endpoint that were handed over, one for each gate. false: there are none, or another number. */
bool handover_take_listener(struct keeper *keeper, const struct conf_endpoint *endpoint,
			    uint8_t gates, int out_fds[CONF_GATES_MAX]) MUST_CHECK;
/* What was handed over and nobody has taken. */
void handover_close_rest(struct keeper *keeper);
/* May the program that is installed now take over? 0; -errno: @out_text says why. */
int handover_check(struct keeper *keeper, const struct reload_wish *wish,
		   char out_text[RELOAD_TEXT_MAX]) MUST_CHECK;
/* Let the gates leave; then ledger and checker have to end. */
void handover_leave(struct keeper *keeper);
/* Execute it. Returns only if that fails. */
void handover_exec(struct keeper *keeper);
/* Collect gates of programs before that have ended. */
void handover_reap(struct keeper *keeper);
/* Kill those that are left. */
void handover_end(struct keeper *keeper);

/* ---- keeper_listeners ---- */

/* Open what @conf lists and is not open yet; all or nothing. @out_opened: how many, at the end. */
int listeners_open(struct keeper *keeper, const struct conf *conf, size_t *out_opened,
		   char problem[KEEPER_PROBLEM_MAX]) MUST_CHECK;
/* Close the last @count again. */
void listeners_undo(struct keeper *keeper, size_t count);
/* Tell the gates of the last @count ones. */
void listeners_announce(struct keeper *keeper, size_t count);
/* Close what @conf does not list any more, and tell the gates. */
void listeners_close_others(struct keeper *keeper, const struct conf *conf);
/* Send all of a gate's sockets to it. */
void listeners_send(struct keeper *keeper, struct keeper_child *gate);

/* ---- keeper_memory: what the ledger fills and the gates read ---- */

void memories_init(struct keeper *keeper);
/* New memory, for a ledger that is about to start. 0; -errno. */
int memories_make(struct keeper *keeper) MUST_CHECK;
/* The ledger has filled it: from now on gates get it. 0; -errno. */
int memories_publish(struct keeper *keeper) MUST_CHECK;
/* Has a ledger ever filled it? */
bool memories_are_there(const struct keeper *keeper);
/* Send it: to the ledger to be filled, to a gate to be read. */
void memories_send(struct keeper_child *child);
void memories_free(struct keeper *keeper);

/* ---- keeper_children ---- */

void children_init(struct keeper *keeper, uint8_t gates);
/* Fork and tell them what they need. 0; -errno. */
int children_start(struct keeper *keeper) MUST_CHECK;
/* Kill a child that misbehaves or does not listen; it is started anew. */
void child_kill(struct keeper_child *child, const char *why);
/* A message to one child; one that cannot be reached is killed. */
void child_send(struct keeper_child *child, const struct msg *msg, int fd);
/* CONF of the snapshot in force. */
void child_send_conf(struct keeper_child *child);
/* Collect the dead. */
void children_reap(struct keeper *keeper);
/* How many of this role run. */
size_t children_running(const struct keeper *keeper, enum process_role role);
void children_free(struct keeper *keeper);

/* ---- keeper_tls: certificates and ticket keys ---- */

/* Make the first ticket key. 0; -errno. */
int tls_prepare(struct keeper *keeper) MUST_CHECK;
/* Begin to watch the files. 0; -errno. */
int tls_start(struct keeper *keeper) MUST_CHECK;
/* Take over what was read with the configuration that is in force now. */
void tls_replace(struct keeper *keeper, struct certificates **certificates);
/* All that a gate needs. After its CONF. */
void tls_send(struct keeper *keeper, struct keeper_child *gate);
void tls_free(struct keeper *keeper);

/* ---- keeper_ops: orders of the ledger ---- */

void ops_edit(struct keeper *keeper, const struct msg *msg);
void ops_walk(struct keeper *keeper, const struct msg *msg);
void ops_lookup(struct keeper *keeper, const struct msg *msg);
/* Send a text in as many REPORTs as it needs. */
void ops_report(struct keeper *keeper, uint32_t seq, int error, const char *text);

/* ---- keeper_status: JSON ---- */

void status_report(struct keeper *keeper, uint32_t seq);
void status_verify(struct keeper *keeper, uint32_t seq);

/* ---- keeper_watch: interfaces and addresses of the host come and go ---- */

#define WATCH_PAUSE_MS 200u /* changes come in flocks */

/* Begin to listen to the kernel. 0; -errno. */
int watch_start(struct keeper *keeper) MUST_CHECK;
void watch_free(struct keeper *keeper);

/* ---- keeper_syns: who begins too many connections ---- */

/* Begin to read what the kernel reports. 0; -errno. */
int syns_start(struct keeper *keeper) MUST_CHECK;
void syns_free(struct keeper *keeper);

/* ---- keeper_reload ---- */

/* Who asks for a reload, and how. All zero: nobody's way in is at stake, and it stays. */
struct reload_wish {
	struct addr caller; /* ADDR_NONE: local */
	bool force;	    /* although it locks the caller out */
	uint32_t confirm_s; /* taken back unless it is confirmed within it; 0: it stays */
};

/* Read the configuration again and put it in force. @out_text: what changed, or what is wrong.
 * 0; -errno: nothing has changed. */
int reload(struct keeper *keeper, const struct reload_wish *wish,
	   char out_text[RELOAD_TEXT_MAX]) MUST_CHECK;
/* Would it lock out who wishes it? 0; -errno: @out says why. Puts nothing in force. */
int reload_check(struct keeper *keeper, struct config *config,
		 const struct reload_wish *wish, struct buf *out) MUST_CHECK;
/* Put back what was in force before. 0; -errno: it is as it was, and in the log. */
int reload_back(struct keeper *keeper, struct keeper_pending *pending) MUST_CHECK;

/* ---- keeper_reload_confirm ---- */

/* Keep what is in force now, to be put back after so many seconds, unless an older one is kept for that already. */
void pending_begin(struct keeper *keeper, uint32_t confirm_s);
/* Nothing is put back any more. */
void pending_drop(struct keeper *keeper);
/* What a reload has put in force stays. 0; -ENOENT: none is in doubt. */
int pending_confirm(struct keeper *keeper, char out_text[RELOAD_TEXT_MAX]) MUST_CHECK;
/* Seconds until it is taken back; 0: none is in doubt. */
int64_t pending_left_s(const struct keeper *keeper);

/* Keep the warnings of a load for status, and log them. */
void reload_keep_warnings(struct keeper *keeper, const struct config_report *report);

/* ---- keeper: what a child's message or death leads to ---- */

void keeper_on_message(struct keeper_child *child, const struct msg *msg, int fd);
void keeper_on_ready(struct keeper *keeper);
void keeper_on_child_gone(struct keeper *keeper);

#endif
