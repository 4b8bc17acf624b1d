/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * proc/session - one connection of a client, and the one to the backend that belongs to it.
 *
 * Knows sockets, buffers, deadlines and the end of a session; what is said on the two legs is the
 * protocol's (gate_smtp). Sessions come from an array made at start; an idle one holds no
 * buffer. Input is read into scratch memory of the gate, and only what could not be dealt
 * with at once is kept in a block; output likewise. Both are done with when the event ends.
 */
#ifndef PROC_SESSION_H
#define PROC_SESSION_H

#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "policy/auth.h"
#include "policy/conf.h"
#include "proc/gate_mailbox_state.h"
#include "proc/gate_smtp_state.h"
#include "proc/gate_state.h"
#include "proc/msg.h"
#include "sys/digest.h"
#include "sys/sock.h"

#define SESSION_FLUSH_S	     10	     /* to take a last reply */
#define SESSION_LINGER_MS    2000u   /* for the client to close after it */
#define SESSION_LINGER_BYTES 262144u /* read and thrown away meanwhile */
#define SESSION_EVIDENCE_MAX 200u    /* what a check found, with the NUL */
#define SESSION_NAME_MAX \
	64u /* text of the client kept for the log, escaped, with the NUL */

enum session_state {
	SESSION_FREE, /* not in use */
	SESSION_TLS, /* the handshake with the client is under way, or waits to begin; or the
		      * header of a trusted proxy is awaited */
	SESSION_GREET,	  /* SMTP: the time of the greeting has not come */
	SESSION_HELO,	  /* greeted; waits for EHLO or HELO */
	SESSION_CONNECT,  /* the connection to the backend is under way */
	SESSION_BANNER,	  /* waits for the backend's greeting */
	SESSION_STARTTLS, /* the backend's answer to it, and the handshake */
	SESSION_XEHLO,	  /* our own EHLO, to see whether XCLIENT is offered */
	SESSION_XCLIENT,  /* waits for the reply to XCLIENT */
	SESSION_PREPARE, /* POP3, IMAP: what is said and asked before a login is passed on */
	SESSION_EHLO,	 /* the client's EHLO has been passed on */
	SESSION_COMMAND,  /* commands */
	SESSION_AUTH,	  /* a login dialogue */
	SESSION_DATA,	  /* the message is passed on */
	SESSION_DATA_END, /* the backend's answer to the message is awaited */
	SESSION_SWALLOW,  /* the rest of a refused message is thrown away */
	SESSION_RELAY,	  /* logged in: bytes both ways, unread */
	SESSION_FLUSH,	  /* the last reply is on its way */
	SESSION_LINGER,	  /* it has gone out; the client may close */
	SESSION_ENDED,	  /* to be finished when the present event is over */
	SESSION_STATE_COUNT,
};

enum input_place {
	INPUT_NONE,
	INPUT_SCRATCH, /* the gate's; within one event only */
	INPUT_SMALL,   /* a block of the gate's pool */
	INPUT_BIG,
};

/* One of the two connections. */
struct leg {
	struct session *session;
	int fd; /* owned; -1: none */
	bool is_client;
	bool can_read;	 /* more may be there: not yet seen empty */
	bool can_write;	 /* not yet seen full */
	bool is_unsure;	 /* seen empty, but an error may hide behind what was read */
	bool is_hung_up; /* the other side has closed: read until the end shows */
	bool has_ended;	 /* nothing more comes */
	bool is_cut; /* it ended, but inside TLS, and without being said to: perhaps somebody else cut it */
	bool is_shaking; /* the handshake is under way: nothing is read or written */
	bool out_is_scratch;
	bool out_is_secret; /* no copy of it stays behind */
	uint8_t in_place;   /* enum input_place */
	int error; /* why it ended: 0, in order; positive errno: nothing goes out any more either */
	struct tls_conn *tls;	 /* owned; NULL: plain */
	const char *tls_problem; /* static: why the handshake failed; NULL */
	char *in;		 /* received and not used: in_len bytes from in_at on */
	uint32_t in_at, in_len;
	char *out; /* to be written: out_len bytes from out_at on; NULL: nothing */
	uint32_t out_at, out_len;
	/* Part of the input that was used, and waits in its place to be written to the other leg. */
	uint32_t pinned_at, pinned_len;
	struct event event;
};

struct buf;
struct gate_test;
struct session;

/* What a protocol does with a session. */
struct session_protocol {
	void (*greet)(struct session *session);	  /* it begins */
	void (*pump)(struct session *session);	  /* something may have become possible */
	void (*timeout)(struct session *session); /* the deadline has passed */
	void (*stop)(struct session *session,
		     const char *reason);	 /* end politely, if you can */
	void (*finish)(struct session *session); /* it is over: give back, wipe */
	/* A handshake that it asked for is done, on this leg; with the client: all that was known is void. */
	void (*secured)(struct session *session, struct leg *leg);
	/* Would the backend take a clean end for the end of something that is unfinished? */
	bool (*is_amid)(const struct session *session);
	void (*backend_begins)(
		struct session *session); /* a connection to it is under way */
	void (*backend_absent)(struct session *session); /* none of its addresses works */
	/* Words of its own for the line in the log; NULL: it has none. */
	void (*describe)(const struct session *session, struct buf *out);
	/* Last lines to a client, with CRLF; without a session the first two. */
	const char *refused; /* by the address list or a ban */
	const char *crowded; /* by a limit */
	const char *banned;  /* now, amid the session */
};

/* What checks say about the client; bits are 1 << enum conf_check. */
struct session_checks {
	uint32_t pending; /* asked of the checker */
	uint32_t hit, unknown;
	uint32_t due;			     /* the time to apply them has come */
	uint32_t told;			     /* to the ledger */
	uint64_t end_ms;		     /* then UNKNOWN is the answer */
	uint8_t shown;			     /* enum conf_check: whose evidence it is */
	uint8_t waits;			     /* the same, for one that is not told yet */
	char evidence[SESSION_EVIDENCE_MAX]; /* escaped; "": none */
	char waiting[SESSION_NAME_MAX];
};

struct session {
	struct wheel_node timer; /* first: the wheel hands it back */
	struct gate *gate;
	const struct session_protocol *protocol;
	uint64_t id;
	uint64_t began_ms; /* monotonic clock */
	uint64_t ends_ms;  /* session_time_max */
	int64_t began_wall_s;
	uint32_t id_next; /* in the hash of numbers; index or GATE_NO_SESSION */
	int service; /* index into conf.services; -1: it has gone from the configuration */
	struct addr addr;
	uint16_t port;
	uint16_t local_port;
	struct addr
		local; /* where a trusted proxy says the client went; see session_local() */
	uint16_t flags;					    /* of the entry */
	uint8_t state;					    /* enum session_state */
	uint8_t service_type, client_address, bare_newline; /* stay if the service goes */
	uint8_t tls_mode, backend_tls; /* likewise: enum tls_mode, enum backend_tls */
	bool require_tls_for_auth;
	uint8_t backend_index, backend_tries;
	uint8_t auth_by;      /* enum auth_by; see session_auth.h */
	bool has_tried_login; /* user is of this session itself */
	bool is_counted;      /* among the sessions of its client */
	bool awaits_proxy;    /* the header of a trusted proxy; see session_proxy.h */
	bool is_pumping;
	bool is_test;	/* `postern test`: nothing is remembered of it (gate_test) */
	bool is_polite; /* the client said QUIT: it has no reply to lose when we close */
	bool is_banned; /* its packets are dropped by now: only a reset ends it for the kernel */
	bool is_held; /* waits for the answer of a check */
	bool wants_turn; /* stopped for the sake of others: comes back in the next turn of the loop */
	uint8_t refused_logins;
	uint8_t digest[DIGEST_BYTES]; /* of the credential presented last */
	struct leg client, backend;

	uint64_t bytes_in, bytes_out; /* from and to the client */
	uint32_t linger_bytes;
	uint32_t rcpts, accepted, messages, strikes;
	const char *tls_version,
		*tls_cipher; /* of the client's leg; static; NULL: plain */
	const char *verdict; /* static */
	const char *reason;  /* static; why it ended */
	union {
		struct smtp_state smtp;
		struct mailbox_state mailbox;
		struct relay_stream pass; /* tls = passthrough */
	};
	uint16_t helo_len;
	char helo[CONF_HOST_MAX]; /* as the client said it */
	char service_name[CONF_NAME_MAX];
	char from[SESSION_NAME_MAX];	  /* escaped: of the last message */
	char rcpt[SESSION_NAME_MAX];	  /* escaped: the last recipient */
	char user[MSG_USER_MAX];	  /* escaped: who logged in, or tried last */
	char host_name[SESSION_NAME_MAX]; /* of the client, verified; "": not known */
	struct session_checks checks;
	struct gate_test *test; /* where its steps go; NULL: a live session, or over */
};

/* A new connection, as accepted. */
struct session_start {
	int fd; /* owned by the session from now on */
	struct addr addr;
	uint16_t port;
	uint16_t flags;
	int service;
	const struct session_protocol *protocol;
};

/* All sessions' memory. 0; -ENOMEM, nothing taken. */
int session_pool_init(struct gate *gate, uint32_t max) MUST_CHECK;
void session_pool_done(struct gate *gate);

/* A session for a new connection; NULL if all are in use (start->fd is still the caller's). */
struct session *session_new(struct gate *gate, const struct session_start *start);

/* The session of this number, or NULL. */
struct session *session_find(struct gate *gate, uint64_t id);

/* Begin: with TLS, if that comes first, or the greeting. Calls session_run(). */
void session_open(struct session *session);

/* From now on it is one more of its client; see gate_count.h. */
void session_count(struct session *session);

/* What the backend's socket becomes when sock_connect() has begun; -ENOMEM. */
int session_attach(struct session *session, struct leg *leg, int fd) MUST_CHECK;

/* Close a leg and forget what it holds. with_reset: the other side must not take it for a clean end. */
void session_detach(struct session *session, struct leg *leg, bool with_reset);

/**
 * session_run - let the protocol work, then settle: write, keep what is left, finish if it has ended.
 * @session: gone afterwards if it has ended
 */
void session_run(struct session *session);

/* Mark it as ended; the present session_run() finishes it. The first reason counts. */
void session_end(struct session *session, const char *reason);

/* End as soon as what has been put for the client is written. The first reason counts. */
void session_end_after_flush(struct session *session, const char *reason);

/* End a session from outside its own events: writes one last line if that is possible at once. */
void session_kill(struct session *session, const char *reason, const char *last_line);

/* Due in so many seconds from now, but never after session_time_max. */
void session_deadline(struct session *session, int64_t seconds);
void session_deadline_ms(struct session *session, uint64_t ms);

/**
 * leg_fill - read once.
 * @leg: its input grows
 * @is_awaited: the session cannot go on without more: of a message (then as much as a big block
 *              holds is read), of a reply
 *
 * Return: true if bytes came. has_ended is set at the end of the stream and on errors.
 */
bool leg_fill(struct leg *leg, bool is_awaited);

/* The first bytes of the input are done with. */
void leg_drop(struct leg *leg, size_t len);

/* All of the input is done with, and nobody shall find it in memory. */
void leg_discard(struct leg *leg);

/**
 * leg_pin - keep bytes of the input in place until they are written to the other leg.
 * @bytes: inside the input, dropped from it or about to be; nothing is pinned yet
 *
 * Until then the leg is not read.
 */
void leg_pin(struct leg *leg, const char *bytes, size_t len);

/* Write them, as far as it goes. Return: true if none is left. */
bool leg_write_pinned(struct leg *leg);

/* They will not be written. */
void leg_unpin(struct leg *leg);

/* How much can be put now. */
size_t leg_room(const struct leg *leg);

/* Is there room for so much, perhaps after a write? If not, an event comes when there is. */
bool leg_make_room(struct leg *leg, size_t len);

/* Append to what is to be written; the caller has asked leg_room(). */
void leg_put(struct leg *leg, const void *bytes, size_t len);

/* Write what was put, as far as it goes. Return: true if nothing is left. */
bool leg_flush(struct leg *leg);

/* The same for a secret, of which no copy stays behind, even if it goes out later only. */
void leg_flush_secret(struct leg *leg);

/**
 * leg_write - write bytes that are not in a buffer of the leg; nothing put may be waiting.
 *
 * Return: bytes written, 0 if the socket is full or has failed (then has_ended is set).
 */
size_t leg_write(struct leg *leg, const void *bytes, size_t len);

/* Is what the socket carries what we read and write: may splice(2) move it? */
bool leg_is_plain(const struct leg *leg);

/**
 * leg_finish - nothing more is written to this leg: the other side sees the end behind everything before it.
 * @is_cut: inside TLS it shall see no proper end, because there was none
 */
void leg_finish(struct leg *leg, bool is_cut);

/* limits.line_max_bytes, as far as a buffer holds it. */
uint32_t session_line_max(const struct session *session);

const char *session_state_name(enum session_state state);

/* The policy of a session's service; NULL if the service has gone. */
const struct conf_policy *session_policy(const struct session *session);

#endif
