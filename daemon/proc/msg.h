/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/msg - the messages between the four processes: the only thing they share.
 *
 * One datagram of a SOCK_SEQPACKET pair is one message of a size fixed by its type; some
 * carry descriptors. msg_validate() refuses whatever a correct sibling would not
 * send: type not allowed on that channel, wrong size, count, enum or text without NUL.
 * A receiver of a refused message logs it and ends (the keeper instead kills the sender).
 *
 *   keeper -> any     CONF, LISTENER, SHARED, PEER, START, DRAIN
 *   keeper -> gate    TLS, TICKETS
 *   keeper -> gate, ledger   SYNS
 *   gate -> keeper    SOCKET_WANT    keeper -> gate     SOCKET
 *   gate -> ledger    STRIKE, LOGIN, LOGOUT, FINDING, SESSIONS_PAGE, GREY_ASK,
 *                     TEST_STEP
 *   ledger -> gate    RECHECK, SESSIONS, GREY_ANSWER, TEST
 *   gate -> checker   CHECK, CHECK_SENDER   checker -> gate    ANSWER
 *   checker -> ledger LIST, DNS
 *   ledger -> keeper  BAN_EDITS, BAN_WALK, BAN_LOOKUP, ORDER
 *   keeper -> ledger  EDITS_DONE, BAN_PAGE, REPORT
 */
#ifndef PROC_MSG_H
#define PROC_MSG_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/cleanup.h"
#include "checks/check.h"
#include "checks/rbl_lists.h"
#include "policy/auth.h"
#include "policy/conf.h"
#include "policy/greylist.h"
#include "policy/greylist_key.h"
#include "policy/strikes.h"
#include "sys/tls.h"

#define MSG_USER_MAX	  64u  /* user name or recipient, escaped and cut, with the NUL */
#define MSG_EVIDENCE_MAX  128u /* a reply of the backend, with the NUL */
#define MSG_GREY_NAME_MAX 128u /* sender or recipient, escaped and cut, with the NUL */
#define MSG_TEXT_MAX	  4096u /* a report of the keeper, with the NUL */
#define MSG_BANS_MAX	  128u	/* bans in one message */
#define MSG_SOCKETS_MAX	  64u	/* sockets asked for at once */
#define MSG_SESSIONS_MAX  16u	/* sessions in one page */
#define MSG_SYNS_MAX	  64u	/* clients in one report of SYNs */

enum process_role {
	ROLE_KEEPER,
	ROLE_GATE,
	ROLE_CHECKER,
	ROLE_LEDGER,
	ROLE_COUNT,
};

enum msg_type {
	MSG_CONF = 1, /* + fd: snapshot */
	MSG_LISTENER, /* + fd: listening socket */
	MSG_SHARED,   /* + fd: memory that the ledger fills and the gates read */
	MSG_PEER,     /* + fd: a channel to another child */
	MSG_START,    /* everything for the start has been sent */
	MSG_DRAIN,    /* finish what runs, then exit 0 */
	MSG_STRIKE,
	MSG_LOGIN,   /* a successful login */
	MSG_LOGOUT,  /* the end of a session that began so, at a mailbox */
	MSG_FINDING, /* what a check found, when it was applied */
	MSG_RECHECK,
	MSG_SESSIONS,
	MSG_SESSIONS_PAGE,
	MSG_TEST, /* `postern test` */
	MSG_TEST_STEP,
	MSG_CHECK,
	MSG_CHECK_SENDER, /* of a message */
	MSG_ANSWER,
	MSG_LIST, /* how a DNS list does */
	MSG_DNS,  /* how the DNS does */
	MSG_BAN_EDITS,
	MSG_EDITS_DONE,
	MSG_BAN_WALK,
	MSG_BAN_LOOKUP,
	MSG_BAN_PAGE, /* answers BAN_WALK and BAN_LOOKUP */
	MSG_ORDER,
	MSG_REPORT,
	MSG_GREY_ASK,
	MSG_GREY_ANSWER,
	MSG_SOCKET_WANT,
	MSG_SOCKET, /* + fd: a socket that may take a client's address */
	MSG_READY,  /* child -> keeper: has all it needs and works */
	MSG_TLS, /* + fd: certificates and keys, as proc/tls_bundle lays them out for the latest CONF */
	MSG_TICKETS,
	MSG_SYNS, /* who begins too many connections, as the kernel has counted */
	MSG_TYPE_END,
};

#define MSG_CONFIRM_MAX_S    86400u /* a reload is not kept in doubt for longer */
#define MSG_DIGEST_KEY_BYTES 32u

struct msg_conf {
	uint64_t generation;
	/* For the digests of credentials; drawn when the keeper starts, so that all gates agree. */
	uint8_t digest_key[MSG_DIGEST_KEY_BYTES];
};

struct msg_listener {
	uint32_t service; /* index into conf.services of the latest CONF */
	struct conf_endpoint endpoint;
	uint32_t remove; /* 1: close this one instead (no fd) */
};

/* Memory that processes share. What the ledger tells the gates is a prefix_set each. */
enum shared_memory {
	SHARED_BANS,	 /* no values */
	SHARED_LOGINS,	 /* struct auth_recent of policy/auth.h; group 0 */
	SHARED_SESSIONS, /* a tally of base/tally.h: by the gates, for the gates */
	SHARED_COUNT,
};

struct msg_shared {
	uint64_t size_bytes;
	uint32_t what; /* enum shared_memory */
	/* 1 for who writes in it; 0 to the ledger: what the one before it has left. */
	uint32_t writable;
};

struct msg_peer {
	uint32_t role;	/* enum process_role of the other end */
	uint32_t index; /* number of the gate; 0 for others */
};

struct msg_drain {
	int64_t grace_s;
	uint32_t
		is_handover; /* 1: sessions may go on until they end, for so long; the keeper will be gone */
	uint32_t pad;
};

struct msg_strike {
	struct addr addr;
	uint8_t kind;	 /* enum strike_kind */
	uint8_t service; /* index into conf.services */
	uint8_t digest[STRIKE_DIGEST_BYTES];
	uint64_t session_id;
	uint64_t
		seen_mono_ns; /* when the backend's reply was read: ban latency counts from here */
	char user[MSG_USER_MAX];      /* login name, or recipient */
	char reply[MSG_EVIDENCE_MAX]; /* the backend's reply, escaped and cut */
};

struct msg_login {
	struct addr addr;
	uint8_t service;
	uint64_t session_id;
	char user[MSG_USER_MAX];
};

struct msg_logout {
	uint64_t session_id; /* as in LOGIN */
};

struct msg_finding {
	struct addr addr;
	uint8_t service;
	uint8_t check;	/* enum conf_check */
	uint8_t mode;	/* enum check_mode, not off */
	uint8_t result; /* enum check_result, not CHECK_CLEAN */
	uint64_t session_id;
	char evidence[CHECK_EVIDENCE_MAX];
};

struct msg_recheck {
	struct prefix prefix; /* family ADDR_NONE: every session */
};

struct msg_sessions {
	uint32_t seq;
	uint32_t pad;
};

struct msg_session {
	uint64_t id;
	struct addr addr;
	uint16_t port;
	uint8_t service;
	uint8_t auth_by; /* enum auth_by */
	int64_t started_wall_s;
	uint64_t bytes_in, bytes_out; /* from and to the client */
	char state[16];
	char user[MSG_USER_MAX];
};

#define MSG_TEST_NAME_MAX 328u /* a path of RFC 5321 4.5.3.1.3 and more, with the NUL */
#define MSG_TEST_TEXT_MAX 512u

/* What a client would do; texts without control characters, UTF-8 as it is. */
struct msg_test {
	uint32_t seq;
	uint8_t service; /* index into conf.services */
	uint8_t tls;	 /* 1: inside TLS */
	struct addr addr;
	char helo[MSG_TEST_NAME_MAX];
	char from[MSG_TEST_NAME_MAX]; /* without brackets; "": the null sender */
	char to[MSG_TEST_NAME_MAX];
	char user[MSG_USER_MAX]; /* logs in; "": does not */
};

enum test_outcome {
	TEST_RUNS,
	TEST_PASSES,
	TEST_REFUSED,
	TEST_FAILED, /* it could not be found out */
	TEST_OUTCOME_COUNT,
};

struct msg_test_step {
	uint32_t seq;
	uint32_t last;	  /* 1: the end */
	uint32_t outcome; /* enum test_outcome; of the last one, else TEST_RUNS */
	char step[24];	  /* the longest name of a check: helo-impersonation */
	char result[16];
	char mode[8];
	char text[MSG_TEST_TEXT_MAX]; /* escaped */
};

struct msg_sessions_page {
	uint32_t seq;
	uint32_t gate;
	uint32_t count;
	uint32_t last; /* 1: no more pages */
	struct msg_session sessions[MSG_SESSIONS_MAX];
};

/* Bits of what is asked of the checker: 1 << enum conf_check. */
struct msg_check {
	uint64_t session_id;
	uint32_t checks;
	uint32_t timeout_ms;
	uint32_t policy_id; /* whose settings hold; it may have gone meanwhile */
	uint32_t serial;    /* comes back in the answer */
	struct addr addr;
};

struct msg_check_sender {
	struct msg_check check;
	struct check_sender sender;
};

struct msg_answer {
	uint64_t session_id;
	uint32_t check;	 /* enum conf_check */
	uint32_t result; /* enum check_result */
	uint32_t serial;
	uint32_t spf; /* of CHECK_SPF, unless UNKNOWN: enum spf_result */
	char evidence[CHECK_EVIDENCE_MAX];
	char words[CHECK_WORDS_MAX];
};

/* Must this recipient's mail wait? */
struct msg_grey_ask {
	uint64_t session_id;
	uint32_t ask;	 /* the number of the question in its session */
	uint8_t service; /* index into conf.services */
	uint8_t is_test; /* 1: `postern test`: nothing is remembered, nobody is told */
	struct addr addr;
	uint8_t digest[GREY_DIGEST_BYTES]; /* of sender and recipient */
	char domain
		[CONF_HOST_MAX]; /* for which SPF permits the client, in lower case; "": none */
	char sender[MSG_GREY_NAME_MAX];
	char recipient[MSG_GREY_NAME_MAX];
};

struct msg_grey_answer {
	uint64_t session_id;
	uint32_t ask;
	uint32_t verdict; /* enum grey_verdict */
	uint32_t reason;  /* enum grey_reason */
	uint32_t wait_s;  /* GREY_DEFER alone: > 0 */
};

struct msg_list {
	char name[CONF_NAME_MAX];
	uint8_t family; /* enum rbl_family */
	uint8_t health; /* enum rbl_health */
	char why[RBL_WHY_MAX];
};

/* Since the checker began; as struct resolver_counts. */
struct msg_dns {
	uint64_t asked, cached, shared, failed;
	uint64_t cache_entries, cache_bytes;
	uint32_t is_silent; /* 0 or 1 */
	uint32_t pad;
};

enum ban_edit_kind {
	BAN_EDIT_SET,
	BAN_EDIT_REMOVE,
	BAN_EDIT_COUNT,
};

struct msg_ban {
	struct prefix prefix;
	uint8_t edit;	/* enum ban_edit_kind in BAN_EDITS */
	uint8_t policy; /* policy id */
	int16_t error; /* in EDITS_DONE: 0 or -errno; in BAN_PAGE of a lookup: 0 or -ENOENT */
	uint64_t ends_ns; /* boot-time clock */
	uint64_t packets; /* in BAN_PAGE */
	uint64_t last_seen_ns;
};

struct msg_bans {
	uint32_t seq;	/* of the request; repeated in the answer */
	uint32_t count; /* <= MSG_BANS_MAX */
	uint32_t load;	/* 1: many new ones: may be batched */
	uint32_t last;	/* BAN_PAGE: 1: the walk is at its end */
	struct msg_ban bans[MSG_BANS_MAX];
};

struct msg_ban_walk {
	uint32_t seq;
	uint32_t restart;
};

enum order_kind {
	ORDER_RELOAD,  /* read the configuration again */
	ORDER_CONFIRM, /* the last one may stay */
	ORDER_UPGRADE, /* the program's file is a new one: it takes over */
	ORDER_STATUS,  /* interfaces, modes, children, counters: as JSON text */
	ORDER_VERIFY,  /* kernel lists and services against the snapshot: as JSON text */
	ORDER_COUNT,
};

struct msg_order {
	uint32_t seq;
	uint32_t kind;
	uint32_t
		confirm_s; /* reload: it is taken back if no CONFIRM comes within it; 0: it stays */
	uint8_t force;	    /* reload although it locks @caller out */
	struct addr caller; /* where the admin is connected from; ADDR_NONE: local */
};

struct msg_report {
	uint32_t seq;
	int32_t error; /* 0 or -errno */
	uint32_t last; /* 0: more text follows in another REPORT of the same seq */
	char text[MSG_TEXT_MAX];
};

/* The newest first; the others are still accepted. */
struct msg_tickets {
	uint32_t count; /* <= TLS_TICKET_KEYS */
	struct tls_ticket_key keys[TLS_TICKET_KEYS];
};

/* Sockets of one family are asked for in one message, and come in one message each. */
struct msg_socket_want {
	uint32_t family; /* enum addr_family */
	uint32_t count;	 /* 1..MSG_SOCKETS_MAX */
};

struct msg_socket {
	uint32_t family; /* enum addr_family */
	uint32_t pad;
};

/* As struct xdp_syn_report; the keeper has found the service. */
struct msg_syn {
	struct prefix client; /* IPv4 /32, IPv6 /64 */
	uint8_t service;      /* index into conf.services; that of the last SYN */
	uint8_t pad[5];
	uint64_t passed;
	uint64_t over;
};

struct msg_syns {
	uint32_t count; /* 1..MSG_SYNS_MAX */
	uint32_t pad;
	struct msg_syn syns[MSG_SYNS_MAX];
};

struct msg {
	uint32_t type; /* enum msg_type */
	uint32_t pad;
	union {
		struct msg_conf conf;
		struct msg_listener listener;
		struct msg_shared shared;
		struct msg_peer peer;
		struct msg_drain drain;
		struct msg_strike strike;
		struct msg_login login;
		struct msg_logout logout;
		struct msg_finding finding;
		struct msg_recheck recheck;
		struct msg_sessions sessions;
		struct msg_sessions_page sessions_page;
		struct msg_test test;
		struct msg_test_step test_step;
		struct msg_check check;
		struct msg_check_sender check_sender;
		struct msg_answer answer;
		struct msg_list list;
		struct msg_dns dns;
		struct msg_bans bans;
		struct msg_ban_walk ban_walk;
		struct msg_order order;
		struct msg_report report;
		struct msg_tickets tickets;
		struct msg_socket_want socket_want;
		struct msg_socket socket;
		struct msg_grey_ask grey_ask;
		struct msg_grey_answer grey_answer;
		struct msg_syns syns;
	};
};

/* The gate that a session belongs to, by its number. */
static inline uint32_t msg_session_gate(uint64_t session_id)
{
	return (uint32_t)(session_id >> 56);
}

/* Bytes of a message of this type on the wire; 0 for an unknown type. */
size_t msg_size(uint32_t type);

const char *msg_name(uint32_t type);

/**
 * msg_validate - is this a message that a correct sibling may send?
 * @from, @to: roles of the two ends
 * @msg, @len: as received
 * @has_fd: a descriptor came with it
 *
 * Return: 0; -EPROTO.
 */
int msg_validate(enum process_role from, enum process_role to, const struct msg *msg,
		 size_t len, bool has_fd) MUST_CHECK;

#endif
